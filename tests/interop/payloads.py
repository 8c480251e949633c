"""Session data drawn at random, the same on every run of one Hypothesis, and what makes two of them equal."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.effort import repetitions

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT: Final = repetitions(250, 600)
MAX_INTEGER: Final = 2**53 - 1
INHERITED: Final = frozenset({"constructor", "toString", "hasOwnProperty"})

# Every code point counts, halves of surrogate pairs too: JavaScript strings hold them.
_characters = st.one_of(
    st.characters(codec=None, exclude_categories=()),
    st.sampled_from(
        "\x00\x08\t\n\x0b\x0c\r\x1f \"'/\\<>&*~%;,=\x7f\x80\xa0\u2028\u2029\ufeff\uffff\U0010ffff"
    ),
    st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"]),
)
# Joined from a list: st.text() would merge the alphabets into one, in which the rare ones are rare again.
_texts = st.lists(_characters, max_size=16).map("".join)

_numbers = st.one_of(
    st.integers(-MAX_INTEGER, MAX_INTEGER),
    st.sampled_from(
        [0, -0.0, 1.0, -1, MAX_INTEGER, -MAX_INTEGER, 2**53 * 1.0, 1e16, 1e21, 1e-7, 5e-324, 1.7e308, 0.1]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)

# JavaScript moves keys that look like integers to the front; the empty one and inherited names are keys too.
_keys = st.one_of(
    _texts,
    st.integers(0, 2**32).map(str),
    st.sampled_from(["", "0", "01", "-1", "1.5", "length", "default", *sorted(INHERITED)]),
).filter(
    lambda key: key != "__proto__"
)  # refused when writing, because @hapi/iron would refuse the whole seal

_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(_keys, inner, max_size=5)),
    max_leaves=12,
)
_sessions = st.dictionaries(_keys, _values, max_size=6)


@cache
def sessions(count: int = COUNT) -> tuple[dict[str, Any], ...]:
    """Return *count* different objects as a session may hold them, the same ones each time."""
    return _different(_sessions, count)


@cache
def values(count: int = COUNT) -> tuple[Any, ...]:
    """Return *count* different JSON values of any type."""
    return _different(_values, count)


def without_floats(value: Any) -> Any:
    """Return *value* with each float as a string: no other type is spelt differently by the two languages."""
    return _mapped(value, lambda key: key, lambda leaf: str(leaf) if isinstance(leaf, float) else leaf)


def without_prototype_keys(value: Any) -> Any:
    """Return *value* without keys that every JavaScript object inherits."""
    return _mapped(value, lambda key: f"{key}_" if key in INHERITED else key, lambda leaf: leaf)


def text_of(value: Any) -> str:
    """Return *value* as ASCII JSON, made by neither of the two that a test compares."""
    return json.dumps(value, allow_nan=False)


def canonical(value: Any) -> str:
    """Return one text for what is equal to a JavaScript reader: 1.0 is 1 and -0 is 0, but true is not 1."""
    return json.dumps(_plain(value), sort_keys=True)


def _mapped(value: Any, key_of: Callable[[str], str], leaf_of: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key_of(key): _mapped(item, key_of, leaf_of) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, key_of, leaf_of) for item in value]
    return leaf_of(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) + 0.0  # integers up to 2^53 are floats without loss; -0.0 + 0.0 is 0.0
    if isinstance(value, str):
        # Two halves side by side are one character to JavaScript, and to a JSON reader.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return value


def _different(strategy: st.SearchStrategy[Any], count: int) -> tuple[Any, ...]:
    found: dict[str, Any] = {}

    @settings(
        max_examples=count + count // 4 + 50,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: Any) -> None:
        if len(found) < count:
            found.setdefault(canonical(value), value)

    draw()
    if len(found) < count:
        msg = f"only {len(found)} different values were drawn, {count} are wanted"
        raise RuntimeError(msg)
    return tuple(found.values())
