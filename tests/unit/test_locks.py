from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

from iron_wsgi.servers.locks import Lock, _renew
from iron_wsgi.stores import MemoryStore


def _child_can_take(lock: Lock) -> bool:
    """Whether a child of this process gets the lock, which is held here."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - another process
        taker = threading.Thread(target=lambda: (lock.__enter__(), os.write(writing, b"x")), daemon=True)
        taker.start()
        taker.join(10)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as answer:
        return answer.read() == b"x"


def test_a_lock_lets_one_in_at_a_time() -> None:
    lock, order = Lock(), []
    with lock:
        other = threading.Thread(target=lambda: (lock.__enter__(), order.append("other")))
        other.start()
        other.join(0.05)
        order.append("first")
    other.join(10)
    assert order == ["first", "other"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is what is tried
def test_a_lock_that_was_held_at_a_fork_is_open_in_the_child_and_held_here() -> None:
    lock = Lock()
    with lock:
        assert _child_can_take(lock)
        assert lock._lock.locked()


def test_a_lock_that_is_renewed_is_open_and_one_that_is_gone_is_none() -> None:
    lock = Lock()
    with lock:
        _renew(lock)
        with lock:
            assert lock._lock.locked()
        lock._lock.acquire()
    _renew(None)


def test_where_there_is_no_fork_there_are_locks_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    with Lock() as nothing:
        assert nothing is None


def test_what_has_a_lock_is_not_kept_alive_by_it() -> None:
    store = MemoryStore()
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
