"""The connection of stores and lists to Redis: commands, scripts and answers."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, final

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoScriptError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from iron_wsgi.errors import ConfigError, Unavailable
from iron_wsgi.times import milliseconds

RedisClient: TypeAlias = "Redis | RedisCluster"
"""A client of redis-py. It may decode responses or not, and speak to Redis or to Valkey."""

PATIENCE: Final = 0.25
"""Seconds that a server has to answer, where the client is made here."""

REPLICATED_WITHIN: Final = 200
"""Milliseconds that replicas have to acknowledge; less than the client's patience, so that it hears of it."""


@final
@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script over one key, which Redis runs as one step.

    Attributes:
        text: Its source.
        sha: The name by which a server knows it that has run it before.
    """

    text: str = field(repr=False)
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def connect(url: str) -> RedisClient:
    """Return a client for ``redis://``, ``rediss://``, ``unix://``, ``valkey://`` or ``valkeys://``.

    It waits 250 ms for a connection and for each answer; a query string in the URL (``?socket_timeout=1``)
    says otherwise. What fails because a connection has broken is tried once more. What took too long is not:
    a second attempt would double the wait and could write twice.

    Raises:
        ConfigError: The URL cannot be read.
    """
    try:
        return Redis.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
        )
    except ValueError:  # its text may quote a part of the password
        msg = "the Redis URL cannot be read; in its user or password @ / # % : must be percent-encoded"
        raise ConfigError(msg) from None


@final
class RedisLink:
    """Sends commands and returns bare answers: bytes, whatever the client decodes.

    Decoding is left out for safety: a value that is no text would fail in the middle of an answer.

    Attributes:
        is_cluster: Whether keys are spread over several servers.
    """

    def __init__(self, client: RedisClient, prefix: str, replicas: int) -> None:
        """Check how the client is set up.

        Raises:
            ConfigError: Answers could be out of date, or the arguments do not fit the client.
        """
        if isinstance(client, (str, bytes)):
            msg = "give a client of redis-py; for a URL there is from_url()"
            raise ConfigError(msg)
        self.is_cluster = isinstance(client, RedisCluster)
        if not isinstance(prefix, str) or not prefix or "{" in prefix or "}" in prefix:
            msg = f"the prefix must be some text without braces, not {prefix!r}"
            raise ConfigError(msg)
        if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
            msg = f"replicas must be a number, 0 or more, not {replicas!r}"
            raise ConfigError(msg)
        if replicas and self.is_cluster:
            msg = "a Cluster cannot be made to wait for replicas: leave replicas=0, or use Sentinel"
            raise ConfigError(msg)
        if _reads_from_replicas(client):
            msg = "the client reads from replicas, which may not know yet what was deleted"
            raise ConfigError(msg)
        self._client = client
        self._replicas = replicas
        # redis-py may go on with a connection to a Sentinel's master that has timed out. The late answer must
        # not be taken for that to the next question, which may be about another session.
        pool = getattr(client, "connection_pool", None)
        self._pool = pool if isinstance(pool, SentinelConnectionPool) else None

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands together, in this order, and return their answers: one round trip.

        Raises:
            RedisError: One of them failed, or the server did not answer.
            Unavailable: Fewer replicas than wanted have acknowledged, or the answers are to other commands.
        """
        if len(commands) == 1 and not self._replicas and not self._pool:
            return [self._client.execute_command(*commands[0], NEVER_DECODE=[])]  # type: ignore[no-untyped-call]
        pipeline = self._client.pipeline(transaction=False)
        nonce = secrets.token_hex(8)
        for command in [("ECHO", nonce), *commands] if self._pool else commands:
            pipeline.execute_command(*command, NEVER_DECODE=[])
        if self._replicas:
            # On the same connection: it is that connection's writes which are waited for. Reads wait too: a
            # master that was cut off and whose replicas have left it must not be believed.
            pipeline.execute_command("WAIT", self._replicas, REPLICATED_WITHIN)
        # An error raised by the pipeline itself would quote the command's arguments.
        answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        if self._pool and answers.pop(0) != nonce.encode():
            self._pool.disconnect(inuse_connections=False)
            msg = "Redis gave a late answer, to another question"
            raise Unavailable(msg)
        if self._replicas and (acknowledged := answers.pop()) < self._replicas:
            msg = f"{acknowledged} of {self._replicas} Redis replicas have acknowledged"
            raise Unavailable(msg)
        return answers

    def run(self, script: Script, key: str, *arguments: str | int) -> Any:
        """Run *script* on *key* and return its answer."""
        try:
            (answer,) = self.ask(("EVALSHA", script.sha, 1, key, *arguments))
        except NoScriptError:  # a server that was restarted knows none
            (answer,) = self.ask(("EVAL", script.text, 1, key, *arguments))
        return answer


def last_millisecond(expires_at: float) -> int:
    """Return what to tell Redis, which lets a key live through the millisecond that it is told."""
    return milliseconds(expires_at) - 1


def _reads_from_replicas(client: RedisClient) -> bool:
    pool = getattr(client, "connection_pool", None)  # a Sentinel's pool knows which kind it is
    return bool(
        getattr(client, "read_from_replicas", False)
        or getattr(client, "load_balancing_strategy", None)
        or not getattr(pool, "is_master", True)
    )
