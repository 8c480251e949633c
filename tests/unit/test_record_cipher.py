"""How a record is encrypted, and what opens none."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi import ConfigError, IronSessionMiddleware, Passwords, Refused
from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import MemoryStore
from iron_wsgi.vaults import record_cipher
from iron_wsgi.vaults.record_cipher import RecordCipher
from tests.interop import forge_record
from tests.interop.forge import NEW, OLD

from .visitor import OTHER

NAME: Final = key_of("a session")
PLAINTEXT: Final = b'{"user":7,"_iron":{"sid":"a","iat":1800000000,"ref":"a"}}'
CIPHER: Final = RecordCipher(Passwords.parse(OLD))

# Made once by `tests.interop.forge_record`, which knows nothing of the package. It must stay readable.
KNOWN: Final = (
    "1.1.yMnKy8zNzs/Q0dLTtBrIgG8kF2hEKYn3DBonz+Ryk1NM7Z1OoKkMP6alMHV4yTMMpcngu+YK4NpavYQs9sj2+Tp8LBzndyUj7uix9w+tpsfa"
    "BU0bTQ=="
)
KNOWN_NAME: Final = "ab" * 32


def refusal(value: str, name: str = NAME, cipher: RecordCipher = CIPHER) -> str:
    with pytest.raises(Refused) as caught:
        cipher.decrypt(value, name)
    return caught.value.reason


def spoilt(value: str, place: int, *, bit: int = 0) -> str:
    """Flip a bit of the octets behind the head."""
    head, text = value[:4], value[4:]
    octets = bytearray(base64.b64decode(text))
    octets[place] ^= 1 << bit
    return head + base64.b64encode(octets).decode()


def cut(value: str, octets: int) -> str:
    return value[:4] + base64.b64encode(base64.b64decode(value[4:])[:octets]).decode()


def test_a_record_reads_as_it_was_first_written_down() -> None:
    assert forge_record.record(PLAINTEXT, KNOWN_NAME) == KNOWN
    assert CIPHER.decrypt(KNOWN, KNOWN_NAME) == (PLAINTEXT, False)


@given(st.binary(min_size=1, max_size=300))
def test_what_is_encrypted_is_what_a_second_implementation_encrypts_and_opens(plaintext: bytes) -> None:
    value = CIPHER.encrypt(plaintext, NAME)
    nonce = base64.b64decode(value[4:])[:12]
    assert forge_record.record(plaintext, NAME, nonce=nonce) == value
    assert forge_record.opened(value, NAME) == plaintext
    assert CIPHER.decrypt(value, NAME) == (plaintext, False)


def test_equal_plaintexts_give_different_records_that_share_no_part() -> None:
    values = [base64.b64decode(CIPHER.encrypt(PLAINTEXT, NAME)[4:]) for _ in range(500)]
    for part in (slice(0, 12), slice(12, 28), slice(-16, None)):
        assert len({value[part] for value in values}) == 500


def test_a_record_opens_under_its_own_name_alone() -> None:
    value = CIPHER.encrypt(PLAINTEXT, NAME)
    for name in (key_of("another session"), NAME[:-1], NAME + "0", NAME.upper(), ""):
        assert refusal(value, name) == "invalid"
    assert CIPHER.decrypt(value, NAME) == (PLAINTEXT, False)


def test_nothing_of_a_record_can_be_altered() -> None:
    """Nonce, ciphertext, tag: each bit."""
    value = forge_record.record(b"{}", NAME)
    for place in range(12 + 2 + 16):
        for bit in range(8):
            assert refusal(spoilt(value, place, bit=bit)) == "invalid"


def test_a_record_that_was_cut_short_or_made_longer_is_refused() -> None:
    value = CIPHER.encrypt(PLAINTEXT, NAME)
    for length in range(len(PLAINTEXT) + 12 + 16):
        assert refusal(cut(value, length)) == "invalid"
    for length in range(len(value)):
        assert refusal(value[:length]) == "invalid"
    longer = base64.b64encode(base64.b64decode(value[4:]) + b"\0").decode()
    assert refusal(value[:4] + longer) == "invalid"


@pytest.mark.parametrize(
    "head",
    ["", "0.1.", "2.1.", "01.1.", "1.01.", "1.0.", "1..", "1.", "1.1", "1.1.1.", "1.a.", "1.-1.", " 1.1."],
)
def test_a_record_of_another_version_or_without_a_password_id_is_refused(head: str) -> None:
    value = CIPHER.encrypt(PLAINTEXT, NAME)
    assert refusal(head + value[4:]) == "invalid"


@pytest.mark.parametrize("version", ["0", "2", "1.1"])
def test_a_record_of_another_version_is_refused_though_it_is_authentic(version: str) -> None:
    assert refusal(forge_record.record(PLAINTEXT, NAME, version=version)) == "invalid"


def test_the_version_is_authentic_too() -> None:
    """A record that another version wrote does not become one of this version by its first character."""
    later = forge_record.record(PLAINTEXT, NAME, version="2")
    assert refusal("1" + later[1:]) == "invalid"


@pytest.mark.parametrize(
    "text", ["", "=", "====", "A", "AAAAA", "*" * 60, "é" * 60, "\ud800", "\0" * 60, "AA==" * 20, "1.1." * 20]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    assert refusal("1.1." + text) == "invalid"


def test_an_empty_record_is_refused_whatever_its_tag_says() -> None:
    """CVE-2026-45446: many an OpenSSL takes one with a tag of zeros, under any key and any name."""
    for octets in (bytes(28), forge_record.NONCE + bytes(16)):
        assert refusal("1.1." + base64.b64encode(octets).decode()) == "invalid"
    assert refusal(forge_record.record(b"", NAME)) == "invalid"


def test_an_empty_ciphertext_is_not_even_shown_to_openssl() -> None:
    class Gullible:
        def decrypt(self, *_: object) -> bytes:
            return b""

    cipher = RecordCipher(Passwords.parse(OLD))
    cipher._ciphers["1"] = Gullible()  # type: ignore[assignment]
    assert refusal("1.1." + base64.b64encode(bytes(28)).decode(), cipher=cipher) == "invalid"


def test_a_record_under_another_password_is_refused() -> None:
    assert refusal(forge_record.record(PLAINTEXT, NAME, OTHER)) == "invalid"


def test_a_record_under_an_id_that_is_not_configured_says_so() -> None:
    with pytest.raises(Refused) as caught:
        CIPHER.decrypt(forge_record.record(PLAINTEXT, NAME, password_id="3"), NAME)
    assert (caught.value.reason, caught.value.password_id) == ("unknown-password", "3")


def test_the_password_id_is_authentic_too_even_where_two_ids_have_one_password() -> None:
    twice = RecordCipher(Passwords.parse({1: OLD, 2: OLD}))
    value = twice.encrypt(PLAINTEXT, NAME)
    assert value.startswith("1.2.")
    assert refusal("1.1." + value[4:], cipher=twice) == "invalid"


def test_an_older_password_opens_and_says_so_and_the_sealing_one_encrypts() -> None:
    both = RecordCipher(Passwords.parse({1: OLD, 2: NEW}))
    assert both.decrypt(forge_record.record(PLAINTEXT, NAME, OLD), NAME) == (PLAINTEXT, True)
    assert both.decrypt(forge_record.record(PLAINTEXT, NAME, NEW, password_id="2"), NAME) == (
        PLAINTEXT,
        False,
    )
    assert forge_record.opened(both.encrypt(PLAINTEXT, NAME), NAME, NEW) == PLAINTEXT
    behind = RecordCipher(Passwords.parse({1: OLD, 2: NEW}, seal_with=1))
    assert behind.encrypt(PLAINTEXT, NAME).startswith("1.1.")
    assert behind.decrypt(both.encrypt(PLAINTEXT, NAME), NAME) == (PLAINTEXT, False)


def test_the_password_without_an_id_opens_no_record() -> None:
    """It reads cookies of before there were ids, and never encrypted a record."""
    cipher = RecordCipher(Passwords.parse({1: OLD, "default": NEW}))
    for password_id in ("default", ""):
        assert (
            refusal(forge_record.record(PLAINTEXT, NAME, NEW, password_id=password_id), cipher=cipher)
            == "invalid"
        )


def test_one_cipher_serves_many_threads() -> None:
    def work(number: int) -> bool:
        name, plaintext = key_of(str(number)), json.dumps(list(range(number))).encode()
        return all(
            CIPHER.decrypt(CIPHER.encrypt(plaintext, name), name) == (plaintext, False) for _ in range(100)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(64)))


def test_an_openssl_without_the_cipher_is_an_error_when_the_site_starts_and_only_with_a_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unsupported(_: bytes) -> Any:
        msg = "AES-GCM-SIV is not supported by this version of OpenSSL"
        raise UnsupportedAlgorithm(msg)

    def site(**options: Any) -> IronSessionMiddleware:
        return IronSessionMiddleware(lambda *_: [], password=OLD, cookie_name="s", **options)

    monkeypatch.setattr(record_cipher, "AESGCMSIV", unsupported)
    for options in ({"storage": "store"}, {"overflow": "store"}):
        with pytest.raises(ConfigError, match=r"OpenSSL 3\.2 or later"):
            site(store=MemoryStore(), **options)
    site()
