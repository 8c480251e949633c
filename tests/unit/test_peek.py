"""What a cookie tells by itself: `Engine.peek`, which asks no server and reports nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from iron_wsgi import Event, SessionOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi.vaults.seal_vault import SealVault

from .shaky import ShakyList, ShakyStore
from .visitor import NOW, OTHER, PASSWORD, payload, sealed

TTL: Final = 14 * 86_400
MODES: Final = {"store": {"storage": "store"}, "overflow": {"overflow": "store"}}
LARGE: Final = "x" * 5000


@pytest.fixture
def store(clock: FakeClock) -> ShakyStore:
    return ShakyStore(clock)


@pytest.fixture
def make(clock: FakeClock) -> Callable[..., Engine]:
    """Makes an engine whose references carry the key ``kind``."""
    vault = partial(SealVault, reference_keys=("kind",))
    options = {"password": PASSWORD, "cookie_name": "s", "clock": clock}
    return lambda **more: Engine(SessionOptions(**options, **more), vault=vault)


def value_of(engine: Engine, data: dict[str, Any], *, state: State | None = None) -> str:
    """The cookie's value when *data* was written."""
    state = State(issued_at=NOW) if state is None else state
    state.data.update(data)
    state.modified = True
    return engine.commit(state).cookies[0].value


def test_a_seal_tells_the_session(make: Callable[..., Engine]) -> None:
    state = make().peek(DictJar({"s": sealed({"user": 7})}))
    assert (state.data, state.is_new) == ({"user": 7}, False)


def test_of_several_seals_the_one_that_expires_last_tells_it(make: Callable[..., Engine]) -> None:
    values = [sealed({"user": user}, expires_at=NOW + user) for user in (5, 7, 6)]
    assert make().peek(DictJar({"s": values})).data == {"user": 7}


@pytest.mark.parametrize(
    "value", ["junk", "", sealed({"user": 7}, password=OTHER), sealed({"user": 7}, expires_at=1)]
)
def test_what_cannot_be_trusted_tells_nothing_and_is_not_reported(
    make: Callable[..., Engine], value: str
) -> None:
    events: list[Event] = []
    state = make(on_event=events.append).peek(DictJar({"s": value}))
    assert (state.data, state.is_new, events) == ({}, True, [])


def test_no_list_is_asked(make: Callable[..., Engine], clock: FakeClock) -> None:
    revocations = ShakyList(clock)
    engine = make(revocations=revocations)
    value = value_of(engine, {"user": 7})
    revocations.calls.clear()
    assert engine.peek(DictJar({"s": value})).data == {"user": 7}
    assert revocations.calls == []


@pytest.mark.parametrize("mode", MODES)
def test_a_reference_tells_the_keys_that_it_carries_and_no_store_is_asked(
    make: Callable[..., Engine], store: ShakyStore, mode: str
) -> None:
    engine = make(store=store, **MODES[mode])
    value = value_of(engine, {"kind": "long", "cart": LARGE})
    assert payload(value).keys() == {"kind", "_iron"}
    store.calls.clear()
    assert engine.peek(DictJar({"s": value})).data == {"kind": "long"}
    assert store.calls == []
    assert engine.open(DictJar({"s": value})).data == {"kind": "long", "cart": LARGE}


@pytest.mark.parametrize("mode", MODES)
def test_the_record_decides_and_a_reference_that_differs_is_written_anew(
    make: Callable[..., Engine], store: ShakyStore, mode: str
) -> None:
    engine = make(store=store, **MODES[mode])
    value = value_of(engine, {"kind": "long", "cart": LARGE})
    assert not engine.open(DictJar({"s": value})).is_outdated
    newer = value_of(engine, {"kind": "short"}, state=engine.open(DictJar({"s": value})))
    state = engine.open(DictJar({"s": value}))
    assert (state.data["kind"], state.is_outdated) == ("short", True)
    assert not engine.open(DictJar({"s": newer})).is_outdated


def test_the_size_counts_what_a_reference_carries(make: Callable[..., Engine], store: ShakyStore) -> None:
    engine = make(store=store, storage="store")
    state = State(data={"kind": "x" * 500}, issued_at=NOW, modified=True)
    size = engine.size(state)
    assert size == len(engine.commit(state).cookies[0].header)
