"""Sessions in signed and encrypted cookies for Django: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""

from __future__ import annotations

from iron_wsgi import Sealer

from .conf import options as _options


def sealer(purpose: str) -> Sealer:
    """Return a sealer for *purpose*, under the password that the settings give to sessions.

    ::

        links = sealer("magic-link")
        token = links.seal({"user_id": 7}, ttl=900)  # opens under no other purpose, and is no session

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    options = _options()
    return Sealer(options.password, purpose=purpose, iterations=options.iterations, clock=options.clock)
