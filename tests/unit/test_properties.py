"""What holds for every payload, moment and password: Hypothesis looks for one for which it does not."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from iron_wsgi import (
    Cookie,
    CookieOptions,
    InvalidSeal,
    Passwords,
    PayloadError,
    Refused,
    Sealer,
    SealError,
    SessionOptions,
    UnknownPassword,
    get_iron_session,
    seal_data,
    unseal_data,
)
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi.seals.seal import KeyPair, parse, seal_at, seal_from_parts, unseal_at
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import DictJar
from iron_wsgi.vaults.seal_vault import SealVault

PASSWORD = "pR0perty-Xw7Kd2Lq9VbZ5mTs8HyJcFgN4uEa"
OTHER = "n0tTheSame-Jh6Gf3Ds1Qa8Ws5Ed2Rf7Tg4Yh"
NOW = 1_800_000_000.0
EMPTY = Cookie(name="s", value="", options=CookieOptions())

SAFE = 2**53 - 1


def joined(text: str) -> str:
    """Join halves of surrogate pairs that meet: in JSON, as in JavaScript, they are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


keys = st.text(max_size=12).filter(lambda key: key != "__proto__")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp", "So"]), max_size=6).map(joined)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
payloads = st.dictionaries(keys, values, max_size=6)
session_data = st.dictionaries(keys.filter(lambda key: key != "_iron"), values, min_size=1, max_size=6)

passwords = st.text(st.characters(exclude_categories=["Cs"]), min_size=32, max_size=64)
moments = st.floats(1, 9e10).map(lambda moment: round(moment, 3))
salts = st.text(
    st.characters(min_codepoint=33, max_codepoint=125, exclude_characters="*"), min_size=1, max_size=70
)
password_ids = st.text("ABCXYZabcxyz0123456789_", max_size=12)


patient = settings(suppress_health_check=[HealthCheck.too_slow])
"""How long it takes to make up nested data says more about the machine than about the code."""


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal in kind too, all the way down: 1 is not True, and 1 is not 1.0."""
    return bool(one == other) and repr(one) == repr(other)


@patient
@given(payloads)
def test_whatever_json_can_hold_comes_back_equal_in_value_and_kind(data: dict[str, Any]) -> None:
    assert same(StrictJSON().loads(StrictJSON().dumps(data)), data)


@patient
@given(payloads)
def test_what_is_written_is_compact_json_in_utf_8_of_the_same_value(data: dict[str, Any]) -> None:
    written = StrictJSON().dumps(data)
    assert same(json.loads(written), data)
    assert len(written) <= len(json.dumps(data, ensure_ascii=True, separators=(",", ":")))


@given(
    st.recursive(
        scalars | st.tuples(scalars, scalars),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    )
)
def test_a_tuple_comes_back_as_a_list(value: Any) -> None:
    def listed(one: Any) -> Any:
        return [listed(item) for item in one] if isinstance(one, (list, tuple)) else one

    assert same(StrictJSON().loads(StrictJSON().dumps({"a": value})), {"a": listed(value)})


@given(st.binary(max_size=200))
def test_octets_are_read_or_refused_with_an_error_that_is_expected(octets: bytes) -> None:
    with contextlib.suppress(ValueError, RecursionError):
        StrictJSON().loads(octets)


unwritable = (
    st.just(float("nan"))
    | st.just(float("inf"))
    | st.integers(min_value=SAFE + 1)
    | st.integers(max_value=-SAFE - 1)
    | st.binary()
    | st.sets(st.integers(), min_size=1)
    | st.complex_numbers()
    | st.datetimes()
    | st.dictionaries(st.integers(), st.none(), min_size=1)
    | st.just({"__proto__": 1})
)


@patient
@given(session_data, unwritable)
def test_one_value_that_javascript_would_not_read_back_refuses_the_whole(
    data: dict[str, Any], value: Any
) -> None:
    with pytest.raises(PayloadError, match=r"session\.cart\[1\]\.x"):
        StrictJSON().dumps({**data, "cart": [0, {"x": value}]})


@given(st.binary(max_size=400), passwords, password_ids, moments)
def test_a_seal_opens_to_what_was_sealed_under_its_password_and_no_other(
    plaintext: bytes, password: str, password_id: str, expires_at: float
) -> None:
    text = seal_at(plaintext, password, expires_at=expires_at, password_id=password_id)
    fields = parse(text)
    opened = unseal_at(fields, password, now=expires_at)
    assert (opened.plaintext, fields.password_id) == (plaintext, password_id)
    assert opened.expires_at is not None
    assert round(opened.expires_at * 1000) == round(expires_at * 1000)
    with pytest.raises(InvalidSeal):
        unseal_at(fields, password + "x", now=expires_at)


@given(st.binary(max_size=100), salts, salts, st.binary(min_size=16, max_size=16))
def test_a_seal_is_a_function_of_its_parts(
    plaintext: bytes, salt: str, integrity_salt: str, iv: bytes
) -> None:
    def made() -> str:
        return seal_from_parts(
            plaintext, PASSWORD, encryption_salt=salt, integrity_salt=integrity_salt, iv=iv, expires_at=NOW
        )

    assert made() == made()
    assert unseal_at(parse(made()), PASSWORD, now=NOW).plaintext == plaintext


@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=80))
def test_raw_keys_seal_and_open_without_salts(plaintext: bytes, encryption: bytes, integrity: bytes) -> None:
    pair = KeyPair(encryption, integrity)
    fields = parse(seal_at(plaintext, pair, expires_at=None))
    assert (fields.encryption_salt, fields.integrity_salt) == (b"", b"")
    assert unseal_at(fields, pair, now=NOW).plaintext == plaintext


@given(
    st.binary(max_size=100),
    st.sampled_from(["aes-256-cbc", "aes-128-ctr"]),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_algorithm_and_rounds_are_read_as_they_were_written(
    plaintext: bytes, algorithm: Any, encryption: int, integrity: int
) -> None:
    text = seal_at(
        plaintext, PASSWORD, expires_at=None, algorithm=algorithm, iterations=(encryption, integrity)
    )
    fields = parse(text)
    opened = unseal_at(fields, PASSWORD, now=NOW, algorithm=algorithm, iterations=(encryption, integrity))
    assert opened.plaintext == plaintext
    with pytest.raises(InvalidSeal):
        unseal_at(fields, PASSWORD, now=NOW, algorithm=algorithm, iterations=(encryption, integrity + 1))


@patient
@given(payloads)
def test_sealed_data_come_back_equal(data: dict[str, Any]) -> None:
    text = seal_data(data, password=PASSWORD, clock=lambda: NOW)
    assert same(unseal_data(text, password=PASSWORD, clock=lambda: NOW), data)
    assert unseal_data(text, password=OTHER, clock=lambda: NOW) == {}


@patient
@given(session_data)
def test_a_session_comes_back_equal_and_unchanged(data: dict[str, Any]) -> None:
    options = SessionOptions(
        password=PASSWORD, cookie_name="s", clock=lambda: NOW, overflow="chunk", max_chunks=4
    )
    first = DictJar()
    with get_iron_session(first, options) as session:
        session.update(data)
    second = DictJar(first.cookies)
    with get_iron_session(second, options) as session:
        assert same(dict(session), data)
        assert not session.modified
    assert not second.outcome.cookies


@given(
    st.dictionaries(
        keys.filter(lambda key: key != "_iron"), st.lists(values, min_size=1), min_size=1, max_size=4
    ),
    values,
)
def test_any_change_within_a_value_is_noticed(data: dict[str, Any], replacement: Any) -> None:
    options = SessionOptions(
        password=PASSWORD, cookie_name="s", clock=lambda: NOW, overflow="chunk", max_chunks=4
    )
    first = DictJar()
    with get_iron_session(first, options) as session:
        session.update(data)
    key = next(iter(data))
    assume(not same(data[key][0], replacement))
    second = DictJar(first.cookies)
    with get_iron_session(second, options) as session:
        session[key][0] = replacement
        assert session.modified
    with get_iron_session(DictJar(second.cookies), options) as session:
        assert same(session[key][0], replacement)


@patient
@given(session_data, st.floats(0.001, 1e6), st.floats(0, 2e6))
def test_a_session_opens_exactly_while_its_time_and_the_skew_run(
    data: dict[str, Any], ttl: float, later: float
) -> None:
    clock = [NOW]
    options = SessionOptions(password=PASSWORD, cookie_name="s", ttl=ttl, clock=lambda: clock[0])
    vault = SealVault(options)
    value = vault.dump(State(data=data), expires_at=NOW + ttl, cookie=EMPTY)
    clock[0] = NOW + later
    over = round((NOW + ttl) * 1000) <= round((NOW + later - 60) * 1000)
    if over:
        with pytest.raises(Refused, match="expired"):
            vault.load(value)
    else:
        assert same(vault.load(value).data, data)


parts = st.lists(st.text("ab\x00\u00e9", min_size=1, max_size=3), min_size=1, max_size=4)
purposes = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(purposes, purposes)
def test_a_seal_opens_for_its_own_purpose_and_for_no_other(one: str, other: str) -> None:
    assume(one != other)
    mine, theirs = (Sealer(PASSWORD, purpose=purpose, clock=lambda: NOW) for purpose in (one, other))
    token = mine.seal({"user": 7}, ttl=60)
    assert mine.unseal(token) == {"user": 7}
    with pytest.raises(InvalidSeal):
        theirs.unseal(token)
    assert unseal_data(token, password=PASSWORD, clock=lambda: NOW) == {}
    with pytest.raises(InvalidSeal):
        mine.unseal(seal_data({"user": 7}, password=PASSWORD, clock=lambda: NOW))


@given(
    parts,
    parts,
)
def test_parts_of_a_purpose_do_not_run_together(one: list[str], other: list[str]) -> None:
    assume(one != other)
    root = Passwords.parse(PASSWORD)
    assert root.derive(*one).sealing != root.derive(*other).sealing


@given(
    st.dictionaries(st.integers(1, 999), st.integers(0, 5), min_size=1, max_size=5),
    st.integers(1, 999),
)
def test_every_configured_password_reads_and_the_highest_seals(
    configured: dict[int, int], stranger: int
) -> None:
    by_id = {number: f"{PASSWORD}{index}" for number, index in configured.items()}
    for number, password in by_id.items():
        token = Sealer({number: password}, purpose="x", clock=lambda: NOW).seal({"n": number}, ttl=60)
        assert Sealer(by_id, purpose="x", clock=lambda: NOW).unseal(token) == {"n": number}
    token = Sealer(by_id, purpose="x", clock=lambda: NOW).seal({}, ttl=60)
    assert token.split("*")[1] == str(max(by_id))
    assume(stranger not in by_id)
    foreign = Sealer({stranger: PASSWORD}, purpose="x", clock=lambda: NOW).seal({}, ttl=60)
    with pytest.raises(UnknownPassword):
        Sealer(by_id, purpose="x", clock=lambda: NOW).unseal(foreign)


@given(st.text(max_size=120))
def test_no_text_opens_and_each_is_refused_with_the_one_error(text: str) -> None:
    with pytest.raises(SealError):
        Sealer(PASSWORD, purpose="x", clock=lambda: NOW).unseal(text)
