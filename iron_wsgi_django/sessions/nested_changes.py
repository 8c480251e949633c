"""Which of a session's values the application was given, and may have changed in place."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.base import SessionBase


class NestedChanges(SessionBase):
    """Notes the keys that are read, so that the commit only compares their values.

    ``session["cart"].append(7)`` changes a value in place, and Django does not notice. Methods that read one
    key expose its value; all others expose every value.
    """

    _exposed_keys: frozenset[str] = frozenset()
    _are_all_exposed = False

    def _data(self, *, no_load: bool = False) -> dict[str, Any]:
        """Return the data, of which the caller exposes no value, or notes the key."""
        raise NotImplementedError

    def _get_session(self, no_load: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Django's
        self._are_all_exposed = True
        return self._data(no_load=no_load)

    _session = property(_get_session)

    def __contains__(self, key: object) -> bool:
        """Tell whether the session has this key."""
        return key in self._data()

    def __getitem__(self, key: str) -> Any:
        """Return the value of *key*."""
        self._exposed_keys |= {key}
        return self._data()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, or *default* if there is none."""
        self._exposed_keys |= {key}
        return self._data().get(key, default)
