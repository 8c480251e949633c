"""How fast the package is, as ratios measured in one run: ``python -m benchmarks`` from a checkout.

Needs the extra ``bench``; the comparison with JavaScript also needs Node and ``npm ci`` in ``tests/interop``.
"""
