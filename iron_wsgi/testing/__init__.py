"""For tests: a clock, a browser's cookie jar, sessions in and out of any test client, and contracts.

A contract is what jars, stores and lists of revocations promise, as a class of tests to inherit from. Nothing
here needs a test framework; contracts serve pytest and unittest alike.
"""

from __future__ import annotations

from .atomic import AtomicStoreContract as AtomicStoreContract
from .clients import DictJar as DictJar
from .clients import dump_session as dump_session
from .clients import load_session as load_session
from .clock import FakeClock as FakeClock
from .jars import JarContract as JarContract
from .revocations import RevocationsContract as RevocationsContract
from .stores import StoreContract as StoreContract
