"""Two writers of one session: what is to be kept of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, final

_ABSENT: Final = object()


@final
class Merged(NamedTuple):
    """What came of two changes to one mapping.

    Attributes:
        data: The result.
        conflicts: The keys that both had changed, and that are as we left them.
    """

    data: dict[str, Any]
    conflicts: list[str]


def merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    *,
    is_same: Callable[[Any, Any], bool],
) -> Merged:
    """Merge two changes of *base*, top-level key by top-level key.

    Where both have the same value it is our object that is kept: the application may hold it, and change it.

    A key that one side alone has changed, added or removed is as that side left it. One that both have is as
    we left it, and is a conflict even where both left the same value: of two increments from 5 to 6 one is
    lost.

    Args:
        base: What both began with.
        ours: What we made of it.
        theirs: What somebody else made of it, and has written.
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
