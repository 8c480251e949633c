"""The asynchronous half of Django's session interface, without threads."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi.state import State


class AsynchronousHalf(SessionBase):
    """Answers every asynchronous method by the synchronous one, at once, since nothing there waits.

    Except while ``accept=("db",)`` is on, for cookies that may name a row of Django's own sessions: those are
    opened in a thread, as Django opens them.
    """

    accessed: bool
    modified: bool
    _state: State | None = None

    def _opened(self) -> State:
        raise NotImplementedError

    def asks_the_database(self) -> bool:
        """Tell whether opening the session means to look for a row of Django's own."""
        raise NotImplementedError

    async def aopen(self) -> None:
        """Open the session, which is then used without waiting. Is no access."""
        if self._state is None and self.asks_the_database():
            was_accessed = self.accessed
            await sync_to_async(self._opened)()
            self.accessed = was_accessed

    async def _aget_session(self, no_load: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Django's
        await self.aopen()
        data: dict[str, Any] = self._get_session(no_load=no_load)
        return data

    async def aload(self) -> dict[str, Any]:
        """See `load`."""
        load = sync_to_async(self.load) if self.asks_the_database() else None
        data: dict[str, Any] = self.load() if load is None else await load()
        return data

    async def asave(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """See `save`."""
        await self.aopen()
        self.save(must_create=must_create)

    async def acreate(self) -> None:
        """See `create`."""
        await self.aopen()
        self.create()

    async def adelete(self, session_key: str | None = None) -> None:
        """See `delete`."""
        await self.aopen()
        self.delete(session_key)

    async def aflush(self) -> None:
        """See `flush`."""
        await self.aopen()
        self.flush()

    async def acycle_key(self) -> None:
        """See `cycle_key`."""
        await self.aopen()
        self.cycle_key()

    async def aexists(self, session_key: str | None) -> bool:
        """See `exists`."""
        return bool(self.exists(session_key))

    async def _aget_new_session_key(self) -> str:
        return str(self._get_new_session_key())

    async def adelete_test_cookie(self) -> None:
        """Remove the test cookie's value; Django's own forgets that this is a change."""
        await super().adelete_test_cookie()
        self.modified = True

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
        cls.clear_expired()
