"""Random data, there and back, with every implementation: all of it must come back equal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi import seal_data, unseal_data
from iron_wsgi.seals import seal as fe26
from iron_wsgi.seals.payload import StrictJSON

from .forge import NEW, OLD
from .payloads import canonical, sessions, text_of, values, without_floats, without_prototype_keys
from .peers import SEALS, SESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iron_wsgi.seals.seal import Algorithm, Key

    from .peers import Answer, Peers

pytestmark = pytest.mark.needs("node")

PASSWORDS: Final = {1: OLD, 2: NEW}
FOREIGN_PASSWORDS: Final = {"1": OLD, "2": NEW}

# Everything that @hapi/iron's users can choose: (cipher, key here, key there).
LOW_LEVEL: Final[dict[str, tuple[Algorithm, Key, Any]]] = {
    "password": ("aes-256-cbc", OLD, OLD),
    "password, counter mode": ("aes-128-ctr", OLD, OLD),
    "two passwords": ("aes-256-cbc", fe26.KeyPair(OLD, NEW), {"encryption": OLD, "integrity": NEW}),
    "raw key": ("aes-256-cbc", bytes(range(32)), {"$hex": bytes(range(32)).hex()}),
    "two raw keys, counter mode": (
        "aes-128-ctr",
        fe26.KeyPair(b"e" * 16, b"i" * 32),
        {"encryption": {"$hex": "65" * 16}, "integrity": {"$hex": "69" * 32}},
    ),
    "password and raw key": (
        "aes-256-cbc",
        fe26.KeyPair(OLD, b"i" * 32),
        {"encryption": OLD, "integrity": {"$hex": "69" * 32}},
    ),
}


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
def test_what_we_seal_is_read_back_equal(peers: Peers, peer: str) -> None:
    drawn = sessions()
    sealed = [seal_data(data, password=PASSWORDS, ttl=600) for data in drawn]
    # The bare libraries know nothing of iron-session's version mark.
    texts = [seal.removesuffix("~2") for seal in sealed] if peer in SEALS else sealed
    answers = peers.ask_all(
        {"call": "unseal", "peer": peer, "seal": text, "password": FOREIGN_PASSWORDS} for text in texts
    )
    _assert_all_equal(drawn, [answer.data for answer in answers])


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
def test_what_they_seal_we_read_back_equal(peers: Peers, peer: str) -> None:
    drawn = sessions()
    password = {"id": "2", "secret": NEW} if peer in SEALS else FOREIGN_PASSWORDS
    answers = peers.ask_all(
        {"call": "seal", "peer": peer, "data": text_of(data), "password": password, "ttl": 600}
        for data in drawn
    )
    _assert_all_equal(drawn, [unseal_data(seal, password=PASSWORDS) for seal in _texts(answers)])


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
def test_data_that_has_been_through_javascript_is_written_octet_for_octet_as_javascript_writes_it(
    peers: Peers, peer: str
) -> None:
    # Floats aside, whose spelling differs (1e-07 here, 1e-7 there) and whose value does not.
    drawn = without_floats(list(sessions()))
    password = {"1": OLD}
    answers = peers.ask_all(
        {
            "call": "unseal",
            "peer": peer,
            "seal": seal_data(data, password=OLD).removesuffix("~2" if peer in SEALS else ""),
            "password": password,
        }
        for data in drawn
    )
    for answer in answers:
        text = answer.value
        assert StrictJSON().dumps(json.loads(text)).decode() == text


@pytest.mark.parametrize("peer", SEALS)
@pytest.mark.parametrize("iterations", [1, 8192])
@pytest.mark.parametrize("setting", LOW_LEVEL)
def test_every_cipher_and_kind_of_key_works_in_both_directions(
    peers: Peers, peer: str, setting: str, iterations: int
) -> None:
    algorithm, key, foreign_key = LOW_LEVEL[setting]
    drawn = values(100)[: 100 if iterations == 1 else 10]
    common = {
        "peer": peer,
        "algorithm": algorithm,
        "iterations": {"encryption": iterations, "integrity": iterations},
    }

    ours = [
        fe26.seal(text_of(value).encode(), key, ttl=600, algorithm=algorithm, iterations=iterations)
        for value in drawn
    ]
    there = peers.ask_all(
        {"call": "unseal", "seal": seal, "password": {"default": foreign_key}, **common} for seal in ours
    )
    _assert_all_equal(drawn, [answer.data for answer in there])

    theirs = peers.ask_all(
        {"call": "seal", "data": text_of(value), "password": foreign_key, "ttl": 600, **common}
        for value in drawn
    )
    here = [fe26.unseal(seal, key, algorithm=algorithm, iterations=iterations) for seal in _texts(theirs)]
    _assert_all_equal(drawn, [StrictJSON().loads(opened.plaintext) for opened in here])


def test_iron_store_itself_loses_keys_that_objects_inherit(peers: Peers) -> None:
    # Why the two tests below avoid such keys: its copying drops them before anything is sealed.
    seal = peers.value("seal", peer="iron-store-1", data='{"a":{"toString":1,"b":2}}', password=OLD)
    assert unseal_data(seal, password=OLD) == {"persistent": {"a": {"b": 2}}, "flash": {}}


def test_what_iron_store_seals_we_open(peers: Peers) -> None:
    drawn = without_prototype_keys(list(sessions()))
    flashes = drawn[1:] + drawn[:1]
    answers = peers.ask_all(
        {
            "call": "seal",
            "peer": "iron-store-1",
            "data": text_of(data),
            "flash": text_of(flash),
            "password": [{"id": 2, "password": NEW}, {"id": 1, "password": OLD}],
            "ttl": 600,
        }
        for data, flash in zip(drawn, flashes, strict=True)
    )
    expected = [{"persistent": data, "flash": flash} for data, flash in zip(drawn, flashes, strict=True)]
    _assert_all_equal(expected, [unseal_data(seal, password=PASSWORDS) for seal in _texts(answers)])


def test_an_envelope_that_we_seal_iron_store_and_next_iron_session_read(peers: Peers) -> None:
    drawn = without_prototype_keys(list(sessions()))
    seals = [_envelope(data, {"notice": "seen once"}) for data in drawn]
    expected = [{"notice": "seen once", **data} for data in drawn]

    store = peers.ask_all(
        {"call": "unseal", "peer": "iron-store-1", "seal": seal, "password": OLD} for seal in seals
    )
    _assert_all_equal(expected, [answer.data for answer in store])

    visits = peers.ask_all(
        {
            "call": "visit",
            "peer": "next-iron-session-4",
            "cookie": f"session={seal}",
            "options": {"password": OLD, "cookieName": "session"},
        }
        for seal in seals
    )
    _assert_all_equal(expected, [json.loads(answer.value["found"]) for answer in visits])


def _envelope(data: dict[str, Any], flash: dict[str, Any]) -> str:
    # Without a version mark: these two libraries hand the whole cookie to @hapi/iron.
    plaintext = StrictJSON().dumps({"persistent": data, "flash": flash})
    return fe26.seal(plaintext, OLD, password_id="1", ttl=600)


def _texts(answers: Iterable[Answer]) -> list[str]:
    texts = []
    for answer in answers:
        assert answer.ok, answer
        texts.append(answer.value)
    return texts


def _assert_all_equal(expected: Sequence[Any], found: Sequence[Any]) -> None:
    """Report the shortest of the unequal ones, and how many there are."""
    assert len(expected) == len(found)
    unequal = [
        (text_of(wanted), text_of(got))
        for wanted, got in zip(expected, found, strict=True)
        if canonical(wanted) != canonical(got)
    ]
    if unequal:
        wanted, got = min(unequal, key=lambda pair: len(pair[0]))
        pytest.fail(f"{len(unequal)} of {len(expected)} came back unequal; the shortest:\n{wanted}\n{got}")
