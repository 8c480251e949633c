"""Session data as JSON: strict when writing, as tolerant as ``JSON.parse`` when reading."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, Protocol, TypeAlias

from iron_wsgi.errors import PayloadError

META_KEY = "_iron"
"""The reserved member of a payload, which holds stamps: when it began, for instance."""

MAX_DEPTH = 32
MAX_READ_DEPTH = 200  # how deep Python reads depends on its stack; what is read must be readable once more
MAX_INTEGER = 2**53 - 1  # Number.MAX_SAFE_INTEGER: beyond it JavaScript rounds silently

_SURROGATE = re.compile("[\ud800-\udfff]")
_INFINITY = math.inf

# What is looked for in a payload before it is read, at the speed of C: digits become 0, openings become [.
# An integer that JavaScript reads otherwise than Python has 16 digits in a row. What looks like one inside a
# string only costs time.
_OUTLINE = bytes.maketrans(b"123456789{", b"000000000[")
_LONG_NUMBER = b"0" * 16

_ALWAYS_PLAIN = frozenset({str, bool, type(None)})
_NUMBERS = frozenset({int, float})
_CONTAINERS = frozenset({dict, list, tuple})


class Serializer(Protocol):
    """Turns a session's data into bytes and back. Whatever it raises when loading makes the value invalid."""

    def dumps(self, data: dict[str, Any], /) -> bytes:
        """Return *data* as bytes; raise for what cannot be written."""
        ...

    def loads(self, payload: bytes, /) -> Any:
        """Return the data, a dict with string keys."""
        ...


class StrictJSON:
    """JSON that Python and JavaScript read alike; the default serializer."""

    def dumps(self, data: dict[str, Any], /, *, root: str = "session") -> bytes:
        """Return *data* as compact UTF-8 JSON, byte for byte what ``JSON.stringify`` writes but for floats.

        Tuples are written as arrays.

        Args:
            data: A dict with string keys.
            root: What error messages call *data*.

        Raises:
            PayloadError: Something is not JSON, or a JavaScript reader would not get it back equal: NaN and
                infinities, integers beyond 2^53-1, keys that are no strings, the key ``__proto__``, more than
                32 levels.
        """
        if type(data) is not dict or not _is_plain(data):
            _check(data, root, 1)
        return self.encode(data)

    def encode(self, data: dict[str, Any], /) -> bytes:
        """Return what `dumps` would return, without its checks: for comparing, where nothing is written.

        Raises:
            TypeError, ValueError: Something is not JSON at all.
        """
        text = _ENCODER.encode(data)
        try:
            return text.encode()
        except UnicodeEncodeError:
            # JSON.stringify escapes half surrogate pairs too (ECMA-262, well-formed JSON.stringify).
            return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()

    def has_member(self, payload: bytes, key: str, value: Any, /) -> bool:
        """Tell whether *payload*, as this class writes it, certainly has *value* under a key of its own.

        False says nothing. A quote inside a string is written behind a backslash, so ``"key":`` stands only
        before a value. Where it stands once, and the text of *value* follows, that is the key's value.

        Args:
            payload: The text of an object.
            key: A key that is known to be in the object itself, and not only in one that it holds.
            value: A dict, list or tuple, whose text has an end of its own.

        Raises:
            TypeError, ValueError: *value* is not JSON at all.
        """
        return has_member(payload, _ENCODER.encode(key).encode(), _ENCODER.encode(value).encode())

    def loads(self, payload: bytes, /) -> Any:
        """Return what *payload* holds.

        As JavaScript reads it: octets that are not UTF-8 become U+FFFD, one byte order mark is skipped, the
        last of two equal keys wins, integers beyond 2^53-1 become floats.

        Raises:
            ValueError: ``JSON.parse`` would refuse it, a number is infinite, or it has more than 200 levels.
            RecursionError: It is nested deeper than Python reads at all.
        """
        text = payload.decode("utf-8", "replace").removeprefix("\ufeff")
        outline = payload.translate(_OUTLINE)
        value = (_DECODER if _LONG_NUMBER in outline else _SHORT_DECODER).decode(text)
        # Counting the openings is cheap, and nearly always enough.
        if outline.count(b"[") > MAX_READ_DEPTH and _is_deeper(value, MAX_READ_DEPTH):
            msg = f"it is nested deeper than {MAX_READ_DEPTH} levels"
            raise ValueError(msg)
        return value


def has_member(payload: bytes, key: bytes, value: bytes) -> bool:
    """Tell whether JSON without spaces certainly has this text of a *value* after this text of a *key*.

    See `StrictJSON.has_member`.
    """
    name = key + b":"
    place = payload.find(name)
    if place < 0 or payload.find(name, place + 1) >= 0:
        return False
    return payload.startswith(value, place + len(name))


Path: TypeAlias = "tuple[Path | str, str | int] | str"
"""Where a value stands: (parent, key or index). Spelt out only when an error needs it."""


def _is_plain(value: dict[str, Any] | list[Any] | tuple[Any, ...], depth: int = 1) -> bool:
    """Tell at a glance that a container is in order. Where it is not, `_check` says what is wrong, and where.

    The depth is bounded, so the recursion is.
    """
    if depth > MAX_DEPTH:
        return False
    items: Any = value
    if type(value) is dict:
        for key in value:
            if type(key) is not str or key == "__proto__":
                return False
        items = value.values()
    for item in items:
        kind = type(item)
        if kind in _ALWAYS_PLAIN or (kind in _NUMBERS and -MAX_INTEGER <= item <= MAX_INTEGER):
            continue
        if kind not in _CONTAINERS or not _is_plain(item, depth + 1):
            return False
    return True


def _check(container: Any, path: Path, depth: int) -> None:
    """Walk a dict, list or tuple, and raise PayloadError for what cannot be written.

    The depth is bounded, so the recursion is.
    """
    if depth > MAX_DEPTH:
        raise _refusal(path, f"is nested deeper than {MAX_DEPTH} levels")
    has_names = isinstance(container, dict)
    for key, item in container.items() if has_names else enumerate(container):
        if has_names:
            _check_key(key, path)
        if isinstance(item, (dict, list, tuple)):
            _check(item, (path, key), depth + 1)
        elif problem := _problem(item):
            raise _refusal((path, key), problem)


def _problem(value: object) -> str | None:
    """Return what is wrong with a value that is no container."""
    if value is None or isinstance(value, (str, bool)):
        return None
    if isinstance(value, int):
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return None
        return "is an integer beyond 2^53-1, which JavaScript would round; store it as a string"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number, and JSON has no other"
    kind = type(value).__name__
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    return f"is {article} {kind}, which JSON cannot hold; store a string or a number instead"


def _check_key(key: object, path: Path) -> None:
    if not isinstance(key, str):
        raise _refusal(path, f"has a key of type {type(key).__name__}; JSON keys are strings")
    if key == "__proto__":
        raise _refusal(path, "has the key '__proto__', which @hapi/iron refuses to read")


def _refusal(path: Path, problem: str) -> PayloadError:
    steps = ""
    while not isinstance(path, str):
        path, step = path
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}") + steps
    return PayloadError(path + steps, problem)


def _is_deeper(value: object, limit: int) -> bool:
    level: list[Any] = [[value]]
    for _ in range(limit + 1):
        items = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        level = [item for item in items if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _javascript_integer(digits: str) -> int | float:
    if len(digits) < 16:
        return int(digits)
    # Python refuses to convert thousands of digits to int; float takes them in linear time.
    number = _finite(digits)
    return int(digits) if abs(number) <= MAX_INTEGER else number


def _finite(digits: str) -> float:
    number = float(digits)
    if not -_INFINITY < number < _INFINITY:
        msg = "a number is out of range"
        raise ValueError(msg)
    return number


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_javascript_integer, parse_float=_finite
)
_SHORT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
