"""Timing several ways of doing one thing against each other, on a machine that is busy with more."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

Timer: TypeAlias = Callable[[int], float]
"""Does the thing so many times and returns the seconds that it took."""

MANY: Final = 1_000_000  # calls in one turn
TRIES: Final = 5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Attributes:
        turn: Seconds of one turn: long beside the clock's grain, short beside another program's interruption.
        share: Seconds for each of the things compared, in all.
        turns: The least number of turns that each gets, however long they take.
    """

    turn: float
    share: float
    turns: int


THOROUGH: Final = Effort(turn=0.002, share=1.2, turns=20)
QUICK: Final = Effort(turn=0.0, share=0.0, turns=1)
"""Every line, once, to see that it works; the figures say nothing."""


def python(function: Callable[[], object]) -> Timer:
    """Return what times calls of *function*."""
    return timeit.Timer(function).timeit


def compare(timers: Mapping[str, Timer], effort: Effort) -> dict[str, float]:
    """Return the seconds of one call for each of *timers*: the least that was seen in any turn.

    They take turns, each round in another order, so that whatever slows the machine down hits all alike. The
    least of many short turns is the one that nothing interrupted.
    """
    calls = {name: _calls(timer, effort) for name, timer in timers.items()}
    least = dict.fromkeys(timers, float("inf"))
    order = list(timers)
    spent, rounds = 0.0, 0
    while rounds < effort.turns or spent < effort.share * len(timers):
        for name in order:
            took = timers[name](calls[name])
            spent += took
            least[name] = min(least[name], took / calls[name])
        order.append(order.pop(0))
        rounds += 1
    return least


def same(found: object, wanted: object) -> None:
    """Refuse to measure what does not do its work."""
    if found != wanted:
        msg = f"what is to be measured gave {found!r} instead of {wanted!r}"
        raise AssertionError(msg)


def _calls(timer: Timer, effort: Effort) -> int:
    """Return how many calls fill a turn. Finding out warms everything up."""
    calls = 1
    while effort.turn and calls < MANY:
        # Of several, since one that something interrupted would pass for a full turn.
        took = min(timer(calls) for _ in range(TRIES))
        if took >= effort.turn:
            break
        wanted = round(effort.turn / max(took, 1e-9) * calls)
        calls = min(max(calls + 1, wanted), calls * 10)
    return calls
