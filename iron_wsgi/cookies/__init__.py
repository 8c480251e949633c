"""Cookies: one ``Set-Cookie`` line, its attributes, what a response must carry, what came in."""

from __future__ import annotations
