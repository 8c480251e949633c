"""The asynchronous methods of Django's sessions, in a thread only where a server is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi import CookieJar
from iron_wsgi.sessions.state import State
from iron_wsgi_django import conf
from iron_wsgi_django.http.jars import KeyJar
from iron_wsgi_django.older_cookies import may_be_row_key

T = TypeVar("T")


class AsyncMethods(SessionBase):
    """Answers each asynchronous method with the synchronous one.

    A session in its cookie needs no waiting, so the method is called at once. A store, a list of revocations
    or a row of Django's own (``accept=("db",)``) is asked in a thread, which has Django's database
    connections.
    """

    accessed: bool
    modified: bool
    jar: CookieJar | None = None
    _state: State | None = None

    def _opened(self) -> State:
        raise NotImplementedError

    def needs_server(self) -> bool:
        """Tell whether a store, a list or a row of Django's is asked to open or write the session."""
        options = conf.options()
        if options.has_server_state or "db" not in options.accept:
            return options.has_server_state
        return may_be_row_key(self.jar or KeyJar(self.session_key))

    async def aopen(self) -> None:
        """Open the session, so that its data can be used without waiting. This is no access."""
        if self._state is None and self.needs_server():
            was_accessed = self.accessed
            await sync_to_async(self._opened)()
            self.accessed = was_accessed

    async def _call(self, method: Callable[..., T], *arguments: object) -> T:
        if self.needs_server():
            return await sync_to_async(method)(*arguments)
        return method(*arguments)

    async def _aget_session(self, no_load: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Django's
        await self.aopen()
        data: dict[str, Any] = self._get_session(no_load=no_load)
        return data

    async def aget(self, key: str, default: Any = None) -> Any:
        """See `get`."""
        await self.aopen()
        return self.get(key, default)

    async def aload(self) -> dict[str, Any]:
        """See `load`."""
        data: dict[str, Any] = await self._call(self.load)
        return data

    async def asave(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """See `save`."""
        await self._call(self.save, must_create)

    async def acreate(self) -> None:
        """See `create`."""
        await self._call(self.create)

    async def adelete(self, session_key: str | None = None) -> None:
        """See `delete`."""
        await self._call(self.delete, session_key)

    async def aflush(self) -> None:
        """See `flush`."""
        await self._call(self.flush)

    async def acycle_key(self) -> None:
        """See `cycle_key`."""
        await self._call(self.cycle_key)

    async def aexists(self, session_key: str | None) -> bool:
        """See `exists`."""
        return bool(await self._call(self.exists, session_key))

    async def _aget_new_session_key(self) -> str:
        return str(self._get_new_session_key())

    async def adelete_test_cookie(self) -> None:
        """Delete the test cookie's value. Django's own method does not mark the session as modified."""
        await super().adelete_test_cookie()
        self.modified = True

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
        if conf.options().has_server_state:
            await sync_to_async(cls.clear_expired)()
