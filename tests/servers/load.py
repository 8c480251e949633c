"""Visitors who use a site at the same time, each with a secret, and who notice whatever must not be.

It has no assertions of its own to explain: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter, deque
from types import TracebackType
from typing import TYPE_CHECKING, Final

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from .gunicorn import Answer, Gunicorn

WITHIN: Final = 30.0  # seconds for anything to happen
QUIET: Final = 0.4  # seconds without a refusal, after which the site is taken for well
ENOUGH: Final = 3  # answers that each visitor must have had by then
COPIES: Final = 20  # cookies of ended sessions that a visitor keeps, to try them again


class Load:
    """Some visitors at once, in threads of this process.

    Attributes:
        faults: What must not be and was.
        counts: How often visitors were given each status, or found their session ended, or lost.
        is_forgetful: Whether the site has been made to forget living sessions.
    """

    def __init__(self, site: Gunicorn, *, visitors: int = 6, seed: int = 0) -> None:
        """Let *visitors* use *site*, whose choices begin with *seed*."""
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.is_forgetful = False
        self._refused_at = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._visitors = [Visitor(self, site, random.Random(seed + number)) for number in range(visitors)]
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in self._visitors]

    def __enter__(self) -> Self:
        """Let them begin, and wait until each has ended a session."""
        for thread in self._threads:
            thread.start()
        self.wait(lambda: all(one.ended and one.cookie for one in self._visitors))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go."""
        self._over.set()
        for thread in self._threads:
            thread.join(WITHIN)

    def wait(self, happened: Callable[[], bool]) -> None:
        """Wait for something that the visitors do."""
        give_up_at = time.monotonic() + WITHIN
        while not happened():
            if self.faults:
                raise AssertionError(self.faults[0])
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"this did not happen: {self.counts}")
            time.sleep(0.01)

    def wait_for_replays(self) -> None:
        """Wait until each visitor has tried again what has ended."""
        before = [one.replays for one in self._visitors]
        self.wait(
            lambda: all(one.replays > former for one, former in zip(self._visitors, before, strict=True))
        )

    def recovered_after(self, healed_at: float) -> float:
        """Wait until nobody is refused any more; return for how long somebody was, after that moment."""
        enough = [one.answers + ENOUGH for one in self._visitors]
        refused_at = self._refused_at

        def is_well() -> bool:
            nonlocal enough, refused_at
            if refused_at != self._refused_at:
                refused_at, enough = self._refused_at, [one.answers + ENOUGH for one in self._visitors]
            is_quiet = time.monotonic() - max(refused_at, healed_at) > QUIET
            return is_quiet and all(
                one.answers >= least for one, least in zip(self._visitors, enough, strict=True)
            )

        self.wait(is_well)
        return max(0.0, self._refused_at - healed_at)

    def note(self, what: str) -> None:
        """Count something."""
        with self._lock:
            self.counts[what] += 1

    def refused(self) -> None:
        """Note that somebody was told to come back."""
        self._refused_at = time.monotonic()
        self.note("503")

    def _run(self, visitor: Visitor) -> None:
        try:
            while not self._over.is_set():
                visitor.step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            self.faults.append(f"{type(error).__name__}: {error}")
        finally:
            visitor.close()


class Visitor:
    """Signs in with a secret, counts visits, signs out, and tries what has ended.

    Attributes:
        cookie: The session's; empty for nobody.
        ended: Copies of cookies whose sign-out was answered.
        answers: Answers that were no refusal.
        replays: Copies of ended sessions that were tried.
    """

    def __init__(self, load: Load, site: Gunicorn, choices: random.Random) -> None:
        self.cookie = ""
        self.ended: deque[str] = deque(maxlen=COPIES)
        self.answers = self.replays = 0
        self._load = load
        self._choices = choices
        self._connection = site.connect()
        self._secret = ""
        self._copies: list[str] = []
        self._count = self._unsure = 0  # visits that were answered; visits that may have been counted
        self._may_be_over = False

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def step(self) -> None:
        """Make one request."""
        if self.cookie:
            doings, weights = [self._look, self._visit, self._sign_out], [3, 4, 1]
        else:
            doings, weights = [self._sign_in], [4]
        if self.ended:
            doings, weights = [*doings, self._replay], [*weights, 4]
        (doing,) = self._choices.choices(doings, weights)
        doing()

    def _ask(self, route: str, cookie: str = "", **values: str) -> Answer | None:
        """Return the answer; None if the site cannot answer for now, which it must say in the right way."""
        answer = self._connection.ask(route, cookie, **values)
        if answer.status == 503:
            if answer.cookies or not (answer.retry_after or "").isdigit():
                self._fault(f"{route}: a 503 with {answer.cookies} and Retry-After {answer.retry_after}")
            self._load.refused()
            time.sleep(0.01)
            return None
        if answer.status == 400 and self._is_unsure():  # Django's word for what ended while it was answered
            self.cookie = ""
            return None
        if answer.status != 200:
            self._fault(f"{route}: {answer.status}")
        self._load.note(str(answer.status))
        self.answers += 1
        return answer

    def _is_unsure(self) -> bool:
        """Whether the session may be over: a sign-out that was refused may have been heard all the same."""
        return self._may_be_over or self._load.is_forgetful

    def _fault(self, what: str) -> None:
        self._load.faults.append(what)

    def _sign_in(self) -> None:
        self._secret = secrets.token_hex(8)
        answer = self._ask("POST /sign-in", secret=self._secret)
        if answer is not None:
            self.cookie, self._copies = answer.value, [answer.value]
            self._count = self._unsure = 0
            self._may_be_over = False

    def _look(self) -> None:
        answer = self._ask("GET /", self.cookie)
        if answer is not None:
            self._check(answer, counted=0)

    def _visit(self) -> None:
        answer = self._ask("POST /visit", self.cookie)
        if answer is None:
            self._unsure += 1
        elif self._check(answer, counted=1):
            self.cookie = answer.value
            self._copies.append(self.cookie)

    def _sign_out(self) -> None:
        answer = self._ask("POST /logout", self.cookie)
        if answer is None:
            self._may_be_over = True
            return
        self.ended.extend(self._copies[-3:])
        self.cookie = ""

    def _replay(self) -> None:
        copy = self._choices.choice(self.ended)
        answer = self._ask(self._choices.choice(("GET /", "POST /visit")), copy)
        if answer is not None and answer.said["session"]:
            self._fault(f"an ended session was accepted: {answer.said}")
        self.replays += 1

    def _check(self, answer: Answer, *, counted: int) -> bool:
        """Check what the site takes the visitor for; return whether he is still signed in."""
        found = answer.said["session"]
        if not found:
            if answer.deletes and not self._may_be_over:
                self._fault(f"a cookie was deleted: {answer}")
            if not self._is_unsure():
                self._fault(f"a session was lost: {answer}")
            self._load.note("ended" if self._may_be_over else "lost")
            self.cookie = ""
            return False
        if answer.deletes:
            self._fault(f"the cookie of a living session was deleted: {answer}")
        if found["secret"] != self._secret:
            self._fault(f"somebody else's session: {answer}")
        visits, least = found.get("visits", 0), self._count + counted
        if not least <= visits <= least + self._unsure:
            self._fault(f"{visits} visits, where {least} to {least + self._unsure} were made")
        # What was refused may have been written all the same, or may still be.
        self._unsure -= max(0, visits - least)
        self._count = visits
        return True
