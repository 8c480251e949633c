"""T-ORACLE: before a MAC is right nothing behind it is touched, and no answer tells what was wrong."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

import iron_wsgi
import iron_wsgi.seals.seal
from iron_wsgi import InvalidSeal, Sealer, SealError
from iron_wsgi.seals.seal import parse, unseal_at
from tests.interop import forge

from .seals import NEW, NOW, OLD, OTHER, forged, milliseconds, vault, verdict
from .site import environ, page, serve, sessions

GOOD = forged({"user": 1, "text": "more than one block of plaintext"})


def replaced(index: int, change: Callable[[str], str]) -> str:
    fields = GOOD.split("*")
    fields[index] = change(fields[index])
    return "*".join(fields)


def turned(text: str) -> str:
    """Return *text* with its first character changed to another of the alphabet."""
    return ("A" if text[0] != "A" else "B") + text[1:]


def wrong() -> Iterator[tuple[str, str]]:
    """Yield seals whose MAC is wrong, each with what was done to it."""
    yield "ciphertext, first block", replaced(4, turned)
    yield "ciphertext, last block", replaced(4, lambda text: text[:-8] + turned(text[-8:]))
    yield "ciphertext, a block less", replaced(4, lambda text: text[:-22])
    yield "ciphertext, empty", replaced(4, lambda _: "")
    yield "ciphertext, no base64", replaced(4, lambda _: "!" * 64)
    yield "iv", replaced(3, turned)
    yield "iv, too short", replaced(3, lambda text: text[:4])
    yield "iv, no base64", replaced(3, lambda _: "=" * 22)
    yield "encryption salt", replaced(2, turned)
    yield "encryption salt, empty", replaced(2, lambda _: "")
    yield "expiry, later", replaced(5, lambda _: milliseconds(NOW + 10**6))
    yield "expiry, gone", replaced(5, lambda _: "")
    yield "expiry, over", replaced(5, lambda _: "1")
    yield "expiry, no number", replaced(5, lambda _: "soon")
    yield "expiry, 5000 digits", replaced(5, lambda _: "9" * 5000)
    yield "integrity salt", replaced(6, turned)
    yield "mac, first character", replaced(7, turned)
    yield "mac, last character", replaced(7, lambda text: text[:-1] + turned(text[-1]))
    yield "mac, cut", replaced(7, lambda text: text[:20])
    yield "mac, empty", replaced(7, lambda _: "")
    yield "mac, no base64", replaced(7, lambda _: "*".replace("*", "\x00") * 43)
    yield "another password", forged({"user": 1}, OTHER)
    yield "another password, over", forged({"user": 1}, OTHER, expiration="1")
    yield "another password, no JSON", forged(b"\xff" * 40, OTHER)
    yield (
        "another password, bad padding",
        (forge.raw(bytes(32), OTHER).changed(expiration=milliseconds(NOW + 60)).signed(OTHER).text()),
    )


WRONG = dict(wrong())
EVERY_WRONG = pytest.mark.parametrize("how", WRONG)


def trap(*_: object, **__: object) -> NoReturn:
    raise AssertionError("something behind the MAC was touched")


class Trap:
    """A serializer that must not be reached."""

    dumps = staticmethod(lambda data: json.dumps(data).encode())
    loads = staticmethod(trap)


@EVERY_WRONG
def test_a_wrong_mac_reaches_no_cipher_no_base64_and_no_json(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iron_wsgi.seals.seal, "Cipher", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "decode", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "_milliseconds", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "encryption_key", trap)
    assert verdict(WRONG[how], vault(serializer=Trap())) == "invalid"
    with pytest.raises(AssertionError, match="behind the MAC"):
        verdict(GOOD, vault(serializer=Trap()))


@pytest.mark.parametrize("spied", ["Cipher", "decode", "_milliseconds", "encryption_key"])
def test_each_of_those_traps_stands_on_the_way_of_a_good_seal(
    spied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iron_wsgi.seals.seal, spied, trap)
    with pytest.raises(AssertionError, match="behind the MAC"):
        verdict(GOOD, vault())


def test_an_authentic_seal_that_is_over_is_not_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    over = forged({"user": 1}, expiration="1")
    monkeypatch.setattr(iron_wsgi.seals.seal, "Cipher", trap)
    assert verdict(over, vault(serializer=Trap())) == "expired"


def described(error: BaseException) -> tuple[Any, ...]:
    return type(error), error.args, str(error), error.__cause__, error.__context__, vars(error)


def failure(open_it: Callable[[], object]) -> tuple[Any, ...]:
    with pytest.raises(SealError) as caught:
        open_it()
    return described(caught.value)


@pytest.mark.filterwarnings("error")
def test_every_wrong_mac_is_answered_with_one_and_the_same_error() -> None:
    low = {
        how: failure(lambda text=text: unseal_at(parse(text), OLD, now=NOW)) for how, text in WRONG.items()
    }
    assert len({repr(error) for error in low.values()}) == 1, low
    assert low["iv"][0] is InvalidSeal

    links = Sealer(OLD, purpose="link", clock=lambda: NOW)
    high = {how: failure(lambda text=text: links.unseal(text)) for how, text in WRONG.items()}
    assert len({repr(error) for error in high.values()}) == 1, high


@EVERY_WRONG
def test_a_visitor_gets_the_same_answer_for_every_wrong_mac(how: str) -> None:
    answers = [
        serve(sessions(page(lambda session: session.get("user"))), environ(f"session={value}"))
        for value in (WRONG[how], WRONG["iv"])
    ]
    assert answers[0] == answers[1]


def test_a_wrong_password_and_a_wrong_octet_look_alike() -> None:
    assert verdict(GOOD, vault(password=OTHER)) == verdict(replaced(4, turned), vault()) == "invalid"


def test_only_the_password_that_a_seal_names_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    real = iron_wsgi.seals.seal.integrity_key

    def spy(key: Any, salt: bytes, iterations: Any) -> bytes:
        tried.append(key)
        return real(key, salt, iterations)

    monkeypatch.setattr(iron_wsgi.seals.seal, "integrity_key", spy)
    both = vault(password={1: OLD, 2: NEW})
    assert verdict(WRONG["another password"], both) == "invalid"
    assert verdict(forged({}, password_id="3"), both) == "unknown-password"
    assert tried == [OLD]


SECRET_NAMES = {"mac", "digest", "signature", "tag", "sid", "password", "secret"}


def compared_secrets(source: str) -> list[int]:
    """Return the lines on which a secret is compared with ``==``, ``!=`` or ``in`` a text."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops):
            for operand in (node.left, *node.comparators):
                name = operand.attr if isinstance(operand, ast.Attribute) else getattr(operand, "id", "")
                if name in SECRET_NAMES:
                    lines.append(node.lineno)
    return lines


def test_no_secret_is_compared_in_a_time_that_depends_on_it() -> None:
    assert compared_secrets("if mac != fields.mac: pass\nif a == fields.sid: pass\nif a == b: pass") == [
        1,
        1,
        2,
    ]
    for module in Path(iron_wsgi.__file__).parent.rglob("*.py"):
        assert compared_secrets(module.read_text(encoding="utf-8")) == [], module.name


def test_the_mac_is_compared_by_the_constant_time_function_as_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[type, type]] = []
    real = iron_wsgi.seals.seal.hmac.compare_digest

    def spy(one: Any, other: Any) -> bool:
        compared.append((type(one), type(other)))
        return real(one, other)

    monkeypatch.setattr(iron_wsgi.seals.seal.hmac, "compare_digest", spy)
    for text in (GOOD, *WRONG.values()):
        verdict(text, vault())
    assert set(compared) == {(bytes, bytes)}
    assert len(compared) == 1 + len(WRONG)
