"""The harness itself: what it installs, and that the line to Node neither loses nor changes anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.effort import repetitions
from tests.parts import program

from .payloads import COUNT, INHERITED, canonical, sessions, text_of
from .peers import CALLS_PER_LINE, ENVELOPES, FOLDER, SEALS, SESSIONS, Peers, PeersGone

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS: Final = {
    "hapi-iron-7": "@hapi/iron@7.0.1",
    "iron-session-6": "iron-session@6.3.1",
    "iron-session-8": "iron-session@8.0.4",
    "iron-session-9": "iron-session@9.0.1",
    "iron-store-1": "iron-store@1.3.5",
    "iron-webcrypto-1": "iron-webcrypto@1.2.1",
    "iron-webcrypto-2": "iron-webcrypto@2.0.0",
    "next-iron-session-4": "next-iron-session@4.2.0",
}


def test_the_lock_file_names_no_address_and_no_register() -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert '"resolved"' not in text
    lock = _json("package-lock.json")
    packages = [package for path, package in lock["packages"].items() if path]
    assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"]) for package in packages)


def test_every_implementation_is_pinned_to_one_version() -> None:
    wanted = {name: f"npm:{version}" for name, version in VERSIONS.items()}
    given = _json("package.json")["dependencies"]
    assert {name: version for name, version in given.items() if version.startswith("npm:")} == wanted
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", given[name]) for name in given.keys() - wanted.keys())
    assert set(VERSIONS) == {*SEALS, *SESSIONS, *ENVELOPES}


@pytest.mark.needs("node")
@pytest.mark.parametrize("peer", VERSIONS)
def test_what_is_installed_is_what_is_pinned(peer: str) -> None:
    installed = _json(f"node_modules/{peer}/package.json")
    assert f"{installed['name']}@{installed['version']}" == VERSIONS[peer]


@pytest.mark.slow("draws hundreds of sessions")
def test_the_drawn_sessions_hold_what_is_hard_to_carry_over() -> None:
    drawn = sessions()
    assert len({canonical(data) for data in drawn}) == COUNT >= repetitions(250, 500)
    leaves = [leaf for data in drawn for leaf in _leaves(data)]
    strings = [leaf for leaf in leaves if isinstance(leaf, str)]
    for kind in (None, True, False, 2**53 - 1, -(2**53 - 1), "", 0):
        assert any(leaf is kind or leaf == kind for leaf in leaves), kind
    assert any("\ud800" <= unit <= "\udfff" for string in strings for unit in string)
    assert any(unit > "\uffff" for string in strings for unit in string)
    assert any(unit < " " for string in strings for unit in string)
    assert any(isinstance(leaf, float) and leaf % 1 for leaf in leaves)
    assert any(string.isdigit() for string in strings)
    assert set(strings) >= INHERITED


@pytest.mark.needs("node")
def test_the_line_to_node_carries_every_payload_unchanged(peers: Peers) -> None:
    # Through the oldest and dullest of the libraries and back, with Python's own JSON at both ends.
    drawn = sessions()
    assert len(drawn) > CALLS_PER_LINE  # so that several lines are used
    password = {"id": "1", "secret": "a password only for this one test, and long enough"}
    seals = peers.ask_all(
        {"call": "seal", "peer": "hapi-iron-7", "data": text_of(data), "password": password} for data in drawn
    )
    back = peers.ask_all(
        {"call": "unseal", "peer": "hapi-iron-7", "seal": seal.value, "password": {"1": password["secret"]}}
        for seal in seals
    )
    assert [canonical(answer.data) for answer in back] == [canonical(data) for data in drawn]


@pytest.mark.needs("node")
def test_an_error_comes_back_as_an_answer_and_the_process_goes_on(peers: Peers) -> None:
    answers = peers.ask_all(
        [
            {"call": "seal", "peer": "nobody", "data": "{}", "password": ""},
            {"call": "nothing"},
            {"call": "unseal", "peer": "hapi-iron-7", "seal": "\ud800", "password": ""},
        ]
    )
    assert [(answer.ok, answer.name, answer.message) for answer in answers] == [
        (False, "RangeError", "no peer is called nobody"),
        (False, "RangeError", "no call is named nothing"),
        (False, "Error", "Incorrect number of sealed components"),
    ]
    assert peers.ask("facts").ok


@pytest.mark.needs("node")
def test_the_time_given_to_one_call_does_not_stay(peers: Peers) -> None:
    seal: dict[str, Any] = {
        "peer": "hapi-iron-7",
        "data": "1",
        "password": "a password only for this one test, and long enough",
        "ttl": 1,
    }
    frozen, real = peers.value("seal", now=5_000, **seal), peers.value("seal", **seal)
    assert frozen.split("*")[5] == "6000"
    assert int(real.split("*")[5]) > 1_700_000_000_000


@pytest.mark.needs("node")
def test_a_process_that_ends_is_reported_with_what_it_complained_of(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mjs"
    broken.write_text("console.error('out of cheese'); process.exit(3);", encoding="ascii")
    with Peers(program("node"), program=broken) as gone, pytest.raises(PeersGone, match="out of cheese"):
        gone.ask("facts")


@pytest.mark.needs("node")
def test_a_process_that_is_silent_is_given_up_and_ended(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mjs"
    silent.write_text("setInterval(() => {}, 1000); process.stdin.resume();", encoding="ascii")
    with Peers(program("node"), program=silent, answer_within=0.2) as gone:
        with pytest.raises(PeersGone, match="did not take or answer"):
            gone.ask("facts")
        assert gone.is_ended


def _json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
