"""The store in Redis keeps what every atomic store promises: one server, a Cluster, behind Sentinel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from redis import Redis
from redis.cluster import LoadBalancingStrategy
from redis.exceptions import NoPermissionError, ResponseError
from redis.sentinel import Sentinel

from iron_wsgi import seal_data
from iron_wsgi.errors import ConfigError
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import Record, Store
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.testing import AtomicStoreContract, FakeClock

if TYPE_CHECKING:
    from tests.services.redis import Cluster, RedisServer, Sentinels

pytest_plugins = ("tests.services.redis",)
pytestmark = pytest.mark.needs("redis")


class RedisStoreContract(AtomicStoreContract):
    has_own_clock = True
    options: ClassVar[dict[str, bool]] = {}

    def open_store(self) -> Store:
        raise NotImplementedError

    def store(self, clock: FakeClock) -> Store:
        del clock
        return self.open_store()

    def other(self, clock: FakeClock) -> Store:
        del clock
        return self.open_store()


class TestOneServer(RedisStoreContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def open_store(self) -> Store:
        return RedisStore(self.server.client(**self.options))


class TestOneServerWhoseClientDecodes(TestOneServer):
    options: ClassVar = {"decode_responses": True}


class TestUrl(TestOneServer):
    def open_store(self) -> Store:
        return RedisStore.from_url(self.server.url)


class TestCluster(RedisStoreContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_cluster: Cluster) -> None:
        self.cluster = redis_cluster

    def open_store(self) -> Store:
        return RedisStore(self.cluster.client(**self.options))


class TestClusterWhoseClientDecodes(TestCluster):
    options: ClassVar = {"decode_responses": True}


class TestSentinel(RedisStoreContract):
    @pytest.fixture(autouse=True)
    def _running(self, redis_sentinel: Sentinels) -> None:
        self.sentinel = redis_sentinel

    def open_store(self) -> Store:
        return RedisStore(self.sentinel.client(**self.options), replicas=1)


class TestSentinelWhoseClientDecodes(TestSentinel):
    options: ClassVar = {"decode_responses": True}


A, B = key_of("a session"), key_of("another session")
ANNA = subject_key_of("anna")


def record(**changes: Any) -> Record:
    """A session of Anna's that lives for an hour."""
    at = time.time()
    fields = {"value": "a seal", "version": 1, "subject": ANNA, "expires_at": at + 3600}
    return Record(created_at=at, written_at=at, **{**fields, **changes})


@contextmanager
def commands_to(server: RedisServer) -> Iterator[list[str]]:
    """Collect the commands that clients send, without what their scripts do."""
    sent: list[str] = []
    with server.client() as client, client.monitor() as monitor:
        yield sent
        with server.client() as other:
            other.echo("the end")
        while True:
            told = monitor.next_command()
            if "the end" in told["command"]:
                return
            if told["client_type"] != "lua":
                sent.append(told["command"])


def names(commands: list[str]) -> list[str]:
    """The commands' names, without what clients say when they connect."""
    first = [command.split()[0].upper() for command in commands]
    return [name for name in first if name not in {"HELLO", "CLIENT", "SELECT", "ECHO"}]


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client


@pytest.fixture
def store(redis_server: RedisServer) -> RedisStore:
    return RedisStore.from_url(redis_server.url)


HASH: Final = {
    "value": "a seal",
    "version": "1",
    "subject": "",
    "created_at": "1",
    "written_at": "1",
    "expires_at": "",
}

NOT_OURS: Final = {
    "the pickle of another library": lambda client, key: client.set(key, b"\x80\x04\x95\x00}\x94."),
    "plain JSON": lambda client, key: client.set(key, '{"user": 7}'),
    "a list": lambda client, key: client.rpush(key, "a seal"),
    "a set": lambda client, key: client.sadd(key, "a seal"),
    "a hash of another program": lambda client, key: client.hset(key, "user", "7"),
}

BROKEN: Final = {
    "value": b"\x80\x04\x95\x00}\x94.",
    "version": "one",
    "subject": b"\xff",
    "created_at": "yesterday",
    "written_at": "",
    "expires_at": "soon",
}


@pytest.mark.parametrize("write", NOT_OURS.values(), ids=NOT_OURS)
@pytest.mark.parametrize("decodes", [False, True])
def test_what_was_not_written_by_the_store_is_no_record_and_stays_as_it_is(
    redis_server: RedisServer, client: Redis, write: Callable[[Redis, str], Any], *, decodes: bool
) -> None:
    write(client, f"iron_wsgi:{A}")
    before = client.dump(f"iron_wsgi:{A}")
    store = RedisStore(redis_server.client(decode_responses=decodes))
    assert store.load(A) is None
    assert not store.create(A, record())
    assert not store.save(A, record(), version=1)
    assert not store.touch(A, expires_at=None)
    assert list(store.list_subject(ANNA)) == []
    assert client.dump(f"iron_wsgi:{A}") == before


@pytest.mark.parametrize("name", HASH)
@pytest.mark.parametrize("decodes", [False, True])
def test_a_record_with_a_field_that_is_missing_or_broken_is_no_record(
    redis_server: RedisServer, client: Redis, name: str, *, decodes: bool
) -> None:
    store = RedisStore(redis_server.client(decode_responses=decodes))
    client.hset(f"iron_wsgi:{A}", mapping=HASH)
    assert store.load(A) is not None
    client.hset(f"iron_wsgi:{A}", name, BROKEN[name])
    assert store.load(A) is None
    client.hdel(f"iron_wsgi:{A}", name)
    assert store.load(A) is None
    client.hset(f"iron_wsgi:{A}", mapping=HASH)
    assert store.load(A) is not None  # the connection is still in step


def test_an_index_that_is_something_else_is_an_error_and_not_an_empty_list(
    store: RedisStore, client: Redis
) -> None:
    client.set(f"iron_wsgi:subject:{ANNA}", "what another program keeps")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.list_subject(ANNA)


def test_every_key_begins_with_the_prefix_and_stores_with_other_prefixes_share_nothing(
    redis_server: RedisServer, client: Redis
) -> None:
    one, two = (RedisStore.from_url(redis_server.url, prefix=prefix) for prefix in ("one:", "two:"))
    one.create(A, record())
    assert {key.split(b":")[0] for key in client.scan_iter()} == {b"one"}
    assert two.load(A) is None
    assert list(two.list_subject(ANNA)) == []
    assert two.create(A, record(value="two's"))
    assert two.delete(A)
    assert one.load(A) is not None


def test_the_server_drops_records_and_lists_by_itself(store: RedisStore, client: Redis) -> None:
    at = time.time()
    store.create(A, record(expires_at=at + 3600))
    assert client.pexpiretime(f"iron_wsgi:{A}") == round((at + 3600) * 1000) - 1
    store.touch(A, expires_at=at + 7200)
    assert client.pexpiretime(f"iron_wsgi:{A}") == round((at + 7200) * 1000) - 1
    assert at + 3600 < client.expiretime(f"iron_wsgi:subject:{ANNA}") < at + 7200 + 86400
    store.touch(A, expires_at=None)
    assert client.ttl(f"iron_wsgi:{A}") == -1
    assert client.ttl(f"iron_wsgi:subject:{ANNA}") > 10**9  # until the year 10000


def test_the_list_of_a_subject_lives_as_long_as_its_last_session_whatever_comes_later(
    store: RedisStore, client: Redis
) -> None:
    store.create(A, record(expires_at=time.time() + 30 * 86400))
    lives = client.expiretime(f"iron_wsgi:subject:{ANNA}")
    store.create(B, record())
    store.save(A, record(version=2), version=1)  # this shortens the session's life
    store.save(A, record(version=3, expires_at=time.time() + 10 * 86400), version=2)
    assert client.expiretime(f"iron_wsgi:subject:{ANNA}") == lives
    assert {session.key for session in store.list_subject(ANNA)} == {A, B}


def test_who_reads_a_list_removes_what_is_over(store: RedisStore, client: Redis) -> None:
    for key in (A, B):
        store.create(key, record())
    client.delete(f"iron_wsgi:{A}")  # as the server does when its time is over
    assert client.zcard(f"iron_wsgi:subject:{ANNA}") == 2
    assert [session.key for session in store.list_subject(ANNA)] == [B]
    assert client.zcard(f"iron_wsgi:subject:{ANNA}") == 1


def test_what_is_over_does_not_pile_up_in_a_list_that_nobody_reads(store: RedisStore, client: Redis) -> None:
    for _ in range(20):
        store.create(A, record())
        store.delete(A)
    assert client.exists(f"iron_wsgi:subject:{ANNA}") == 0
    client.zadd(f"iron_wsgi:subject:{ANNA}", {"0" * 64: 1.0})  # long over
    store.create(B, record())
    assert client.zrange(f"iron_wsgi:subject:{ANNA}", 0, -1) in ([B], [B.encode()])


def test_a_url_is_no_client() -> None:
    with pytest.raises(ConfigError, match="from_url"):
        RedisStore("redis://localhost")  # type: ignore[arg-type]


def test_what_is_no_key_deletes_nothing(store: RedisStore, client: Redis) -> None:
    """The prefix of the store may begin the names of other things, and a key may come from a form."""
    client.set("iron_wsgi:revoked:all", "0")
    assert not store.delete("revoked:all")
    assert client.exists("iron_wsgi:revoked:all") == 1


def test_a_list_of_many_sessions_is_complete(store: RedisStore) -> None:
    keys = {key_of(str(number)) for number in range(1100)}
    for key in keys:
        store.create(key, record())
    assert {session.key for session in store.list_subject(ANNA)} == keys


def test_each_operation_is_one_command_and_one_more_where_the_index_changes(
    redis_server: RedisServer, store: RedisStore
) -> None:
    at = time.time() // 86400 * 86400 + 10 * 86400  # the beginning of a day
    store.create(B, record(subject=ANNA))
    store.save(B, record(version=2), version=1)
    store.touch(B, expires_at=None)
    calls: list[tuple[int, Callable[[], Any]]] = [
        (2, lambda: store.create(A, record(expires_at=at + 60))),
        (1, lambda: store.create(A, record())),
        (1, lambda: store.create(key_of("nobody's"), record(subject=""))),
        (1, lambda: store.load(A)),
        (1, lambda: store.save(A, record(version=2, expires_at=at + 90), version=1)),
        (1, lambda: store.save(A, record(version=3), version=1)),
        (2, lambda: store.save(A, record(version=3, expires_at=at + 86_460), version=2)),
        (2, lambda: store.save(A, record(version=4, subject=subject_key_of("bert")), version=3)),
        (1, lambda: store.save(A, record(version=5, subject=""), version=4)),
        (1, lambda: store.touch(A, expires_at=None)),
        (1, lambda: store.touch(B, expires_at=at)),
        (1, lambda: store.delete(A)),
        (4, lambda: list(store.list_subject(ANNA))),  # the index, its two records at once, what is over
        (2, lambda: list(store.list_subject(ANNA))),
    ]
    counted = []
    for _, call in calls:
        with commands_to(redis_server) as sent:
            call()
        counted.append(len(names(sent)))
    assert counted == [count for count, _ in calls]


def test_a_session_that_is_touched_until_another_day_is_listed_until_then(
    redis_server: RedisServer, store: RedisStore, client: Redis
) -> None:
    at = time.time() // 86400 * 86400
    store.create(A, record(expires_at=at + 86_400))
    with commands_to(redis_server) as sent:
        store.touch(A, expires_at=at + 10 * 86_400)
        store.touch(A, expires_at=at + 10 * 86_400)
    assert names(sent).count("EVALSHA") == 3  # the second time the index is left alone
    assert client.expiretime(f"iron_wsgi:subject:{ANNA}") >= at + 10 * 86_400 - 1


def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(store: RedisStore, client: Redis) -> None:
    store.create(A, record())
    client.script_flush()
    assert store.save(A, record(version=2), version=1)
    client.script_flush()
    assert store.touch(A, expires_at=None)


def test_nothing_in_redis_and_nothing_sent_to_it_tells_a_session_id_or_its_data(
    redis_server: RedisServer, store: RedisStore, client: Redis
) -> None:
    sid, subject, canary = "s1d-of-a-session", "anna@example.org", "c4nary-in-the-data"
    value = seal_data({"note": canary}, password="p" * 20 + "assword of this test", ttl=3600)
    revocations = RedisRevocations.from_url(redis_server.url)
    revocations.initialize()
    with commands_to(redis_server) as sent:
        store.create(key_of(sid), record(value=value, subject=subject_key_of(subject)))
        store.save(key_of(sid), record(value=value, version=2, subject=subject_key_of(subject)), version=1)
        store.load(key_of(sid))
        store.sessions_of(subject, current=sid)
        revocations.is_revoked(sid, subject, time.time())
        revocations.revoke(sid)
        revocations.revoke_subject(subject)
    kept = b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
    kept += repr([client.hgetall(key) for key in client.scan_iter(_type="hash")]).encode()
    assert key_of(sid).encode() in kept  # the dump is one
    assert value[:60].encode() in kept
    assert any(value in command for command in sent)
    for secret in (sid, subject, canary):
        assert secret.encode() not in kept
        assert not any(secret in command for command in sent)


def test_an_error_of_the_server_is_raised_and_tells_neither_key_nor_value(
    redis_server: RedisServer, client: Redis
) -> None:
    client.acl_setuser("reader", enabled=True, nopass=True, keys=["*"], commands=["+@connection"])
    for replicas in (0, 1):
        denied = RedisStore(redis_server.client(username="reader", password="x"), replicas=replicas)
        for call in (lambda denied=denied: denied.load(A), lambda denied=denied: denied.create(A, record())):
            with pytest.raises(NoPermissionError) as caught:
                call()
            assert A not in str(caught.value)
            assert "a seal" not in str(caught.value)


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
def test_arguments_that_do_not_fit_are_refused_at_once(make: type[RedisStore | RedisRevocations]) -> None:
    client = Redis()
    for prefix in ("", "{one}:", 7):
        with pytest.raises(ConfigError, match="prefix"):
            make(client, prefix=prefix)  # type: ignore[arg-type]
    for replicas in (-1, True, "1"):
        with pytest.raises(ConfigError, match="replicas"):
            make(client, replicas=replicas)  # type: ignore[arg-type]
    replica = Sentinel([("127.0.0.1", 1)]).slave_for("sessions")
    with pytest.raises(ConfigError, match="reads from replicas"):
        make(replica)


def test_a_cluster_is_refused_where_its_answers_would_not_be_certain(redis_cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="Cluster"):
        RedisStore(redis_cluster.client(), replicas=1)
    with pytest.raises(ConfigError, match="reads from replicas"):
        RedisRevocations(redis_cluster.client(load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN))


def test_a_url_may_be_of_valkey_and_an_unreadable_one_is_not_quoted(redis_server: RedisServer) -> None:
    store = RedisStore.from_url(redis_server.url.replace("redis", "valkey"))
    assert store.create(A, record())
    assert RedisStore.from_url(redis_server.url).load(A) is not None
    for url in ("redis://user:pa#ssword@127.0.0.1:6379", "http://:password@127.0.0.1"):
        with pytest.raises(ConfigError) as caught:
            RedisStore.from_url(url)
        assert "ssword@" not in str(caught.value)
        assert caught.value.__cause__ is None
