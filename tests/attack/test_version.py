"""T-VERSION: what follows a seal stands outside its MAC, so it selects nothing."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import Sealer, SessionOptions, seal_data, unseal_data
from iron_wsgi.sessions.state import FLASH_KEY, State

from .mutants import MARKS
from .seals import NOW, OLD, forged, vault, verdict
from .site import environ, page, serve, sessions

TEMPTING: dict[str, Any] = {"user": 5, "persistent": {"user": 1, "admin": True}}
LEGACY: dict[str, Any] = {"persistent": {"user": 1}, "flash": {"note": "hello"}}

EVERY_MARK = pytest.mark.parametrize("mark", MARKS, ids=lambda mark: ascii(mark[:12]) + str(len(mark)))


@EVERY_MARK
def test_the_data_are_the_same_whatever_follows_the_seal(mark: str) -> None:
    seal = forged(TEMPTING)
    assert verdict(seal + mark, vault()) == TEMPTING
    assert unseal_data(seal + mark, password=OLD, clock=lambda: NOW) == TEMPTING


@EVERY_MARK
def test_a_part_of_the_data_is_never_taken_for_the_whole(mark: str) -> None:
    # Versions 6 and 8 of iron-session return data.persistent where the mark is not "~2".
    assert verdict(forged(LEGACY) + mark, vault()) == LEGACY


@EVERY_MARK
def test_the_older_format_is_told_by_its_signed_shape_alone(mark: str) -> None:
    older = vault(accept=("next-iron-session",))
    assert verdict(forged(LEGACY) + mark, older) == {"user": 1, FLASH_KEY: {"note": "hello"}}
    assert verdict(forged(TEMPTING) + mark, older) == TEMPTING


@pytest.mark.parametrize(
    "data",
    [
        {"persistent": {"admin": True}},
        {"flash": {}, "persistent": {"admin": True}, "user": 5},
        {"flash": {}, "persistent": [{"admin": True}]},
        {"flash": None, "persistent": {"admin": True}},
        {"flash": "", "persistent": {"admin": True}},
        {"Persistent": {"admin": True}, "Flash": {}},
    ],
    ids=str,
)
def test_what_only_resembles_the_older_format_is_plain_data(data: dict[str, Any]) -> None:
    assert verdict(forged(data), vault(accept=("next-iron-session",))) == data


def test_a_hundred_thousand_characters_behind_a_link_change_nothing() -> None:
    links = Sealer(OLD, purpose="link", clock=lambda: NOW)
    assert links.unseal(links.seal({"user": 7}, ttl=60) + "~" + "x" * 100_000) == {"user": 7}


@pytest.mark.parametrize("mark", ["~" + "x" * 100_000, "~2" + "%7E" * 10_000])
def test_a_cookie_is_too_long_by_what_follows_its_seal_too(mark: str) -> None:
    assert verdict(forged(TEMPTING) + mark, vault()) == "invalid"


def test_everything_that_is_written_ends_in_the_mark_that_older_readers_need() -> None:
    assert seal_data({"user": 7}, password=OLD).endswith("~2")
    assert Sealer(OLD, purpose="link").seal({"user": 7}, ttl=60).endswith("~2")
    assert vault().dump(State(data={"user": 7}), expires_at=NOW + 60).endswith("~2")
    for overflow in ("raise", "chunk"):
        answer = serve(sessions(page(lambda session: session.set("user", 7)), overflow=overflow), environ())
        assert answer.cookies[0].split(";")[0].endswith("~2")


def test_the_mark_is_not_part_of_what_is_signed() -> None:
    marked = seal_data({"user": 7}, password=OLD, clock=lambda: NOW)
    assert verdict(marked.removesuffix("~2"), vault()) == {"user": 7}
    assert marked.count("~") == 1


@pytest.mark.parametrize("mark", ["~2", "", "~1", "~x"])
def test_a_session_is_one_and_the_same_under_every_spelling_of_its_cookie(mark: str) -> None:
    # Else a list of revoked sessions could be walked around.
    seal = forged({"user": 1})
    assert vault().load(seal + mark).sid == vault().load(seal).sid
    percent = seal.replace("*", "%2A")
    assert vault().load(percent + mark).sid == vault().load(seal).sid


def test_the_option_takes_no_format_that_is_not_named() -> None:
    for accept in (("iron-session",), "next-iron-session", ("~1",), (True,)):
        with pytest.raises(ValueError, match="accept"):
            SessionOptions(password=OLD, cookie_name="s", accept=accept)  # type: ignore[arg-type]
