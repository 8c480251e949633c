"""The list in Redis keeps what every list of revocations promises: one server, a Cluster, behind Sentinel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from iron_wsgi.errors import Refused
from iron_wsgi.revocation import LONGEST, Revocations
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.testing import FakeClock, RevocationsContract

if TYPE_CHECKING:
    from tests.services.redis import Cluster, RedisServer, Sentinels

pytest_plugins = ("tests.services.redis",)
pytestmark = pytest.mark.needs("redis")


class RedisRevocationsContract(RevocationsContract):
    has_own_clock = True
    options: ClassVar[dict[str, bool]] = {}

    def open_list(self, clock: FakeClock) -> RedisRevocations:
        raise NotImplementedError

    def revocations(self, clock: FakeClock) -> Revocations:
        revocations = self.open_list(clock)
        revocations.initialize()
        return revocations


class TestOneServer(RedisRevocationsContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def open_list(self, clock: FakeClock) -> RedisRevocations:
        return RedisRevocations(self.server.client(**self.options), clock=clock)


class TestOneServerWhoseClientDecodes(TestOneServer):
    options: ClassVar = {"decode_responses": True}


class TestUrl(TestOneServer):
    def open_list(self, clock: FakeClock) -> RedisRevocations:
        return RedisRevocations.from_url(self.server.url, clock=clock)


class TestCluster(RedisRevocationsContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_cluster: Cluster) -> None:
        self.cluster = redis_cluster

    def open_list(self, clock: FakeClock) -> RedisRevocations:
        return RedisRevocations(self.cluster.client(**self.options), clock=clock)


class TestClusterWhoseClientDecodes(TestCluster):
    options: ClassVar = {"decode_responses": True}


class TestSentinel(RedisRevocationsContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_sentinel: Sentinels) -> None:
        self.sentinel = redis_sentinel

    def open_list(self, clock: FakeClock) -> RedisRevocations:
        return RedisRevocations(self.sentinel.client(**self.options), replicas=1, clock=clock)


class TestSentinelWhoseClientDecodes(TestSentinel):
    options: ClassVar = {"decode_responses": True}


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def revocations(redis_server: RedisServer, clock: FakeClock) -> RedisRevocations:
    return RedisRevocations.from_url(redis_server.url, clock=clock)


MARKER: Final = "iron_wsgi:revoked:all"
SESSION: Final = f"iron_wsgi:revoked:{key_of('sid')}"
SUBJECT: Final = f"iron_wsgi:revoked:{subject_key_of('anna')}"


def test_a_list_that_has_not_begun_refuses_older_sessions_as_lost_and_accepts_new_ones(
    revocations: RedisRevocations, clock: FakeClock
) -> None:
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            revocations.is_revoked("sid", None, clock() - 0.001)
        assert caught.value.reason == "lost"
    assert not revocations.is_revoked("sid", None, clock())
    clock.advance(60)
    assert not revocations.is_revoked("another", "anna", clock() - 60)
    with pytest.raises(Refused):
        revocations.is_revoked("sid", "anna", clock() - 61)


def test_a_list_that_is_initialized_refuses_nobody(
    redis_server: RedisServer, revocations: RedisRevocations
) -> None:
    revocations.initialize()
    RedisRevocations.from_url(redis_server.url).initialize()
    assert not revocations.is_revoked("sid", "anna", 0)


def test_initializing_a_list_that_is_there_changes_nothing(
    revocations: RedisRevocations, clock: FakeClock
) -> None:
    with pytest.raises(Refused):
        revocations.is_revoked("sid", None, 0)
    revocations.revoke("over")
    revocations.initialize()
    with pytest.raises(Refused):
        revocations.is_revoked("sid", None, clock() - 1)
    assert revocations.is_revoked("over", None, clock())


def test_of_a_list_that_was_lost_what_is_revoked_is_said_to_be_revoked(
    revocations: RedisRevocations, clock: FakeClock
) -> None:
    revocations.revoke("over")  # before anybody has noticed the loss
    revocations.revoke_subject("anna", before=clock() - 5)
    assert revocations.is_revoked("over", None, clock() - 10)
    assert revocations.is_revoked("sid", "anna", clock() - 10)
    with pytest.raises(Refused):
        revocations.is_revoked("sid", "anna", clock() - 4)


def test_to_revoke_all_sessions_does_not_hide_that_the_list_was_lost(
    revocations: RedisRevocations, clock: FakeClock
) -> None:
    revocations.revoke_all(before=clock() - 5)
    assert revocations.is_revoked("sid", None, clock() - 6)
    with pytest.raises(Refused):
        revocations.is_revoked("sid", None, clock() - 4)
    clock.advance(10)
    revocations.revoke_all(before=clock() - 3)
    assert revocations.is_revoked("sid", None, clock() - 4)
    assert not revocations.is_revoked("sid", None, clock() - 3)
    revocations.revoke_all(before=-5)
    assert revocations.is_revoked("sid", None, clock() - 4)


def _wrong_type(client: Redis, name: str) -> None:
    client.delete(name)
    client.rpush(name, "1")


NO_ANSWERS: Final = {
    "a marker of another type": lambda client: _wrong_type(client, MARKER),
    "a marker that is one number": lambda client: client.set(MARKER, "0"),
    "a marker of three numbers": lambda client: client.set(MARKER, "0 0 0"),
    "a marker that is no number": lambda client: client.set(MARKER, "never ever"),
    "an empty marker": lambda client: client.set(MARKER, ""),
    "a marker of bytes": lambda client: client.set(MARKER, b"\xff \xff"),
    "a session of another type": lambda client: _wrong_type(client, SESSION),
    "a subject of another type": lambda client: _wrong_type(client, SUBJECT),
    "a subject that is no number": lambda client: client.set(SUBJECT, "x"),
    "an empty subject": lambda client: client.set(SUBJECT, ""),
}


@pytest.mark.parametrize("write", NO_ANSWERS.values(), ids=NO_ANSWERS)
@pytest.mark.parametrize("decodes", [False, True])
def test_an_answer_that_is_not_certain_is_an_error(
    redis_server: RedisServer,
    client: Redis,
    clock: FakeClock,
    write: Callable[[Redis], Any],
    *,
    decodes: bool,
) -> None:
    revocations = RedisRevocations(redis_server.client(decode_responses=decodes), clock=clock)
    revocations.initialize()
    assert not revocations.is_revoked("sid", "anna", clock())
    write(client)
    for _ in range(2):
        with pytest.raises((RedisError, ValueError)):
            revocations.is_revoked("sid", "anna", clock())


def test_what_is_broken_is_not_written_over(
    revocations: RedisRevocations, client: Redis, clock: FakeClock
) -> None:
    for name, broken, call in (
        (SESSION, "soon", lambda: revocations.revoke("sid")),
        (SUBJECT, "soon", lambda: revocations.revoke_subject("anna")),
        (MARKER, "soon", revocations.revoke_all),
        (MARKER, "0", lambda: revocations.revoke_all(before=clock())),
    ):
        client.set(name, broken)
        with pytest.raises(ResponseError):
            call()
        assert client.get(name) == broken.encode()


def test_entries_go_when_their_time_is_over_and_the_marker_never(
    revocations: RedisRevocations, client: Redis, clock: FakeClock
) -> None:
    revocations.initialize()
    revocations.revoke("sid", expires_at=clock() + 60)
    revocations.revoke_subject("anna")
    revocations.revoke_all()
    ends = {key.decode(): client.pexpiretime(key) for key in client.scan_iter()}
    assert ends == {
        SESSION: (clock() + 60) * 1000 - 1,
        SUBJECT: (clock() + LONGEST) * 1000 - 1,
        MARKER: -1,
    }
    revocations.revoke("sid", expires_at=clock() + 30)
    assert client.pexpiretime(SESSION) == (clock() + 60) * 1000 - 1
    revocations.revoke("sid", expires_at=clock() + 90)
    assert client.pexpiretime(SESSION) == (clock() + 90) * 1000 - 1


def test_a_check_is_one_round_trip(
    redis_server: RedisServer, revocations: RedisRevocations, client: Redis, clock: FakeClock
) -> None:
    revocations.initialize()

    def reads() -> int:
        count: int = client.info("stats")["total_reads_processed"]
        return count

    for subject in (None, "anna"):
        before = reads()
        revocations.is_revoked("sid", subject, clock())
        assert reads() - before == 2, redis_server.url  # the check's, and that of asking for the number


def test_on_a_cluster_a_check_is_one_round_trip_to_each_of_two_servers_at_most(
    redis_cluster: Cluster, clock: FakeClock
) -> None:
    revocations = RedisRevocations(redis_cluster.client(), clock=clock)
    revocations.initialize()
    clients = [server.client() for server in redis_cluster.servers]
    for client in clients:
        client.config_resetstat()
    checks = 20
    for number in range(checks):
        revocations.is_revoked(f"sid {number}", "anna", clock())
    gets = [client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"] for client in clients]
    others = {name for client in clients for name in client.info("commandstats")} - {"cmdstat_get"}
    assert checks * 3 <= sum(gets) <= checks * 4
    assert others <= {"cmdstat_info", "cmdstat_config|resetstat", "cmdstat_ping"}
    for client in clients:
        client.close()


def test_on_a_cluster_a_server_that_loses_its_memory_takes_nobodys_revocation_unseen(
    redis_cluster: Cluster, clock: FakeClock
) -> None:
    revocations = RedisRevocations(redis_cluster.client(), clock=clock)
    revocations.initialize()
    sids = [f"sid {number}" for number in range(60)]
    for sid in sids:
        revocations.revoke(sid)
        revocations.revoke_subject(sid)
    with redis_cluster.servers[1].client() as client:
        client.flushall()

    def answer(sid: str, subject: str | None) -> str:
        try:
            return str(revocations.is_revoked(sid, subject, clock() - 1))
        except Refused as refused:
            return refused.reason

    by_id = [answer(sid, None) for sid in sids]
    by_subject = [answer("living", subject) for subject in sids]
    assert set(by_id) == {"True", "lost"}
    assert {"True", "lost"} >= set(by_subject)
    assert not any(revocations.is_revoked(f"new {number}", None, clock()) for number in range(60))
    others = [answer(f"living {number}", None) for number in range(60)]
    assert set(others) == {"False", "lost"}


def test_on_a_cluster_all_sessions_can_be_revoked(redis_cluster: Cluster, clock: FakeClock) -> None:
    revocations = RedisRevocations(redis_cluster.client(), clock=clock)
    revocations.initialize()
    revocations.revoke_all()
    assert all(revocations.is_revoked(f"sid {number}", None, clock() - 1) for number in range(60))
    assert not any(revocations.is_revoked(f"sid {number}", None, clock()) for number in range(60))
