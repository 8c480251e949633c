"""Sessions around WSGI applications (PEP 3333)."""

from __future__ import annotations
