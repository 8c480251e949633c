"""The commands ``manage.py iron_keygen`` and ``manage.py iron_inspect``."""

from __future__ import annotations
