"""Whether a suite came out as the table says."""

from __future__ import annotations

from pathlib import Path

from .run import Result, run
from .suite import Suite


def differences(suite: Suite, ours: Result, stock: Result) -> list[str]:
    """What is not as the table says, in sentences; nothing if all is.

    Args:
        suite: What is expected.
        ours: Every test, with our sessions.
        stock: Without them, at least the tests that the table or *ours* has as failing.
    """
    known, different = suite.known.keys(), suite.different.keys()
    fails, fails_anyway = ours.having("failed"), stock.having("failed")
    listed, skipped = known | different, suite.skipped_on(ours.python)
    counts = {
        "collected": (suite.collected, len(ours.outcomes)),
        "passed": (suite.collected - skipped - len(listed), len(ours.having("passed"))),
        "skipped": (skipped, len(ours.having("skipped"))),
    }
    passes_anyway = stock.having("passed")
    otherwise = {
        name: ours.messages.get(name, "nothing")
        for name, one in suite.different.items()
        if name in fails and one.says not in ours.messages.get(name, "")
    }
    return [
        *(f"{name} fails with our sessions only" for name in sorted(fails - fails_anyway - listed)),
        *(f"{name} fails, with or without our sessions" for name in sorted((fails & fails_anyway) - known)),
        *(f"{name} should fail but does not" for name in sorted(listed - fails)),
        *(f"{name} should fail otherwise: it says {said}" for name, said in sorted(otherwise.items())),
        *(f"{name} should fail without our sessions too" for name in sorted(known - fails_anyway)),
        *(
            f"{name} should pass without our sessions"
            for name in sorted(different - passes_anyway)
            if not name.startswith(suite.added)
        ),
        *(f"{found} tests {what}, not {want}" for what, (want, found) in counts.items() if want != found),
        *([f"only {ours.opened} sessions of ours were opened"] if ours.opened < suite.opened else []),
        *([f"only {ours.sealed} seals of ours were set"] if ours.sealed < suite.sealed else []),
    ]


def examine(suite: Suite, ours: Path) -> tuple[Result, list[str]]:
    """Run a suite with our sessions, and without them what fails.

    Args:
        suite: Which.
        ours: Where our package is installed.

    Returns:
        What it came to with our sessions, and what is not as the table says.
    """
    result = run(suite, ours)
    failing = result.having("failed") | suite.known.keys() | suite.different.keys()
    published = {name for name in failing if not name.startswith(suite.added)}
    stock = run(suite, None, only=published) if published else Result({})
    return result, differences(suite, result, stock)
