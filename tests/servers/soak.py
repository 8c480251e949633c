"""Outages again and again: a site in use, whose Redis fails in one way after the other.

::

    python -m tests.servers.soak                 # two minutes for each mode
    python -m tests.servers.soak --minutes 60

It ends with 1 at the first thing that a visitor must not see, and says how to have the same again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from iron_wsgi.revocation.redis import RedisRevocations
from tests.services.redis import RedisServer, Sentinels

from .gunicorn import serving
from .load import Load
from .store_site import COOKIE, SENTINEL
from .test_outages import BACK, MODES, options_of

Outage = Callable[[RedisServer, Load, float], None]


def kill(redis: RedisServer, _load: Load, held: float) -> None:
    """Kill it, and start it again with what it had written down."""
    redis.kill()
    time.sleep(held)
    redis.start()


def freeze(redis: RedisServer, _load: Load, held: float) -> None:
    """Let it stand still, sometimes for long."""
    redis.freeze()
    time.sleep(held * 3)
    redis.thaw()


def empty(redis: RedisServer, load: Load, _held: float) -> None:
    """Let it forget everything."""
    load.is_forgetful = True
    with redis.client() as client:
        client.flushall()


def close(redis: RedisServer, _load: Load, held: float) -> None:
    """Let it take no writes."""
    with redis.client() as client:
        client.replicaof("127.0.0.1", 1)
        time.sleep(held)
        client.replicaof("NO", "ONE")


def fill(redis: RedisServer, _load: Load, held: float) -> None:
    """Leave it no memory."""
    with redis.client() as client:
        client.config_set("maxmemory", 1)
        time.sleep(held)
        client.config_set("maxmemory", 0)


def cut(redis: RedisServer, _load: Load, held: float) -> None:
    """Break all connections, again and again."""
    over_at = time.monotonic() + held
    with redis.client() as client:
        while time.monotonic() < over_at:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            client.script_flush()
            time.sleep(0.02)


OUTAGES: Final[list[Outage]] = [kill, freeze, empty, close, fill, cut]


def soak(mode: str, seconds: float, seed: int) -> None:
    """Let one Redis fail until the time is over."""
    choices = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisServer(folder / "redis", appendonly="yes"))
        RedisRevocations.from_url(redis.url).initialize()
        site = stack.enter_context(
            serving(
                "tests.servers.store_site:wsgi()",
                folder,
                COOKIE,
                STORE_SITE=repr(options_of(mode, redis.url)),
            )
        )
        over_at = time.monotonic() + seconds
        while time.monotonic() < over_at:
            outage = choices.choice(OUTAGES)
            with Load(site, seed=choices.randrange(2**32)) as load:
                outage(redis, load, choices.uniform(0.1, 2))
                after = load.recovered_after(time.monotonic())
                load.wait_for_replays()
            tell(mode, outage.__name__, after, load)


def soak_failovers(mode: str, seconds: float, seed: int) -> None:
    """Let masters fail behind Sentinel, some of which come back, until the time is over."""
    choices = random.Random(seed)
    over_at = time.monotonic() + seconds
    while time.monotonic() < over_at:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            redis = stack.enter_context(Sentinels(folder / "redis"))
            RedisRevocations(redis.client(), replicas=1).initialize()
            place = SENTINEL + ",".join(str(one.port) for one in redis.sentinels)
            site = stack.enter_context(
                serving(
                    "tests.servers.store_site:wsgi()",
                    folder,
                    COOKIE,
                    STORE_SITE=repr(options_of(mode, place)),
                )
            )
            with Load(site, seed=choices.randrange(2**32)) as load:
                former = redis.master()
                comes_back = choices.random() < 0.5
                (former.freeze if comes_back else former.kill)()
                redis.wait_for_failover(former)
                after = load.recovered_after(time.monotonic())
                if comes_back:  # it believes that it is the master still
                    former.thaw()
                    load.recovered_after(time.monotonic())
                load.wait_for_replays()
            tell(mode, "failover" + ", and it comes back" * comes_back, after, load)


def tell(mode: str, outage: str, after: float, load: Load) -> None:
    """Print what happened, and end where something must not have."""
    counts = ", ".join(f"{count} {what}" for what, count in sorted(load.counts.items()))
    sys.stdout.write(f"{mode:6} {outage:27} well after {after:.2f} s; {counts}\n")
    sys.stdout.flush()
    faults = [*load.faults, *([f"well only after {after:.2f} s"] if after >= BACK else [])]
    if faults:
        raise SystemExit("\n".join(faults))


def main() -> None:
    """Soak in every mode."""
    parser = argparse.ArgumentParser(description="Let Redis fail under a site in use.")
    parser.add_argument("--minutes", type=float, default=2, help="for each mode (2)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    sys.stdout.write(f"--seed {arguments.seed}\n")
    for mode in MODES:
        soak(mode, arguments.minutes * 45, arguments.seed)
        soak_failovers(mode, arguments.minutes * 15, arguments.seed)


if __name__ == "__main__":
    main()
