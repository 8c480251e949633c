"""How Redis and SQL databases are talked to: connections, outages, names of records, locks."""

from __future__ import annotations
