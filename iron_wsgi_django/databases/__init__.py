"""The store and the list of revocations in one of the databases or caches of the site."""

from __future__ import annotations
