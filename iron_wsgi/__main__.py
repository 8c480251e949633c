"""``python -m iron_wsgi``: the command ``iron-wsgi`` where it is not on the path."""

from __future__ import annotations

from .cli.commands import main

raise SystemExit(main())
