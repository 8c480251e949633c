"""What every implementation says to malformed and unusual input, as two tables, with a reason wherever we differ.

A cell is one word:

- ``opens``: reads the data that were sealed (or those that the row expects);
- ``{}``: says nothing and begins an empty session;
- ``expired``, ``invalid``, ``unknown-password``, ``no-expiry``: the reason that iron-session 9 or this package reports;
- anything else is the error that is raised: about the number of ``parts``, the ``prefix``, the ``expiry``, a ``character``
  outside base64url, the ``iv``, the ``mac``, the ``id`` of the password or the password found under it (``password``),
  the decryption (``cipher``), the ``json``, a forbidden key (``proto``), or a ``TypeError`` of the program itself.

Where a cell depends on whether the platform has ``Uint8Array.fromBase64``, which Node 25 has and Node 22 has not, it reads
``without/with``.

``python -m tests.interop.differences`` prints the rows where anybody differs from us, as Markdown.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from .forge import IV, Parts, base64url, encrypted, raw
from .visits import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS: Final = 1_790_000_000_000
EXPIRES: Final = str(NOW_MS + 3_600_000)
DATA: Final = '{"user":7}'
MARK: Final = "~2"


@dataclass(frozen=True)
class Row:
    """One input, what each column answers, and why ours is another answer than theirs."""

    name: str
    text: str
    cells: tuple[str, ...]
    reason: str = ""
    expected: str = DATA
    options: dict[str, Any] = field(default_factory=dict)
    forerunner_text: str = ""
    """The same input for next-iron-session, whose payload is another."""

    @property
    def ours(self) -> str:
        """What we answer: the last cell."""
        return self.cells[-1]

    @property
    def theirs(self) -> tuple[str, ...]:
        """What the others answer."""
        return self.cells[:-1]

    @property
    def is_agreed(self) -> bool:
        """Whether all open it or all refuse it, in whatever words."""
        return len({cell == "opens" for cell in self.cells}) == 1


# ---- how the inputs are made ----


def parts(plaintext: str | bytes = DATA, **changed: str) -> Parts:
    """Return unsigned parts, an hour before they expire."""
    octets = plaintext.encode() if isinstance(plaintext, str) else plaintext
    return encrypted(octets).changed(**{"expiration": EXPIRES, **changed})


def signed(plaintext: str | bytes = DATA, **changed: str) -> str:
    """Return an authentic seal, however odd its fields."""
    return parts(plaintext, **changed).signed().text() + MARK


def after_signing(change: Callable[[Parts], Parts]) -> str:
    """Return a seal that was changed after it was signed."""
    return change(parts().signed()).text() + MARK


def salted(encryption_salt: str, integrity_salt: str = "salt") -> str:
    """Return an authentic seal with these salts."""
    made = encrypted(DATA.encode(), salt=encryption_salt)
    return made.changed(expiration=EXPIRES, integrity_salt=integrity_salt).signed().text() + MARK


def digits(first: int) -> str:
    """Return the expiry in the digits of another script, of which *first* is the zero."""
    return "".join(chr(first + int(digit)) for digit in EXPIRES)


def other_tail(text: str) -> str:
    """Return base64url that decodes to the same octets but has a bit set behind them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def standard(text: str) -> str:
    """Return base64url in the alphabet of plain base64."""
    return text.replace("-", "+").replace("_", "/")


def _blocks(octets: bytes) -> str:
    return raw(octets).changed(expiration=EXPIRES).signed().text() + MARK


def _with_odd_iv() -> str:
    odd = encrypted(DATA.encode(), iv=b"\xfb" * 16).changed(expiration=EXPIRES)
    return odd.changed(iv=standard(odd.iv)).signed().text() + MARK


def _with_odd_mac() -> Parts:
    """Return a seal whose MAC has a character that the two alphabets spell differently."""
    for number in range(1000):
        made = parts(DATA, integrity_salt=f"salt{number}").signed()
        if set(made.mac) & set("-_"):
            return made
    raise AssertionError


# ---- seals, as unsealData and its like see them ----

SEAL_COLUMNS: Final = (
    "hapi-iron-7",
    "iron-webcrypto-1",
    "iron-webcrypto-2",
    "iron-session-6",
    "iron-session-8",
    "iron-session-9",
    "iron_wsgi",
)

_GOOD: Final = signed()
_BARE: Final = _GOOD.removesuffix(MARK)
_IV: Final = parts().iv
_CIPHERTEXT: Final = parts().ciphertext

_ONE_SPELLING: Final = (
    "A seal has one spelling here, so that its text can stand for it, and all writers use this one."
)
_CUT: Final = (
    "The mark stands outside the MAC, so it must not select anything: what follows the first '~' is ignored, as in "
    "iron-session 9. The bare libraries know no mark; 6 and 8 read other data by it."
)
_OLDER_MARK: Final = (
    "6 and 8 take a seal without their mark for an older payload, and find no 'persistent' in it."
)
_DIGITS: Final = "An expiry is a plain decimal number without leading zero; every writer prints it so."
_NOT_ASCII: Final = "A seal is ASCII; no writer has other salts."
_OBJECT: Final = "A session is an object; anything else would fail later, as it does in iron-session."
_INFINITE: Final = "An infinite number cannot be written back, so the session could be read and never saved."
_PROTO: Final = (
    "It is an ordinary key in Python and in iron-session. We read it, so that one key loses nobody the whole session, and "
    "refuse to write it, because @hapi/iron would refuse the seal."
)

SEALS: Final[list[Row]] = []


def _seal(name: str, text: str, cells: str, reason: str = "", expected: str = DATA) -> None:
    SEALS.append(Row(name, text, tuple(cells.split()), reason, expected))


# fmt: off
# ruff: noqa: E501
#     input                                          text                                        hapi-7    webcr-1   webcr-2             sess-6    sess-8    sess-9             ours
_seal("a good seal",                                 _GOOD,                                     "opens     opens     opens               opens     opens     opens              opens")
_seal("no text",                                     "",                                        "parts     parts     parts               {}        {}        invalid            invalid")
_seal("garbage",                                     "garbage",                                 "parts     parts     parts               {}        {}        invalid            invalid")
_seal("seven parts",                                 _GOOD.removeprefix("Fe26.2*"),             "parts     parts     parts               {}        {}        invalid            invalid")
_seal("nine parts",                                  "x*" + _GOOD,                              "parts     parts     parts               {}        {}        invalid            invalid")
_seal("the prefix of another version",               signed(prefix="Fe26.1"),                   "prefix    prefix    prefix              prefix    prefix    invalid            invalid")
_seal("the prefix in lower case",                    signed(prefix="fe26.2"),                   "prefix    prefix    prefix              prefix    prefix    invalid            invalid")

_seal("no mark",                                     _BARE,                                     "opens     opens     opens               {}        {}        opens              opens", _OLDER_MARK)
_seal("a mark without number",                       _BARE + "~",                               "mac       mac       character           {}        {}        opens              opens", _CUT)
_seal("mark 1",                                      _BARE + "~1",                              "mac       mac       character           {}        {}        opens              opens", _CUT)
_seal("mark 999",                                    _BARE + "~999",                            "mac       mac       character           {}        {}        opens              opens", _CUT)
_seal("mark 2 and a letter",                         _BARE + "~2x",                             "mac       mac       character           {}        opens     opens              opens", _CUT)
_seal("mark 2 twice",                                _BARE + "~2~2",                            "mac       mac       character           opens     opens     opens              opens", _CUT)
_seal("mark 2 and the rest of an older chunk",       _BARE + "~2gA9-_x*y",                      "parts     parts     parts               {}        opens       opens              opens", _CUT)
_seal("mark 2 and other scripts",                    _BARE + "~2é🦊",                           "mac       mac       character           {}        opens     opens              opens", _CUT)

_seal("no expiry",                                   signed(expiration=""),                     "opens     opens     opens               opens     opens     opens              opens")
_seal("expiry an hour ago",                          signed(expiration=str(NOW_MS - 3_600_000)), "expired  expired   expired             {}        {}        expired            expired")
_seal("expiry 59 s ago",                             signed(expiration=str(NOW_MS - 59_000)),   "opens     opens     opens               opens     opens     opens              opens")
_seal("expiry 0",                                    signed(expiration="0"),                    "expired   expired   expiry              {}        {}        invalid            invalid")
_seal("expiry with a leading zero, past",            signed(expiration="01"),                   "expired   expired   expiry              {}        {}        invalid            invalid")
_seal("expiry with a leading zero, future",          signed(expiration="0" + EXPIRES),          "opens     opens     expiry              opens     opens     invalid            invalid", _DIGITS)
_seal("expiry of 400 digits",                        signed(expiration="9" * 400),              "opens     opens     opens               opens     opens     opens              invalid", _DIGITS + " More than 2^53 - 1 is no moment.")
_seal("expiry 2^53",                                 signed(expiration=str(2**53)),             "opens     opens     opens               opens     opens     opens              invalid", _DIGITS + " More than 2^53 - 1 is no moment.")
_seal("expiry with a space",                         signed(expiration=" " + EXPIRES),          "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry with a plus sign",                     signed(expiration="+" + EXPIRES),          "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry with a minus sign",                    signed(expiration="-1"),                   "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry with a line feed",                     signed(expiration=EXPIRES + "\n"),         "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry with a fraction",                      signed(expiration=EXPIRES + ".5"),         "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry with an exponent",                     signed(expiration="1e+99"),                "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry in hexadecimal",                       signed(expiration="0x1fffffffffff"),       "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry in Arabic digits",                     signed(expiration=digits(0x660)),          "expiry    expiry    expiry              expiry    expiry    invalid            invalid")
_seal("expiry in full-width digits",                 signed(expiration=digits(0xFF10)),         "expiry    expiry    expiry              expiry    expiry    invalid            invalid")

_seal("iv with padding",                             signed(iv=_IV + "=="),                     "character opens     opens               opens     opens     opens              invalid", _ONE_SPELLING)
_seal("iv with bits behind its end",                 signed(iv=other_tail(_IV)),                "opens     opens     opens               opens     opens     opens              invalid", _ONE_SPELLING)
_seal("iv in plain base64",                          _with_odd_iv(),                            "character character opens/character      opens     character opens/invalid      invalid", _ONE_SPELLING)
_seal("iv with a space",                             signed(iv=_IV[:5] + " " + _IV[5:]),        "character character character/opens     opens     character invalid/opens      invalid", _ONE_SPELLING)
_seal("iv with a question mark",                     signed(iv=_IV[:5] + "?" + _IV[5:]),        "character character character           opens     character invalid            invalid", _ONE_SPELLING)
_seal("iv of 15 octets",                             signed(iv=base64url(IV[:15])),             "iv        iv        iv                  iv        iv        invalid            invalid")
_seal("iv of 17 octets",                             signed(iv=base64url(IV + b"x")),           "iv        iv        iv                  iv        iv        invalid            invalid")
_seal("no iv",                                       signed(iv=""),                             "iv        iv        iv                  iv        iv        invalid            invalid")

_seal("ciphertext with padding",                     signed(ciphertext=_CIPHERTEXT + "=="),     "character opens     opens               opens     opens     opens              invalid", _ONE_SPELLING)
_seal("ciphertext with bits behind its end",         signed(ciphertext=other_tail(_CIPHERTEXT)), "opens    opens     opens               opens     opens     opens              invalid", _ONE_SPELLING)
_seal("ciphertext cut within a block",               signed(ciphertext=_CIPHERTEXT[:-4]),       "cipher    cipher    cipher              cipher    cipher    invalid            invalid")
_seal("ciphertext of an impossible length",          signed(ciphertext=_CIPHERTEXT + "AAA"),    "cipher    cipher    character           cipher    cipher    invalid            invalid")
_seal("no ciphertext",                               signed(ciphertext=""),                     "cipher    cipher    cipher              cipher    cipher    invalid            invalid")
_seal("padding of zeros",                            _blocks(DATA.encode() + bytes(6)),         "cipher    cipher    cipher              cipher    cipher    invalid            invalid")
_seal("padding of more than a block",                _blocks(DATA.encode() + b"\x11" * 6),      "cipher    cipher    cipher              cipher    cipher    invalid            invalid")

_seal("MAC with padding",                            after_signing(lambda p: p.changed(mac=p.mac + "=")), "mac mac  opens               {}        {}        opens              invalid", _ONE_SPELLING)
_seal("MAC with bits behind its end",                after_signing(lambda p: p.changed(mac=other_tail(p.mac))), "mac mac opens          {}        {}        opens              invalid", _ONE_SPELLING)
_seal("MAC with a space",                            after_signing(lambda p: p.changed(mac=p.mac[:9] + " " + p.mac[9:])), "mac mac opens {}       {}        opens              invalid", _ONE_SPELLING)
_seal("MAC with a line feed",                        after_signing(lambda p: p.changed(mac=p.mac + "\n")), "mac mac opens               {}        {}        opens              invalid", _ONE_SPELLING)
_seal("MAC in plain base64",                         _with_odd_mac().changed(mac=standard(_with_odd_mac().mac)).text() + MARK, "mac mac opens/character {} {}   opens/invalid      invalid", _ONE_SPELLING)
_seal("MAC with one character changed",              after_signing(lambda p: p.changed(mac=("B" if p.mac[0] == "A" else "A") + p.mac[1:])), "mac mac mac {} {} invalid      invalid")
_seal("MAC cut by one character",                    after_signing(lambda p: p.changed(mac=p.mac[:-1])), "mac  mac  mac                 {}        {}        invalid            invalid")
_seal("MAC cut to its half",                         after_signing(lambda p: p.changed(mac=p.mac[:22])), "mac  mac  mac                 {}        {}        invalid            invalid")
_seal("MAC longer by one character",                 after_signing(lambda p: p.changed(mac=p.mac + "A")), "mac mac  mac                 {}        {}        invalid            invalid")
_seal("no MAC",                                      after_signing(lambda p: p.changed(mac="")), "mac      mac       mac                 {}        {}        invalid            invalid")
_seal("ciphertext changed after signing",            after_signing(lambda p: p.changed(ciphertext=other_tail(p.ciphertext))), "mac mac mac {} {}       invalid            invalid")
_seal("expiry changed after signing",                after_signing(lambda p: p.changed(expiration="")), "mac   mac       mac                 {}        {}        invalid            invalid")
_seal("expiry changed to the past after signing",    after_signing(lambda p: p.changed(expiration="1")), "expired expired expired           {}        {}        expired            invalid")

_seal("salts that are no hexadecimal",               salted("pepper and salt", "|"),            "opens     opens     opens               opens     opens     opens              opens")
_seal("salts that are not ASCII",                    salted("sälz", "🧂"),                      "opens     opens     opens               opens     opens     opens              invalid", _NOT_ASCII)
_seal("a salt with a '~'",                           salted("a~b"),                             "opens     opens     opens               {}        {}        invalid            invalid", "The mark is cut off at the first '~', as in iron-session; no writer has one in a salt.")
_seal("no encryption salt",                          signed(encryption_salt=""),                "cipher    cipher    cipher              cipher    cipher    invalid            invalid")
_seal("no integrity salt, and signed so",            signed(integrity_salt=""),                 "mac       mac       mac                 {}        {}        invalid            invalid")
_seal("integrity salt taken away",                   after_signing(lambda p: p.changed(integrity_salt="")), "mac mac     mac                 {}        {}        invalid            invalid")

_seal("an unknown password id",                      signed(password_id="9"),                   "id        id        id                  {}        {}        unknown-password   unknown-password")
_seal("no password id",                              signed(password_id=""),                    "id        id        id                  {}        {}        unknown-password   unknown-password")
_seal("password id 'default'",                       signed(password_id="default"),             "id        id        id                  {}        {}        unknown-password   unknown-password")
_seal("password id 'constructor'",                   signed(password_id="constructor"),         "password  password  password            password  password  invalid            unknown-password")
_seal("password id 'toString'",                      signed(password_id="toString"),            "password  password  password            password  password  invalid            unknown-password")
_seal("password id '__proto__'",                     signed(password_id="__proto__"),           "password  password  password            password  password  invalid            unknown-password")
_seal("password id '01'",                            signed(password_id="01"),                  "id        id        id                  {}        {}        unknown-password   unknown-password")
_seal("password id with a space",                    signed(password_id="1 "),                  "id        id        id                  {}        {}        unknown-password   unknown-password")
_seal("password id in full-width digits",            signed(password_id="\uff11"),                  "id        id        id                  {}        {}        unknown-password   invalid")

_seal("not JSON",                                    signed("{asdasd"),                         "json      json      json                json      json      invalid            invalid")
_seal("no payload",                                  signed(""),                                "json      null      json                {}        {}        invalid            invalid")
_seal("payload of spaces",                           signed("  "),                              "json      json      json                json      json      invalid            invalid")
_seal("NaN",                                         signed('{"a":NaN}'),                       "json      json      json                json      json      invalid            invalid")
_seal("Infinity",                                    signed('{"a":-Infinity}'),                 "json      json      json                json      json      invalid            invalid")
_seal("True as Python writes it",                    signed('{"a":True}'),                      "json      json      json                json      json      invalid            invalid")
_seal("strings in single quotes",                    signed("{'a':1}"),                         "json      json      json                json      json      invalid            invalid")
_seal("a key without quotes",                        signed("{a:1}"),                           "json      json      json                json      json      invalid            invalid")
_seal("a comma too many",                            signed('{"a":1,}'),                        "json      json      json                json      json      invalid            invalid")
_seal("a comment",                                   signed('{"a":1}//x'),                      "json      json      json                json      json      invalid            invalid")
_seal("two documents",                               signed('{"a":1}{"a":2}'),                  "json      json      json                json      json      invalid            invalid")
_seal("a NUL at the end",                            signed('{"a":1}\0'),                       "json      json      json                json      json      invalid            invalid")
_seal("a raw control character",                     signed('{"a":"\x01"}'),                    "json      json      json                json      json      invalid            invalid")
_seal("an escape that is none",                      signed(r'{"a":"\x41"}'),                   "json      json      json                json      json      invalid            invalid")
_seal("an escape cut short",                         signed(r'{"a":"\u12"}'),                   "json      json      json                json      json      invalid            invalid")
_seal("a number with a leading zero",                signed('{"a":01}'),                        "json      json      json                json      json      invalid            invalid")
_seal("a number with a plus sign",                   signed('{"a":+1}'),                        "json      json      json                json      json      invalid            invalid")
_seal("a number that ends in a point",               signed('{"a":1.}'),                        "json      json      json                json      json      invalid            invalid")
_seal("a number that begins with a point",           signed('{"a":.5}'),                        "json      json      json                json      json      invalid            invalid")
_seal("a number in hexadecimal",                     signed('{"a":0x10}'),                      "json      json      json                json      json      invalid            invalid")
_seal("a number with underscores",                   signed('{"a":1_000}'),                     "json      json      json                json      json      invalid            invalid")
_seal("a number in Arabic digits",                   signed('{"a":\u0661}'),                         "json      json      json                json      json      invalid            invalid")
_seal("a vertical tab before it",                    signed("\x0b" + DATA),                     "json      json      json                json      json      invalid            invalid")
_seal("a no-break space before it",                  signed("\xa0" + DATA),                     "json      json      json                json      json      invalid            invalid")
_seal("white space around it",                       signed(f" \t\n\r{DATA}\n"),                "opens     opens     opens               opens     opens     opens              opens")
_seal("a byte order mark",                           signed("\ufeff" + DATA),                   "json      opens     opens               opens     opens     opens              opens", "One mark is skipped, as the decoder of the web platform does; @hapi/iron keeps it.")
_seal("two byte order marks",                        signed("\ufeff\ufeff" + DATA),             "json      json      json                json      json      invalid            invalid")
_seal("octets that are not UTF-8",                   signed(b'{"a":"\xff\xc0\xaf"}'),           "opens     opens     opens               opens     opens     opens              opens", expected='{"a":"\ufffd\ufffd\ufffd"}')
_seal("surrogates in UTF-8",                         signed(b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}'), "opens   opens     opens               opens     opens     opens              opens", expected='{"a":"' + "\ufffd" * 6 + '"}')
_seal("half a surrogate pair",                       signed(r'{"a":"\ud800"}'),                 "opens     opens     opens               opens     opens     opens              opens", expected=r'{"a":"\ud800"}')
_seal("line and paragraph separators",               signed('{"a":"\u2028\u2029"}'),            "opens     opens     opens               opens     opens     opens              opens", expected='{"a":"\u2028\u2029"}')
_seal("a key twice",                                 signed('{"a":1,"a":2}'),                   "opens     opens     opens               opens     opens     opens              opens", expected='{"a":2}')
_seal("the key __proto__",                           signed('{"__proto__":{"a":1}}'),           "proto     opens     opens               opens     opens     opens              opens", _PROTO, expected='{"__proto__":{"a":1}}')
_seal("the key __proto__, escaped",                  signed(r'{"\u005f_proto__":1}'),           "proto     opens     opens               opens     opens     opens              opens", _PROTO, expected='{"__proto__":1}')
_seal("the key __proto__, nested",                   signed('{"a":[{"__proto__":1}]}'),         "proto     opens     opens               opens     opens     opens              opens", _PROTO, expected='{"a":[{"__proto__":1}]}')
_seal("the key __proto__ within a string",           signed(r'{"a":"\"__proto__\":"}'),         "opens     opens     opens               opens     opens     opens              opens", expected=r'{"a":"\"__proto__\":"}')
_seal("the key constructor",                         signed('{"constructor":{"prototype":1}}'), "opens     opens     opens               opens     opens     opens              opens", expected='{"constructor":{"prototype":1}}')
_seal("1e400",                                       signed('{"a":1e400}'),                     "infinite  infinite  infinite            infinite  infinite  infinite           invalid", _INFINITE)
_seal("-1e400",                                      signed('{"a":[-1e400]}'),                  "infinite  infinite  infinite            infinite  infinite  infinite           invalid", _INFINITE)
_seal("an integer of 5000 digits",                   signed('{"a":' + "1" * 5000 + "}"),        "infinite  infinite  infinite            infinite  infinite  infinite           invalid", _INFINITE)
_seal("1e-400",                                      signed('{"a":1e-400}'),                    "opens     opens     opens               opens     opens     opens              opens", expected='{"a":0}')
_seal("an integer beyond 2^53",                      signed('{"a":12345678901234567890}'),      "opens     opens     opens               opens     opens     opens              opens", expected='{"a":12345678901234567000.0}')
_seal("an integer of 300 digits",                    signed('{"a":' + "1" * 300 + "}"),         "opens     opens     opens               opens     opens     opens              opens", expected='{"a":' + "1" * 300 + ".0}")
_seal("1.0, -0 and 1E2",                             signed('{"a":[1.0,-0,1E2]}'),              "opens     opens     opens               opens     opens     opens              opens", expected='{"a":[1,0,100]}')
_seal("150 levels",                                  signed('{"a":' + "[" * 150 + "]" * 150 + "}"), "opens opens     opens               opens     opens     opens              opens", expected='{"a":' + "[" * 150 + "]" * 150 + "}")
_seal("100000 levels",                               signed('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "opens opens opens         opens     opens     opens              invalid", "Python's reader has an end; we write 32 levels at most.", expected='{"$deep":true}')
_seal("an empty object",                             signed("{}"),                              "opens     opens     opens               opens     opens     opens              opens", expected="{}")
_seal("null",                                        signed("null"),                            "null      null      null                {}        {}        {}                 {}", "iron-session's reading: an empty session.")
_seal("false",                                       signed("false"),                           "opens     opens     opens               {}        opens     opens              invalid", _OBJECT, expected="false")
_seal("a number",                                    signed("5"),                               "opens     opens     opens               opens     opens     opens              invalid", _OBJECT, expected="5")
_seal("a string",                                    signed('"text"'),                          "opens     opens     opens               opens     opens     opens              invalid", _OBJECT, expected='"text"')
_seal("an array",                                    signed("[1,2]"),                           "opens     opens     opens               opens     opens     opens              invalid", _OBJECT, expected="[1,2]")
# fmt: on


# ---- cookies, as the sessions see them ----

COOKIE_COLUMNS: Final = (
    "next-iron-session-4",
    "iron-session-6",
    "iron-session-8",
    "iron-session-9",
    "iron_wsgi",
)

COOKIES: Final[list[Row]] = []


def _cookie(
    name: str,
    header: Callable[[Callable[..., str]], str],
    cells: str,
    reason: str = "",
    *,
    expected: str = DATA,
    **options: Any,
) -> None:
    """Add a row; *header* makes a ``Cookie`` header with the maker of seals that it is given."""
    COOKIES.append(
        Row(
            name,
            header(signed),
            tuple(cells.split()),
            reason,
            expected,
            options,
            forerunner_text=header(_enveloped),
        )
    )


def _enveloped(plaintext: str = DATA, **changed: str) -> str:
    """Return a seal as next-iron-session makes them."""
    return signed(f'{{"persistent":{plaintext},"flash":{{}}}}', **changed).removesuffix(MARK)


def _chunks(value: str, *numbers: int, size: int = 100) -> str:
    """Return the chunks with these numbers of *value* cut into three, as a header."""
    cut = [value[:size], value[size : 2 * size], value[2 * size :]]
    return "; ".join(f"{COOKIE}.{number}={cut[number]}" for number in numbers)


_LONG: Final = '{"user":7,"text":"' + "x" * 9_000 + '"}'
_STAMP: Final = "`_iron` is ours: a stamp that is not what it should be would decide trust."
SEVERAL: Final = "Every value is tried, and of those that open the one that expires last wins: junk beside it ends no session."
_CHUNKED: Final = "Chunks are iron-session 9's; the older ones know none."

# fmt: off
#       input                                         header                                                                  next-4      sess-6    sess-8     sess-9            ours
_cookie("a good cookie",                              lambda make: f"{COOKIE}={make()}",                                      "opens      opens     opens      opens             opens")
_cookie("no cookie",                                  lambda _:    "other=1",                                                 "{}         {}        {}         {}                {}")
_cookie("an empty cookie",                            lambda _:    f"{COOKIE}=",                                              "parts      {}        {}         {}                {}")
_cookie("garbage",                                    lambda _:    f"{COOKIE}=garbage",                                       "parts      {}        {}         invalid           invalid")
_cookie("another framework's token",                  lambda _:    f"{COOKIE}=eyJ1c2VyIjo3fQ.aG9sYQ.c2lnbmF0dXJl",            "parts      {}        {}         invalid           invalid")
_cookie("a seal with a wrong prefix",                 lambda make: f"{COOKIE}={make(prefix='Fe26.3')}",                       "prefix     prefix    prefix     invalid           invalid")
_cookie("an expired seal",                            lambda make: f"{COOKIE}={make(expiration='1')}",                        "{}         {}        {}         expired           expired")
_cookie("an unknown password id",                     lambda make: f"{COOKIE}={make(password_id='9')}",                       "id         {}        {}         unknown-password  unknown-password")
_cookie("password id 'constructor'",                  lambda make: f"{COOKIE}={make(password_id='constructor')}",             "password   password  password   invalid           unknown-password")
_cookie("not JSON",                                   lambda make: f"{COOKIE}={make('{asdasd')}",                             "json       json      json       invalid           invalid")
_cookie("a seal without expiry",                      lambda make: f"{COOKIE}={make(expiration='')}",                         "opens      opens     opens      opens             no-expiry", "Where sessions have an end, one without would outlive every other; with ttl=0 it is accepted.")
_cookie("a seal without expiry, ttl 0",               lambda make: f"{COOKIE}={make(expiration='')}",                         "opens      opens     opens      opens             opens", ttl=0)
_cookie("percent-encoded",                            lambda make: f"{COOKIE}={quote(make(), safe='')}",                      "opens      opens     opens      opens             opens")
_cookie("every octet percent-encoded",                lambda make: f"{COOKIE}=" + "".join(f"%{ord(c):02x}" for c in make()),  "opens      opens     opens      opens             opens")
_cookie("a broken percent sequence behind the mark",  lambda make: f"{COOKIE}={make()}~%zz",                                  "{}         {}        opens      opens             opens", _CUT)
_cookie("in double quotes",                           lambda make: f'{COOKIE}="{make()}"',                                    "opens      opens     opens      invalid           opens", "Werkzeug takes quotes off, as the older parsers do; no browser adds them.")
_cookie("the name in capitals",                       lambda make: f"{COOKIE.upper()}={make()}",                              "{}         {}        {}         {}                {}")
_cookie("no space between cookies",                   lambda make: f"a=1;{COOKIE}={make()};b=2",                              "opens      opens     opens      opens             opens")
_cookie("many spaces between cookies",                lambda make: f"a=1;  \t{COOKIE} = {make()} ;b=2",                       "opens      opens     opens      opens             opens")
_cookie("behind a cookie without a name",             lambda make: f"=x; {COOKIE}={make()}",                                  "opens      opens     opens      opens             opens")
_cookie("within a cookie without a name",             lambda make: f"={COOKIE}={make()}",                                     "{}         {}        {}         {}                {}")
_cookie("behind a cookie with odd characters",        lambda make: f'b]ad="x y; (c)={{}}; {COOKIE}={make()}',                 "opens      opens     opens      opens             opens")
_cookie("behind octets that are not UTF-8",           lambda make: f"b=\xff\xfe; {COOKIE}={make()}",                          "opens      opens     opens      opens             opens")
_cookie("twice, garbage first",                       lambda make: f"{COOKIE}=garbage; {COOKIE}={make()}",                    "parts      {}        {}         invalid           opens", SEVERAL)
_cookie("twice, garbage last",                        lambda make: f"{COOKIE}={make()}; {COOKIE}=garbage",                    "opens      opens     opens      opens             opens")
_cookie("twice, the later expiry first",              lambda make: f"{COOKIE}={make()}; {COOKIE}={make('{}', expiration=str(NOW_MS + 1))}", "opens opens opens opens      opens")
_cookie("twice, the later expiry last",               lambda make: f"{COOKIE}={make('{}', expiration=str(NOW_MS + 1))}; {COOKIE}={make()}", "{}   {}   {}   {}           opens", SEVERAL)
_cookie("three chunks",                               lambda make: _chunks(make(), 0, 1, 2),                                  "{}         {}        {}         opens             opens", _CHUNKED)
_cookie("three chunks in another order",              lambda make: _chunks(make(), 2, 0, 1),                                  "{}         {}        {}         opens             opens", _CHUNKED)
_cookie("three chunks and a stale fourth",            lambda make: f"{_chunks(make(), 0, 1, 2)}; {COOKIE}.3=stale",           "{}         {}        {}         opens             opens", _CHUNKED)
_cookie("three chunks beside an empty whole",         lambda make: f"{COOKIE}=; {_chunks(make(), 0, 1, 2)}",                  "parts      {}        {}         opens             opens", _CHUNKED)
_cookie("three chunks beside a whole that is garbage", lambda make: f"{COOKIE}=garbage; {_chunks(make(), 0, 1, 2)}",          "parts      {}        {}         invalid           opens", SEVERAL)
_cookie("chunks with a gap",                          lambda make: _chunks(make(), 0, 2),                                     "{}         {}        {}         invalid           invalid")
_cookie("chunks without the first",                   lambda make: _chunks(make(), 1, 2),                                     "{}         {}        {}         {}                {}")
_cookie("an emptied session",                         lambda make: f"{COOKIE}={make('{}')}",                                  "{}         {}        {}         {}                {}")
_cookie("null",                                       lambda make: f"{COOKIE}={make('null')}",                                "{}         {}        {}         {}                {}")
_cookie("a number",                                   lambda make: f"{COOKIE}={make('5')}",                                   "{}         TypeError TypeError  TypeError         invalid", _OBJECT)
_cookie("a string",                                   lambda make: f"{COOKIE}={make(chr(34) + 'ab' + chr(34))}",              "other      TypeError TypeError  TypeError         invalid", _OBJECT)
_cookie("an array",                                   lambda make: f"{COOKIE}={make('[1,2]')}",                               "other      opens     opens      opens             invalid", _OBJECT, expected="[1,2]")
_cookie("a key named save",                           lambda make: COOKIE + "=" + make('{"save":1,"user":7}'),                "opens      other     other      other             opens", "In iron-session the method of that name takes its place.", expected='{"save":1,"user":7}')
_cookie("a stamp that is no object",                  lambda make: COOKIE + "=" + make('{"user":7,"_iron":1}'),               "opens      opens     opens      opens             invalid", _STAMP, expected='{"user":7,"_iron":1}')
_cookie("a time of issue that is text",               lambda make: COOKIE + "=" + make('{"user":7,"_iron":{"iat":"1"}}'),     "opens      opens     opens      opens             invalid", _STAMP, expected='{"user":7,"_iron":{"iat":"1"}}')
_cookie("a time of issue in the future",              lambda make: COOKIE + "=" + make('{"user":7,"_iron":{"iat":9e9}}'),     "opens      opens     opens      opens             invalid", _STAMP, expected='{"user":7,"_iron":{"iat":9e9}}')
_cookie("a value of 12 KB",                           lambda make: COOKIE + "=" + make(_LONG),                                "opens      opens     opens      opens             opens", expected=_LONG)
_cookie("a value of more than 16 KiB",                lambda make: f"{COOKIE}={make()}~{'x' * 16_384}",                       "{}         {}        opens      opens             invalid", "Refused by its size, before any work: four cookies of 4096 octets are the most that a browser sends of a session.")
# fmt: on


def markdown(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the rows in which not all agree, as a table."""
    lines = [
        "| input | " + " | ".join(columns) + " | why |",
        "|---" * (len(columns) + 2) + "|",
    ]
    lines += [
        f"| {row.name} | " + " | ".join(row.cells) + f" | {row.reason} |" for row in rows if not row.is_agreed
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{markdown(SEALS, SEAL_COLUMNS)}\n\n{markdown(COOKIES, COOKIE_COLUMNS)}\n")
