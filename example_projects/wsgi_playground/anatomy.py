"""The anatomy of a session cookie: its nine parts, what each is for, and who can read what in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple, final
from urllib.parse import unquote


@final
class Kind(NamedTuple):
    """What is to be known about one part of every seal.

    Attributes:
        name: How the part is called in addresses and forms.
        title: How it is called on pages.
        purpose: What it is for.
        temptation: What somebody who changes it hopes for.
        target: The place of the character that is changed: 0 the first, -1 the last, None the middle one.
        reading: Returns what somebody without the password learns from the part's text.
    """

    name: str
    title: str
    purpose: str
    temptation: str
    target: int | None
    reading: Callable[[str], str]


@final
class Part(NamedTuple):
    """One part of one cookie."""

    kind: Kind
    text: str

    def hit(self) -> Part:
        """Return this part with one character changed into another that is as common there."""
        place = len(self.text) // 2 if self.kind.target is None else self.kind.target % len(self.text)
        other = "8" if self.text[place] == "9" else "9"
        return self._replace(text=self.text[:place] + other + self.text[place + 1 :])


def cut(cookie: str) -> list[Part]:
    """Return the parts of *cookie*: the eight fields of a seal, and the mark behind it.

    Raises:
        ValueError: It is no seal.
    """
    seal, tilde, mark = unquote(cookie).partition("~")
    return [Part(kind, text) for kind, text in zip(KINDS, [*seal.split("*"), tilde + mark], strict=True)]


def tampered(cookie: str, name: str) -> str:
    """Return *cookie* with one character changed in the part of that *name*.

    Raises:
        ValueError: It is no seal.
        KeyError: It has no such part, or an empty one.
    """
    texts = {part.kind.name: part.text for part in cut(cookie)}
    if not texts[name]:
        raise KeyError(name)
    hit = [part.hit() if part.kind.name == name else part for part in cut(cookie)]
    return "*".join(part.text for part in hit[:-1]) + hit[-1].text


def moment(epoch: float) -> str:
    """Return epoch seconds as a person reads them."""
    return f"{datetime.fromtimestamp(epoch, tz=timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _nothing(_text: str) -> str:
    return "Nothing: it is random."


def _password_id(text: str) -> str:
    return f"That it was sealed by password number {text}, so how often passwords were rotated."


def _ciphertext(text: str) -> str:
    octets = len(text) * 3 // 4
    return f"That the data take {octets - 16} to {octets - 1} octets, and nothing of what they say."


def _expiration(text: str) -> str:
    return f"That it ends at {moment(int(text) / 1000)}."


KINDS = (
    Kind(
        "prefix",
        "Format",
        "The name and version of the format. Fe is iron, and 26 its atomic number.",
        "another version, with other and perhaps weaker rules",
        -1,
        lambda _: "That this site keeps its sessions in sealed cookies.",
    ),
    Kind(
        "password-id",
        "Password id",
        "Which of the server's passwords made the seal. This is what makes rotation possible.",
        "another password, perhaps one that leaked",
        -1,
        _password_id,
    ),
    Kind(
        "encryption-salt",
        "Encryption salt",
        "Random, new in every seal. Salt and password together make the key that encrypts.",
        "another key, under which the data would read differently",
        None,
        _nothing,
    ),
    Kind(
        "iv",
        "Initialisation vector",
        "Random, new in every seal. It keeps equal data from looking equal.",
        "flipped bits in the first sixteen octets of the data, which is what it does to bare AES-CBC",
        None,
        _nothing,
    ),
    Kind(
        "ciphertext",
        "Data",
        "The session itself: JSON, encrypted with AES-256-CBC.",
        "other data: another user's name, for example",
        None,
        _ciphertext,
    ),
    Kind(
        "expiration",
        "Expiry",
        "Milliseconds since 1970. It can be read by everybody and changed by nobody.",
        "a session that never ends",
        0,
        _expiration,
    ),
    Kind(
        "integrity-salt",
        "Integrity salt",
        "Random, new in every seal. Salt and password together make the key that authenticates.",
        "another key, for which the MAC might do",
        None,
        _nothing,
    ),
    Kind(
        "mac",
        "MAC",
        "HMAC-SHA-256 over the first six fields. Without the password nobody can make one that matches.",
        "a lucky guess: one in 2 to the power of 256",
        None,
        lambda _: "Nothing: it looks random.",
    ),
    Kind(
        "mark",
        "Mark",
        "iron-session writes it behind the seal to tell its versions apart. It is not authenticated, "
        "so nothing here depends on it.",
        "older rules for reading the seal",
        -1,
        lambda _: "That iron-session can read this cookie.",
    ),
)
"""The parts of a cookie, in their order."""
