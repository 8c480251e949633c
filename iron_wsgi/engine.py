"""The upper floor: which of the cookies that came in is the session, and what the response must carry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, final

from .cookies import MAX_CHUNKS, Cookie, CookieJar, CookieOptions, chunk_name, deletion
from .errors import ConfigError, CookieTooLarge, PayloadError, RefusalReason, Refused
from .events import Event, EventKind, Reporter, notices
from .options import SessionOptions
from .outcome import NOTHING, Outcome
from .packing import pack
from .sealer import now
from .state import MAX_ID, State
from .vault import SealVault, Vault

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Options

MAX_CANDIDATES = 4  # values tried per request: tossed junk cannot sign a visitor out, nor cost much
FOREVER = 34_560_000  # seconds; 400 days, the longest that browsers keep a cookie (RFC 6265bis 5.5)

Refusal: TypeAlias = tuple[RefusalReason, "str | None"]
"""Why a value was not trusted, and the password id that it names."""

# Refusals after which the cookie stays: a server behind in a rotation, or another that allows such seals, can
# read it.
KEPT: frozenset[RefusalReason] = frozenset({"unknown-password", "no-expiry"})


@final
class Engine:
    """Opens sessions from cookies and commits them. Holds nothing of a request; one serves all threads."""

    __slots__ = ("_chunk_names", "_make_vault", "_reporter", "_vault", "options")

    def __init__(
        self, options: SessionOptions, *, vault: Callable[[SessionOptions], Vault] = SealVault
    ) -> None:
        """Work under *options*; *vault* makes what turns a cookie's value into a session and back."""
        self.options = options
        self._chunk_names = [chunk_name(options.cookie_name, index) for index in range(MAX_CHUNKS)]
        self._make_vault = vault
        self._vault = vault(options)
        self._reporter = Reporter(options.on_event, self._log_key)

    def replace(self, **changes: Unpack[Options]) -> Engine:
        """Return an engine that works under other options, with the same kind of vault."""
        return Engine(self.options.replace(**changes), vault=self._make_vault)

    def _log_key(self) -> bytes:
        return self.options.password.derive("iron_wsgi", "log").sealing.encode()

    def now(self) -> float:
        """Return epoch seconds, by the options' clock."""
        return now(self.options.clock)

    def open(self, jar: CookieJar) -> State:
        """Return the visitor's session; an empty one if no cookie can be trusted.

        Of several that can, the one that expires last.
        """
        candidates, came, is_flooded = self._candidates(jar)
        best: State | None = None
        refusals: list[Refusal] = []
        for value in candidates:
            try:
                state = self._vault.load(value)
            except Refused as refused:
                # Not the error itself: it knows this frame, and the list would close the circle.
                refusals.append((refused.reason, refused.password_id))
                continue
            if best is None or _end(state) > _end(best):
                best = state
        if best is None:
            best = self._anonymous(refusals)
            best.is_kept = best.is_kept or is_flooded  # the good one may be among those not tried
        best.came = came
        return best

    def commit(
        self,
        state: State,
        *,
        status: int = 200,
        cookie: CookieOptions | None = None,
        expires_at: float | None = None,
        cookie_expires: float | None = None,
        renew: bool = False,
    ) -> Outcome:
        """Say what the response must carry for *state*.

        Args:
            state: What `open` returned.
            status: The response's status code.
            cookie: Attributes to use instead of the options'.
            expires_at: When the seal expires (epoch seconds) instead of what the options say.
            cookie_expires: When the browser drops the cookie (epoch seconds) instead of what *cookie* says.
            renew: Seal even if nothing changed, the data are empty, or ``auto_commit`` is off.

        Raises:
            CookieTooLarge: The session does not fit; the old cookie stands.
            PayloadError: A value cannot be written.
        """
        attributes = cookie or self.options.cookie_options
        # 1. A destroyed session stays destroyed, whatever came after.
        if state.destroyed:
            return self._unwritten(state)
        # 2. A failed request changes nothing but what was saved explicitly.
        if status >= 500 and not self.options.save_on_error and not renew:
            return self._unwritten(state)
        # 3. Changes. A session that was emptied is over.
        write = self.options.auto_commit and state.is_changed()
        if write and not state.data and not renew:
            state.modified = False
            return self._unwritten(state) if state.is_kept else self._deletion(state, attributes)
        # 4. A write: needed, asked for, or due. A 304 never renews: caches keep its headers with their copy.
        if write or (status != 304 and (renew or self.is_due(state, expires_at=expires_at))):
            return self._written(state, attributes, expires_at, cookie_expires, asked=write or renew)
        # 5. A cookie that nobody will ever accept is deleted, once it was looked at.
        if state.refused and state.accessed and not state.is_kept and state.saved is None:
            return self._deletion(state, attributes)
        return self._unwritten(state)

    def is_idle(self, state: State, *, expires_at: float | None = None) -> bool:
        """Tell whether a commit with this *expires_at* would ask for no cookie, unless told to renew."""
        is_refused = state.refused is not None and not state.is_kept
        return not (
            state.destroyed
            or state.saved is not None
            or is_refused
            or self.is_due(state, expires_at=expires_at)
            or state.is_changed()
        )

    def is_due(self, state: State, *, expires_at: float | None = None) -> bool:
        """Tell whether an unchanged session should be sealed again: outdated, or older than refresh_after.

        Its age is what a seal that expires at *expires_at*, if that is given, would live longer.
        """
        if state.is_new or not state.accessed or not self.options.auto_commit:
            return False
        if state.is_outdated:
            return True
        after = self.options.refresh_after
        if after is None or state.expires_at is None:
            return False
        renewed = self.expiry(state, expires_at)
        return renewed is not None and renewed - state.expires_at >= after

    def destroy(self, state: State, *, cookie: CookieOptions | None = None) -> Outcome:
        """End the session for good and say what deletes its cookie."""
        if not state.destroyed:
            state.destroyed = True
            state.data.clear()
            return self._deletion(state, cookie or self.options.cookie_options)
        return self._unwritten(state)

    def sid(self, state: State) -> str:
        """Return the session's id, which its next write stamps."""
        sid: str = state.meta.setdefault("sid", state.sid or self._new_id())
        return sid

    def regenerate(self, state: State) -> None:
        """Give *state* a new id and time of issue."""
        state.issued_at = self.now()
        state.meta["sid"] = self._new_id()
        state.meta["iat"] = round(state.issued_at, 3)

    def size(
        self,
        state: State,
        *,
        cookie: CookieOptions | None = None,
        expires_at: float | None = None,
        cookie_expires: float | None = None,
    ) -> int:
        """Return the octets of the ``Set-Cookie`` line for *state*; the state is left as it was."""
        before = state.meta.copy(), state.decode
        try:
            attributes = cookie or self.options.cookie_options
            return len(self._whole(state, attributes, expires_at, cookie_expires)[0].header)
        finally:
            state.meta, state.decode = before

    def expiry(self, state: State, given: float | None = None) -> float | None:
        """Return when a seal made now would expire: as *given*, as the session says, or by the ttl.

        The absolute timeout caps each. None for never.
        """
        ttl = state.meta.get("ttl", self.options.ttl)
        end: float | None = given if given is not None else state.meta.get("exp")
        if end is None and ttl:
            end = self.now() + ttl
        if self.options.absolute_timeout is None:
            return end
        return min(state.issued_at + self.options.absolute_timeout, math.inf if end is None else end)

    def _new_id(self) -> str:
        sid = self.options.generate_id()
        if not isinstance(sid, str) or not sid.isascii() or not 0 < len(sid) <= MAX_ID:
            msg = f"generate_id must return a string of 1 to {MAX_ID} ASCII characters"
            raise ConfigError(msg)
        return sid

    # Reading.

    def _candidates(self, jar: CookieJar) -> tuple[list[str], tuple[str, ...], bool]:
        """Return the values to try, the names of the session's cookies, and whether more values came."""
        name = self.options.cookie_name
        whole = [value for value in jar.read(name) if value]
        came = [name] if whole else []
        chunks: list[str] = []
        for index, chunk in enumerate(self._chunk_names):
            values = jar.read(chunk)
            if values and (part := next(filter(None, values), "")):
                came.append(chunk)
                if len(chunks) == index:
                    chunks.append(part)
        joined = ["".join(chunks)] if chunks else []
        distinct = list(dict.fromkeys(whole))
        room = MAX_CANDIDATES - len(joined)
        return [*distinct[:room], *joined], tuple(came), len(distinct) > room

    def _anonymous(self, refusals: Sequence[Refusal]) -> State:
        state = State(issued_at=self.now())
        for reason, password_id in refusals:
            event = Event(
                kind="refused",
                cookie_name=self.options.cookie_name,
                reason=reason,
                password_id=password_id,
            )
            self._reporter.report(event)
            if reason != "expired":
                notices.say(
                    f"refused {reason}",
                    self.options.cookie_name,
                    f"one was refused ({reason}, password id {password_id!r:.34}); the visitor is anonymous",
                )
        if refusals:
            state.refused = refusals[0][0]
            state.is_kept = any(reason in KEPT for reason, _ in refusals)
        return state

    # Writing.

    def _written(
        self,
        state: State,
        attributes: CookieOptions,
        expires_at: float | None,
        cookie_expires: float | None,
        *,
        asked: bool,
    ) -> Outcome:
        """Seal *state*; a mere renewal of data that only Node can write leaves the old cookie."""
        is_change = state.is_changed()
        state.modified = True  # until it is written: a failure must not pass for a save
        try:
            whole, end = self._whole(state, attributes, expires_at, cookie_expires)
            cookies = pack(whole, state, self.options)
        except (PayloadError, CookieTooLarge) as error:
            if asked:
                raise
            state.modified = False
            notices.say("not renewed", self.options.cookie_name, f"it was not renewed: {error}")
            return self._unwritten(state)
        state.modified = state.is_outdated = state.is_kept = False
        state.expires_at = end
        state.refused = None
        if state.saved is None and (state.is_new or not is_change):
            self._report("created" if state.is_new else "renewed", state)
        state.saved = Outcome(cookies, vary=True, private=True, name=self.options.cookie_name)
        return state.saved

    def _whole(
        self,
        state: State,
        attributes: CookieOptions,
        expires_at: float | None,
        cookie_expires: float | None,
    ) -> tuple[Cookie, float | None]:
        """Return the session as one cookie, of whatever size, and when its seal expires."""
        at = self.now()
        end = self.expiry(state, expires_at)
        if attributes.expires is not None and attributes.expires <= at:
            msg = "cookie_options: expires has passed, so browsers would drop the cookie"
            raise ConfigError(msg)
        cookie = Cookie(
            name=self.options.cookie_name,
            value=self._vault.dump(state, expires_at=end),
            options=attributes,
            max_age=_max_age(state, attributes, end, at) if cookie_expires is None else None,
            expires=attributes.expires if cookie_expires is None else cookie_expires,
        )
        return cookie, end

    def _deletion(self, state: State, attributes: CookieOptions) -> Outcome:
        """Return deletions of all that came or was saved; nothing where there is nothing to delete."""
        saved = state.saved.cookies if state.saved else ()
        names = dict.fromkeys([*state.came, *(cookie.name for cookie in saved)])
        if not names:
            return self._unwritten(state)
        if not state.refused:
            self._report("destroyed", state)
        state.is_outdated, state.expires_at = False, None  # nothing is left to renew
        deletions = tuple(deletion(name, attributes) for name in names)
        state.saved = Outcome(deletions, vary=True, private=True, name=self.options.cookie_name)
        return state.saved

    def _unwritten(self, state: State) -> Outcome:
        """Return what an earlier commit asked for, or only that the response varies."""
        if state.saved is not None:
            return state.saved
        return Outcome(vary=True, name=self.options.cookie_name) if state.accessed else NOTHING

    def _report(self, kind: EventKind, state: State) -> None:
        if self._reporter.is_heard(kind):  # asked before the session's id is hashed
            self._reporter.report(
                Event(kind=kind, cookie_name=self.options.cookie_name), sid=state.sid or None
            )


def _end(state: State) -> float:
    return math.inf if state.expires_at is None else state.expires_at


def _max_age(state: State, attributes: CookieOptions, end: float | None, at: float) -> int | None:
    """Return Max-Age, as iron-session 9: a minute less than the seal lives, so none arrives expired."""
    remembered = "ttl" in state.meta or "exp" in state.meta
    if attributes.max_age != "ttl" and not (attributes.max_age is None and remembered):
        return attributes.max_age
    if attributes.expires is not None:
        return None
    if end is None:
        return FOREVER
    lifetime = max(round(end - at), 0)
    return min(lifetime - 60 if lifetime > 60 else lifetime, FOREVER)
