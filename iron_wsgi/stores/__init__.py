"""Where sessions are kept on the server.

`SqlStore` and `RedisStore` have modules of their own, `iron_wsgi.stores.sql` and `iron_wsgi.stores.redis`,
because they need the extras ``sql`` and ``redis``.
"""

from __future__ import annotations

from .cache import CacheStore as CacheStore
from .memory import MemoryStore as MemoryStore
from .store import Record as Record
from .store import Store as Store
from .store import StoredSession as StoredSession
from .tiered import TieredStore as TieredStore
from .urls import open_store as open_store
