"""The report of the commands ``inspect``: what a seal shows, with its password and without."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import Any, NamedTuple, final
from urllib.parse import unquote

from iron_wsgi.cookies.cookie import MAX_CHUNKS, MAX_COOKIE, Cookie, chunk_name
from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.errors import InvalidSeal, SealError
from iron_wsgi.seals import seal as fe26
from iron_wsgi.seals.passwords import Passwords
from iron_wsgi.seals.payload import META_KEY, StrictJSON
from iron_wsgi.seals.sealer import password_for
from iron_wsgi.times import DEFAULT_TTL, Clock, now

_FIELDS = (
    ("prefix", "the format"),
    ("password id", "which password sealed it"),
    ("encryption salt", "with the password, gives the encryption key"),
    ("IV", "16 random octets that begin the encryption"),
    ("ciphertext", "the data, encrypted"),
    ("expiration", "epoch milliseconds; everybody can read it"),
    ("integrity salt", "with the password, gives the MAC's key"),
    ("MAC", "HMAC-SHA256 of fields 1 to 6"),
)
_STAMPS = {
    "sid": "the session's id",
    "iat": "when the session began",
    "ttl": "seconds it lives after each write",
    "exp": "when it ends, however often it is written",
}


@final
class Report(NamedTuple):
    """A report on one or more seals.

    Attributes:
        text: Lines for a terminal. None of them holds a whole seal.
        is_opened: Whether the passwords open every seal; True if no passwords were given.
    """

    text: str
    is_opened: bool


def inspect(
    text: str, passwords: Passwords | None, *, iterations: int = 1, clock: Clock | None = None
) -> Report:
    """Return the report on the seals in *text*: a value, a cookie, a header or a table.

    Args:
        text: Text that was copied from a browser.
        passwords: The passwords that open them; None for the parts that everybody can read.
        iterations: The PBKDF2 rounds of the seals.
        clock: Returns epoch seconds; `time.time` if None.

    Raises:
        InvalidSeal: There is no seal, or one does not have the parts of a seal.
    """
    at = now(clock)
    lines: list[str] = []
    is_opened = True
    for cookies in seals_in(text):
        fields = fe26.parse("".join(cookies.values()))
        lines += [*_sizes(cookies), "", *_parts("".join(cookies.values())), ""]
        lines.append(f"expires  {_expiry(fields.expiration, at)}")
        if passwords is None:
            lines.append("proven   nothing: no password was given, and anybody could have written this")
            continue
        try:
            # now=0, so that no seal is expired: the report has a line for that already.
            opened = fe26.unseal_at(fields, password_for(fields, passwords), now=0, iterations=iterations)
        except SealError as error:
            lines.append(f"opened   no: {error}. The ids of the passwords given: {', '.join(passwords.ids)}")
            is_opened = False
            continue
        shown_id = fields.password_id or "default"
        lines.append(f"proven   fields 1 to 6: the MAC matches under password id {shown_id}")
        lines += _payload(opened.plaintext)
    return Report("\n".join(lines), is_opened)


def _sizes(cookies: Mapping[str, str]) -> Iterator[str]:
    attributes = len(Cookie(name="s", value="", options=CookieOptions(), max_age=DEFAULT_TTL).header) - 2
    for name, value in cookies.items():
        line = len(name) + len("=") + len(value) + attributes
        label = printable(name) or "of unknown name"
        yield (
            f"cookie   {label}: {len(value)} octets; with name and default attributes "
            f"{line} of {MAX_COOKIE} ({line / MAX_COOKIE:.0%})"
        )


def _parts(seal: str) -> Iterator[str]:
    yield "   field            octets  begins      what it is"
    for number, part in enumerate(seal.partition("~")[0].split("*")):
        label, meaning = _FIELDS[number]
        # Never the whole part: text that is copied from the terminal must not be a session.
        yield f" {number + 1} {label:<16} {len(part):>6}  {printable(part[:8]):<10}  {meaning}"


def _payload(plaintext: bytes) -> Iterator[str]:
    yield f"payload  {len(plaintext)} octets"
    try:
        data = StrictJSON().loads(plaintext)
    except (ValueError, RecursionError):
        yield "which are not JSON: another serializer wrote them"
        return
    yield pretty(data)
    stamps = data.get(META_KEY) if isinstance(data, dict) else None
    for name, value in stamps.items() if isinstance(stamps, dict) else ():
        moment = f", {_moment(value)}" if name in ("iat", "exp") and isinstance(value, (int, float)) else ""
        yield f"{META_KEY}.{printable(name)}: {_STAMPS.get(name, 'unknown to this version')}{moment}"


def seals_in(text: str) -> list[dict[str, str]]:
    """Return the seals in *text*, each as a mapping of its cookies' names to their values."""
    pairs: list[tuple[str, str]] = []
    for word in re.split(r"[\s;,]+", text):
        name, equals, value = re.sub(r"(?i)^(set-)?cookie:", "", word.strip("\"'`{}[]")).partition("=")
        pairs.append((name, unquote(value.strip("\"'"))) if equals else ("", unquote(name)))
    values = dict(reversed(pairs))
    found = [{name: value} for name, value in pairs if value.startswith("Fe26.")]
    for cookies in found:
        [name] = cookies
        if name.endswith(".0"):
            names = [chunk_name(name[:-2], index) for index in range(MAX_CHUNKS)]
            cookies.update((one, values[one]) for one in takewhile(values.get, names))
    if not found:
        raise InvalidSeal(f"no seal found; its value would begin with {fe26.PREFIX}*")
    return found


def _expiry(expiration: bytes, at: float) -> str:
    if not expiration:
        return "never; such a session is refused unless ttl is 0"
    if not re.fullmatch(rb"[1-9][0-9]{0,15}", expiration) or int(expiration) > fe26.MAX_EXPIRATION_MS:
        return "unreadable: it is no number of milliseconds, and every reader refuses it"
    end = int(expiration) / 1000
    moment, distance = _moment(end), timedelta(seconds=round(abs(end - at)))
    if end > at:
        return f"{moment}, in {distance}"
    grace = f"; accepted until {_moment(end + fe26.SKEW)}" if end + fe26.SKEW > at else ""
    return f"{moment}, over since {distance}{grace}"


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OSError, OverflowError, ValueError):
        return f"{at:g} seconds after 1970"


def pretty(data: Any) -> str:
    """Return *data* as indented JSON, with escapes if this terminal cannot show it or would act on it."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    is_safe = str(sys.stdout.encoding).lower() == "utf-8" and text.replace("\n", "").isprintable()
    return text if is_safe else json.dumps(data, indent=2)


def printable(text: str) -> str:
    """Return *text* with escapes for all but printable ASCII, so that it cannot control the terminal."""
    return "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text)
