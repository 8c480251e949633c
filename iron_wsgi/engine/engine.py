"""The engine: it finds the session among the cookies of a request, and says what the response must carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, final

from iron_wsgi.cookies.candidates import candidates
from iron_wsgi.cookies.cookie import MAX_CHUNKS, Cookie, chunk_name, deletion
from iron_wsgi.cookies.jar import CookieJar
from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.cookies.outcome import NOTHING, Outcome
from iron_wsgi.errors import ConfigError, CookieTooLarge, Ended, PayloadError, RefusalReason, Refused
from iron_wsgi.sessions.events import Event, EventKind, Reporter, notices
from iron_wsgi.sessions.expiry import expiry, expiry_order, max_age, needs_new_id, needs_refresh
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.sessions.vault import Vault
from iron_wsgi.times import now
from iron_wsgi.vaults.seal_vault import SealVault

from .chunks import pack
from .refusals import Refusal, anonymous, report_refusals
from .regeneration import add_former, end_former, regenerate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from iron_wsgi.sessions.options import Options


@final
class Engine:
    """Opens sessions from cookies and commits them. It keeps nothing of a request and serves all threads."""

    __slots__ = ("_chunk_names", "_make_vault", "_read_only", "_reporter", "_vault", "options")

    def __init__(
        self, options: SessionOptions, *, vault: Callable[[SessionOptions], Vault] = SealVault
    ) -> None:
        """Work under *options*. *vault* makes the vault, unless the options name one."""
        self.options = options
        self._chunk_names = [chunk_name(options.cookie_name, index) for index in range(MAX_CHUNKS)]
        self._read_only = Outcome(vary=True, name=options.cookie_name)
        self._make_vault = vault
        self._vault = (options.vault or vault)(options)
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

        Of several sessions the one that expires last is returned.
        """
        received = candidates(jar, self.options.cookie_name, self._chunk_names)
        opened: list[State] = []
        refusals: list[Refusal] = []
        for value in received.values:
            try:
                state = self._vault.load(value)
            except Refused as refused:
                # Not the error itself, which refers to this frame: a circle for the garbage collector.
                refusals.append((refused.reason, refused.password_id))
                continue
            opened.append(state)
        if not opened:
            opened.append(self._anonymous(refusals))
            opened[0].keep_cookie |= received.has_more  # a good one may be among those not tried
        if len(opened) > 1:
            opened.sort(key=expiry_order, reverse=True)
        best, *best.duplicates = opened
        best.received_names = received.received_names
        return best

    def peek(self, jar: CookieJar) -> State:
        """Return what the visitor's cookies hold. No server is asked and nothing is reported.

        A new session's state is returned if they hold nothing. Do not commit what this returns.
        """
        found: list[State] = []
        for value in candidates(jar, self.options.cookie_name, self._chunk_names).values:
            with suppress(Refused):
                found.append(self._vault.peek(value))
        return max(found, key=expiry_order, default=State())

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
        """Return what the response must carry for *state*.

        Args:
            state: What `open` returned.
            status: The response's status code.
            cookie: Attributes to use instead of the options'.
            expires_at: Epoch seconds at which the seal expires; None for what the options say.
            cookie_expires: Epoch seconds of the Expires. Max-Age is then sent only if *cookie* sets it.
            renew: Seal even if nothing changed, the data are empty, or ``auto_commit`` is off.

        Raises:
            CookieTooLarge: The session does not fit. The browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            Unavailable: A store or a list of revocations does not answer. Send no cookie then.
        """
        attributes = cookie or self.options.cookie_options
        # 1. A destroyed session stays destroyed, also if it was changed later.
        if state.destroyed:
            return self._unchanged(state)
        # 2. A failed request writes no changes, except by an explicit save.
        if status >= 500 and not self.options.save_on_error and not renew:
            return self._unchanged(state)
        # 3. A session that was emptied is ended.
        is_changed = state.is_changed()
        write = self.options.auto_commit and is_changed
        if write and not state.data and not renew:
            return self._end_emptied(state, attributes, expires_at)
        # 4. A write: of changes, on request, or when due. A 304 never renews: caches keep its headers.
        if write or (status != 304 and (renew or self.is_due(state, expires_at=expires_at))):
            return self._write(
                state,
                attributes,
                expires_at,
                cookie_expires,
                is_changed=is_changed,
                is_required=write or renew,
            )
        # 5. A refused cookie is deleted if the session was accessed, unless another server may accept it.
        if state.refused and state.accessed and not state.keep_cookie and state.saved is None:
            return self._delete_cookies(state, attributes)
        return self._unchanged(state)

    def is_idle(self, state: State, *, expires_at: float | None = None) -> bool:
        """Tell whether a commit without ``renew`` would set no cookie."""
        is_refused = state.refused is not None and not state.keep_cookie
        return not (
            state.destroyed
            or state.saved is not None
            or is_refused
            or self.is_due(state, expires_at=expires_at)
            or state.is_changed()
        )

    def is_due(self, state: State, *, expires_at: float | None = None) -> bool:
        """Tell whether an unchanged session must be sealed again: outdated, or due by ``refresh_after``."""
        if state.is_new or not state.accessed or not self.options.auto_commit:
            return False
        return state.is_outdated or needs_refresh(state, self.options, expires_at)

    def destroy(
        self, state: State, *, cookie: CookieOptions | None = None, expires_at: float | None = None
    ) -> Outcome:
        """End the session and all its copies, and return what deletes its cookie.

        Args:
            state: The session.
            cookie: Attributes to use instead of the options'.
            expires_at: Epoch seconds at which a seal made now would expire; None for what the options say.

        Raises:
            Unavailable: A store or a list does not answer. Copies may live on; the cookie is not deleted.
        """
        if not state.destroyed:
            outcome = self._end(state, cookie or self.options.cookie_options, expires_at)
            state.destroyed = True
            state.data.clear()
            return outcome
        return self._unchanged(state)

    def sid(self, state: State) -> str:
        """Return the session's id, which its next write stamps."""
        state.stamp_id(self.options.generate_id)
        return state.sid

    def regenerate(self, state: State) -> None:
        """Give *state* a new id and time of issue. The former session is ended at the next write."""
        regenerate(state, self.options)

    def size(
        self,
        state: State,
        *,
        cookie: CookieOptions | None = None,
        expires_at: float | None = None,
        cookie_expires: float | None = None,
    ) -> int:
        """Return the octets of the ``Set-Cookie`` line for *state*, without changing the state."""
        attributes = cookie or self.options.cookie_options
        whole, _ = self._whole_cookie(
            state, attributes, expires_at, cookie_expires, write=self._vault.preview
        )
        return len(whole.header)

    def expiry(self, state: State, expires_at: float | None = None) -> float | None:
        """Return the epoch seconds at which a seal made now would expire. See `iron_wsgi.sessions.expiry`."""
        return expiry(state, self.options, expires_at)

    # Reading.

    def _anonymous(self, refusals: Sequence[Refusal]) -> State:
        report_refusals(refusals, self.options.cookie_name, self._reporter)
        return anonymous(refusals, self.now())

    # Writing.

    def _write(
        self,
        state: State,
        attributes: CookieOptions,
        expires_at: float | None,
        cookie_expires: float | None,
        *,
        is_changed: bool,
        is_required: bool,
    ) -> Outcome:
        """Seal *state*. A renewal of data that only Node can write leaves the old cookie."""
        if needs_new_id(state, self.options, self.expiry(state, expires_at)):
            regenerate(state, self.options, began_at=state.issued_at)
        state.modified = True  # until it is written, so that a failed write is tried again
        try:
            whole, end = self._whole_cookie(
                state, attributes, expires_at, cookie_expires, write=self._vault.dump
            )
            cookies = pack(whole, state, self.options)
        except Ended:
            return self._ended_elsewhere(state)
        except (PayloadError, CookieTooLarge) as error:
            if is_required:
                raise
            state.modified = False
            notices.say("not renewed", self.options.cookie_name, f"it was not renewed: {error}")
            return self._unchanged(state)
        if not end_former(state, self._vault, end):
            # Another request has ended the former session, so the new one, just written, must end too.
            self._vault.end(FormerSession(state.sid, state.meta.get("ref"), end))
            return self._ended_elsewhere(state)
        self._vault.release(state)
        for key in state.conflicts:
            self._report("conflict", state, key=key)
        state.conflicts.clear()
        state.modified = state.is_outdated = state.keep_cookie = state.has_new_id = False
        state.subject = self.options.subject_of(state.data) if self.options.has_server_state else None
        state.expires_at = end
        state.refused = None
        if state.saved is None and (state.is_new or not is_changed):
            self._report("created" if state.is_new else "renewed", state)
        state.saved = Outcome(cookies, vary=True, private=True, name=self.options.cookie_name)
        return state.saved

    def _whole_cookie(
        self,
        state: State,
        attributes: CookieOptions,
        expires_at: float | None,
        cookie_expires: float | None,
        *,
        write: Callable[..., str],
    ) -> tuple[Cookie, float | None]:
        """Return the session as one cookie, even if it is too large, and the expiry of its seal."""
        at = self.now()
        end = self.expiry(state, expires_at)
        if attributes.expires is not None and attributes.expires <= at:
            msg = "cookie_options: expires has passed, so browsers would drop the cookie"
            raise ConfigError(msg)
        age = None if attributes.max_age == "ttl" else attributes.max_age
        expires = cookie_expires
        if cookie_expires is None:
            age, expires = max_age(state, attributes, end, at), attributes.expires

        def cookie_with(value: str) -> Cookie:
            name = self.options.cookie_name
            return Cookie(name=name, value=value, options=attributes, max_age=age, expires=expires)

        return cookie_with(write(state, expires_at=end, cookie=cookie_with(""))), end

    def _end_emptied(self, state: State, attributes: CookieOptions, expires_at: float | None) -> Outcome:
        """Return the outcome for a session that was emptied but not destroyed."""
        if not state.keep_cookie:
            return self._end(state, attributes, expires_at)
        state.modified = False
        return self._unchanged(state)

    def _end(self, state: State, attributes: CookieOptions, expires_at: float | None) -> Outcome:
        """End the session and its former ones. What is written later begins a new session."""
        for one in (state, *state.duplicates):  # a duplicate would sign the visitor in again
            add_former(one, self.options, expires_at=expires_at)
        state.former += [former for duplicate in state.duplicates for former in duplicate.former]
        end_former(state, self._vault, self.expiry(state, expires_at))
        outcome = self._delete_cookies(state, attributes)
        state.meta, state.mac, state.stored = {}, b"", None
        state.modified, state.issued_at = False, self.now()
        return outcome

    def _delete_cookies(self, state: State, attributes: CookieOptions) -> Outcome:
        """Return deletions of every cookie of the session that came in or was saved, if there is any."""
        saved = state.saved.cookies if state.saved else ()
        names = dict.fromkeys([*state.received_names, *(cookie.name for cookie in saved)])
        if not names:
            return self._unchanged(state)
        if not state.refused:
            self._report("destroyed", state)
        state.is_outdated, state.expires_at = False, None  # so that nothing is renewed
        deletions = tuple(deletion(name, attributes) for name in names)
        state.saved = Outcome(deletions, vary=True, private=True, name=self.options.cookie_name)
        return state.saved

    def _ended_elsewhere(self, state: State) -> Outcome:
        """Return the outcome for a session that another request ended: a cookie would bring it back."""
        state.destroyed = state.is_ended = True
        state.modified, state.saved = False, None
        state.data = {}
        self._report("refused", state, reason="revoked")
        notices.say(
            "ended",
            self.options.cookie_name,
            "it was not saved, because the session was ended elsewhere while the request ran",
        )
        return self._read_only

    def _unchanged(self, state: State) -> Outcome:
        """Return the outcome of an earlier commit, or one without cookies."""
        if state.saved is not None:
            return state.saved
        return self._read_only if state.accessed else NOTHING

    def _report(
        self, kind: EventKind, state: State, *, reason: RefusalReason | None = None, key: str | None = None
    ) -> None:
        if self._reporter.is_heard(kind):  # asked before the session's id is hashed
            event = Event(kind=kind, cookie_name=self.options.cookie_name, reason=reason, key=key)
            self._reporter.report(event, sid=state.sid or None)
