"""What the store and the list in Redis do while Redis does not work, and when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from redis import Redis, RedisCluster
from redis.exceptions import (
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)

from iron_wsgi.errors import Refused, Unavailable
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import Record
from iron_wsgi.stores.redis import RedisStore
from tests.services.redis import Cluster, RedisServer, Sentinels, until

pytestmark = [pytest.mark.needs("redis"), pytest.mark.servers]

PATIENCE: Final = 1.2  # seconds within which a call ends, though no server answers: on a busy machine
RETURN: Final = 2.0  # seconds after which everything is as it was
KEY: Final = key_of("a session")


def record(**changes: float | str | None) -> Record:
    at = time.time()
    fields = {"value": "a seal", "version": 1, "subject": subject_key_of("anna"), "expires_at": at + 3600}
    return Record(created_at=at, written_at=at, **{**fields, **changes})  # type: ignore[arg-type]


@dataclass
class Site:
    """A store and a list, with a session that is revoked, one that lives, and one that was deleted."""

    store: RedisStore
    revocations: RedisRevocations
    began_at: float

    @classmethod
    def at(cls, client: Redis | RedisCluster | str, *, replicas: int = 0) -> Site:
        if isinstance(client, str):
            made = RedisStore.from_url(client), RedisRevocations.from_url(client)
        else:
            made = RedisStore(client, replicas=replicas), RedisRevocations(client, replicas=replicas)
        return cls(*made, time.time())

    def begin(self) -> Site:
        self.revocations.initialize()
        self.began_at = time.time()
        self.store.create(KEY, record())
        self.store.create(key_of("deleted"), record())
        self.store.delete(key_of("deleted"))
        self.revocations.revoke("revoked")
        self.revocations.revoke_subject("bert")
        return self

    def is_normal(self) -> bool:
        """Whether everything is still known, and can be changed."""
        kept = self.store.load(KEY)
        return (
            kept is not None
            and self.store.save(KEY, record(version=kept.version + 1), version=kept.version)
            and self.store.touch(KEY, expires_at=time.time() + 60)
            and self.store.load(key_of("deleted")) is None
            and [session.key for session in self.store.list_subject(subject_key_of("anna"))] == [KEY]
            and self.revocations.is_revoked("revoked", None, time.time())
            and self.revocations.is_revoked("new", "bert", self.began_at)
            and not self.revocations.is_revoked("new", "anna", self.began_at)
            and self.revocations.revoke(f"another {time.time()}")
        )

    def calls(self) -> dict[str, Callable[[], object]]:
        """Everything that can be asked."""
        return {
            "create": lambda: self.store.create(key_of("another"), record()),
            "load": lambda: self.store.load(KEY),
            "save": lambda: self.store.save(KEY, record(version=2), version=1),
            "touch": lambda: self.store.touch(KEY, expires_at=None),
            "delete": lambda: self.store.delete(key_of("another")),
            "list_subject": lambda: self.store.list_subject(subject_key_of("anna")),
            "is_revoked": lambda: self.revocations.is_revoked("revoked", "bert", time.time()),
            "revoke": lambda: self.revocations.revoke("another"),
            "revoke_subject": lambda: self.revocations.revoke_subject("carl"),
            "revoke_all": lambda: self.revocations.revoke_all(before=0),
            "initialize": self.revocations.initialize,
        }

    def refuses(self, *names: str, but: tuple[str, ...] = (), error: type[Exception] = Exception) -> None:
        """Check that calls fail, in time: those that are named, or all *but* some."""
        for name, call in self.calls().items():
            if name in (names or self.calls()) and name not in but:
                started = time.monotonic()
                with pytest.raises((RedisError, RedisClusterException, Unavailable)) as caught:
                    call()
                assert isinstance(caught.value, error), name
                assert time.monotonic() - started < PATIENCE, name


@contextmanager
def back_in_time() -> Iterator[Callable[[Callable[[], bool]], None]]:
    """Check that something holds within two seconds from here on; no call may take longer than it should."""
    give_up_at = time.monotonic() + RETURN

    def holds(check: Callable[[], bool]) -> None:
        while True:
            with suppress(RedisError, Unavailable):
                if check():
                    return
            assert time.monotonic() < give_up_at
            time.sleep(0.05)

    yield holds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def test_a_server_that_was_killed_with_an_append_only_file_has_lost_nothing(tmp_path: Path) -> None:
    with RedisServer(tmp_path, appendonly="yes") as server:
        site = Site.at(server.url).begin()
        for number in range(200):
            site.revocations.revoke(f"sid {number}")
        server.kill()
        site.refuses()
        server.start()
        with back_in_time() as holds:
            holds(site.is_normal)
        assert all(site.revocations.is_revoked(f"sid {number}", None, 0) for number in range(200))


def test_a_server_that_was_killed_without_persistence_has_lost_the_list_and_accepts_no_older_session(
    server: RedisServer,
) -> None:
    site = Site.at(server.url).begin()
    server.kill()
    site.refuses()
    server.start()
    for sid in ("revoked", "living"):
        with pytest.raises(Refused) as caught:
            site.revocations.is_revoked(sid, None, site.began_at)
        assert caught.value.reason == "lost"
    assert site.store.load(KEY) is None
    assert not site.store.save(KEY, record(version=2), version=1)
    assert not site.revocations.is_revoked("new", None, time.time())
    assert site.store.create(key_of("new"), record())


def test_a_server_that_was_restarted_and_has_forgotten_the_scripts_works_at_the_first_call(
    tmp_path: Path,
) -> None:
    with RedisServer(tmp_path, appendonly="yes") as server:
        site = Site.at(server.url).begin()
        server.stop()
        server.start()
        assert site.is_normal()


def test_a_server_that_stands_still_is_not_waited_for_and_is_used_again_when_it_goes_on(
    server: RedisServer,
) -> None:
    site = Site.at(server.url).begin()
    server.freeze()
    site.refuses()
    for name in ("load", "is_revoked"):
        Site.at(server.url).refuses(name)  # whose clients have no connection yet
    server.thaw()
    with back_in_time() as holds:
        holds(site.is_normal)


@pytest.mark.long("stands still for five seconds")
def test_after_five_seconds_of_standing_still_nothing_that_was_answered_is_undone(
    server: RedisServer,
) -> None:
    site = Site.at(server.url).begin()
    stop_at = time.monotonic() + 5
    answered: list[str] = []
    accepted: list[str] = []

    def visit(visitor: int) -> None:
        number = 0
        while time.monotonic() < stop_at + 1:
            sid = f"sid {visitor} {number}"
            number += 1
            with suppress(RedisError):
                site.revocations.revoke(sid)
                answered.append(sid)
                if not site.revocations.is_revoked(sid, None, site.began_at):
                    accepted.append(sid)
            time.sleep(0.01)

    visitors = [threading.Thread(target=visit, args=[visitor]) for visitor in range(4)]
    for visitor in visitors:
        visitor.start()
    time.sleep(0.3)
    server.freeze()
    time.sleep(stop_at - time.monotonic())
    server.thaw()
    with back_in_time() as holds:
        holds(site.is_normal)
    for visitor in visitors:
        visitor.join()
    assert len(answered) > 20
    assert accepted == []
    assert all(site.revocations.is_revoked(sid, None, site.began_at) for sid in answered)


def test_a_server_of_a_cluster_that_stands_still_is_not_waited_for(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        site = Site.at(cluster.client()).begin()
        cluster.servers[0].freeze()
        failed = 0
        for name, call in site.calls().items():
            started = time.monotonic()
            try:
                call()
            except (RedisError, RedisClusterException):
                failed += 1
            assert time.monotonic() - started < PATIENCE, name
        assert failed  # whoever asks all servers has asked this one
        cluster.servers[0].thaw()
        with back_in_time() as holds:
            holds(site.is_normal)


def test_a_server_that_was_emptied_refuses_older_sessions_and_accepts_new_ones(server: RedisServer) -> None:
    site = Site.at(server.url).begin()
    with server.client() as client:
        client.flushall()
    for sid, subject in (("revoked", None), ("new", "bert"), ("living", None)):
        with pytest.raises(Refused, match="lost"):
            site.revocations.is_revoked(sid, subject, site.began_at)
    assert not site.revocations.is_revoked("new", None, time.time())
    assert site.store.load(KEY) is None


def test_a_replica_takes_nothing_and_forgets_nothing(tmp_path: Path, server: RedisServer) -> None:
    site = Site.at(server.url).begin()
    with (
        RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {server.port}") as replica,
        replica.client() as client,
    ):
        until(lambda: client.exists(f"iron_wsgi:{KEY}"))
        readonly = Site.at(replica.url)
        readonly.refuses(error=ReadOnlyError, but=("load", "is_revoked", "list_subject"))
        assert readonly.revocations.is_revoked("revoked", None, time.time())
        assert readonly.store.load(KEY) == site.store.load(KEY)
        with server.client() as master:
            master.flushall()
        until(lambda: not client.exists("iron_wsgi:revoked:all"))
        with pytest.raises(ReadOnlyError):  # it cannot write down that the list was lost
            readonly.revocations.is_revoked("revoked", None, site.began_at)


def test_a_server_without_memory_takes_nothing_new_and_keeps_what_is_revoked(server: RedisServer) -> None:
    site = Site.at(server.url).begin()
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
        takes_no_memory = ("load", "delete", "list_subject", "is_revoked")
        site.refuses(error=OutOfMemoryError, but=takes_no_memory)
        assert site.revocations.is_revoked("revoked", None, time.time())
        assert site.revocations.is_revoked("new", "bert", site.began_at)
        assert site.store.load(KEY) is not None
        client.flushall()
        with pytest.raises(OutOfMemoryError):  # it cannot write down that the list was lost
            site.revocations.is_revoked("revoked", None, site.began_at)
        client.config_set("maxmemory", "0")
        with pytest.raises(Refused, match="lost"):
            site.revocations.is_revoked("revoked", None, site.began_at)


def test_a_server_that_still_reads_its_file_is_not_waited_for(server: RedisServer) -> None:
    site = Site.at(server.url).begin()
    with server.client() as client:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                pipeline.set(f"filler {number}", "x" * 100)
            pipeline.execute()
        client.save()
    server.kill()
    server.options |= {"key_load_delay": 500, "loading_process_events_interval_bytes": 1024}
    server.start(ready=False)
    with server.client() as client:

        def is_loading() -> bool:
            try:
                return not client.ping()
            except BusyLoadingError:
                return True

        until(is_loading)
        site.refuses(error=BusyLoadingError)
        until(client.ping)
    with back_in_time() as holds:
        holds(site.is_normal)


def test_after_a_failover_whatever_was_revoked_or_deleted_stays_so(tmp_path: Path) -> None:
    with Sentinels(tmp_path, replicas=2) as sentinels:
        site = Site.at(sentinels.client(), replicas=2).begin()
        revoked, deleted = _busy_until_failover(sentinels, site)
        survivor = replace(Site.at(sentinels.client(), replicas=1), began_at=site.began_at)
        with sentinels.master().client() as master:
            until(lambda: master.info("replication")["connected_slaves"] == 1)
        with back_in_time() as holds:
            holds(survivor.is_normal)
        assert len(revoked) > 20
        assert all(survivor.revocations.is_revoked(sid, None, site.began_at) for sid in revoked)
        assert len(deleted) > 20
        assert all(survivor.store.load(key) is None for key in deleted)
        # The two replicas that this site wants there are not any more.
        site.refuses()


def _busy_until_failover(sentinels: Sentinels, site: Site) -> tuple[list[str], list[str]]:
    """Revoke and delete while the master is killed; return what was answered."""
    revoked: list[str] = []
    deleted: list[str] = []
    is_over = threading.Event()

    def sign_out(visitor: int) -> None:
        number = 0
        while not is_over.is_set():
            sid = f"sid {visitor} {number}"
            number += 1
            with suppress(RedisError, Unavailable):
                site.revocations.revoke(sid)
                revoked.append(sid)
            with suppress(RedisError, Unavailable):
                site.store.create(key_of(sid), record(subject=""))
                site.store.delete(key_of(sid))
                deleted.append(key_of(sid))

    visitors = [threading.Thread(target=sign_out, args=[visitor]) for visitor in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        time.sleep(0.5)
        master = sentinels.master()
        master.kill()
        sentinels.wait_for_failover(master)
    finally:
        is_over.set()
        for visitor in visitors:
            visitor.join()
    return revoked, deleted


def test_a_former_master_that_comes_back_is_not_believed(tmp_path: Path) -> None:
    with Sentinels(tmp_path, replicas=2) as sentinels:
        quiet = Site.at(sentinels.client(), replicas=1).begin()  # its connections stay with the former master
        master = sentinels.master()
        master.freeze()
        sentinels.wait_for_failover(master)
        busy = Site.at(sentinels.client(), replicas=1)
        with back_in_time() as holds:
            holds(lambda: busy.revocations.revoke("sid"))
        busy.store.delete(KEY)
        master.thaw()
        asked_until = time.monotonic() + 1
        while time.monotonic() < asked_until:
            with suppress(RedisError, Unavailable):
                assert quiet.revocations.is_revoked("sid", None, quiet.began_at)
            with suppress(RedisError, Unavailable):
                assert quiet.store.load(KEY) is None


def test_a_write_that_too_few_replicas_have_is_an_error(tmp_path: Path, server: RedisServer) -> None:
    alone = Site.at(server.client(), replicas=1)
    alone.refuses(error=Unavailable)
    with RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {server.port}") as replica:
        with replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        with back_in_time() as holds:
            holds(lambda: bool(alone.revocations.revoke(f"sid {time.time()}")))
        replica.freeze()
        alone.refuses(error=Unavailable, but=("load", "is_revoked", "list_subject"))
        replica.thaw()
        with back_in_time() as holds:
            holds(lambda: bool(alone.revocations.revoke(f"sid {time.time()}")))


def test_a_late_answer_is_not_taken_for_that_to_another_question(tmp_path: Path) -> None:
    with Sentinels(tmp_path, replicas=0, down_after=30) as sentinels:
        (server,) = sentinels.servers
        site = Site.at(sentinels.client()).begin()
        for ask, asked_before in (
            (lambda: site.store.load(key_of("nobody's")) is None, lambda: site.store.load(KEY)),
            (
                lambda: site.revocations.is_revoked("revoked", None, time.time()),
                lambda: site.revocations.is_revoked("living", None, time.time()),
            ),
        ):
            server.freeze()
            with pytest.raises(RedisError):
                asked_before()
            going_on = threading.Timer(0.1, server.thaw)
            going_on.start()
            with suppress(RedisError, Unavailable):
                assert ask()
            going_on.join()
            with back_in_time() as holds:
                holds(site.is_normal)
