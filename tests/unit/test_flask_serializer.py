from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import pytest
from flask import Flask, flash, get_flashed_messages
from flask.json.provider import DefaultJSONProvider
from flask.json.tag import JSONTag, TaggedJSONSerializer
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from iron_wsgi import ConfigError, PayloadError
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi_flask import FlaskSession, IronSessionInterface
from iron_wsgi_flask.serializer import AppJSON, TaggedJSON
from tests.attack.seals import OLD, forged

from .flask_site import ERRORS, Site, lines, put
from .visitor import PASSWORD, payload, sealed

MOMENT: Final = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=timezone(timedelta(hours=5, minutes=30)))
TYPES: Final[list[Any]] = [
    (1, 2),
    (),
    ((1, ("a",)), [2]),
    b"\x00\xff",
    b"",
    Markup("<b>bold</b>"),
    uuid.UUID(int=7),
    MOMENT,
    MOMENT.replace(tzinfo=timezone.utc),
    MOMENT.replace(tzinfo=None),
    MOMENT.replace(microsecond=0),
    datetime.min,  # noqa: DTZ901 - naive moments are kept naive
    datetime.max,  # noqa: DTZ901
    {" t": 1},
    {" d": [b"x"]},
    {" di": {" di": 1}},
    {"": {}},
    {"a": {"b": [(1, b"x", {"c": MOMENT})]}},
    [Markup("x"), "x"],
    None,
    True,
    [1, 1.0, True],
    2**53 + 1,
    -(10**400),
    1e-300,
    "\u2028 \x00 é 👍",
]


def alike(found: Any, expected: Any) -> bool:
    """Compare types too: a list is no tuple, and True is not 1."""
    return repr(found) == repr(expected) and found == expected


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("site")
    with app.app_context():
        yield app


@pytest.mark.parametrize("value", TYPES, ids=repr)
def test_flasks_types_come_back_as_they_were(value: Any) -> None:
    place = Site()
    place.visit(put(value=value, nested=[{"in": value}]))
    found = place.finds()
    assert alike(found["value"], value)
    assert alike(found["nested"], [{"in": value}])


def test_a_moment_keeps_its_zone_and_its_microseconds() -> None:
    place = Site()
    place.visit(put(aware=MOMENT, naive=MOMENT.replace(tzinfo=None)))
    found = place.finds()
    assert found["aware"].utcoffset() == timedelta(hours=5, minutes=30)
    assert found["aware"].microsecond == 789012
    assert found["naive"].tzinfo is None


def test_a_moment_that_flask_wrote_is_read() -> None:
    place = Site()
    place.keep(sealed({"at": {" d": "Tue, 03 Feb 2026 04:05:06 GMT"}}))
    assert place.finds() == {"at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)}


@pytest.mark.parametrize("value", [date(2026, 2, 3), Decimal("1.50")])
def test_what_flasks_json_turns_into_text_is_text(value: Any, app: Flask) -> None:
    assert TaggedJSON().dumps({"x": value}) == TaggedJSONSerializer().dumps({"x": value}).encode()
    assert app


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


def is_escaped(value: Any) -> bool:
    """Whether an object in it has a tag's name for its only key."""
    tags = {tag.key for tag in TaggedJSON().tags.values()}
    if isinstance(value, dict):
        return (len(value) == 1 and next(iter(value)) in tags) or any(map(is_escaped, value.values()))
    return isinstance(value, list) and any(map(is_escaped, value))


@given(data=st.dictionaries(st.text(), plain, max_size=4))
def test_plain_values_are_the_plain_json_that_javascript_reads(data: dict[str, Any]) -> None:
    written = TaggedJSON().dumps(data)
    assert (
        alike(TaggedJSON().loads(written), dict(sorted(data.items()))) or TaggedJSON().loads(written) == data
    )
    if not is_escaped(data):
        assert json.loads(written) == data


@given(data=st.dictionaries(st.text(), plain, max_size=4))
def test_what_javascript_writes_is_read_as_it_is(data: dict[str, Any]) -> None:
    if not is_escaped(data):
        assert TaggedJSON().loads(json.dumps(data, ensure_ascii=False).encode()) == data


def test_what_javascript_sees_of_flasks_types() -> None:
    place = Site()
    place.visit(put(user={"id": 7}, pair=(1, 2), at=MOMENT, raw=b"\x00"))
    assert payload(place.value) == {
        "user": {"id": 7},
        "pair": {" t": [1, 2]},
        "at": {" d": "2026-02-03T04:05:06.789012+05:30"},
        "raw": {" b": "AA=="},
    }


class Money(Decimal):
    """What an application might keep."""


class TagMoney(JSONTag):
    key = " money"

    def check(self, value: Any) -> bool:
        return isinstance(value, Money)

    def to_json(self, value: Any) -> Any:
        return str(value)

    def to_python(self, value: Any) -> Any:
        return Money(value)


def test_further_types_are_taught_as_in_flask() -> None:
    place = Site()
    place.app.session_interface.serializer.register(TagMoney)  # type: ignore[attr-defined]
    place.visit(put(price=Money("1.50"), cart=[Money("2")]))
    found = place.finds()
    assert isinstance(found["price"], Money)
    assert found == {"price": Money("1.50"), "cart": [Money("2")]}
    untaught = Site()
    untaught.visit(put(price=Money("1.50")))
    assert untaught.finds() == {"price": "1.50"}


def test_teaching_one_interface_teaches_no_other() -> None:
    first, second = IronSessionInterface(PASSWORD), IronSessionInterface(PASSWORD)
    first.serializer.register(TagMoney)  # type: ignore[attr-defined]
    assert TagMoney.key not in second.serializer.tags  # type: ignore[attr-defined]


def test_a_nested_tuple_that_is_only_read_is_no_change() -> None:
    place = Site(SESSION_REFRESH_EACH_REQUEST=False)
    place.visit(put(pairs=[(1, 2)], box={"at": MOMENT, "raw": [b"x"]}))
    assert lines(place.visit(lambda current: (current["pairs"][0], current["box"]["at"]))) == []
    assert len(lines(place.visit(lambda current: current["pairs"].append((3, 4))))) == 1
    assert place.finds()["pairs"] == [(1, 2), (3, 4)]


def test_what_cannot_be_written_is_an_error_and_the_old_cookie_stands() -> None:
    place = Site()
    place.visit(put(user=7))
    held = place.value
    with pytest.raises(TypeError):
        place.visit(put(thing=object()))
    place.app.config.update(ERRORS)
    response = place.visit(put(thing=object()))
    assert (response.status_code, lines(response), place.value) == (500, [], held)


tagged = st.recursive(
    plain | st.binary(max_size=8) | st.uuids() | st.text().map(Markup) | st.decimals(allow_nan=False),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from([" t", " t__", " di", " b"]), children, max_size=3
        )
    ),
    max_leaves=12,
)


@given(data=st.dictionaries(st.text(), tagged, max_size=4))
def test_flasks_own_serializer_reads_and_writes_the_same(data: dict[str, Any]) -> None:
    with Flask("site").app_context():
        expected = TaggedJSONSerializer().dumps(data)
        assert TaggedJSON().dumps(data) == expected.encode()
        assert repr(TaggedJSON().loads(expected.encode())) == repr(TaggedJSONSerializer().loads(expected))


members = st.sampled_from(["a", "b", " t", 'x"a', "\u00e9"])


@given(st.dictionaries(members, tagged, min_size=1, max_size=3), st.data())
def test_unchanged_by_the_text_that_came_is_unchanged_by_comparing_values(
    data: dict[str, Any], draw: st.DataObject
) -> None:
    serializer = AppJSON(Flask("site"), TaggedJSON())
    text = serializer.dumps(data)
    key = draw.draw(st.sampled_from(sorted(data)))
    value = draw.draw(tagged | st.just(data[key]))
    if serializer.has_member(text, key, value):
        assert serializer.dumps({"": value}) == serializer.dumps({"": data[key]})


def test_a_value_is_found_in_the_text_that_came_where_that_is_certain() -> None:
    app = Flask("site")
    serializer = AppJSON(app, TaggedJSON())
    text = serializer.dumps(
        {"user": {"id": 7, "when": MOMENT}, "cart": [(1, b"x")], "count": 12, "b": {"x": 1}}
    )
    assert serializer.has_member(text, "user", {"id": 7, "when": MOMENT})
    assert serializer.has_member(text, "cart", [(1, b"x")])
    assert not serializer.has_member(text, "cart", [[1, b"x"]])
    assert not serializer.has_member(text, "count", 1)  # 12 begins with it
    assert not serializer.has_member(text, "id of nobody", {})
    assert not serializer.has_member(
        serializer.dumps({"a": {"a": [1]}}), "a", {"a": [1]}
    )  # which of the two?
    app.json = type("Own", (DefaultJSONProvider,), {})(app)
    assert not serializer.has_member(text, "cart", [(1, b"x")])


@pytest.mark.parametrize("sort_keys", [True, False])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_what_is_written_is_what_flasks_own_serializer_writes(
    app: Flask,
    sort_keys: bool,  # noqa: FBT001
    ensure_ascii: bool,  # noqa: FBT001
) -> None:
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.sort_keys = sort_keys
    app.json.ensure_ascii = ensure_ascii
    data = {"z": "\u00e9", "b": {"y": (1, b"x"), "a": Markup("<i>")}, "a": [{"d": 1, "c": {" t": 1}}]}
    expected = TaggedJSONSerializer().dumps(data)
    assert TaggedJSON().dumps(data) == expected.encode()
    assert repr(TaggedJSON().loads(expected.encode())) == repr(TaggedJSONSerializer().loads(expected))


def test_keys_that_cannot_be_sorted_are_written_where_flask_is_told_not_to_sort() -> None:
    place = Site()
    assert isinstance(place.app.json, DefaultJSONProvider)
    place.app.json.sort_keys = False
    place.visit(put(b={"y": 1, 2: 3}, a=1))
    assert repr(place.finds()) == "{'b': {'y': 1, '2': 3}, 'a': 1}"


def test_a_default_of_the_applications_own_is_asked() -> None:
    place = Site()
    assert isinstance(place.app.json, DefaultJSONProvider)
    place.app.json.default = sorted  # type: ignore[method-assign,assignment]
    place.visit(put(tags={"b", "a"}))
    assert place.finds() == {"tags": ["a", "b"]}


def test_another_json_provider_is_used_for_sessions_as_in_flask() -> None:
    class Loud(DefaultJSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return super().dumps(obj, **kwargs).upper()

    place = Site()
    place.app.json = Loud(place.app)
    place.visit(put(user="me"))
    assert payload(place.value) == {"USER": "ME"}


def test_a_serializer_works_without_an_application_as_flasks_does() -> None:
    data = {"price": Decimal("1.50"), "pair": (1, 2)}
    assert TaggedJSON().dumps(data) == TaggedJSONSerializer().dumps(data).encode()
    assert TaggedJSON().loads(TaggedJSON().dumps(data)) == {"price": "1.50", "pair": (1, 2)}


# The strict one.


def strict(**options: Any) -> Site:
    return Site(IronSessionInterface(PASSWORD, serializer="json", **options))


def test_the_strict_serializer_writes_tuples_as_arrays() -> None:
    place = strict()
    place.visit(put(pair=(1, (2, 3))))
    assert payload(place.value) == {"pair": [1, [2, 3]]}
    assert place.finds() == {"pair": [1, [2, 3]]}


def test_messages_work_under_the_strict_serializer() -> None:
    place = strict()
    place.visit(lambda _: flash("hello", "good"))
    assert payload(place.value) == {"_flashes": [["good", "hello"]]}
    place.visit(lambda _: flash("again"))
    read: list[Any] = []
    place.visit(lambda _: read.extend(get_flashed_messages(with_categories=True, category_filter=["good"])))
    assert [tuple(message) for message in read] == [("good", "hello")]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (MOMENT, r"session\.cart\[1\]\.when is a datetime"),
        (b"x", r"session\.cart\[1\]\.when is a bytes"),
        (uuid.UUID(int=1), r"session\.cart\[1\]\.when is an? UUID"),
        (2**53, r"session\.cart\[1\]\.when"),
        (float("nan"), r"session\.cart\[1\]\.when is not a finite number"),
        ({1: 2}, r"session\.cart\[1\]\.when has a key of type int"),
    ],
)
def test_the_strict_serializer_refuses_what_javascript_would_not_read_back(value: Any, path: str) -> None:
    place = strict()

    def save(current: FlaskSession) -> None:
        current["cart"] = [0, {"when": value}]
        with pytest.raises(PayloadError, match=path):
            current.save()
        del current["cart"]

    place.visit(save)
    with pytest.raises(PayloadError, match=path):
        place.visit(put(cart=[0, {"when": value}]))


def test_tags_mean_nothing_to_the_strict_serializer() -> None:
    place = strict()
    place.keep(sealed({"pair": {" t": [1, 2]}}))
    assert place.finds() == {"pair": {" t": [1, 2]}}


def test_a_serializer_of_ones_own_is_used() -> None:
    class Shouting:
        def dumps(self, data: Any) -> bytes:
            return json.dumps(data).upper().encode()

        def loads(self, octets: bytes) -> Any:
            return json.loads(octets.decode().lower())

    place = Site(IronSessionInterface(PASSWORD, serializer=Shouting()))
    place.visit(put(user="me"))
    assert payload(place.value) == {"USER": "ME"}
    assert place.finds() == {"user": "me"}


def test_a_subclass_may_bring_its_serializer() -> None:
    kind = type("Strict", (IronSessionInterface,), {"serializer": StrictJSON()})
    assert isinstance(kind(PASSWORD).serializer, StrictJSON)
    assert isinstance(kind(PASSWORD, serializer="tagged").serializer, TaggedJSON)


def test_serializers_are_named_or_given() -> None:
    assert isinstance(IronSessionInterface(PASSWORD).serializer, TaggedJSON)
    assert isinstance(IronSessionInterface(PASSWORD, serializer="tagged").serializer, TaggedJSON)
    assert isinstance(IronSessionInterface(PASSWORD, serializer="json").serializer, StrictJSON)
    with pytest.raises(ConfigError, match="'tagged', 'json' or an object"):
        IronSessionInterface(PASSWORD, serializer="pickle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b'"x"',
        b'{" t": 1}',
        b'{"a": {" d": "x"}}',
        b"{" * 3000,
        b'{"a": {" b": 1}}',
    ],
)
def test_an_authentic_payload_that_is_no_session_is_refused_and_no_error(octets: bytes) -> None:
    place = Site(IronSessionInterface(OLD), SESSION_REFRESH_EACH_REQUEST=False)
    response = place.send(f"session={forged(octets)}", lambda current: str(dict(current)))
    assert response.status_code == 200
    assert response.text in ("{}", "{'a': None}")


class TagLarge(JSONTag):
    """Integers that JavaScript would round."""

    key = " big"

    def check(self, value: Any) -> bool:
        return type(value) is int and value > 2**53

    def to_json(self, value: Any) -> str:
        return str(value)

    def to_python(self, value: Any) -> int:
        return int(value)


class OwnTags(TaggedJSON):
    """A serializer with one more tag, given in Flask's own way."""

    default_tags = [TagLarge, *TaggedJSON.default_tags]  # noqa: RUF012 - Flask's name and form


def test_tags_of_a_subclass_count() -> None:
    app = Flask(__name__)
    with app.app_context():
        assert OwnTags().dumps({"n": 2**60}) == b'{"n":{" big":"1152921504606846976"}}'
        assert OwnTags().loads(b'{"n":{" big":"1152921504606846976"}}') == {"n": 2**60}
