"""The passwords of this process, and the session options that go with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from iron_wsgi import SessionOptions, generate_password

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

COOKIE: Final = "wsgi_playground"  # browsers share cookies between ports, so every demo has its own name
KEPT: Final = 4  # passwords; a session that nobody used during the last three rotations is over


@final
class Keyring:
    """Makes a password at the start and one more at each rotation; all are gone when the process ends.

    A real site reads its passwords from where it keeps secrets, so that they outlive a restart.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make the first password. Sessions live by *clock*, which returns epoch seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._passwords = {1: generate_password()}
        self._options = self._current()

    def options(self, environ: WSGIEnvironment) -> SessionOptions:
        """Return the options for a request: Secure over https, and whatever passwords there are by now."""
        return self._options[environ["wsgi.url_scheme"]]

    def rotate(self) -> int:
        """Add a password that seals from now on, drop the oldest of too many, and return the new one's id."""
        with self._lock:
            newest = max(self._passwords) + 1
            passwords = {**self._passwords, newest: generate_password()}
            self._passwords = {number: passwords[number] for number in sorted(passwords)[-KEPT:]}
            # Requests read this attribute once and without the lock: it is replaced whole, never changed.
            self._options = self._current()
        return newest

    def _current(self) -> dict[str, SessionOptions]:
        plain = SessionOptions(
            password=self._passwords,
            cookie_name=COOKIE,
            ttl=30 * 60,
            refresh_after=60,
            absolute_timeout=8 * 60 * 60,
            cookie_options={"secure": False},
            clock=self._clock,
        )
        return {"http": plain, "https": plain.replace(cookie_options={"secure": True})}
