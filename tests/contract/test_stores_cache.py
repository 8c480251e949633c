"""Any cache keeps what a store promises to one caller at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache, SimpleCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command

from iron_wsgi.stores import CacheStore, Store
from iron_wsgi.testing import FakeClock, StoreContract
from tests.unit import django_project

django_project.set_up()


class TestCachelibsSimpleCache(StoreContract):
    def store(self, clock: FakeClock) -> Store:
        return CacheStore(SimpleCache(), clock=clock)


class TestCachelibsFileSystemCache(StoreContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.folder = str(tmp_path)

    def store(self, clock: FakeClock) -> Store:
        return CacheStore(FileSystemCache(self.folder), clock=clock)


class TestDjangosMemoryCache(StoreContract):
    def store(self, clock: FakeClock) -> Store:
        cache = LocMemCache(f"contract {id(self)}", {})
        cache.clear()
        return CacheStore(cache, clock=clock)


@pytest.mark.django_db
class TestDjangosDatabaseCache(StoreContract):
    def store(self, clock: FakeClock) -> Store:
        call_command("createcachetable", "contract_cache", verbosity=0)
        return CacheStore(DatabaseCache("contract_cache", {}), clock=clock)


class Plain:
    """No timeouts, no ``add``; and bytes come back, as from clients that decode nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value.encode()

    def delete(self, key: str) -> None:
        del self.kept[key]


class TestAnObjectWithGetSetAndDelete(StoreContract):
    def store(self, clock: FakeClock) -> Store:
        return CacheStore(Plain(), clock=clock)
