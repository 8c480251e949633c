from __future__ import annotations

import copy
import pickle
import time
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from iron_wsgi import (
    ConfigError,
    ExpiredSeal,
    InvalidSeal,
    Passwords,
    PayloadError,
    Sealer,
    SealError,
    UnknownPassword,
    seal_data,
    unseal_data,
)
from iron_wsgi.seals import seal
from iron_wsgi.testing import FakeClock

from .visitor import NEWER, NOW, OTHER, PASSWORD, Visitor, ends_at, payload, sealed

DATA = {"user_id": 7, "roles": ["admin"]}


def _unsealed(text: str, **how: Any) -> tuple[dict[str, Any], list[str]]:
    """What unseal_data returns, and the reasons that it gives."""
    reasons: list[str] = []
    data = unseal_data(
        text, **{"password": PASSWORD, "on_unseal_error": lambda reason, _: reasons.append(reason), **how}
    )
    return data, reasons


# ---- seal_data and unseal_data ----


def test_sealed_data_come_back_equal() -> None:
    assert unseal_data(seal_data(DATA, password=PASSWORD), password=PASSWORD) == DATA


def test_a_seal_carries_the_mark_that_older_versions_of_iron_session_need(clock: FakeClock) -> None:
    text = seal_data(DATA, password={3: NEWER, 2: PASSWORD}, clock=clock)
    assert text.startswith("Fe26.2*3*")
    assert text.endswith("~2")
    assert payload(text, NEWER) == DATA


@pytest.mark.parametrize(
    ("ttl", "end"),
    [
        ({}, NOW + 1_209_600),
        ({"ttl": 900}, NOW + 900),
        ({"ttl": 0.5}, NOW + 0.5),
        ({"ttl": timedelta(days=30)}, NOW + 2_592_000),
        ({"ttl": 0}, None),
        ({"ttl": timedelta(0)}, None),
    ],
)
def test_a_seal_ends_after_its_ttl_14_days_by_default_and_never_with_0(
    clock: FakeClock, ttl: dict[str, Any], end: float | None
) -> None:
    assert ends_at(seal_data(DATA, password=PASSWORD, clock=clock, **ttl)) == end


@pytest.mark.parametrize(
    "ttl", [-1, float("nan"), float("inf"), "60", None, True, timedelta(seconds=-1), 253_402_300_800.0]
)
def test_a_ttl_that_is_no_duration_is_refused(ttl: Any) -> None:
    for make in (lambda: seal_data({}, password=PASSWORD, ttl=ttl), lambda: _links().seal({}, ttl=ttl)):
        with pytest.raises(ConfigError, match="ttl must be a number of seconds or a timedelta, 0 or more"):
            make()


def test_without_a_clock_it_is_now() -> None:
    end = ends_at(seal_data({}, password=PASSWORD, ttl=60))
    assert end is not None
    assert abs(end - time.time() - 60) < 5


def test_seal_with_seals_under_an_older_id() -> None:
    text = seal_data(DATA, password={2: NEWER, 1: PASSWORD}, seal_with=1)
    assert unseal_data(text, password=PASSWORD) == DATA


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("garbage", "invalid"),
        ("", "invalid"),
        (sealed(DATA, password=OTHER), "invalid"),
        (sealed(DATA, expires_at=NOW - 60), "expired"),
        (sealed(DATA, password_id="9"), "unknown-password"),
        (sealed(DATA, password_id=""), "unknown-password"),
        (sealed([1, 2]), "invalid"),
        (sealed("text"), "invalid"),
        (sealed(5), "invalid"),
        (sealed(data=True), "invalid"),
        (seal.seal_at(b"{asdasd", PASSWORD, expires_at=None, password_id="1"), "invalid"),
        (seal.seal_at(b"[" * 200_000, PASSWORD, expires_at=None, password_id="1"), "invalid"),
    ],
)
def test_an_unreadable_seal_gives_an_empty_dict_and_reports_the_reason(
    clock: FakeClock, text: str, reason: str
) -> None:
    assert _unsealed(text, clock=clock) == ({}, [reason])
    assert unseal_data(text, password=PASSWORD, clock=clock) == {}


def test_a_readable_seal_reports_nothing() -> None:
    assert _unsealed(seal_data(DATA, password=PASSWORD)) == (DATA, [])


def test_a_seal_of_null_is_an_empty_session_as_in_iron_session() -> None:
    assert _unsealed(sealed(None, expires_at=None)) == ({}, [])


def test_a_seal_without_expiry_is_accepted_as_by_iron_session() -> None:
    assert _unsealed(sealed(DATA, expires_at=None)) == (DATA, [])


def test_an_expired_seal_is_accepted_for_another_60_seconds(clock: FakeClock) -> None:
    text = seal_data(DATA, password=PASSWORD, ttl=900, clock=clock)
    clock.advance(959.999)
    assert _unsealed(text, clock=clock) == (DATA, [])
    clock.advance(0.001)
    assert _unsealed(text, clock=clock) == ({}, ["expired"])


def test_what_the_hook_raises_is_passed_on() -> None:
    def fail(*_: object) -> None:
        raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        unseal_data("garbage", password=PASSWORD, on_unseal_error=fail)


def test_the_hook_gets_the_precise_error() -> None:
    errors: list[SealError] = []
    unseal_data(
        sealed(DATA, password_id="9"),
        password=PASSWORD,
        on_unseal_error=lambda _, error: errors.append(error),
    )
    assert [type(error) for error in errors] == [UnknownPassword]


def test_data_that_are_no_json_are_refused_with_their_path() -> None:
    with pytest.raises(PayloadError, match=r"^data\.when\[0\] is an object"):
        seal_data({"when": [object()]}, password=PASSWORD)


def test_iterations_can_be_those_of_h3() -> None:
    text = seal_data(DATA, password=PASSWORD, iterations=8192)
    assert _unsealed(text, iterations=8192) == (DATA, [])
    assert _unsealed(text) == ({}, ["invalid"])


# ---- Sealer ----


def _links(**how: Any) -> Sealer:
    return Sealer(PASSWORD, **{"purpose": "links", **how})


def test_a_sealer_opens_what_it_sealed() -> None:
    links = _links()
    assert links.unseal(links.seal(DATA, ttl=900)) == DATA
    assert _links().unseal(links.seal(DATA, ttl=timedelta(minutes=15))) == DATA


def test_a_sealers_seal_needs_an_end() -> None:
    for ttl in (0, timedelta(0)):
        with pytest.raises(ConfigError, match="ttl must be positive"):
            _links().seal({}, ttl=ttl)


def test_a_sealer_raises_precise_errors(clock: FakeClock) -> None:
    links = _links(clock=clock)
    token = links.seal(DATA, ttl=900)
    with pytest.raises(InvalidSeal):
        links.unseal(token[:-3] + "~2")
    with pytest.raises(UnknownPassword, match="a password id that is not configured"):
        links.unseal(Sealer({2: PASSWORD}, purpose="links").seal(DATA, ttl=900))
    with pytest.raises(UnknownPassword, match="no password id, and there is no 'default' password"):
        links.unseal("Fe26.2**" + token.split("*", 2)[2])
    clock.advance(960)
    with pytest.raises(ExpiredSeal):
        links.unseal(token)


def test_a_sealers_seal_is_an_ordinary_seal_under_the_derived_password() -> None:
    derived = Passwords.parse(PASSWORD).derive("links").sealing
    assert unseal_data(_links().seal(DATA, ttl=900), password=derived) == DATA
    assert _links().unseal(seal_data(DATA, password=derived)) == DATA


PURPOSES = ["session", "links", "links2", "reset", "csrf", "ab", "abc", "é", "x" * 1000]


def test_a_seal_made_for_one_purpose_opens_for_no_other() -> None:
    sealers = {purpose: Sealer(PASSWORD, purpose=purpose) for purpose in PURPOSES}
    tokens = {purpose: sealer.seal(DATA, ttl=900) for purpose, sealer in sealers.items()}
    opened = 0
    for made_for, asked in product(PURPOSES, repeat=2):
        if made_for == asked:
            assert sealers[asked].unseal(tokens[made_for]) == DATA
            opened += 1
        else:
            with pytest.raises(InvalidSeal):
                sealers[asked].unseal(tokens[made_for])
    assert opened == len(PURPOSES)


def test_a_session_is_refused_by_every_sealer_and_a_sealers_seal_as_a_session(visitor: Visitor) -> None:
    visitor.visit(lambda session: session.update(DATA))
    for purpose in PURPOSES:
        sealer = Sealer(PASSWORD, purpose=purpose, clock=visitor.clock)
        with pytest.raises(InvalidSeal):
            sealer.unseal(visitor.value)
        assert visitor.finds() == DATA
        token = sealer.seal(DATA, ttl=900)
        outcome = visitor.ask(cookies={"s": token})
        assert [cookie.is_deletion for cookie in outcome.cookies] == [True]
        assert _unsealed(token) == ({}, ["invalid"])


def test_purposes_stay_apart_through_a_rotation() -> None:
    old = Sealer({1: PASSWORD}, purpose="links")
    new = Sealer({2: NEWER, 1: PASSWORD}, purpose="links")
    assert new.unseal(old.seal(DATA, ttl=900)) == DATA
    with pytest.raises(UnknownPassword):
        old.unseal(new.seal(DATA, ttl=900))
    early = Sealer({2: NEWER, 1: PASSWORD}, purpose="links", seal_with=1)
    assert old.unseal(early.seal(DATA, ttl=900)) == DATA
    with pytest.raises(InvalidSeal):
        Sealer({2: NEWER, 1: PASSWORD}, purpose="reset").unseal(new.seal(DATA, ttl=900))


def test_a_sealer_with_other_iterations_does_not_open() -> None:
    token = _links(iterations=3).seal(DATA, ttl=900)
    assert _links(iterations=3).unseal(token) == DATA
    with pytest.raises(InvalidSeal):
        _links().unseal(token)


def test_an_empty_purpose_is_refused_when_the_sealer_is_made() -> None:
    with pytest.raises(ConfigError, match="purpose must not be empty"):
        Sealer(PASSWORD, purpose="")


def test_a_sealer_shows_no_secret_and_cannot_be_pickled_or_copied() -> None:
    links = _links()
    assert repr(links) == "<Sealer <Passwords 1; 1 seals>>"
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            take(links)


def test_a_missing_token_is_an_unreadable_seal_and_not_a_fault_of_the_program() -> None:
    missing: Any = None
    assert unseal_data(missing, password=PASSWORD) == {}
    with pytest.raises(InvalidSeal, match="text is expected, not NoneType"):
        Sealer(PASSWORD, purpose="link").unseal(missing)


def test_only_a_mapping_is_sealed() -> None:
    items: Any = [1, 2]
    with pytest.raises(PayloadError, match="data is a list; what is sealed must be a mapping"):
        seal_data(items, password=PASSWORD)
