"""Merging: two requests changed one session, and both changes are kept where they can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, final

_ABSENT: Final = object()


@final
class Merged(NamedTuple):
    """The result of two changes to one mapping.

    Attributes:
        data: The result.
        conflicts: The keys that both sides changed. They have our value.
    """

    data: dict[str, Any]
    conflicts: list[str]

    def __repr__(self) -> str:
        """Show no content."""
        return "<Merged>"


def merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    *,
    is_same: Callable[[Any, Any], bool],
) -> Merged:
    """Merge two changes of *base*, top-level key by top-level key.

    A key that one side changed, added or removed gets the value of that side. A key that both sides changed
    gets our value and is a conflict, even if both are equal: of two increments from 5 to 6 one is lost.
    Of equal values our object is kept, because the application may hold it.

    Args:
        base: The mapping before both changes.
        ours: The mapping with our change.
        theirs: The mapping with the change that another request has written.
        is_same: Compares two values.
    """

    def is_equal(one: object, other: object) -> bool:
        if one is _ABSENT or other is _ABSENT:
            return one is other
        return is_same(one, other)

    data = {
        key: ours[key] if is_equal(ours.get(key, _ABSENT), value) else value for key, value in theirs.items()
    }
    conflicts: list[str] = []
    for key in (*ours, *(key for key in base if key not in ours)):
        before, mine, others = (side.get(key, _ABSENT) for side in (base, ours, theirs))
        if is_equal(mine, before):
            continue
        if not is_equal(others, before):
            conflicts.append(key)
        if mine is _ABSENT:
            data.pop(key, None)
        else:
            data[key] = mine
    return Merged(data, conflicts)
