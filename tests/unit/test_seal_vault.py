from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import quote

import pytest

from iron_wsgi import Cookie, CookieOptions, PayloadError, Refused, SessionOptions
from iron_wsgi.seals import seal
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.seal_vault import MAX_VALUE, SealVault

from .visitor import NEWER, NOW, OTHER, PASSWORD, ends_at, payload, sealed

TTL = 1_209_600
EMPTY = Cookie(name="s", value="", options=CookieOptions())


def _vault(clock: FakeClock, **options: Any) -> SealVault:
    return SealVault(SessionOptions(**{"password": PASSWORD, "cookie_name": "s", "clock": clock, **options}))


def _refusal(vault: SealVault, value: str) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        vault.load(value)
    return caught.value.reason, caught.value.password_id


# ---- what is trusted ----


def test_a_value_is_what_was_dumped(clock: FakeClock) -> None:
    vault = _vault(clock)
    state = vault.load(vault.dump(State(data={"a": [1]}), expires_at=NOW + 60, cookie=EMPTY))
    assert (state.data, state.meta, state.expires_at, state.is_new) == ({"a": [1]}, {}, NOW + 60, False)
    assert (state.accessed, state.modified, state.destroyed, state.is_outdated) == (
        False,
        False,
        False,
        False,
    )


def test_with_the_defaults_the_payload_is_the_data_as_iron_session_writes_them(clock: FakeClock) -> None:
    value = _vault(clock).dump(State(data={"user": {"id": 7}}), expires_at=NOW + 60, cookie=EMPTY)
    assert value.startswith("Fe26.2*1*")
    assert value.endswith("~2")
    assert seal.unseal_at(seal.parse(value), PASSWORD, now=NOW).plaintext == b'{"user":{"id":7}}'


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("", ("invalid", None)),
        ("garbage", ("invalid", None)),
        ("é*" * 8, ("invalid", None)),
        (sealed({}, password=OTHER), ("invalid", "1")),
        (sealed({}, expires_at=NOW - 60), ("expired", "1")),
        (sealed({}, expires_at=NOW - 60, password=OTHER), ("invalid", "1")),
        (sealed({}, password_id="9"), ("unknown-password", "9")),
        (sealed({}, password_id="9", expires_at=NOW - 60), ("unknown-password", "9")),
        (sealed({}, password_id=""), ("unknown-password", "")),
        (sealed({}, expires_at=None), ("no-expiry", "1")),
        (sealed([]), ("invalid", None)),
        (sealed("text"), ("invalid", None)),
        (sealed(data=False), ("invalid", None)),
        (seal.seal_at(b"{asdasd", PASSWORD, expires_at=NOW, password_id="1"), ("invalid", None)),
        (seal.seal_at(b"[" * 5000, PASSWORD, expires_at=NOW, password_id="1"), ("invalid", None)),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_a_reason(
    clock: FakeClock, value: str, refusal: tuple[str, str | None]
) -> None:
    assert _refusal(_vault(clock), value) == refusal


@pytest.mark.parametrize(
    "value",
    [
        '{"user":7}',
        "eyJ1c2VyIjo3fQ",
        "eyJ1c2VyIjo3fQ.aWq3Xg.sVx0",
        ".eJyrVkrLz1eyUkpKLFKqBQAdegQ0:1w:x",
        "{}",
        "gASVAA==",
    ],
)
def test_what_is_no_seal_is_handed_to_no_other_decoder(clock: FakeClock, value: str) -> None:
    class Spy(StrictJSON):
        def loads(self, _: bytes, /) -> Any:
            raise AssertionError

    for accept in ((), ("next-iron-session",)):
        assert _refusal(_vault(clock, serializer=Spy(), accept=accept), value) == ("invalid", None)


def test_a_session_is_accepted_for_the_skew_after_its_end(clock: FakeClock) -> None:
    value = sealed({}, expires_at=NOW)
    clock.advance(59.999)
    assert _vault(clock).load(value).expires_at == NOW
    clock.advance(0.001)
    assert _refusal(_vault(clock), value)[0] == "expired"
    assert _vault(clock, skew=120).load(value).data == {}
    clock.now = NOW
    assert _refusal(_vault(clock, skew=0), value)[0] == "expired"


def test_a_seal_without_expiry_is_a_session_only_where_sessions_never_end(clock: FakeClock) -> None:
    value = sealed({"a": 1}, expires_at=None)
    assert _vault(clock, ttl=0).load(value).data == {"a": 1}
    assert _refusal(_vault(clock, ttl=1), value)[0] == "no-expiry"


def test_a_lowered_ttl_does_not_shorten_seals_that_are_out(clock: FakeClock) -> None:
    assert _vault(clock, ttl=60).load(sealed({"a": 1})).data == {"a": 1}


def test_a_value_beyond_the_cap_is_refused_before_any_work_and_one_below_is_read(clock: FakeClock) -> None:
    value = sealed({"a": 1})
    padded = value + "x" * (MAX_VALUE - len(value))
    assert _vault(clock).load(padded).data == {"a": 1}
    assert _refusal(_vault(clock), padded + "x") == ("invalid", None)
    assert _refusal(_vault(clock), sealed({}, password_id="9") + "x" * MAX_VALUE) == ("invalid", None)


def test_a_percent_encoded_value_is_read_as_the_peers_read_it(clock: FakeClock) -> None:
    value = sealed({"a": 1})
    assert _vault(clock).load(quote(value, safe="")).data == {"a": 1}
    assert _refusal(_vault(clock), "%FF%00%") == ("invalid", None)


def test_a_seal_of_null_is_an_empty_session(clock: FakeClock) -> None:
    assert _vault(clock).load(sealed(None)).data == {}


def test_iterations_are_those_of_the_options(clock: FakeClock) -> None:
    value = _vault(clock, iterations=3).dump(State(data={"a": 1}), expires_at=NOW + 60, cookie=EMPTY)
    assert _vault(clock, iterations=3).load(value).data == {"a": 1}
    assert _refusal(_vault(clock), value) == ("invalid", "1")


# ---- rotation ----


def test_a_session_under_an_older_password_is_outdated_and_one_under_a_newer_is_not(clock: FakeClock) -> None:
    both = {2: NEWER, 1: PASSWORD}
    old, new = sealed({}), sealed({}, password=NEWER, password_id="2")
    assert [_vault(clock, password=both).load(value).is_outdated for value in (old, new)] == [True, False]
    rolling = _vault(clock, password=both, seal_with=1)
    assert [rolling.load(value).is_outdated for value in (old, new)] == [False, False]
    assert rolling.dump(State(), expires_at=None, cookie=EMPTY).startswith("Fe26.2*1*")


def test_seals_that_name_no_id_are_opened_by_the_default_password_alone(clock: FakeClock) -> None:
    value = sealed({"a": 1}, password_id="")
    state = _vault(clock, password={1: NEWER, "default": PASSWORD}).load(value)
    assert (state.data, state.is_outdated) == ({"a": 1}, True)
    assert _refusal(_vault(clock, password={1: PASSWORD}), value) == ("unknown-password", "")


# ---- next-iron-session ----

LEGACY = {"persistent": {"user": {"id": 77}}, "flash": {}}


def test_a_session_of_next_iron_session_is_read_where_it_is_accepted(clock: FakeClock) -> None:
    state = _vault(clock, accept=("next-iron-session",)).load(sealed(LEGACY))
    assert (state.data, state.is_outdated) == ({"user": {"id": 77}}, True)


def test_its_flash_values_become_flash_values(clock: FakeClock) -> None:
    value = sealed({"persistent": {"a": 1}, "flash": {"note": "hi"}})
    assert _vault(clock, accept=("next-iron-session",)).load(value).data == {"a": 1, "_flash": {"note": "hi"}}


@pytest.mark.parametrize("suffix", ["", "~", "~1", "~2", "~3", "~2~1"])
def test_the_shape_of_the_payload_decides_and_the_suffix_never_does(clock: FakeClock, suffix: str) -> None:
    mine = sealed({"user": 5, "persistent": {"user": 1, "admin": True}, "flash": {}}).removesuffix("~2")
    legacy = sealed(LEGACY).removesuffix("~2")
    for accept in ((), ("next-iron-session",)):
        vault = _vault(clock, accept=accept)
        assert vault.load(mine + suffix).data["user"] == 5
        assert vault.load(legacy + suffix).data == (LEGACY["persistent"] if accept else LEGACY)


@pytest.mark.parametrize(
    "data",
    [
        {"persistent": {"a": 1}},
        {"persistent": {"a": 1}, "flash": []},
        {"persistent": [], "flash": {}},
        {"persistent": {"a": 1}, "flash": {}, "more": 1},
        {"flash": {}},
    ],
)
def test_any_other_shape_is_ordinary_data(clock: FakeClock, data: dict[str, Any]) -> None:
    state = _vault(clock, accept=("next-iron-session",)).load(sealed(data))
    assert (state.data, state.is_outdated) == (data, False)


# ---- stamps ----


def test_stamps_come_back_and_members_that_a_later_version_wrote_are_kept(clock: FakeClock) -> None:
    vault = _vault(clock)
    meta = {"sid": "abc", "iat": NOW - 5, "ttl": 60, "later": {"x": [1]}}
    state = vault.load(sealed({"a": 1, "_iron": meta}))
    assert (state.data, state.meta, state.sid, state.issued_at) == ({"a": 1}, meta, "abc", NOW - 5)
    assert payload(vault.dump(state, expires_at=NOW + 60, cookie=EMPTY))["_iron"] == meta


@pytest.mark.parametrize(
    "meta",
    [
        "x",
        None,
        [],
        7,
        True,
        {"sid": ""},
        {"sid": 7},
        {"sid": None},
        {"sid": "x" * 129},
        *({"ref": bad} for bad in ("", 7, None, "x" * 129, "é")),
        {"sid": "é"},
        *({name: bad} for name in ("iat", "ttl", "exp", "until") for bad in (True, None, "5", -1, [], {})),
        {"iat": 1e300},
    ],
)
def test_malformed_stamps_are_invalid(clock: FakeClock, meta: Any) -> None:
    assert _refusal(_vault(clock), sealed({"_iron": meta}))[0] == "invalid"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "9" * 400])
def test_stamps_that_are_no_finite_numbers_are_invalid(clock: FakeClock, number: str) -> None:
    plaintext = b'{"_iron":{"iat":%s}}' % number.encode()
    value = seal.seal_at(plaintext, PASSWORD, expires_at=NOW + 60, password_id="1")
    assert _refusal(_vault(clock), value)[0] == "invalid"


def test_infinite_stamps_of_another_serializer_are_invalid_too(clock: FakeClock) -> None:
    class Careless(StrictJSON):
        def loads(self, _: bytes, /) -> Any:
            return {"_iron": {"iat": float("nan")}}

    assert _refusal(_vault(clock, serializer=Careless()), sealed({}))[0] == "invalid"


def test_a_session_issued_in_the_future_beyond_the_skew_is_invalid(clock: FakeClock) -> None:
    assert _vault(clock).load(sealed({"_iron": {"iat": NOW + 60}})).issued_at == NOW + 60
    assert _refusal(_vault(clock), sealed({"_iron": {"iat": NOW + 60.001}})) == ("invalid", "1")


def test_a_seal_without_stamps_began_a_ttl_before_its_end_or_now(clock: FakeClock) -> None:
    vault = _vault(clock, ttl=900)
    assert vault.load(sealed({}, expires_at=NOW + 100)).issued_at == NOW - 800
    # Another program gives its seals a longer life.
    assert vault.load(sealed({}, expires_at=NOW + 86_400)).issued_at == NOW
    assert _vault(clock, ttl=0).load(sealed({}, expires_at=None)).issued_at == NOW


def test_a_seal_without_an_id_has_one_made_of_its_mac_in_whatever_spelling_it_comes(clock: FakeClock) -> None:
    vault = _vault(clock)
    value = sealed({})
    mac = base64.urlsafe_b64decode(value.removesuffix("~2").rpartition("*")[2] + "=")
    expected = base64.urlsafe_b64encode(hashlib.sha256(mac).digest()[:24]).decode()
    for spelling in (value, value + "x", value.removesuffix("~2"), quote(value, safe="")):
        assert vault.load(spelling).sid == expected
    assert vault.load(sealed({})).sid != expected


def test_the_key_of_the_stamps_is_reserved(clock: FakeClock) -> None:
    with pytest.raises(PayloadError, match=r"^session\._iron is reserved for the session's own stamps"):
        _vault(clock).dump(State(data={"_iron": {}}), expires_at=NOW + 60, cookie=EMPTY)


# ---- the absolute timeout ----


def test_the_time_of_issue_is_stamped_where_the_absolute_timeout_needs_it(clock: FakeClock) -> None:
    state = State(data={"a": 1}, issued_at=NOW - 0.12345)
    assert payload(_vault(clock).dump(state, expires_at=NOW + 60, cookie=EMPTY)) == {"a": 1}
    value = _vault(clock, absolute_timeout=3600).dump(state, expires_at=NOW + 60, cookie=EMPTY)
    assert payload(value) == {"a": 1, "_iron": {"iat": round(NOW - 0.12345, 3)}}


def test_a_session_past_the_absolute_timeout_and_the_skew_is_too_old_whatever_its_seal_says(
    clock: FakeClock,
) -> None:
    value = sealed({"_iron": {"iat": NOW}}, expires_at=NOW + 1e6)
    vault = _vault(clock, absolute_timeout=3600)
    clock.advance(3659.999)
    assert vault.load(value).issued_at == NOW
    clock.advance(0.001)
    assert _refusal(vault, value) == ("too-old", "1")


def test_a_seal_without_stamps_is_too_old_counted_from_its_end(clock: FakeClock) -> None:
    value = sealed({}, expires_at=NOW + 900)
    vault = _vault(clock, ttl=900, absolute_timeout=600)
    clock.advance(659)
    assert vault.load(value).data == {}
    clock.advance(1)
    assert _refusal(vault, value) == ("too-old", "1")


# ---- writing ----


@pytest.mark.parametrize("end", [NOW, NOW - 1, NOW - 1e6])
def test_an_end_that_has_passed_makes_a_seal_that_is_expired_for_every_reader(
    clock: FakeClock, end: float
) -> None:
    value = _vault(clock).dump(State(data={"a": 1}), expires_at=end, cookie=EMPTY)
    assert ends_at(value) == NOW - 61
    assert _refusal(_vault(clock), value)[0] == "expired"


def test_what_was_dumped_is_what_later_changes_are_compared_with(clock: FakeClock) -> None:
    state = State(data={"cart": []})
    _vault(clock).dump(state, expires_at=NOW + 60, cookie=EMPTY)
    assert not state.is_changed()
    state.data["cart"].append(1)
    assert state.is_changed()


def test_a_serializer_of_ones_own_writes_and_reads_and_whatever_it_raises_is_invalid(
    clock: FakeClock,
) -> None:
    class Reversed(StrictJSON):
        def dumps(self, data: dict[str, Any], /, **_: Any) -> bytes:
            return super().dumps(data)[::-1]

        def loads(self, payload: bytes, /) -> Any:
            if b"}" in payload[1:]:
                raise ZeroDivisionError
            return super().loads(payload[::-1])

    vault = _vault(clock, serializer=Reversed())
    value = vault.dump(State(data={"a": 1}), expires_at=NOW + 60, cookie=EMPTY)
    assert vault.load(value).data == {"a": 1}
    assert _refusal(vault, sealed({"a": 1}))[0] == "invalid"


class Picky:
    """A serializer that raises what it likes, for one value or for the whole."""

    def __init__(self, error: Exception, *, whole: bool = False) -> None:
        self.error = error
        self.whole = whole

    def dumps(self, data: dict[str, Any]) -> bytes:
        if "bad" in data.values() or (self.whole and len(data) > 1):
            raise self.error
        return b"{}"

    def loads(self, payload: bytes) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("error", [TypeError("no"), ValueError("no"), RecursionError("no")])
def test_what_a_serializer_cannot_write_is_named_by_its_key(clock: FakeClock, error: Exception) -> None:
    vault = _vault(clock, serializer=Picky(error))
    with pytest.raises(PayloadError, match=r"^session\.b cannot be written: no$") as refused:
        vault.dump(State(data={"a": 1, "b": "bad"}), expires_at=NOW + 60, cookie=EMPTY)
    assert refused.value.path == "session.b"


def test_a_whole_that_cannot_be_written_though_each_part_can_is_named_as_such(clock: FakeClock) -> None:
    vault = _vault(clock, serializer=Picky(ValueError("too much"), whole=True))
    with pytest.raises(PayloadError, match=r"^session cannot be written: too much$"):
        vault.dump(State(data={"a": 1, "b": 2}), expires_at=NOW + 60, cookie=EMPTY)


def test_what_a_serializer_says_itself_is_passed_on(clock: FakeClock) -> None:
    vault = _vault(clock, serializer=Picky(PayloadError("session.x", "is odd")))
    with pytest.raises(PayloadError, match=r"^session\.x is odd$"):
        vault.dump(State(data={"b": "bad"}), expires_at=NOW + 60, cookie=EMPTY)
