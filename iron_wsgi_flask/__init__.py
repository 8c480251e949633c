"""Sessions in signed and encrypted cookies for Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import session as _session

from .interface import IronSessionInterface as IronSessionInterface
from .session import FlaskSession as FlaskSession
from .signals import session_conflict as session_conflict
from .signals import session_created as session_created
from .signals import session_destroyed as session_destroyed
from .signals import session_refused as session_refused
from .signals import session_renewed as session_renewed

if TYPE_CHECKING:
    session: FlaskSession
else:
    session = _session
