"""T-OUTAGE over HTTP: a site in use while its Redis fails, and what its visitors notice."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from iron_wsgi.revocation.redis import RedisRevocations
from tests.effort import repetitions
from tests.services.redis import RedisServer, Sentinels

from .gunicorn import Gunicorn, serving
from .load import Load
from .store_site import COOKIE, SENTINEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.needs("redis"), pytest.mark.servers]

BACK: Final = 2.0  # seconds after which all is well again
ROUNDS: Final = repetitions(1, 3)
STANDSTILL: Final = 5.0  # seconds
HELD: Final = 0.4  # seconds that any other outage lasts

MODES: Final = ["cookie", "store"]


class Site(NamedTuple):
    """A site and what it depends on."""

    gunicorn: Gunicorn
    redis: RedisServer


def options_of(mode: str, place: str) -> dict[str, Any]:
    """Return options by which sessions are in their cookies with a list at a place, or in a store there."""
    return {"revocations": place} if mode == "cookie" else {"storage": "store", "store": place}


@pytest.fixture(params=MODES, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site over a Redis that keeps what it is told."""
    folder = tmp_path_factory.mktemp(request.param)
    with RedisServer(folder / "redis", appendonly="yes") as redis:
        RedisRevocations.from_url(redis.url).initialize()
        options = options_of(request.param, redis.url)
        with serving("tests.servers.store_site:wsgi()", folder, COOKIE, STORE_SITE=repr(options)) as gunicorn:
            yield Site(gunicorn, redis)


@contextmanager
def visited(site: Gunicorn) -> Iterator[Load]:
    """Let visitors use the site; in the end none of them must have seen a fault."""
    with Load(site) as load:
        yield load
        load.wait_for_replays()
    assert load.faults == []


def test_while_redis_is_killed_again_and_again_nobody_is_signed_in_or_out_by_it(site: Site) -> None:
    with visited(site.gunicorn) as load:
        for _ in range(ROUNDS):
            refusals = load.counts["503"]
            site.redis.kill()
            time.sleep(HELD)
            site.redis.start()
            assert load.recovered_after(time.monotonic()) < BACK
            assert load.counts["503"] > refusals
    assert load.counts["lost"] == 0


@pytest.mark.long("stands still for five seconds")
def test_while_redis_stands_still_for_five_seconds_visitors_are_told_to_come_back(site: Site) -> None:
    with visited(site.gunicorn) as load:
        site.redis.freeze()
        time.sleep(STANDSTILL)
        site.redis.thaw()
        assert load.recovered_after(time.monotonic()) < BACK
        assert load.counts["503"] > 0


def test_when_redis_has_been_emptied_visitors_sign_in_again_and_no_ended_session_lives(site: Site) -> None:
    with visited(site.gunicorn) as load:
        load.is_forgetful = True
        for _ in range(ROUNDS):
            with site.redis.client() as client:
                client.flushall()
            load.wait_for_replays()
            assert load.recovered_after(time.monotonic()) < BACK
        assert load.counts["lost"] > 0


def test_when_redis_comes_back_without_its_data_no_ended_session_lives(site: Site) -> None:
    with visited(site.gunicorn) as load:
        load.is_forgetful = True
        site.redis.kill()
        site.redis.options["appendonly"] = "no"  # so its file is not read
        site.redis.start()
        assert load.recovered_after(time.monotonic()) < BACK
        load.wait_for_replays()
        assert load.counts["lost"] > 0
    site.redis.options["appendonly"] = "yes"
    with site.redis.client() as client:
        client.config_set("appendonly", "yes")


def test_while_redis_takes_no_writes_no_sign_out_is_confirmed_that_did_not_happen(site: Site) -> None:
    with visited(site.gunicorn) as load, site.redis.client() as client:
        client.replicaof("127.0.0.1", 1)  # where nobody is
        time.sleep(HELD)
        load.wait_for_replays()
        client.replicaof("NO", "ONE")
        assert load.recovered_after(time.monotonic()) < BACK
        assert load.counts["503"] > 0
    assert load.counts["lost"] == 0


def test_while_redis_is_out_of_memory_no_sign_out_is_confirmed_that_did_not_happen(site: Site) -> None:
    with visited(site.gunicorn) as load, site.redis.client() as client:
        client.config_set("maxmemory", 1)
        time.sleep(HELD)
        load.wait_for_replays()
        client.config_set("maxmemory", 0)
        assert load.recovered_after(time.monotonic()) < BACK
        assert load.counts["503"] > 0
    assert load.counts["lost"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_failover_by_sentinel_brings_no_ended_session_back_and_loses_none(
    mode: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(Sentinels(tmp_path / "redis"))
        place = SENTINEL + ",".join(str(one.port) for one in redis.sentinels)
        RedisRevocations(redis.client(), replicas=1).initialize()
        options = repr(options_of(mode, place))
        site = stack.enter_context(
            serving("tests.servers.store_site:wsgi()", tmp_path, COOKIE, STORE_SITE=options)
        )
        load = stack.enter_context(visited(site))
        former = redis.master()
        former.kill()
        redis.wait_for_failover(former)
        assert load.recovered_after(time.monotonic()) < BACK
        assert load.counts["503"] > 0
    assert load.counts["lost"] == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("framework", ["flask", "django"])
def test_a_site_of_a_framework_survives_its_redis_as_well(framework: str, mode: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path / "redis", appendonly="yes"))
        RedisRevocations.from_url(redis.url).initialize()
        options = options_of(mode, redis.url)
        given = {
            "IRON_SESSION": options,
            "ROOT_URLCONF": "tests.servers.store_pages",
        }
        site = stack.enter_context(
            serving(
                f"tests.servers.{'store_site:flask' if framework == 'flask' else 'django_site:wsgi'}()",
                tmp_path,
                COOKIE,
                STORE_SITE=repr(options),
                DJANGO_SITE=repr(given),
            )
        )
        with visited(site) as load:
            redis.kill()
            time.sleep(HELD)
            redis.start()
            assert load.recovered_after(time.monotonic()) < BACK
            redis.freeze()
            time.sleep(3 * HELD)
            redis.thaw()
            assert load.recovered_after(time.monotonic()) < BACK
            assert load.counts["503"] > 0
            assert load.counts["lost"] == 0
            load.is_forgetful = True
            with redis.client() as client:
                client.flushall()
            load.wait_for_replays()
            assert load.recovered_after(time.monotonic()) < BACK
