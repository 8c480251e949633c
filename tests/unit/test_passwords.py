from __future__ import annotations

import copy
import pickle
import warnings
from enum import Enum
from typing import Any

import pytest

from iron_wsgi import ConfigError, Passwords, WeakPasswordWarning, generate_password
from iron_wsgi.seals.passwords import _PUBLISHED

from .visitor import NEWER, OTHER, PASSWORD


def _shape(passwords: Passwords) -> tuple[tuple[str, ...], str]:
    return passwords.ids, passwords.sealing_id


# ---- every accepted form ----


def test_a_string_is_the_password_with_id_1() -> None:
    passwords = Passwords.parse(PASSWORD)
    assert _shape(passwords) == (("1",), "1")
    assert passwords.sealing == passwords.get("1") == PASSWORD


class Shown(str):
    """A password that shows itself as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "*" * 40


class Secret(str, Enum):
    PASSWORD = OTHER


@pytest.mark.parametrize("given", [Shown(OTHER), Secret.PASSWORD], ids=["shown otherwise", "Enum"])
def test_a_password_is_its_characters_whatever_it_shows(given: str) -> None:
    assert Passwords.parse(given).sealing == OTHER
    assert Passwords.parse({1: given}).sealing.encode() == OTHER.encode()


def test_a_checked_password_shows_nothing_and_is_not_pickled() -> None:
    secret = Passwords.parse(PASSWORD).sealing
    assert PASSWORD not in repr(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    "given",
    [
        {2: NEWER, 1: PASSWORD},
        {1: PASSWORD, 2: NEWER},
        {"1": PASSWORD, "2": NEWER},
        {1: PASSWORD, "2": NEWER},
    ],
)
def test_of_a_mapping_the_highest_number_seals_in_whatever_order_it_is_written(given: Any) -> None:
    passwords = Passwords.parse(given)
    assert _shape(passwords) == (("2", "1"), "2")
    assert passwords.sealing == NEWER


def test_ids_are_compared_as_numbers_not_as_text() -> None:
    assert Passwords.parse({"9": PASSWORD, "10": NEWER}).sealing_id == "10"


def test_default_opens_seals_that_name_no_id_and_never_seals() -> None:
    passwords = Passwords.parse({"default": OTHER, 1: PASSWORD})
    assert _shape(passwords) == (("1", "default"), "1")
    assert passwords.get("") == OTHER
    assert passwords.is_outdated("")
    with pytest.raises(ConfigError, match="no password to seal with"):
        Passwords.parse({"default": OTHER})
    with pytest.raises(ConfigError, match="a password id is an integer"):
        Passwords.parse({"default": OTHER, 1: PASSWORD}, seal_with="default")  # type: ignore[arg-type]


def test_without_a_default_password_seals_that_name_no_id_stay_closed() -> None:
    assert Passwords.parse(PASSWORD).get("") is None


def test_of_a_list_the_first_seals() -> None:
    passwords = Passwords.parse([{"id": 1, "password": PASSWORD}, {"id": 7, "password": NEWER}])
    assert _shape(passwords) == (("1", "7"), "1")
    assert passwords.is_outdated("7")


def test_passwords_are_taken_as_they_are() -> None:
    passwords = Passwords.parse({2: NEWER, 1: PASSWORD}, seal_with=1)
    assert _shape(Passwords.parse(passwords)) == (("2", "1"), "1")
    assert Passwords.parse(passwords, seal_with=2).sealing == NEWER


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "must be a string, a mapping"),
        (PASSWORD.encode(), "must be a string, a mapping"),
        (7, "must be a string, a mapping"),
        ("", "0 characters"),
        ("short", "5 characters and needs at least 32"),
        ({}, "password is empty"),
        ([], "password is empty"),
        ({0: PASSWORD}, "integer of at least 1, not 0"),
        ({-1: PASSWORD}, "integer of at least 1"),
        ({"01": PASSWORD}, "integer of at least 1"),
        ({"1e3": PASSWORD}, "integer of at least 1"),
        ({"\u0661": PASSWORD}, "integer of at least 1"),
        ({"1\n": PASSWORD}, "integer of at least 1"),
        ({"": PASSWORD}, "integer of at least 1"),
        ({None: PASSWORD}, "integer of at least 1"),
        ({1.0: PASSWORD}, "integer of at least 1"),
        ({True: PASSWORD}, "integer of at least 1"),
        ({1: PASSWORD, "1": NEWER}, "two passwords have the same id"),
        ([{"id": 1, "password": PASSWORD}, {"id": "1", "password": NEWER}], "two passwords have the same id"),
        ([PASSWORD], "each entry of a password list"),
        ([{"id": 1}], "each entry of a password list"),
        ({1: None}, "a password is a string, not NoneType"),
        ({1: [PASSWORD]}, "a password is a string, not list"),
        ({1: PASSWORD, 2: "short"}, "5 characters"),
        ({1: PASSWORD, "default": "short"}, "5 characters"),
    ],
)
def test_an_unusable_password_is_refused_when_it_is_given(given: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Passwords.parse(given)


def test_sealing_with_an_id_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="id 3 is wanted, and there are: 1, 2"):
        Passwords.parse({1: PASSWORD, 2: NEWER}, seal_with=3)


# ---- rotation ----


def test_a_seal_under_an_older_id_is_outdated_and_one_under_a_newer_is_not() -> None:
    passwords = Passwords.parse({3: NEWER, 2: PASSWORD, 1: OTHER}, seal_with=2)
    assert passwords.sealing == PASSWORD
    assert [passwords.is_outdated(one) for one in ("3", "2", "1")] == [False, False, True]


# ---- weak passwords ----


@pytest.mark.parametrize("password", sorted(_PUBLISHED))
def test_a_published_password_warns(password: str) -> None:
    with pytest.warns(WeakPasswordWarning, match="make one with `iron-wsgi keygen`"):
        Passwords.parse(password)


@pytest.mark.parametrize("password", ["p" * 32, "0123456789a" * 4, "abcabcabc" * 9])
def test_a_password_of_fewer_than_12_different_characters_warns(password: str) -> None:
    with pytest.warns(WeakPasswordWarning) as caught:
        Passwords.parse({1: PASSWORD, 2: password})
    assert password not in str(caught[0].message)


def test_a_generated_password_is_accepted_without_a_warning() -> None:
    made = {generate_password() for _ in range(200)}
    assert len(made) == 200
    assert {len(one) for one in made} == {43}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in made:
            Passwords.parse(one)


# ---- derived passwords ----


def test_a_derived_password_is_hkdf_over_the_password_with_each_part_behind_its_length() -> None:
    # HKDF-SHA256 (RFC 5869) by Node's hkdfSync, with an empty salt and the info
    # "iron_wsgi/purpose/v1" + 0x0000000a + "magic-link".
    derived = Passwords.parse(PASSWORD).derive("magic-link")
    assert derived.sealing == "11e6f12ca1381f9e04f95c7f2e6cc8fdf300f07039c4c3972a4da81a58f5eb92"


PURPOSES: list[tuple[str, ...]] = [
    ("session",),
    ("magic-link",),
    ("magic-link2",),
    ("reset",),
    ("ab", "c"),
    ("a", "bc"),
    ("abc",),
    ("a", "b", "c"),
    ("é",),
    ("x" * 100_000,),
]


def test_no_two_purposes_have_the_same_password() -> None:
    root = Passwords.parse(PASSWORD)
    derived = [root.derive(*purpose).sealing for purpose in PURPOSES]
    assert len({*derived, PASSWORD}) == len(PURPOSES) + 1
    assert {len(one) for one in derived} == {64}
    assert derived == [root.derive(*purpose).sealing for purpose in PURPOSES]


def test_a_purpose_keeps_every_id_and_the_one_that_seals() -> None:
    derived = Passwords.parse({2: NEWER, 1: PASSWORD, "default": OTHER}, seal_with=1).derive("links")
    assert _shape(derived) == (("2", "1", "default"), "1")
    assert len({derived.get(one) for one in ("2", "1", "")}) == 3


def test_a_derived_password_is_no_weak_password() -> None:
    Passwords.parse(Passwords.parse(PASSWORD).derive("links").sealing)


@pytest.mark.parametrize("purpose", [(), ("",), ("links", "")])
def test_an_empty_purpose_is_refused(purpose: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="a purpose must not be empty"):
        Passwords.parse(PASSWORD).derive(*purpose)


# ---- passwords from a framework's secret keys ----


def test_the_first_secret_key_seals_whatever_its_number() -> None:
    for keys in (["one", "two", "three"], ["three", "one", "two"], ["two", "three", "one"]):
        passwords = Passwords.from_secret_keys(keys)
        assert passwords.sealing == Passwords.from_secret_keys([keys[0]]).sealing
        assert passwords.sealing_id == passwords.ids[0]
        assert [passwords.is_outdated(one) for one in passwords.ids] == [False, True, True]


def test_the_id_of_a_secret_key_never_follows_its_place_in_the_list() -> None:
    alone = Passwords.from_secret_keys(["old"])
    later = Passwords.from_secret_keys(["newest", "new", "old"])
    assert later.get(alone.sealing_id) == alone.sealing
    assert later.is_outdated(alone.sealing_id)
    # So one server that has rotated and one that has not understand each other as far as they share keys.
    assert Passwords.from_secret_keys(["old", "newest"]).get(later.sealing_id) == later.sealing


def test_ids_of_secret_keys_are_ids_that_iron_session_accepts() -> None:
    for number in range(300):
        password_id = Passwords.from_secret_keys([f"key {number}"]).sealing_id
        assert password_id.isdecimal()
        assert 1 <= int(password_id) < 2**31


def test_secret_keys_of_any_length_and_kind_become_strong_passwords() -> None:
    assert Passwords.from_secret_keys(["dev"]).sealing == Passwords.from_secret_keys([b"dev"]).sealing
    passwords = Passwords.from_secret_keys(["dev"])
    assert len(passwords.sealing) == 64
    assert "dev" not in passwords.sealing
    assert _shape(Passwords.parse(passwords)) == _shape(passwords)


def test_the_same_secret_key_given_twice_is_one_password() -> None:
    assert len(Passwords.from_secret_keys(["a", "b", "a"]).ids) == 2


@pytest.mark.parametrize(("keys", "problem"), [([], "no secret key"), ([""], "empty"), (["a", b""], "empty")])
def test_missing_and_empty_secret_keys_are_refused(keys: list[str | bytes], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Passwords.from_secret_keys(keys)


# ---- what is shown, and what must not travel ----


def test_passwords_are_masked_wherever_they_are_shown() -> None:
    passwords = Passwords.parse({2: NEWER, 1: PASSWORD})
    assert repr(passwords) == str(passwords) == f"{passwords}" == "<Passwords 2, 1; 2 seals>"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_passwords_cannot_be_pickled_or_copied(take: Any) -> None:
    with pytest.raises(TypeError, match="not to be pickled"):
        take(Passwords.parse(PASSWORD))


def test_passwords_never_change_in_place() -> None:
    passwords = Passwords.parse(PASSWORD)
    for name in ("sealing_id", "ids", "_by_id", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(passwords, name, "2")
    given = {1: PASSWORD}
    passwords = Passwords.parse(given)
    given[2] = NEWER
    assert passwords.ids == ("1",)
