"""What ``manage.py`` offers."""

from __future__ import annotations
