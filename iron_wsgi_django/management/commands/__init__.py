"""The commands of ``manage.py``, one file each."""

from __future__ import annotations
