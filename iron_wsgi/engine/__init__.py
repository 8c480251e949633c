"""The engine, the upper floor: which cookie is the session, and what the response must carry."""

from __future__ import annotations
