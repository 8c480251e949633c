"""The WSGI middleware and its cookie jars (PEP 3333)."""

from __future__ import annotations
