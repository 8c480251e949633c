"""T-OVERSIZE: the length is looked at before anything else of a cookie is."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

import iron_wsgi.seals.keys
import iron_wsgi.seals.seal
import iron_wsgi.vaults.seal_vault
from iron_wsgi.vaults.seal_vault import MAX_VALUE

from .seals import forged, vault, verdict
from .site import environ, page, serve, sessions

SEAL = forged({"user": 1})


def trap(*_: object, **__: object) -> NoReturn:
    raise AssertionError("too long a value got this far")


@pytest.fixture
def _only_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any work on the text of a value fails the test."""
    monkeypatch.setattr(iron_wsgi.vaults.seal_vault, "unquote", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "parse", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "unseal_at", trap)
    monkeypatch.setattr(iron_wsgi.seals.keys, "_derive", trap)
    monkeypatch.setattr(iron_wsgi.seals.seal, "decode", trap)


def test_the_cap_is_sixteen_kibibytes_to_the_character() -> None:
    assert MAX_VALUE == 16_384
    fits = SEAL + "~" * (MAX_VALUE - len(SEAL))
    assert verdict(fits, vault()) == {"user": 1}
    assert verdict(fits + "~", vault()) == "invalid"


def test_a_good_seal_above_the_cap_is_refused_for_its_length_alone() -> None:
    small, large = (forged({"text": "x" * size}) for size in (11_000, 12_500))
    assert len(small) < MAX_VALUE < len(large)
    assert isinstance(verdict(small, vault()), dict)
    assert verdict(large, vault()) == "invalid"


@pytest.mark.usefixtures("_only_the_length")
@pytest.mark.parametrize(
    "value",
    [
        SEAL + "~" * MAX_VALUE,
        SEAL + "x" * MAX_VALUE,
        "*" * (MAX_VALUE + 1),
        "%" * (MAX_VALUE + 1),
        "%2A" * MAX_VALUE,
        "Fe26.2*1" + "*" * 6 + "A" * 2**20,
        "é" * 2**20,
        "x" * 2**20,
    ],
    ids=lambda value: ascii(value[:8] + value[-2:]),
)
def test_a_longer_value_is_refused_before_it_is_split_decoded_or_hashed(value: str) -> None:
    assert verdict(value, vault()) == "invalid"
    seen: list[Any] = []
    answer = serve(sessions(page(lambda session: seen.append(dict(session)))), environ(f"session={value}"))
    assert (answer.status, seen) == ("200 OK", [{}])


@pytest.mark.usefixtures("_only_the_length")
def test_the_trap_of_this_file_springs() -> None:
    with pytest.raises(AssertionError, match="got this far"):
        verdict(SEAL, vault())


@pytest.mark.usefixtures("_only_the_length")
def test_chunks_that_are_too_long_together_are_refused_before_any_work() -> None:
    parts = "; ".join(f"session.{index}={'x' * 4097}" for index in range(4))
    assert serve(sessions(page(bool)), environ(parts)).status == "200 OK"


@pytest.mark.usefixtures("_only_the_length")
@pytest.mark.parametrize("shape", ["session=x; ", "a=b; ", ";", "session.0=x; ", "session"])
def test_a_request_that_leaves_its_session_alone_does_no_work_for_a_megabyte_of_cookies(shape: str) -> None:
    header = shape * (2**20 // len(shape))
    answer = serve(sessions(page(lambda _: None)), environ(header))
    assert (answer.status, answer.all("Vary"), answer.cookies) == ("200 OK", [], [])


def test_a_good_cookie_is_found_behind_a_megabyte_of_others() -> None:
    seen: list[Any] = []
    header = "a=b; " * 200_000 + f"session={SEAL}; " + "c=d; " * 10_000
    serve(sessions(page(lambda session: seen.append(dict(session)))), environ(header))
    assert seen == [{"user": 1}]
