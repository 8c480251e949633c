"""The Fe26.2 format: from bytes to a seal and back, its keys and passwords, and seals for other carriers."""

from __future__ import annotations
