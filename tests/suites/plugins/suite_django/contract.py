"""What Django asks of every session engine, asked of the one that the settings name."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.test import TestCase
from sessions_tests.tests import SessionTestsMixin


class EngineTests(SessionTestsMixin, TestCase):
    """Django's tests of an engine, unchanged."""

    backend = import_module(settings.SESSION_ENGINE).SessionStore
    # Ours may touch no database at all, and Django sees to it.
    databases = frozenset({"default"} if settings.SESSION_ENGINE.startswith("django.") else ())
