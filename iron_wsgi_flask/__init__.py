"""Sessions in signed and encrypted cookies for Flask."""

from __future__ import annotations

from .interface import FlaskSession as FlaskSession
from .interface import IronSessionInterface as IronSessionInterface
