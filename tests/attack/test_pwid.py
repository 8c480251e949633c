"""T-PWID: the password id is an attacker's text; it looks up what was configured and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import ConfigError, Passwords, Sealer, UnknownPassword, unseal_data
from iron_wsgi.sessions.events import notices

from .seals import NEW, NOW, OLD, OTHER, forged, settings, vault, verdict
from .site import environ, page, serve, sessions

UNKNOWN = [
    *(
        "2",
        "0",
        "01",
        "001",
        "1_",
        "_1",
        "1x",
        "x",
        "one",
        "-1",
        "+1",
        "1.0",
        "1e0",
        "0x1",
        " 1",
        "1 ",
        "1\t",
        "1\n",
    ),
    *(
        "default",
        "Default",
        "__proto__",
        "constructor",
        "toString",
        "__class__",
        "__init__",
        "hasOwnProperty",
    ),
    *("1" * 10_000, "None", "null", "True", "password", "\x00", "1\x00"),
]


@pytest.mark.parametrize("password_id", UNKNOWN, ids=lambda text: repr(text[:12]))
def test_an_id_that_is_not_configured_opens_nothing_even_with_the_right_mac(password_id: str) -> None:
    seal = forged({"admin": True}, password_id=password_id)
    assert verdict(seal, vault()) == "unknown-password"
    reasons: list[str] = []
    given = unseal_data(
        seal, password=OLD, clock=lambda: NOW, on_unseal_error=lambda reason, _: reasons.append(reason)
    )
    assert (given, reasons) == ({}, ["unknown-password"])


@pytest.mark.parametrize("password_id", ["\uff11", "\u0661", "\u00b9", "1\u2028", "1\x85", "\xff"])
def test_an_id_beyond_ascii_is_no_seal(password_id: str) -> None:
    seal = "Fe26.2*" + password_id + forged({"admin": True}).removeprefix("Fe26.2*1")
    assert verdict(seal, vault()) == "invalid"


def test_the_id_of_another_configured_password_does_not_open_the_seal() -> None:
    both = vault(password={1: OLD, 2: NEW})
    assert verdict(forged({"user": 1}), both) == {"user": 1}
    for seal in (forged({}, OLD, password_id="2"), forged({}, NEW, password_id="1")):
        assert verdict(seal, both) == "invalid"


def test_an_id_is_signed_so_a_seal_cannot_be_moved_to_another_id_of_the_same_password() -> None:
    duplicates = vault(password={1: OLD, 2: OLD})
    seal = forged({"user": 1})
    assert verdict(seal, duplicates) == {"user": 1}
    assert verdict(seal.replace("Fe26.2*1*", "Fe26.2*2*"), duplicates) == "invalid"


def test_a_seal_without_id_opens_only_where_a_default_password_is_configured() -> None:
    seal = forged({"user": 1}, OTHER, password_id="")
    assert verdict(seal, vault(password={1: OLD, "default": OTHER})) == {"user": 1}
    assert verdict(seal, vault(password={1: OTHER})) == "unknown-password"
    assert verdict(seal, vault(password=OTHER)) == "unknown-password"
    assert verdict(seal, vault(password={1: OLD, "default": NEW})) == "invalid"


def test_the_default_password_never_seals() -> None:
    assert Passwords.parse({1: OLD, "default": OTHER}).sealing == OLD
    with pytest.raises(ConfigError, match="no password to seal with"):
        Passwords.parse({"default": OTHER})


def test_an_id_of_ten_thousand_characters_reaches_no_log_or_event_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notices.forget()
    caplog.set_level("DEBUG", "iron_wsgi")
    events: list[Any] = []
    app = sessions(page(bool), on_event=events.append)
    seal = forged({}, password_id="A1" * 3000)
    assert serve(app, environ(f"session={seal}")).status == "200 OK"
    assert [event.reason for event in events] == ["unknown-password"]
    assert caplog.records
    assert max(len(record.getMessage()) for record in caplog.records) < 300


def test_an_id_with_line_breaks_forges_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    notices.forget()
    caplog.set_level("DEBUG", "iron_wsgi")
    seal = forged({}, password_id="1%0D%0AWARNING forged")
    assert serve(sessions(page(bool)), environ(f"session={seal.replace(' ', '%20')}")).status == "200 OK"
    assert any("forged" in record.getMessage() for record in caplog.records)
    assert not any(set("\r\n") & set(record.getMessage()) for record in caplog.records)


@pytest.mark.parametrize(
    "password",
    [
        pytest.param({}, id="no password"),
        pytest.param([], id="an empty list"),
        pytest.param("", id="an empty string"),
        pytest.param(None, id="None"),
        pytest.param(b"octets" * 8, id="octets"),
        pytest.param(7, id="a number"),
        pytest.param({1: None}, id="None under an id"),
        pytest.param({1: [OLD]}, id="a list under an id"),
        pytest.param({1: OLD.encode()}, id="octets under an id"),
        pytest.param({1: OLD[:31]}, id="31 characters"),
        pytest.param({1: OLD, 2: ""}, id="one of two is empty"),
        pytest.param({1: OLD, 2: NEW[:31]}, id="one of two is short"),
        pytest.param({1: OLD, "1": NEW}, id="one id twice"),
        pytest.param({0: OLD}, id="id 0"),
        pytest.param({-1: OLD}, id="a negative id"),
        pytest.param({True: OLD}, id="True is no id"),
        pytest.param({1.0: OLD}, id="a float is no id"),
        pytest.param({"01": OLD}, id="01"),
        pytest.param({" 1": OLD}, id="a space before"),
        pytest.param({"1\n": OLD}, id="a newline behind"),
        pytest.param({"1_0": OLD}, id="1_0"),
        pytest.param({"\u0661": OLD}, id="an Arabic digit"),
        pytest.param({"\uff11": OLD}, id="a full-width digit"),
        pytest.param({"1e3": OLD}, id="1e3"),
        pytest.param({"": OLD}, id="an empty id"),
        pytest.param({None: OLD}, id="None for an id"),
        pytest.param({"__proto__": OLD}, id="__proto__"),
        pytest.param([OLD], id="a list of strings"),
        pytest.param([{"id": 1}], id="no password in an entry"),
        pytest.param([{"password": OLD}], id="no id in an entry"),
        pytest.param([{"id": 1, "password": OLD}, {"id": 1, "password": NEW}], id="one id twice in a list"),
        pytest.param([{"id": 0, "password": OLD}], id="id 0 in a list"),
        pytest.param("\ud800" * 40, id="half a surrogate pair"),
    ],
)
def test_a_password_that_cannot_be_used_is_refused_when_it_is_given(password: Any) -> None:
    with pytest.raises(ConfigError) as failure:
        settings(password=password)
    assert not any(secret[:31] in str(failure.value) for secret in (OLD, NEW))


def test_the_numerically_highest_id_seals_however_the_mapping_is_written() -> None:
    ten_seals: list[Any] = [
        {9: OLD, 10: NEW},
        {10: NEW, 9: OLD},
        {"9": OLD, "10": NEW},
        {"10": NEW, 9: OLD},
        [{"id": 10, "password": NEW}, {"id": 9, "password": OLD}],
    ]
    for password in ten_seals:
        parsed = Passwords.parse(password)
        assert (parsed.sealing_id, parsed.sealing) == ("10", NEW)
        assert (parsed.get("9"), parsed.get("10")) == (OLD, NEW)


def test_a_seal_under_a_removed_password_is_unknown_not_invalid() -> None:
    token = Sealer({1: OLD}, purpose="link", clock=lambda: NOW).seal({}, ttl=60)
    with pytest.raises(UnknownPassword):
        Sealer({2: NEW}, purpose="link", clock=lambda: NOW).unseal(token)
