"""Known answers: seals that other implementations made, taken apart and made again octet for octet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from iron_wsgi.errors import ConfigError, ExpiredSeal, InvalidSeal
from iron_wsgi.seals import seal as fe26

from .peers import SEALS
from .vectors import Refusal, Vector, load, refusals

if TYPE_CHECKING:
    from .peers import Peers

GENERATE = load("generate")
VERIFY = load("verify")
EVERY = GENERATE + VERIFY

UNEVEN = [vector for vector in EVERY if vector.iterations[0] != vector.iterations[1]]

WHEN_MADE = 1_380_000_000.0  # epoch seconds before any expiry in the files


def _name(vector: Vector | Refusal) -> str:
    return vector.name


def test_no_vector_is_lost() -> None:
    assert (len(GENERATE), len(VERIFY), len(refusals())) == (30, 5, 9)
    assert len({vector.seal for vector in EVERY}) == len(EVERY)
    assert [vector.name for vector in UNEVEN] == ["iterations 1000/2000"]


@pytest.mark.parametrize("vector", EVERY, ids=_name)
def test_a_foreign_seal_is_made_again_octet_for_octet_from_its_parts(vector: Vector) -> None:
    made = fe26.seal_from_parts(
        vector.plaintext.encode(),
        vector.key,
        encryption_salt=vector.encryption_salt,
        integrity_salt=vector.integrity_salt,
        iv=vector.iv,
        expires_at=vector.expires_at,
        password_id=vector.password_id,
        algorithm=vector.algorithm,
        iterations=vector.iterations,
    )
    assert made == vector.seal


@pytest.mark.parametrize("vector", EVERY, ids=_name)
def test_a_foreign_seal_opens_to_what_was_sealed(vector: Vector) -> None:
    fields = fe26.parse(vector.seal)
    opened = fe26.unseal_at(
        fields, vector.key, now=WHEN_MADE, algorithm=vector.algorithm, iterations=vector.iterations
    )
    assert fields.password_id == vector.password_id
    assert opened.plaintext.decode() == vector.plaintext
    assert opened.expires_at == vector.expires_at


@pytest.mark.parametrize("vector", UNEVEN, ids=_name)
@pytest.mark.parametrize("which", [0, 1])
def test_a_seal_whose_two_counts_of_rounds_are_taken_for_one_is_refused_and_not_misread(
    vector: Vector, which: int
) -> None:
    with pytest.raises(InvalidSeal):
        fe26.unseal_at(
            fe26.parse(vector.seal), vector.key, now=WHEN_MADE, iterations=vector.iterations[which]
        )


@pytest.mark.parametrize("refusal", refusals(), ids=_name)
def test_a_seal_that_hapi_iron_refuses_is_refused_with_its_own_error(refusal: Refusal) -> None:
    expected: dict[str, type[Exception]] = {
        "invalid": InvalidSeal,
        "expired": ExpiredSeal,
        "configuration": ConfigError,
    }
    with pytest.raises(expected[refusal.error]) as caught:
        fe26.unseal_at(fe26.parse(refusal.seal), refusal.key, now=refusal.now_ms / 1000)
    assert type(caught.value) is expected[refusal.error]


@pytest.mark.needs("node")
@pytest.mark.parametrize("peer", SEALS)
def test_the_javascript_libraries_open_every_vector_alike(peers: Peers, peer: str) -> None:
    answers = peers.ask_all(
        {
            "call": "unseal",
            "peer": peer,
            "seal": vector.seal,
            "password": {vector.password_id or "default": vector.foreign_key},
            "now": int(WHEN_MADE * 1000),
            **_settings(vector),
        }
        for vector in EVERY
    )
    for vector, answer in zip(EVERY, answers, strict=True):
        assert answer.data == json.loads(vector.plaintext), vector.name


@pytest.mark.needs("node")
@pytest.mark.parametrize("peer", SEALS)
def test_the_javascript_libraries_still_make_the_seals_in_the_files(peers: Peers, peer: str) -> None:
    # The files are only as good as their origin; this makes them again from it.
    answers = peers.ask_all(
        {
            "call": "seal",
            "peer": peer,
            "data": vector.plaintext,
            "password": _with_id(vector),
            "ttl": 0 if vector.expires_at_ms is None else 60,
            "now": (vector.expires_at_ms or 0) - 60_000,
            "parts": {
                "encryptionSalt": vector.encryption_salt,
                "integritySalt": vector.integrity_salt,
                "iv": vector.iv.hex(),
            },
            **_settings(vector),
        }
        for vector in EVERY
    )
    for vector, answer in zip(EVERY, answers, strict=True):
        assert answer.value == vector.seal, (vector.name, answer)


@pytest.mark.needs("node")
def test_hapi_iron_still_says_what_the_file_of_refusals_says(peers: Peers) -> None:
    answers = peers.ask_all(
        {
            "call": "unseal",
            "peer": "hapi-iron-7",
            "seal": refusal.seal,
            "password": refusal.key,
            "now": refusal.now_ms,
        }
        for refusal in refusals()
    )
    for refusal, answer in zip(refusals(), answers, strict=True):
        assert (answer.ok, answer.message) == (False, refusal.hapi_says), refusal.name


def _settings(vector: Vector) -> dict[str, Any]:
    return {
        "algorithm": vector.algorithm,
        "iterations": dict(zip(("encryption", "integrity"), vector.iterations, strict=True)),
    }


def _with_id(vector: Vector) -> Any:
    key = vector.foreign_key
    if not vector.password_id:
        return key
    return {
        "id": vector.password_id,
        **(key if isinstance(key, dict) and "$hex" not in key else {"secret": key}),
    }
