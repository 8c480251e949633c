"""Which sessions are over though their cookies would still open.

`SqlRevocations` and `RedisRevocations` have modules of their own, `iron_wsgi.revocation.sql` and
`iron_wsgi.revocation.redis`, because they need the extras ``sql`` and ``redis``.
"""

from __future__ import annotations

from .cached import CachedRevocations as CachedRevocations
from .memory import MemoryRevocations as MemoryRevocations
from .revocations import LONGEST as LONGEST
from .revocations import MARGIN as MARGIN
from .revocations import Revocations as Revocations
from .urls import open_revocations as open_revocations
