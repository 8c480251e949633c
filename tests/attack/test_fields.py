"""T-FIELDS: the fields of a seal belong together."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from iron_wsgi import InvalidSeal
from iron_wsgi.seals.seal import KeyPair, parse, seal_at, unseal_at
from iron_wsgi.sessions.state import State
from tests.interop import forge

from .mutants import field_mutants
from .seals import NEW, NOW, OLD, forged, milliseconds, vault, verdict

VAULT = vault(password={1: OLD, 2: NEW, 3: OLD})

FIRST = forged({"user": 1})
SECOND = forged(
    {"user": 2, "more": "than one block of it"},
    salt="ab" * 32,
    integrity_salt="cd" * 32,
    iv=bytes(range(16)),
    expiration=milliseconds(NOW + 7200),
)
FOREIGN = forged({"user": 3}, NEW, password_id="2", salt="12" * 32, integrity_salt="34" * 32, iv=bytes(16))
TWIN = forged({"user": 4}, password_id="3", salt="56" * 32, integrity_salt="78" * 32, iv=b"\xff" * 16)
"""Under the same secret as the first, by another id."""

SEALS = {"second": SECOND, "foreign": FOREIGN, "duplicate": TWIN}


def test_the_seals_that_are_taken_apart_here_open_as_they_are() -> None:
    users = [verdict(seal, VAULT) for seal in (FIRST, *SEALS.values())]
    assert [user["user"] for user in users if isinstance(user, dict)] == [1, 2, 3, 4]


@pytest.mark.parametrize("donor", SEALS)
def test_no_field_can_be_spoilt_dropped_doubled_moved_or_taken_from_another_seal(donor: str) -> None:
    tried = 0
    for mutant in field_mutants(FIRST, [SEALS[donor]]):
        if mutant.partition("~")[0] != FIRST:
            tried += 1
            assert verdict(mutant, VAULT) in ("invalid", "unknown-password"), mutant
    assert tried > 600


def test_every_combination_of_fields_of_two_seals_is_refused_but_the_two() -> None:
    one, two = FIRST.split("*"), SECOND.split("*")
    opened = set()
    for choice in itertools.product((0, 1), repeat=8):
        mixed = "*".join(pair[pick] for pair, pick in zip(zip(one, two, strict=True), choice, strict=True))
        if isinstance(verdict(mixed, VAULT), dict):
            opened.add(mixed)
    assert opened == {FIRST, SECOND}


@pytest.mark.parametrize("extra", ["*", "**", "*x", "*Fe26.2", "*~2"])
def test_a_field_more_is_refused(extra: str) -> None:
    assert verdict(FIRST + extra, VAULT) == "invalid"
    assert verdict("*" + FIRST, VAULT) == "invalid"


@pytest.mark.parametrize(
    "prefix", ["", "Fe26.1", "Fe26.3", "fe26.2", "FE26.2", "Fe26.2 ", " Fe26.2", "Fe26x2", "Fe26.20"]
)
def test_no_other_version_is_opened_even_if_its_mac_is_right(prefix: str) -> None:
    parts = forge.encrypted(b'{"user":1}').changed(prefix=prefix, expiration=milliseconds(NOW + 60))
    assert verdict(parts.signed().text(), VAULT) == "invalid"
    assert isinstance(verdict(parts.changed(prefix="Fe26.2").signed().text(), VAULT), dict)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "padded": lambda text: text + "=",
    "padded twice": lambda text: text + "==",
    "newline behind": lambda text: text + "\n",
    "space before": lambda text: " " + text,
    "foreign character": lambda text: text[:4] + "!" + text[4:],
    "padding inside": lambda text: text[:4] + "===" + text[4:],
    "plus": lambda text: "+" + text[1:],
    "slash": lambda text: "/" + text[1:],
    "cut": lambda text: text[:-1],
    "surplus bits": lambda text: text[:-1] + chr(ord(text[-1]) + 1),
    "longer": lambda text: text + "AAAA",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("field", ["iv", "ciphertext"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_only_the_canonical_base64url_of_a_field_is_read_even_if_the_mac_covers_it(
    field: str, spelling: str
) -> None:
    parts = forge.encrypted(b'{"user":1}').changed(expiration=milliseconds(NOW + 60))
    spoilt = parts.changed(**{field: SPELLINGS[spelling](getattr(parts, field))})
    assert verdict(spoilt.signed().text(), VAULT) == "invalid"


@pytest.mark.parametrize("octets", [0, 1, 15, 17, 31, 32])
def test_a_ciphertext_that_is_not_whole_padded_blocks_is_refused(octets: int) -> None:
    parts = forge.encrypted(b'{"user":1}').changed(expiration=milliseconds(NOW + 60))
    cut = parts.changed(ciphertext=forge.base64url(bytes(octets)))
    assert verdict(cut.signed().text(), VAULT) == "invalid"


@pytest.mark.parametrize(
    "padding", [b"\x00" * 6, b"\x11" * 6, b"\x01\x02\x03\x04\x05\x05", b"\x07" * 6, b" " * 6]
)
def test_only_pkcs7_padding_is_taken_off(padding: bytes) -> None:
    right, wrong = (
        forge.raw(b'{"user":1}' + end).changed(expiration=milliseconds(NOW + 60)).signed().text()
        for end in (b"\x06" * 6, padding)
    )
    assert verdict(right, VAULT) == {"user": 1}
    assert verdict(wrong, VAULT) == "invalid"


@pytest.mark.parametrize("salt", ["x", "0" * 63, "AB" * 32, "not hexadecimal, and with spaces", "\x00"])
def test_a_salt_is_text_so_any_is_read_as_it_stands_and_never_as_hexadecimal(salt: str) -> None:
    seal = forged({"user": 1}, salt=salt, integrity_salt=salt)
    assert verdict(seal, VAULT) == {"user": 1}
    for place in (2, 6):
        fields = seal.split("*")
        fields[place] = fields[place].swapcase() + "x"
        assert verdict("*".join(fields), VAULT) == "invalid"


@pytest.mark.parametrize("field", ["encryption_salt", "integrity_salt"])
def test_a_seal_without_a_salt_does_not_open_under_a_password(field: str) -> None:
    salts = {"encryption_salt": "salt", "integrity_salt": "integrity_salt"}
    assert verdict(forged({"user": 1}, **{salts[field]: ""}), VAULT) == "invalid"  # type: ignore[arg-type]


def test_encryption_and_integrity_passwords_do_not_stand_in_for_each_other() -> None:
    fields = parse(seal_at(b"{}", KeyPair(OLD, NEW), expires_at=None))
    assert unseal_at(fields, KeyPair(OLD, NEW), now=NOW).plaintext == b"{}"
    for wrong in (OLD, NEW, KeyPair(NEW, OLD), KeyPair(NEW, NEW)):
        # The right MAC with the wrong cipher key opens to noise at best, and nearly always not at all.
        try:
            plaintext = unseal_at(fields, wrong, now=NOW).plaintext
        except InvalidSeal:
            continue
        assert plaintext != b"{}"


def test_a_seal_made_with_other_rounds_or_another_algorithm_does_not_open() -> None:
    assert verdict(forged({"user": 1}), vault(iterations=2)) == "invalid"
    thousand = vault(iterations=1000)
    value = thousand.dump(State(data={"user": 1}), expires_at=NOW + 60)
    assert verdict(value, thousand) == {"user": 1}
    assert verdict(value, VAULT) == "invalid"
    ctr = seal_at(b'{"user":1}', OLD, expires_at=NOW + 60, password_id="1", algorithm="aes-128-ctr")
    assert verdict(ctr, VAULT) == "invalid"
