"""T-LINEAR: work grows with the length of a header, never with its square.

Steps are counted, which a busy machine does not change. The time that the same headers take is printed
(``-rP``), and a parser that went back and forth in a megabyte would not come to the end of this file.
"""

from __future__ import annotations

import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from .seals import forged
from .site import environ, page, serve, sessions

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SEAL = forged({"user": 1})

SHAPES = {
    "one long name": "a",
    "semicolons": ";",
    "equals signs": "=",
    "pairs": "a=b; ",
    "names without value": "a; ",
    "our name": "session=x; ",
    "our name, all different": None,
    "chunks": "session.0=x; session.1=y; ",
    "quotes": '"',
    "values that open a quote": 'a="',
    "values with an escaped quote": 'a="\\"; ',
    "quoted backslashes": "\\",
    "blanks": " \t",
    "blanks before a semicolon": "a \t;",
    "octets above 0x7F": "\xe9=\xff;",
    "commas": "a=b,",
    "stars": "*",
    "tildes": "~",
    "percent signs": "%2A",
    "seals": f"session={SEAL}; ",
}
PREFIXES = {"": "", "behind our name": "session=", "in quotes": 'session="'}


def header(shape: str, prefix: str, size: int) -> str:
    unit = SHAPES[shape]
    if unit is None:
        text = "".join(f"session={number}; " for number in range(size // 16))
    else:
        text = unit * (size // len(unit))
    return PREFIXES[prefix] + text


def steps(app: WSGIApplication, cookie: str, function: str | None = None) -> int:
    """Count the calls of Python and C functions in one request, or those of the *function* of that name."""
    count = 0

    def profile(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        # A "c_call" is reported with the frame that makes it.
        named = event == "call" and frame.f_code.co_name == function
        count += named or (function is None and event in ("call", "c_call"))

    request = environ(cookie)
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        serve(app, request)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_header_is_at_most_twice_the_steps(shape: str, prefix: str) -> None:
    app = sessions(page(bool))
    steps(app, "")  # whatever happens once per process
    few, many = (steps(app, header(shape, prefix, size)) for size in (4096, 8192))
    assert many <= 2 * few + 100
    assert few > 10


@pytest.mark.slow("megabytes")
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_megabyte_of_cookies_is_read_to_the_end(shape: str, prefix: str) -> None:
    app = sessions(page(bool))
    spent = []
    for size in (2**19, 2**20):
        request = environ(header(shape, prefix, size))
        begun = time.process_time()
        answer = serve(app, request)
        spent.append(time.process_time() - begun)
        assert answer.status == "200 OK"
    print(  # noqa: T201 - a figure for who asks
        f"{shape} {prefix}: {spent[1] / max(spent[0], 1e-9):.1f} times the time for twice the header"
    )


@pytest.mark.parametrize("count", [1, 4, 10, 500])
def test_at_most_four_values_are_tried_however_many_come(count: int) -> None:
    header = "".join(f"session={number}{SEAL}; " for number in range(count))
    assert steps(sessions(page(bool)), header, "load") == min(count, 4)


def test_the_number_of_passwords_does_not_multiply_the_work() -> None:
    passwords = {number: f"{number:03}-bK7sWq2ZxN5cVf9GhJ4mPdR8tYuEa" for number in range(1, 51)}
    one, fifty = (
        steps(sessions(page(bool), password=configured), f"session={SEAL}")
        for configured in ({1: passwords[1]}, passwords)
    )
    assert one == fifty
