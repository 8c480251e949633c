"""The asynchronous half of Django's session interface, without threads where nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi.sessions.state import State

from . import conf

T = TypeVar("T")


class AsynchronousHalf(SessionBase):
    """Answers every asynchronous method by the synchronous one.

    At once, where a session is in its cookie, so that nothing waits. In a thread where a store or a list is
    asked, or a row of Django's own (``accept=("db",)``): there Django's database connections are, too.
    """

    accessed: bool
    modified: bool
    _state: State | None = None

    def _opened(self) -> State:
        raise NotImplementedError

    def waits(self) -> bool:
        """Tell whether to open or to write the session means to ask a server."""
        raise NotImplementedError

    async def aopen(self) -> None:
        """Open the session, whose data are then used without waiting. Is no access."""
        if self._state is None and self.waits():
            was_accessed = self.accessed
            await sync_to_async(self._opened)()
            self.accessed = was_accessed

    async def _answer(self, method: Callable[..., T], *arguments: object) -> T:
        if self.waits():
            return await sync_to_async(method)(*arguments)
        return method(*arguments)

    async def _aget_session(self, no_load: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Django's
        await self.aopen()
        data: dict[str, Any] = self._get_session(no_load=no_load)
        return data

    async def aload(self) -> dict[str, Any]:
        """See `load`."""
        data: dict[str, Any] = await self._answer(self.load)
        return data

    async def asave(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """See `save`."""
        await self._answer(self.save, must_create)

    async def acreate(self) -> None:
        """See `create`."""
        await self._answer(self.create)

    async def adelete(self, session_key: str | None = None) -> None:
        """See `delete`."""
        await self._answer(self.delete, session_key)

    async def aflush(self) -> None:
        """See `flush`."""
        await self._answer(self.flush)

    async def acycle_key(self) -> None:
        """See `cycle_key`."""
        await self._answer(self.cycle_key)

    async def aexists(self, session_key: str | None) -> bool:
        """See `exists`."""
        return bool(await self._answer(self.exists, session_key))

    async def _aget_new_session_key(self) -> str:
        return str(self._get_new_session_key())

    async def adelete_test_cookie(self) -> None:
        """Remove the test cookie's value; Django's own forgets that this is a change."""
        await super().adelete_test_cookie()
        self.modified = True

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
        if conf.options().has_server_state:
            await sync_to_async(cls.clear_expired)()
