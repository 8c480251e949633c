"""Redis servers for tests: one alone, a Cluster of three, a master behind Sentinel.

A plugin of pytest with three fixtures, `redis_server`, `redis_cluster` and `redis_sentinel`, each empty at
the beginning of a test. A test module asks for it by ``pytest_plugins = ("tests.services.redis",)``. The
servers listen on loopback, and are stopped by their process ids when the run ends.

What a test breaks it breaks on a server of its own: ``with RedisServer(tmp_path) as server: ...``.

It has no assertions of its own to explain: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pytest
from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel
from typing_extensions import Self

from tests.parts import program

from .ports import free_port

WITHIN: Final = 20.0  # seconds for anything to happen
MASTER: Final = "sessions"
"""What Sentinel calls the master."""

PLAIN: Final[dict[str, str | int]] = {"appendonly": "no", "save": '""', "repl_diskless_sync_delay": 0}
"""A server that keeps nothing on disk, and lets a replica begin at once."""


def until(happened: Callable[[], object], within: float = WITHIN) -> None:
    """Wait for something that another process does; as long as it cannot be asked, it has not happened."""
    give_up_at = time.monotonic() + within
    while True:
        with contextlib.suppress(RedisError):
            if happened():
                return
        if time.monotonic() >= give_up_at:
            raise TimeoutError(f"this did not happen within {within} s")
        time.sleep(0.02)


def patient() -> dict[str, Any]:
    """Return the timeouts that clients should have: 250 ms, and what has broken is tried once more."""
    retry = Retry(NoBackoff(), 1, supported_errors=(NotConnected,))
    return {"socket_timeout": 0.25, "socket_connect_timeout": 0.25, "retry": retry}


class RedisServer:
    """One redis-server, which keeps its port and its folder however often it is started.

    Attributes:
        port: Where it listens.
        options: Its configuration, as in redis.conf; what is changed here counts from the next start.
    """

    def __init__(self, folder: Path, *, sentinel: bool = False, **options: str | int) -> None:
        """Keep data in *folder*; write ``maxmemory_policy`` for ``maxmemory-policy``."""
        self.port = free_port()
        self.options: dict[str, str | int] = dict(options) if sentinel else {**PLAIN, **options}
        self._sentinel = sentinel
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        """Start."""
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever has happened."""
        self.kill()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> Redis:
        """Return a client that waits long, and asks once."""
        return Redis(port=self.port, **{"socket_timeout": WITHIN, "retry": Retry(NoBackoff(), 0), **options})

    def start(self, *, ready: bool = True) -> Self:
        """Start; wait until it answers, unless it shall not be *ready* for commands."""
        lines = {"port": self.port, "bind": "127.0.0.1", "dir": self._folder, **self.options}
        text = "".join(f"{name.replace('_', '-')} {value}\n" for name, value in lines.items())
        file = self._folder / "redis.conf"
        if not (self._sentinel and file.exists()):  # Sentinel keeps what it knows there
            file.write_text(text)
        with (self._folder / "redis.log").open("ab") as log:
            command = [program("redis"), file, *(["--sentinel"] if self._sentinel else [])]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        if ready:
            with self.client() as client:
                until(client.ping)
        return self

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still: its socket accepts, and nobody answers."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._send(number)
        if self._process is not None:
            try:
                self._process.wait(WITHIN)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None


class Cluster:
    """A Redis Cluster of three masters, which together hold all slots.

    Attributes:
        servers: The three.
    """

    def __init__(self, folder: Path, **options: str | int) -> None:
        """Keep data in *folder*."""
        self.servers = [
            RedisServer(
                folder / str(number),
                cluster_enabled="yes",
                cluster_port=free_port(),
                cluster_node_timeout=5000,
                **options,
            )
            for number in range(3)
        ]

    def __enter__(self) -> Self:
        """Start the three and join them."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server).client() for server in self.servers]
            for epoch, client in enumerate(clients, 1):
                stack.callback(client.close)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
                start, end = 16384 * (epoch - 1) // 3, 16384 * epoch // 3 - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", start, end)
            for server in self.servers[1:]:
                meet = ("CLUSTER", "MEET", "127.0.0.1", server.port, server.options["cluster_port"])
                clients[0].execute_command(*meet)
            for client in clients:
                until(lambda client=client: self._is_whole(client))
            kept = stack.pop_all()
            for client in clients:
                client.close()
            self._stack = kept
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the three."""
        self._stack.close()

    def client(self, **options: Any) -> RedisCluster:
        """Return a client of them all that waits 250 ms, and asks once: it finds its way without retries."""
        patience = {**patient(), "retry": Retry(NoBackoff(), 0)}
        return RedisCluster(host="127.0.0.1", port=self.servers[0].port, **{**patience, **options})

    @staticmethod
    def _is_whole(client: Redis) -> bool:
        info: Mapping[Any, Any] = client.execute_command("CLUSTER INFO")
        return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"


class Sentinels:
    """A master with replicas, and Sentinels that put a replica in its place when it is gone.

    Attributes:
        servers: All that keep data; the first is the master at the beginning.
        sentinels: Those that watch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 2,
        sentinels: int = 1,
        down_after: float = 0.5,
        **options: str | int,
    ) -> None:
        """Keep data in *folder*; take the master for gone when it was silent for *down_after* seconds."""
        master = RedisServer(folder / "0", **options)
        self.servers = [master]
        for number in range(1, replicas + 1):
            of_master = {"replicaof": f"127.0.0.1 {master.port}", **options}
            self.servers.append(RedisServer(folder / str(number), **of_master))
        watched = {
            "sentinel monitor": f"{MASTER} 127.0.0.1 {master.port} {sentinels // 2 + 1}",
            "sentinel down-after-milliseconds": f"{MASTER} {int(down_after * 1000)}",
            "sentinel failover-timeout": f"{MASTER} 3000",
        }
        self.sentinels = [
            RedisServer(folder / f"sentinel-{number}", sentinel=True, **watched)
            for number in range(sentinels)
        ]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start them, and wait until the Sentinels know all replicas."""
        with self._stack:
            for server in (*self.servers, *self.sentinels):
                self._stack.enter_context(server)
            for sentinel in self.sentinels:
                until(lambda sentinel=sentinel: self._knows_all(sentinel))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them all."""
        self._stack.close()

    def client(self, **options: Any) -> Redis:
        """Return a client that follows the master and waits 250 ms."""
        client: Redis = self._sentinel().master_for(MASTER, **{**patient(), **options})
        return client

    def master(self) -> RedisServer:
        """Return who is the master now, as the Sentinels say.

        Raises:
            MasterNotFoundError: They are looking for one.
        """
        _, port = self._sentinel(socket_timeout=WITHIN).discover_master(MASTER)
        return next(server for server in self.servers if server.port == port)

    def _sentinel(self, **options: Any) -> Sentinel:
        places = [("127.0.0.1", one.port) for one in self.sentinels]
        return Sentinel(places, sentinel_kwargs={**patient(), **options})

    def wait_for_failover(self, former: RedisServer) -> None:
        """Wait until another server than *former* is the master, and says so itself."""

        def has_happened() -> bool:
            if (master := self.master()) is former:
                return False
            with master.client(decode_responses=True) as client:
                return bool(client.execute_command("ROLE")[0] == "master")

        until(has_happened)

    def _knows_all(self, sentinel: RedisServer) -> bool:
        with sentinel.client(decode_responses=True) as client, self.servers[0].client() as master:
            state = client.execute_command("SENTINEL", "MASTER", MASTER)
            state = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
            replicas = len(self.servers) - 1
            if int(state.get("num-slaves", 0)) != replicas:
                return False
            # What is written on one connection is waited for on the same.
            answers = (
                master.pipeline(transaction=False).set("probe", 1).execute_command("WAIT", replicas, 100)
            )
            return bool(answers.execute()[1] == replicas)


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def _redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _redis_sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinels]:
    # No failover because the machine is busy.
    with Sentinels(tmp_path_factory.mktemp("sentinel"), down_after=30) as sentinels:
        yield sentinels


@pytest.fixture
def redis_server(_redis_server: RedisServer) -> RedisServer:
    """Return one server, which is empty."""
    with _redis_server.client() as client:
        client.flushall()
    return _redis_server


@pytest.fixture
def redis_cluster(_redis_cluster: Cluster) -> Cluster:
    """Return a Cluster, which is empty."""
    for server in _redis_cluster.servers:
        with server.client() as client:
            client.flushall()
    return _redis_cluster


@pytest.fixture
def redis_sentinel(_redis_sentinel: Sentinels) -> Sentinels:
    """Return a master behind Sentinel, which is empty."""
    with _redis_sentinel.servers[0].client() as client:
        client.flushall()
    return _redis_sentinel
