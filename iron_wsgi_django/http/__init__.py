"""How a Django request and response look to the core: cookies in, cookies out."""

from __future__ import annotations
