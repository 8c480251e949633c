"""What every store of sessions promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import Record, Store, StoredSession
from iron_wsgi.times import DAY, FOREVER

from .clock import FakeClock, RealClock
from .promise import same
from .records import ANNA, BERT, A, B, C, holds, new, seen

HIGHEST: Final = 2**53 - 1


class StoreContract:
    """What every store promises to one caller at a time, as tests. Inherit from it, and write one method.

    ::

        class TestMyStore(StoreContract):
            def store(self, clock):
                return MyStore(clock=clock)

    A store whose server counts time by itself sets ``has_own_clock = True``: then `clock` tells the machine's
    time, and what expires is waited for. A store that loses nothing to parallel writers inherits from
    `AtomicStoreContract` instead.

    Attributes:
        has_own_clock: Whether a server decides what has expired, rather than the clock that is given.
    """

    has_own_clock: bool = False

    def store(self, clock: FakeClock) -> Store:
        """Return an empty store that asks *clock* for the time."""
        raise NotImplementedError

    def _open(self) -> tuple[Store, FakeClock]:
        clock = RealClock() if self.has_own_clock else FakeClock()
        return self.store(clock), clock

    @property
    def _short(self) -> float:
        """Seconds that can be waited for."""
        return 0.3 if self.has_own_clock else 3600

    def test_what_is_created_is_loaded_as_it_was_given(self) -> None:
        """Under its own key, field by field."""
        store, clock = self._open()
        one, two = new(clock, value="one", subject=ANNA), new(clock, value="two", version=2)
        same((store.create(A, one), store.create(B, two)), (True, True), "create() of new keys")
        holds(store, A, one)
        holds(store, B, two)

    def test_what_is_not_there_is_neither_found_nor_made(self) -> None:
        """Unknown keys leave nothing behind, however many are tried."""
        store, clock = self._open()
        record = new(clock, subject=ANNA)
        same(store.load(A), None, "load() of an unknown key")
        same(store.save(A, record, version=record.version), False, "save() under an unknown key")
        same(store.touch(A, expires_at=None), False, "touch() of an unknown key")
        same(store.delete(A), False, "delete() of an unknown key")
        holds(store, A, None)
        same(list(store.list_subject(ANNA)), [], "sessions of a subject that has none")

    def test_create_never_overwrites(self) -> None:
        """Not even where all but the value is the same."""
        store, clock = self._open()
        record = new(clock, value="one", subject=ANNA)
        store.create(A, record)
        for other in (replace(record, value="two"), new(clock, version=9, subject=BERT)):
            same(store.create(A, other), False, "create() of a key that is there")
            holds(store, A, record)
        same(list(store.list_subject(BERT)), [], "sessions of a subject whose record was not kept")

    def test_save_replaces_every_field_of_that_record_alone(self) -> None:
        """Also the moment of creation, and also where the new version is the lower one."""
        store, clock = self._open()
        other = new(clock, value="other")
        store.create(A, new(clock, value="before", version=5, subject=ANNA))
        store.create(B, other)
        now = clock()
        for version, following, subject, life in ((5, 3, BERT, None), (3, 4, "", 7200), (4, 9, ANNA, 60)):
            record = Record(
                value=f"after {version}",
                version=following,
                subject=subject,
                created_at=now - version,
                written_at=now + version,
                expires_at=None if life is None else now + life,
            )
            same(store.save(A, record, version=version), True, "save() over the version that is there")
            holds(store, A, record)
            holds(store, B, other)

    def test_save_over_another_version_changes_nothing(self) -> None:
        """Otherwise one writer would lose what another wrote."""
        store, clock = self._open()
        record = new(clock, version=HIGHEST - 1, subject=ANNA)
        store.create(A, record)
        for version in (0, 1, HIGHEST - 2, HIGHEST):
            same(store.save(A, new(clock, value="late"), version=version), False, "save() over another")
            holds(store, A, record)
        following = replace(record, version=HIGHEST)
        same(store.save(A, following, version=HIGHEST - 1), True, "save() over the version that is there")
        same(store.save(A, record, version=HIGHEST - 1), False, "save() over the version that was there")
        holds(store, A, following)

    def test_save_never_brings_back_what_was_deleted(self) -> None:
        """A slow request must not sign in again whoever has signed out meanwhile."""
        store, clock = self._open()
        record = new(clock, subject=ANNA)
        store.create(A, record)
        store.delete(A)
        same(store.save(A, record, version=record.version), False, "save() over a deleted record")
        same(store.touch(A, expires_at=None), False, "touch() of a deleted record")
        holds(store, A, None)
        same(list(store.list_subject(ANNA)), [], "sessions of a subject whose record was deleted")

    def test_what_is_created_again_is_not_what_was_deleted(self) -> None:
        """Its versions are others."""
        store, clock = self._open()
        former, record = new(clock, version=1), new(clock, value="again", version=2)
        store.create(A, former)
        store.delete(A)
        same(store.create(A, record), True, "create() after delete()")
        same(store.save(A, former, version=former.version), False, "save() over the deleted version")
        holds(store, A, record)

    def test_delete_removes_one_record_and_says_whether_it_was_there(self) -> None:
        """Once."""
        store, clock = self._open()
        record = new(clock)
        store.create(A, record)
        store.create(B, record)
        same((store.delete(A), store.delete(A)), (True, False), "delete() of what was there, then again")
        holds(store, A, None)
        holds(store, B, record)

    def test_touch_changes_the_expiry_alone(self) -> None:
        """Whoever read the record before may still save over it."""
        store, clock = self._open()
        record = new(clock, subject=ANNA)
        store.create(A, record)
        for expires_at in (clock() + 9000, clock() + 60, None, clock() + 7200):
            same(store.touch(A, expires_at=expires_at), True, "touch() of what is there")
            holds(store, A, replace(record, expires_at=expires_at))
        same(store.save(A, record, version=record.version), True, "save() after touch()")

    def test_a_record_lives_until_its_expiry_and_then_is_gone_for_every_method(self) -> None:
        """As if it had been deleted."""
        store, clock = self._open()
        end = clock() + self._short
        record = replace(new(clock, subject=ANNA), expires_at=end)
        for key in (A, B, C):
            store.create(key, record)
        clock.advance(0 if self.has_own_clock else self._short - 0.001)
        found, listed = store.load(A), list(store.list_subject(ANNA))
        if clock() < end:  # a busy machine may be late
            same(seen(found), seen(record), "what is there a moment before its expiry")
            same(len(listed), 3, "sessions listed a moment before their expiry")
        clock.advance(self._short if self.has_own_clock else 0.001)
        same(store.load(A), None, "load() of what has expired")
        same(list(store.list_subject(ANNA)), [], "sessions of a subject whose records have expired")
        same(store.save(A, record, version=record.version), False, "save() over what has expired")
        same(store.touch(A, expires_at=None), False, "touch() of what has expired")
        same(store.delete(A), False, "delete() of what has expired")
        holds(store, A, None)
        again = new(clock, value="again")
        same(store.create(B, again), True, "create() in the place of what has expired")
        holds(store, B, again)

    def test_touch_and_save_put_off_the_end_or_bring_it_on(self) -> None:
        """What counts is the expiry that was given last."""
        store, clock = self._open()
        end = clock() + self._short
        lasting = new(clock, life=None)
        brief = replace(lasting, expires_at=end)
        for key, record in ((A, brief), (B, brief), (C, lasting)):
            store.create(key, record)
        store.touch(A, expires_at=None)
        store.save(B, lasting, version=brief.version)
        store.touch(C, expires_at=end)
        is_in_time = clock() < end  # a busy machine may be late
        clock.advance(self._short)
        if is_in_time:
            holds(store, A, lasting)
            holds(store, B, lasting)
        holds(store, C, None)

    def test_what_has_expired_before_it_comes_is_never_seen(self) -> None:
        """By create, save or touch; it is no error."""
        store, clock = self._open()
        record, over = new(clock, subject=ANNA), clock() - 5
        store.create(A, replace(record, expires_at=over))
        store.create(B, record)
        store.save(B, replace(record, expires_at=over), version=record.version)
        store.create(C, record)
        store.touch(C, expires_at=over)
        for key in (A, B, C):
            holds(store, key, None)
        same(list(store.list_subject(ANNA)), [], "sessions of a subject whose records came too late")

    def test_a_record_may_live_for_400_days_or_for_ever(self) -> None:
        """400 days are the longest that browsers keep a cookie."""
        store, clock = self._open()
        long, endless = new(clock, life=FOREVER), new(clock, life=None)
        store.create(A, long)
        store.create(B, endless)
        if not self.has_own_clock:
            clock.advance(FOREVER - DAY)
        holds(store, A, long)
        holds(store, B, endless)

    def test_times_are_kept_to_the_millisecond(self) -> None:
        """Fractions of one may be rounded."""
        store, clock = self._open()
        given = [int(clock()) + offset for offset in (0.987, 0.1239, 100.999)]
        store.create(A, replace(new(clock), created_at=given[0], written_at=given[1], expires_at=given[2]))
        found = store.load(A)
        times = [] if found is None else [found.created_at, found.written_at, found.expires_at or 0]
        kept = [abs(time - one) < 0.0011 for time, one in zip(times, given, strict=False)]
        same(kept, [True] * 3, "whether the three times are those that were given")

    def test_values_may_have_1_octet_to_1_mebibyte(self) -> None:
        """Printable ASCII."""
        store, clock = self._open()
        printable = "".join(map(chr, range(0x20, 0x7F)))
        record = new(clock, value="")
        for value in ("~", printable, (printable * 12_000)[: 2**20], "0"):
            following = replace(record, value=value, version=record.version + 1)
            done = store.save(A, following, version=record.version) or store.create(A, following)
            found = store.load(A)
            is_same = done and found is not None and found.value == value
            same(is_same, True, f"whether a value of {len(value)} octets is kept")
            record = following

    def test_any_two_keys_differ(self) -> None:
        """Whatever 64 hexadecimal digits they are; a subject may even be called like a key."""
        store, clock = self._open()
        record = new(clock)
        keys = ["0" * 64, "0" * 63 + "1", "1" + "0" * 63, "9" * 63 + "8", "9" * 64, "1e" + "9" * 62, ANNA]
        for number, key in enumerate(keys):
            store.create(key, replace(record, value=key, version=number, subject=keys[number - 1]))
        for number, key in enumerate(keys):
            holds(store, key, replace(record, value=key, version=number, subject=keys[number - 1]))
            same([one.key for one in store.list_subject(keys[number - 1])], [key], "a subject's only session")

    def test_the_living_sessions_of_a_subject_are_listed_with_their_times(self) -> None:
        """And neither another's nor nobody's."""
        store, clock = self._open()
        records = {A: new(clock, subject=ANNA), B: new(clock, life=None, subject=ANNA)}
        for key, record in records.items():
            store.create(key, record)
        store.create(C, new(clock, subject=BERT))
        store.create(key_of("nobody's"), new(clock))
        expected = {
            key: StoredSession(
                key=key,
                created_at=record.created_at,
                written_at=record.written_at,
                expires_at=record.expires_at,
            )
            for key, record in records.items()
        }
        same({one.key: one for one in store.list_subject(ANNA)}, expected, "the sessions of a subject")
        same([one.key for one in store.list_subject(BERT)], [C], "the sessions of another")

    def test_the_list_follows_every_change(self) -> None:
        """Of the times, of the subject, and the end."""
        store, clock = self._open()
        record = new(clock, subject=ANNA)
        store.create(A, record)
        store.touch(A, expires_at=None)
        same([one.expires_at for one in store.list_subject(ANNA)], [None], "the expiry after touch()")
        later = replace(record, written_at=record.written_at + 5, version=2)
        store.save(A, later, version=record.version)
        same([one.written_at for one in store.list_subject(ANNA)], [later.written_at], "the moment of save()")
        store.save(A, replace(later, subject=BERT, version=3), version=2)
        same(list(store.list_subject(ANNA)), [], "the sessions of whom the record does not name any more")
        same([one.key for one in store.list_subject(BERT)], [A], "the sessions of whom it names now")
        store.save(A, replace(later, subject=ANNA, version=4), version=3)
        same([one.key for one in store.list_subject(ANNA)], [A], "the sessions of whom it names again")
        store.delete(A)
        same([*store.list_subject(ANNA), *store.list_subject(BERT)], [], "sessions after delete()")

    def test_sessions_are_told_latest_first_and_the_current_one_is_marked(self) -> None:
        """By `Store.sessions_of`, which takes the subject and the id as the application knows them."""
        store, clock = self._open()
        record = new(clock, subject=ANNA)
        for sid, age in (("A", 20), ("B", 0), ("C", 10)):
            store.create(key_of(sid), replace(record, created_at=record.created_at - age))
        store.create(key_of("D"), new(clock, subject=BERT))
        told = [(one.key, one.is_current) for one in store.sessions_of("anna", current="C")]
        same(told, [(B, False), (C, True), (A, False)], "keys, and whether that is the current session")
        same({one.is_current for one in store.sessions_of("anna")}, {False}, "current sessions, none given")
        same(store.sessions_of("nobody"), [], "sessions of somebody unknown")

    def test_all_sessions_of_somebody_are_ended_but_the_one_to_keep(self) -> None:
        """By `Store.end_sessions_of`, which says how many they were."""
        store, clock = self._open()
        record, other = new(clock, subject=ANNA), new(clock, subject=BERT)
        for key in (A, B, C):
            store.create(key, record)
        store.create(key_of("D"), other)
        same(store.end_sessions_of("anna", keep="B"), 2, "sessions that were ended")
        for key, left in ((A, None), (B, record), (C, None), (key_of("D"), other)):
            holds(store, key, left)
        same([one.key for one in store.list_subject(ANNA)], [B], "sessions that are left")
        same((store.end_sessions_of("anna"), store.end_sessions_of("anna")), (1, 0), "all, then none")

    def test_sweep_removes_what_has_expired_and_nothing_else(self) -> None:
        """It counts 0 where the server does so by itself."""
        store, clock = self._open()
        brief, lasting = new(clock, life=self._short, subject=ANNA), new(clock, life=DAY, subject=ANNA)
        endless = new(clock, life=None)
        for key, record in ((A, brief), (key_of("D"), brief), (B, lasting), (C, endless)):
            store.create(key, record)
        clock.advance(self._short)
        same(store.sweep() in {0, 2}, True, "whether sweep() counts what has expired, or 0")
        same(store.sweep(), 0, "sweep() where nothing has expired since")
        for key, left in ((A, None), (key_of("D"), None), (B, lasting), (C, endless)):
            holds(store, key, left)
        same([one.key for one in store.list_subject(ANNA)], [B], "sessions that are left")
