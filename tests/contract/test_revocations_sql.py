"""The list in SQL keeps what every list promises, on SQLite and PostgreSQL, and notices a loss."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from iron_wsgi.errors import Refused
from iron_wsgi.revocation import LONGEST, Revocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.servers.database import BATCH, engine_of
from iron_wsgi.servers.ids import key_of
from iron_wsgi.testing import FakeClock, RevocationsContract
from tests.services.databases import Statements, engine_of_an_application, execute, plan

pytest_plugins = ("tests.services.databases",)
pytestmark = pytest.mark.slow("waits for the disk")


@pytest.fixture
def lists() -> Iterator[ExitStack]:
    """What closes the lists of a test."""
    with ExitStack() as stack:
        yield stack


def open_list(lists: ExitStack, url: str, clock: FakeClock | None = None) -> SqlRevocations:
    revocations = SqlRevocations.from_url(url, clock=clock)
    lists.callback(revocations.close)
    return revocations


class TestSqlRevocations(RevocationsContract):
    @pytest.fixture(autouse=True)
    def _place(self, lists: ExitStack, database_url: str) -> None:
        self.lists, self.url = lists, database_url

    def revocations(self, clock: FakeClock) -> Revocations:
        return open_list(self.lists, self.url, clock)


class TestSqlRevocationsWithAnEngineOfTheApplication(TestSqlRevocations):
    def revocations(self, clock: FakeClock) -> Revocations:
        engine = engine_of_an_application(self.url)
        self.lists.callback(engine.dispose)
        return SqlRevocations(engine, table="What is over", clock=clock)


def test_the_question_is_one_statement_and_so_is_each_revocation(lists: ExitStack, database_url: str) -> None:
    engine = engine_of(database_url)
    lists.callback(engine.dispose)
    revocations = SqlRevocations(engine)
    revocations.is_revoked("first use", None, 0)
    statements = Statements(engine)
    for operation in (
        lambda: revocations.is_revoked("sid", "anna", 1),
        lambda: revocations.is_revoked("sid", None, 1),
        lambda: revocations.revoke("sid"),
        lambda: revocations.is_revoked("sid", "anna", 1),
        lambda: revocations.revoke_subject("anna"),
        revocations.revoke_all,
        lambda: revocations.is_revoked("another", "anna", 1),
        revocations.sweep,
    ):
        operation()
        assert len(statements) == 1
        statements.clear()


def test_the_question_reads_no_more_than_it_must(lists: ExitStack, database_url: str) -> None:
    revocations = open_list(lists, database_url)
    fill(revocations, 3000)
    names = [key_of("sid"), key_of("subject"), "all", "list"]
    asking = plan(revocations._database, revocations._ask, {"names": names, "at": 2})
    assert "SCAN" not in asking
    assert "Seq Scan" not in asking
    assert "PRIMARY KEY" in asking or "iron_revocations_pkey" in asking


def fill(revocations: SqlRevocations, count: int) -> None:
    """Note many sessions, until second 5."""
    revocations.is_revoked("first use", None, 0)
    rows = [
        {"new_key": f"{number:064}", "new_before": None, "new_expires_at": 5000, "at": 1}
        for number in range(count)
    ]
    with revocations._database._engine.begin() as connection:
        connection.execute(revocations._note, rows)


def test_switching_revocation_on_signs_nobody_out(lists: ExitStack, database_url: str) -> None:
    revocations = open_list(lists, database_url, FakeClock())
    assert not revocations.is_revoked("sid", "anna", 0)


LOSSES = {
    "emptied": ["DELETE FROM iron_revocations"],
    "dropped": ["DROP TABLE iron_revocations"],
    "without our row": ["DELETE FROM iron_revocations WHERE key = 'list'"],
}
loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def refuses(revocations: Revocations, sid: str, subject: str | None, issued_at: float) -> bool:
    """Whether a session that is not revoked is refused."""
    reason = None
    try:
        assert not revocations.is_revoked(sid, subject, issued_at)
    except Refused as refused:
        reason = refused.reason
    assert reason in {None, "lost"}
    return reason is not None


@loss
def test_a_lost_list_refuses_what_began_before_for_good(
    loss: list[str], lists: ExitStack, database_url: str
) -> None:
    clock = FakeClock()
    revocations = open_list(lists, database_url, clock)
    revocations.revoke("sid")
    assert revocations.is_revoked("sid", "anna", clock() - 5)
    execute(database_url, *loss)
    clock.advance(1)
    lost_at = clock()
    for one in (revocations, open_list(lists, database_url, clock)):
        for _ in range(2):
            assert refuses(one, "another", "anna", lost_at - 0.001)
            assert not refuses(one, "new", "anna", lost_at)
            clock.advance(3600)
    assert revocations.sweep() == 0
    clock.advance(LONGEST)
    revocations.sweep()
    assert refuses(revocations, "another", None, lost_at - 0.001)
    assert not refuses(revocations, "new", "anna", lost_at)


@loss
def test_a_list_lost_while_no_program_ran_is_noticed(
    loss: list[str], lists: ExitStack, database_url: str
) -> None:
    clock = FakeClock()
    open_list(lists, database_url, clock).revoke("sid")
    execute(database_url, *loss)
    assert refuses(open_list(lists, database_url, clock), "another", "anna", clock() - 1)


@loss
def test_a_list_lost_is_noticed_where_something_is_revoked_first(
    loss: list[str], lists: ExitStack, database_url: str
) -> None:
    clock = FakeClock()
    revocations = open_list(lists, database_url, clock)
    revocations.revoke("sid")
    execute(database_url, *loss)
    revocations.revoke("other")
    revocations.revoke_subject("bert")
    revocations.revoke_all(before=1)
    assert refuses(revocations, "another", "anna", clock() - 1)
    assert revocations.is_revoked("other", "anna", clock() - 1)
    assert revocations.is_revoked("sid", "bert", clock() - 1)


def test_a_database_lost_while_a_program_runs_is_noticed_by_it(lists: ExitStack, database_url: str) -> None:
    clock = FakeClock()
    revocations = open_list(lists, database_url, clock)
    revocations.revoke("sid")
    execute(database_url, "DROP TABLE iron_revocations", "DROP TABLE iron_schema")
    assert refuses(revocations, "sid", None, clock() - 1)
    assert refuses(open_list(lists, database_url, clock), "sid", None, clock() - 1)


def test_what_is_told_of_a_loss_first_counts(lists: ExitStack, database_url: str) -> None:
    clocks = [FakeClock(1000 + number) for number in range(8)]
    programs = [open_list(lists, database_url, clock) for clock in clocks]
    programs[0].revoke("sid")
    for _ in range(5):
        execute(database_url, "DELETE FROM iron_revocations")
        with ThreadPoolExecutor(8) as threads:
            noticed = list(threads.map(partial(_is_lost, issued_at=1), programs))
        assert noticed == [True] * 8
        ((before,),) = execute(database_url, "SELECT before FROM iron_revocations")
        assert before in {number * 1000 for number in range(1000, 1008)}
        assert {_is_lost(one, issued_at=int(str(before)) / 1000) for one in programs} == {False}


def _is_lost(revocations: Revocations, issued_at: float) -> bool:
    return refuses(revocations, "sid", None, issued_at)


def test_a_moment_to_come_is_remembered_until_the_last_session_from_before_is_over(
    lists: ExitStack, database_url: str
) -> None:
    clock = FakeClock()
    revocations = open_list(lists, database_url, clock)
    moment = clock() + 30 * 86_400
    revocations.revoke_all(before=moment)
    clock.advance(30 * 86_400 + LONGEST - 1)
    assert revocations.is_revoked("sid", None, moment - 1)


def test_sweep_removes_more_than_one_batch(lists: ExitStack, database_url: str) -> None:
    clock = FakeClock()
    revocations = open_list(lists, database_url, clock)
    fill(revocations, BATCH + 1)
    assert revocations.sweep() == BATCH + 1
    assert execute(database_url, "SELECT key FROM iron_revocations") == [("list",)]


def test_a_dump_and_the_files_reveal_no_id_and_no_subject(
    lists: ExitStack, database_url: str, tmp_path: Path
) -> None:
    revocations = open_list(lists, database_url)
    revocations.revoke("Kanarienvogel 1")
    revocations.revoke_subject("Kanarienvogel 2")
    rows = repr(execute(database_url, "SELECT * FROM iron_revocations"))
    assert key_of("Kanarienvogel 1") in rows
    for one in (rows.encode(), *(file.read_bytes() for file in tmp_path.glob("sessions.db*"))):
        assert b"Kanarienvogel" not in one
