from __future__ import annotations

import base64
import contextlib
import copy
import pickle
import subprocess
import sys
import time
from typing import Any

import pytest

from iron_wsgi import ConfigError, ExpiredSeal, InvalidSeal
from iron_wsgi.seals import seal
from iron_wsgi.seals.seal import KeyPair

from .visitor import NEWER, NOW, OTHER, PASSWORD

SALTS = {
    "encryption_salt": bytes(range(32)).hex(),
    "integrity_salt": bytes(range(32, 64)).hex(),
    "iv": bytes(range(64, 80)),
}

# @hapi/iron 7.0.1 wrote it, with these salts and this IV.
FOREIGN_PASSWORD = "xgzqACsoFxwgg95DTkVi1wT0U0zfZu39"
FOREIGN = (
    "Fe26.2*2*000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f*QEFCQ0RFRkdISUpLTE1OTw"
    "*g0FxfNk1RvC5xd5bz1BrowpetqK_6hlp8TIUVVryxm0*1701209600000"
    "*202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "*FGpJwiKKU_k33sCaQ9lRb2tO4uoAXiBJC3queKDSGbc"
)


def _unseal(text: str, key: seal.Key = PASSWORD, *, now: float = NOW, **how: Any) -> bytes:
    return seal.unseal_at(seal.parse(text), key, now=now, **how).plaintext


def _with(text: str, field: int, content: str) -> str:
    """The seal with another field, under a MAC that is right again."""
    fields = text.split("*")
    fields[field] = content
    signed = "*".join(fields[:6])
    salt = fields[6].encode()
    key = seal.integrity_key(PASSWORD, salt, 1)
    mac = seal.hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}*{fields[6]}*{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


# ---- the three layers ----


def test_a_seal_opens_to_the_octets_that_were_sealed() -> None:
    for plaintext in (b"", b"{}", bytes(range(256)), b"x" * 15, b"x" * 16, b"x" * 17, b"x" * 70_000):
        opened = seal.unseal(seal.seal(plaintext, PASSWORD), PASSWORD)
        assert opened == (plaintext, None)


def test_a_seal_with_a_ttl_says_when_it_ends() -> None:
    before = time.time()
    opened = seal.unseal(seal.seal(b"{}", PASSWORD, ttl=60), PASSWORD)
    assert opened.expires_at is not None
    assert before + 59.99 <= opened.expires_at <= time.time() + 60.01


def test_with_salts_iv_and_time_given_a_foreign_seal_is_reproduced_byte_for_byte() -> None:
    ours = seal.seal_from_parts(
        b'{"user":{"id":1}}', FOREIGN_PASSWORD, password_id="2", expires_at=1_701_209_600, **SALTS
    )
    assert ours == FOREIGN
    assert _unseal(FOREIGN, FOREIGN_PASSWORD, now=1_701_209_600) == b'{"user":{"id":1}}'


def test_every_seal_has_salts_and_an_iv_of_its_own() -> None:
    fields = [seal.parse(seal.seal_at(b"{}", PASSWORD, expires_at=None)) for _ in range(50)]
    for name in ("encryption_salt", "integrity_salt", "iv", "mac"):
        assert len({getattr(one, name) for one in fields}) == 50
    assert {len(one.encryption_salt) for one in fields} == {64}


def test_a_seal_names_its_password_id_and_nothing_of_its_contents() -> None:
    text = seal.seal_at(b"canary", PASSWORD, expires_at=NOW, password_id="12")
    fields = seal.parse(text)
    assert (fields.password_id, fields.expiration) == ("12", b"%d" % (NOW * 1000))
    assert "canary" not in text


# ---- what opens and what does not ----


def test_another_password_does_not_open_a_seal() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    with pytest.raises(InvalidSeal, match="altered, or made under another password"):
        _unseal(text, OTHER)


def test_whatever_follows_the_first_tilde_selects_nothing() -> None:
    text = seal.seal_at(b'{"persistent":1}', PASSWORD, expires_at=None)
    for suffix in ("", "~", "~1", "~2", "~02", "~2x", "~2~x", "~ 2", "~é", "~" + "x" * 100_000):
        assert _unseal(text + suffix) == b'{"persistent":1}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~2",
        "x",
        "Fe26.2",
        "*" * 7,
        "a*b*c*d*e*f*g*h",
        "Fe26.2*******~2*",
        "Fe26.2**é*****",
        "Fe26.2********",
    ],
)
def test_what_has_not_the_form_of_a_seal_is_invalid(text: str) -> None:
    with pytest.raises(InvalidSeal):
        _unseal(text)


@pytest.mark.parametrize("prefix", ["Fe26.1", "Fe26.3", "fe26.2", "Fe26.2 ", "", "Fe26"])
def test_another_version_of_the_format_is_invalid_even_under_a_right_mac(prefix: str) -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    with pytest.raises(InvalidSeal, match=r"does not begin with 'Fe26\.2'"):
        _unseal(_with(text, 0, prefix))


def test_a_seal_is_accepted_for_the_skew_after_its_end_and_not_a_millisecond_longer() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=NOW)
    assert _unseal(text, now=NOW + 59.999) == b"{}"
    with pytest.raises(ExpiredSeal, match="expired 60 seconds ago"):
        _unseal(text, now=NOW + 60)
    assert _unseal(text, now=NOW - 0.001, skew=0) == b"{}"
    with pytest.raises(ExpiredSeal):
        _unseal(text, now=NOW, skew=0)


def test_expired_is_said_only_of_an_authentic_seal() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=NOW - 1000)
    with pytest.raises(ExpiredSeal):
        _unseal(text)
    with pytest.raises(InvalidSeal):
        _unseal(text, OTHER)
    with pytest.raises(InvalidSeal):
        _unseal(text[:-1] + ("A" if text[-1] != "A" else "B"))


@pytest.mark.parametrize(
    "expiration",
    [
        *("0", "01", "-1", "+5", "1e20", "1.5", "0x10", " 1790000000000", "1790000000000\n"),
        *("9" * 17, "9" * 16, "9007199254740992"),
    ],
)
def test_an_expiration_that_is_no_number_of_milliseconds_is_invalid_even_under_a_right_mac(
    expiration: str,
) -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=NOW + 60)
    with pytest.raises(InvalidSeal, match="not a number of milliseconds"):
        _unseal(_with(text, 5, expiration))


def test_the_latest_expiration_that_javascript_can_count_is_accepted() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=NOW + 60)
    assert _unseal(_with(text, 5, "9007199254740991")) == b"{}"


@pytest.mark.parametrize("field", [3, 4])
@pytest.mark.parametrize("change", ["{0}=", "{0}==", " {0}", "{0}\n", "{0}??", "+{0}", "/{0}", "{0}AAA"])
def test_base64_in_any_other_spelling_is_invalid_even_under_a_right_mac(field: int, change: str) -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    altered = _with(text, field, change.format(text.split("*")[field]))
    with pytest.raises(InvalidSeal, match="base64url"):
        _unseal(altered)


def test_surplus_bits_in_the_last_character_are_invalid_even_under_a_right_mac() -> None:
    text = seal.seal_from_parts(b"{}", PASSWORD, expires_at=None, **SALTS)
    assert text.split("*")[3] == "QEFCQ0RFRkdISUpLTE1OTw"
    with pytest.raises(InvalidSeal, match="base64url"):
        _unseal(_with(text, 3, "QEFCQ0RFRkdISUpLTE1OTx"))


def test_an_iv_or_a_ciphertext_of_another_length_is_invalid_even_under_a_right_mac() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    with pytest.raises(InvalidSeal, match="16 octets"):
        _unseal(_with(text, 3, "QEFCQ0RF"))
    for ciphertext in ("", "QEFCQ0RF", base64.urlsafe_b64encode(b"x" * 48).decode()):
        with pytest.raises(InvalidSeal, match="authentic but does not decrypt"):
            _unseal(_with(text, 4, ciphertext))


def test_only_the_one_spelling_of_a_mac_is_accepted() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    head, _, mac = text.rpartition("*")
    assert len(mac) == 43
    other_last_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".replace(
        mac[-1], ""
    )
    for spelling in [mac + "=", mac + " ", mac[:-1], "", *(mac[:-1] + last for last in other_last_letters)]:
        with pytest.raises(InvalidSeal, match="altered"):
            _unseal(f"{head}*{spelling}")


def test_nothing_is_decrypted_before_the_mac_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None)
    seen: list[str] = []
    decrypt = seal._decrypt
    monkeypatch.setattr(seal, "_decrypt", lambda *given: seen.append("decrypt") or decrypt(*given))
    for field in range(1, 8):
        fields = text.split("*")
        fields[field] += "A"
        with pytest.raises(InvalidSeal):
            _unseal("*".join(fields))
    assert seen == []
    assert _unseal(text) == b"{}"
    assert seen == ["decrypt"]


# ---- keys of every kind ----


def test_separate_passwords_encrypt_and_protect() -> None:
    pair = KeyPair(encryption=PASSWORD, integrity=OTHER)
    text = seal.seal_at(b"{}", pair, expires_at=None)
    assert _unseal(text, pair) == b"{}"
    for wrong in (PASSWORD, OTHER, KeyPair(encryption=OTHER, integrity=PASSWORD)):
        with pytest.raises(InvalidSeal):
            _unseal(text, wrong)


def test_a_wrong_encryption_password_behind_the_right_integrity_password_does_not_decrypt() -> None:
    # With salts and IV given: one wrong key in 256 happens to end in what looks like padding.
    pair = KeyPair(encryption=PASSWORD, integrity=OTHER)
    text = seal.seal_from_parts(
        b"{}", pair, encryption_salt="e" * 64, integrity_salt="i" * 64, iv=bytes(16), expires_at=None
    )
    assert _unseal(text, pair) == b"{}"
    with pytest.raises(InvalidSeal, match="authentic but does not decrypt"):
        _unseal(text, KeyPair(encryption=NEWER, integrity=OTHER))


def test_raw_keys_leave_the_salts_empty() -> None:
    key = bytes(range(32))
    text = seal.seal_at(b"{}", key, expires_at=None)
    fields = seal.parse(text)
    assert (fields.encryption_salt, fields.integrity_salt) == (b"", b"")
    assert _unseal(text, key) == b"{}"
    with pytest.raises(InvalidSeal):
        _unseal(text, bytes(32))


def test_a_raw_key_and_a_password_can_stand_side_by_side() -> None:
    pair = KeyPair(encryption=bytes(32), integrity=PASSWORD)
    text = seal.seal_at(b"{}", pair, expires_at=None)
    assert [bool(salt) for salt in (text.split("*")[2], text.split("*")[6])] == [False, True]
    assert _unseal(text, pair) == b"{}"


def test_a_password_does_not_open_what_a_raw_key_sealed() -> None:
    text = seal.seal_at(b"{}", bytes(32), expires_at=None)
    with pytest.raises(InvalidSeal, match="no salt"):
        _unseal(text, PASSWORD)


def test_aes_128_ctr_can_be_written_and_read() -> None:
    for key in (PASSWORD, KeyPair(encryption=bytes(16), integrity=bytes(32))):
        text = seal.seal_at(b"{}", key, expires_at=None, algorithm="aes-128-ctr")
        assert len(text.split("*")[4]) == 3  # two octets: no padding
        assert _unseal(text, key, algorithm="aes-128-ctr") == b"{}"
        with pytest.raises((InvalidSeal, ConfigError)):
            _unseal(text, key)


def test_iterations_must_be_those_that_the_seal_was_made_with() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None, iterations=8192)
    assert _unseal(text, iterations=8192) == b"{}"
    with pytest.raises(InvalidSeal):
        _unseal(text)


def test_encryption_and_integrity_may_have_iterations_of_their_own() -> None:
    text = seal.seal_at(b"{}", PASSWORD, expires_at=None, iterations=(3, 2))
    assert _unseal(text, iterations=(3, 2)) == b"{}"
    for wrong in ((3, 3), (2, 3)):
        with pytest.raises(InvalidSeal):
            _unseal(text, iterations=wrong)
    for wrong in (2, (2, 2)):
        # The MAC is right, and what is decrypted under a wrong key may end in right padding.
        with contextlib.suppress(InvalidSeal):
            assert _unseal(text, iterations=wrong) != b"{}"


@pytest.mark.parametrize(
    ("key", "how", "problem"),
    [
        ("x" * 31, {}, "31 characters and needs at least 32"),
        ("é" * 31, {}, "31 characters"),
        ("🦊" * 15, {}, "30 characters"),
        ("x" * 32 + "\ud800", {}, "half a surrogate pair"),
        (bytes(31), {}, "exactly 32 octets; this one has 31"),
        (bytes(33), {}, "exactly 32 octets"),
        (bytes(32), {"algorithm": "aes-128-ctr"}, "exactly 16 octets"),
        (KeyPair(bytes(32), bytes(31)), {}, "at least 32 octets; this one has 31"),
        (PASSWORD, {"iterations": 0}, "iterations must be between 1"),
        (PASSWORD, {"algorithm": "aes-256-gcm"}, "one of aes-256-cbc, aes-128-ctr"),
        (PASSWORD, {"password_id": "asd$"}, "letters, digits and '_'"),
        (PASSWORD, {"password_id": "1\n"}, "letters, digits and '_'"),
        (PASSWORD, {"password_id": "\u0661"}, "letters, digits and '_'"),
    ],
)
def test_an_unusable_key_or_setting_is_a_fault_of_the_program(
    key: Any, how: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        seal.seal(b"{}", key, **how)


def test_a_password_is_measured_in_utf_16_units_as_the_peers_count() -> None:
    sixteen_foxes = "🦊" * 16
    assert _unseal(seal.seal_at(b"{}", sixteen_foxes, expires_at=None), sixteen_foxes) == b"{}"


@pytest.mark.parametrize("expires_at", [0, -1, 1e14])
def test_a_seal_can_only_end_in_a_time_that_javascript_can_count(expires_at: float) -> None:
    with pytest.raises(ConfigError, match="after 1970"):
        seal.seal_at(b"{}", PASSWORD, expires_at=expires_at)


# ---- what is shown ----


def test_a_seal_taken_apart_shows_its_password_id_and_nothing_more() -> None:
    text = seal.seal_at(b"canary", PASSWORD, expires_at=None, password_id="7")
    fields = seal.parse(text)
    assert repr(fields) == "<Fields of a seal, password id '7'>"
    opened = seal.unseal_at(fields, PASSWORD, now=NOW)
    assert repr(opened) == "<Unsealed: 6 octets, expires at None>"
    assert PASSWORD not in repr(KeyPair(PASSWORD, OTHER))


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_pair_of_keys_cannot_be_pickled_or_copied(take: Any) -> None:
    with pytest.raises(TypeError, match="not to be pickled"):
        take(KeyPair(PASSWORD, OTHER))


def test_sha_1_is_not_called_before_a_seal_is_made_so_that_a_fips_build_can_import_the_package() -> None:
    program = (
        "from cryptography.hazmat.primitives.kdf import pbkdf2\n"
        "def refuse(*args, **kwargs): raise ValueError('no SHA-1 here')\n"
        "pbkdf2.PBKDF2HMAC = refuse\n"
        "import iron_wsgi\n"
        "options = iron_wsgi.SessionOptions(password=iron_wsgi.generate_password(), cookie_name='s')\n"
        "try: iron_wsgi.seal_data({}, password=options.password)\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "no SHA-1 here\n"
