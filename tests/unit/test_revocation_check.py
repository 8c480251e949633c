from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import Refused, SessionOptions, Unavailable
from iron_wsgi.revocation import Revocations
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.revocation_check import refuse_revoked, revoke

from .shaky import ShakyList
from .visitor import NOW, PASSWORD

STATE = State(data={"user": 7}, meta={"sid": "abc"}, issued_at=NOW - 5)


def _options(**options: Any) -> SessionOptions:
    return SessionOptions(password=PASSWORD, cookie_name="s", **options)


class Users(Revocations):
    """An application's own table, which says when each user's password was changed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, float]] = []

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        self.asked.append((sid, subject, issued_at))
        if subject == "lost":
            raise Refused("lost")
        return subject == "7"


def test_without_a_list_nothing_is_asked() -> None:
    refuse_revoked(STATE, _options())


def test_the_list_is_asked_once_about_the_id_the_subject_and_the_time_of_issue() -> None:
    users = Users()
    refuse_revoked(STATE, _options(revocations=users))
    with pytest.raises(Refused, match="revoked"):
        refuse_revoked(STATE, _options(revocations=users, subject="user"))
    assert users.asked == [("abc", None, NOW - 5), ("abc", "7", NOW - 5)]


@pytest.mark.parametrize(
    ("subject", "data", "expected"),
    [
        (None, {"user": 7}, None),
        ("user", {"user": 7}, "7"),
        ("user", {"user": "anna"}, "anna"),
        ("user", {"user": 0}, "0"),
        ("user", {"user": ""}, None),
        ("user", {"user": None}, None),
        ("user", {}, None),
        (lambda data: data["user"]["id"], {"user": {"id": 8}}, "8"),
        (lambda _data: None, {"user": 8}, None),
    ],
)
def test_the_subject_is_a_key_of_the_data_or_what_a_function_of_them_says(
    subject: Any, data: dict[str, Any], expected: str | None
) -> None:
    assert _options(subject=subject).subject_of(data) == expected


def test_a_list_that_has_lost_what_it_knew_refuses_with_a_reason_of_its_own() -> None:
    state = State(data={"user": "lost"})
    with pytest.raises(Refused, match="lost"):
        refuse_revoked(state, _options(revocations=Users(), subject="user", on_outage="accept"))


def test_a_list_that_does_not_answer_accepts_nobody(clock: FakeClock) -> None:
    broken = ShakyList(clock)
    broken.down = {"is_revoked"}
    with pytest.raises(Unavailable):
        refuse_revoked(STATE, _options(revocations=broken))


def test_where_it_is_spelled_out_a_list_that_does_not_answer_accepts_everybody_and_says_so_once(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    broken = ShakyList(clock)
    options = _options(revocations=broken, on_outage="accept")
    broken.revoke("abc")
    broken.down = {"is_revoked"}
    for _ in range(3):
        refuse_revoked(STATE, options)
    assert sum("revoked ones too" in line for line in caplog.messages) == 1
    broken.down = set()
    with pytest.raises(Refused, match="revoked"):  # an answer counts
        refuse_revoked(STATE, options)


# ---- what the list is told ----


def test_whether_what_is_over_was_alive_is_asked_only_where_it_matters(clock: FakeClock) -> None:
    noted = ShakyList(clock)
    assert revoke(FormerSession("abc", None, NOW + 5), _options(revocations=noted))
    assert revoke(FormerSession("abc", None, NOW + 5), _options(revocations=noted))
    assert noted.calls == ["revoke", "revoke"]
    assert not revoke(FormerSession("abc", None, NOW + 5, None, NOW - 5), _options(revocations=noted))
    assert revoke(FormerSession("new", None, None, None, NOW - 5), _options(revocations=noted))
    assert noted.revoked[-1] == ("new", None)
    assert revoke(FormerSession("abc", None, None), _options())


def test_a_list_that_lost_what_it_knew_does_not_say_that_a_session_was_alive() -> None:
    assert not revoke(
        FormerSession("abc", None, None, "lost", NOW - 5), _options(revocations=Users(), subject="user")
    )


def test_a_list_that_notes_no_single_sessions_lets_them_be_regenerated() -> None:
    users = Users()
    assert revoke(FormerSession("abc", None, None, "8", NOW - 5), _options(revocations=users))
    assert not revoke(FormerSession("abc", None, None, "7", NOW - 5), _options(revocations=users))


def test_of_two_that_end_a_session_at_once_one_alone_finds_it_alive(clock: FakeClock) -> None:
    noted = ShakyList(clock)
    noted.meanwhile["revoke"] = lambda: noted.inner.revoke("abc")
    assert not revoke(FormerSession("abc", None, NOW + 5, None, NOW - 5), _options(revocations=noted))


def test_what_was_revoked_by_its_subject_was_not_alive(clock: FakeClock) -> None:
    noted = ShakyList(clock)
    noted.revoke_subject("7", before=NOW)
    assert not revoke(FormerSession("abc", None, NOW + 5, "7", NOW - 5), _options(revocations=noted))
    assert revoke(FormerSession("new", None, NOW + 5, "7", NOW), _options(revocations=noted))
