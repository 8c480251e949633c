"""Where to go after signing in: the parameter ``next``, if it leads nowhere else."""

from __future__ import annotations

import re
from typing import Final

# What is allowed, not what is forbidden: browsers take "//host" and "/\host" for another host, and overlook a
# tab or a line's end in between.
_PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]*")


def is_local(address: str) -> bool:
    r"""Tell whether *address* is a path on this very site: one slash, then printable ASCII without ``\``."""
    return _PATH.fullmatch(address) is not None
