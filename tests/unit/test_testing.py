from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
import unittest
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client

from iron_wsgi import (
    ConfigError,
    Cookie,
    CookieJar,
    CookieOptions,
    CookieTooLarge,
    HeadersAlreadySent,
    IronSessionMiddleware,
    Outcome,
    PayloadError,
    SessionOptions,
    get_iron_session,
    session_from,
)
from iron_wsgi.cookies.cookie import deletion
from iron_wsgi.cookies.outcome import NOTHING, HeaderList
from iron_wsgi.sessions.options import Options
from iron_wsgi.testing import DictJar, FakeClock, JarContract, dump_session, load_session

from .visitor import OTHER, PASSWORD

SEALED: Options = {"password": PASSWORD, "cookie_name": "session"}


def options(**changes: Any) -> SessionOptions:
    return SessionOptions(**{**SEALED, **changes})


def cookie(name: str, value: str, **attributes: Any) -> Cookie:
    return Cookie(name=name, value=value, options=CookieOptions(**attributes), max_age=60)


def counting(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """An application that counts its visits, and forgets them at /forget."""
    session = session_from(environ)
    if environ["PATH_INFO"] == "/forget":
        session.destroy()
    else:
        session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


# The clock.


def test_a_fake_clock_starts_at_one_readable_moment() -> None:
    moment = datetime.fromtimestamp(FakeClock()(), timezone.utc)
    assert moment == datetime(2027, 1, 15, 8, tzinfo=timezone.utc)


def test_a_fake_clock_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(1000.0)
    assert [clock(), clock(), clock.now] == [1000.0, 1000.0, 1000.0]
    clock.advance(1.5)
    assert clock() == 1001.5
    clock.advance(timedelta(hours=1))
    assert clock() == 4601.5
    clock.advance(-4601.5)
    assert clock() == 0


def test_a_session_is_over_when_a_fake_clock_has_passed_its_ttl_and_the_skew() -> None:
    clock = FakeClock()
    given = options(ttl=900, clock=clock)
    cookies = dump_session({"user": 7}, given)
    clock.advance(given.ttl + given.skew - 0.001)
    assert load_session(cookies, given) == {"user": 7}
    clock.advance(0.001)
    assert load_session(cookies, given) == {}


# The jar.


def test_a_dict_jar_carries_a_session_from_one_exchange_to_the_next() -> None:
    first = DictJar()
    with get_iron_session(first, options()) as session:
        session["user"] = 7
    second = DictJar(first.cookies)
    assert dict(get_iron_session(second, options())) == {"user": 7}
    assert second.sent == []
    assert second.cookies == first.cookies


def test_a_dict_jar_gives_one_value_or_each_of_several() -> None:
    jar = DictJar({"one": "1", "many": ["2", "3"], "none": []})
    assert [jar.read(name) for name in ("one", "many", "none", "missing")] == [("1",), ("2", "3"), (), ()]


def test_a_dict_jar_shows_what_the_response_carries_and_all_that_was_sent() -> None:
    jar = DictJar()
    assert jar.outcome == NOTHING
    outcomes = [
        Outcome((cookie("s", "1"),), vary=True, private=True, name="s"),
        Outcome((cookie("t", "2"),), vary=True, name="t"),
        Outcome(vary=True, name="s"),
    ]
    for outcome in outcomes:
        jar.send(outcome)
    assert jar.sent == outcomes
    assert jar.outcome == Outcome(outcomes[1].cookies, vary=True, private=False, name="t")


def test_a_dict_jar_forgets_what_is_deleted_and_keeps_what_is_not_named() -> None:
    jar = DictJar({"s": ["a", "b"], "t": ["c", "d"], "other": "x"})
    jar.send(
        Outcome((deletion("s", CookieOptions()), deletion("never", CookieOptions()), cookie("t", "new")))
    )
    assert jar.cookies == {"t": "new", "other": "x"}
    assert jar.read("s") == ("a", "b")


def test_a_dict_jar_drops_what_browsers_drop_for_its_size() -> None:
    jar = DictJar({"s": "old"})
    jar.send(Outcome((cookie("s", "v" * 4096), cookie("fits", "v" * 4092)), name="s"))
    assert jar.cookies == {"s": "old", "fits": "v" * 4092}


def test_a_dict_jar_over_plain_http_takes_no_secure_cookie() -> None:
    jar = DictJar({"gone": "1"}, https=False)
    jar.send(
        Outcome((cookie("s", "a"), cookie("plain", "b", secure=False), deletion("gone", CookieOptions())))
    )
    assert jar.cookies == {"gone": "1", "plain": "b"}


def test_a_closed_dict_jar_refuses_to_save_a_session_and_lets_one_be_read() -> None:
    jar = DictJar(dump_session({"user": 7}, options()))
    jar.close()
    with get_iron_session(jar, options()) as session:
        assert session["user"] == 7
    assert jar.sent == []
    with pytest.raises(HeadersAlreadySent, match=r"save before jar\.close\(\)"):
        session.save()


# Sessions of test clients.


def test_a_dumped_session_signs_in_a_werkzeug_client_and_is_loaded_from_it() -> None:
    client = Client(IronSessionMiddleware(counting, options=options()))
    for name, value in dump_session({"visits": 41}, options()).items():
        client.set_cookie(name, value)
    client.get("/", base_url="https://localhost")
    assert load_session({"session": client.get_cookie("session")}, options()) == {"visits": 42}
    client.get("/forget", base_url="https://localhost")
    assert client.get_cookie("session") is None
    gone = load_session({"session": client.get_cookie("session")}, options())
    assert gone == {}
    assert gone.is_new


def test_a_dumped_session_signs_in_flasks_client_and_is_loaded_from_it() -> None:
    app = Flask(__name__)
    app.wsgi_app = IronSessionMiddleware(counting, options=options())  # type: ignore[method-assign]
    client = app.test_client()
    for name, value in dump_session({"visits": 41}, options()).items():
        client.set_cookie(name, value)
    client.get("/", base_url="https://localhost")
    assert load_session({"session": client.get_cookie("session")}, options()) == {"visits": 42}


DJANGO = textwrap.dedent(
    """
    import sys

    import django
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    settings.configure(
        SECRET_KEY="django-secret-key",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["testserver"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        SESSION_ENGINE="iron_wsgi_django.backend",
        SESSION_COOKIE_SECURE=True,
        IRON_SESSION={"password": sys.argv[1]},
    )


    def visit(request):
        request.session["visits"] += 1
        return HttpResponse()


    def forget(request):
        request.session.flush()
        return HttpResponse()


    urlpatterns = [path("", visit), path("forget", forget)]
    django.setup()

    from django.test import Client

    from iron_wsgi import SessionOptions
    from iron_wsgi.testing import dump_session, load_session

    options = SessionOptions(password=sys.argv[1], cookie_name="sessionid")
    client = Client()
    client.cookies.load(dump_session({"visits": 41}, options))
    client.get("/")
    assert load_session(client.cookies, options) == {"visits": 42}
    client.get("/forget")
    assert "sessionid" in client.cookies  # as Django's client keeps a deleted cookie: empty
    assert load_session(client.cookies, options) == {}
    """
)


def test_a_dumped_session_signs_in_djangos_client_and_is_loaded_from_it() -> None:
    # In a process of its own: Django's settings are given once per process.
    run = python("-W", "error", "-c", DJANGO, PASSWORD)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_session_is_loaded_from_a_browser_drivers_list_of_cookies() -> None:
    chunked = options(overflow="chunk")
    data = {"user": 7, "long": "x" * 4000}
    held: list[dict[str, Any]] = [
        {"name": name, "value": value, "domain": "localhost", "secure": True}
        for name, value in dump_session(data, chunked).items()
    ]
    held.insert(0, {"name": "theme", "value": "dark"})
    assert load_session(held, chunked) == data
    assert load_session(iter(held), chunked) == data


def test_of_several_cookies_of_one_name_the_session_is_found_in_each_form() -> None:
    value = dump_session({"user": 7}, options())["session"]
    assert load_session({"session": ["tossed", value]}, options()) == {"user": 7}
    twice = [{"name": "session", "value": "tossed"}, {"name": "session", "value": value}]
    assert load_session(twice, options()) == {"user": 7}


def test_a_loaded_session_says_why_it_is_empty() -> None:
    cookies = dump_session({"user": 7}, **SEALED)
    state = load_session(cookies, password=OTHER, cookie_name="session").state
    assert state is not None
    assert (state.refused, state.is_new, state.data) == ("invalid", True, {})
    state = load_session(cookies, options(), password={2: PASSWORD}).state
    assert state is not None
    assert state.refused == "unknown-password"


def test_a_loaded_session_is_opened_by_the_clock_of_that_moment() -> None:
    clock = FakeClock()
    given = options(ttl=60, clock=clock)
    session = load_session(dump_session({"user": 7}, given), given)
    clock.advance(3600)
    assert session == {"user": 7}


def test_a_loaded_session_cannot_be_saved() -> None:
    session = load_session(dump_session({"user": 7}, options()), options())
    session["user"] = 8
    with pytest.raises(HeadersAlreadySent):
        session.save()


def test_without_a_clock_a_dumped_session_lives_from_now_on() -> None:
    before = time.time()
    session = load_session(dump_session({}, options(), ttl=100), options())
    assert session.expires_at is not None
    assert before + 100 - 0.001 <= session.expires_at <= time.time() + 100 + 0.001
    assert not session.is_new


def test_a_dumped_session_fails_as_the_applications_own_would() -> None:
    with pytest.raises(CookieTooLarge):
        dump_session({"long": "x" * 4096}, options())
    with pytest.raises(PayloadError, match="when"):
        dump_session({"when": datetime.now(timezone.utc)}, options())
    with pytest.raises(ConfigError, match="cookie_name"):
        dump_session({}, password=PASSWORD)


def test_the_module_needs_no_test_framework() -> None:
    program = (
        "import sys, iron_wsgi.testing; "
        "print(sorted({'pytest', '_pytest', 'unittest', 'flask', 'django'} & set(sys.modules)))"
    )
    assert python("-c", program).stdout == "[]\n"


# The contract. That good jars pass it stands in tests/contract.


class Exchange:
    """A jar of three lines, and one broken promise if `fault` names one."""

    def __init__(self, cookies: Sequence[tuple[str, str]], headers: HeaderList, fault: str) -> None:
        self.cookies = list(cookies)
        self.headers = headers
        self.fault = fault
        self.former: dict[str, Outcome] = {}

    def read(self, name: str) -> Any:
        values = [value for key, value in self.cookies if key == name]
        faulty = {
            "reads the last value only": values[-1:],
            "reads in another order": values[::-1],
            "reads each value once": list(dict.fromkeys(values)),
            "reads None where there is none": values or None,
            "reads without regard to case": [v for key, v in self.cookies if key.lower() == name.lower()],
            "reads without dots": [v for key, v in self.cookies if key.partition(".")[0] == name],
            "encodes": [value.replace("*", "%2A") for value in values],
        }
        return faulty.get(self.fault, values)

    def send(self, outcome: Outcome) -> None:
        former = self.former.get(outcome.name)
        if self.fault == "keeps the earlier lines":
            former = None
        if self.fault == "takes away another session's lines":
            former = Outcome(tuple(one for sent in self.former.values() for one in sent.cookies))
        if self.fault == "loses deletions":
            outcome = outcome._replace(cookies=tuple(one for one in outcome.cookies if not one.is_deletion))
        if self.fault == "tells no cache":
            outcome = outcome._replace(vary=False, private=False)
        if self.fault == "reads what it sent":
            self.cookies = [(one.name, one.value) for one in outcome.cookies]
        self.headers[:] = outcome.added_to(self.headers, replacing=former)
        if self.fault == "loses the application's cookies":
            self.headers[:] = [line for line in self.headers if "theme" not in line[1]]
        if self.fault == "sorts":
            self.headers.sort()
        self.former[outcome.name] = outcome


class Deaf:
    def read(self, _name: str) -> Sequence[str]:
        return ()

    def send(self, outcome: Outcome) -> None:
        """Lose it without a word."""


class Fussy(Deaf):
    def send(self, outcome: Outcome) -> None:
        raise HeadersAlreadySent(str(len(outcome.cookies)))


class Closed(Deaf):
    def send(self, outcome: Outcome) -> None:
        if outcome.cookies:
            raise HeadersAlreadySent


CLOSED: dict[str, type[Deaf]] = {"loses a cookie": Deaf, "fails without a cookie": Fussy}


class Contract(JarContract):
    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def exchange(
        self, cookies: Sequence[tuple[str, str]], headers: HeaderList
    ) -> tuple[CookieJar, Callable[[], Iterable[tuple[str, str]]]]:
        return Exchange(cookies, headers, self.fault), lambda: headers

    def closed_jar(self) -> CookieJar:
        return CLOSED.get(self.fault, Closed)()


PROMISES = sorted(name for name in vars(JarContract) if name.startswith("test_"))


def broken(contract: JarContract) -> set[str]:
    """The promises that a jar does not keep."""
    found = set()
    for promise in PROMISES:
        with contextlib.suppress(AssertionError, TypeError, HeadersAlreadySent):
            getattr(contract, promise)()
            continue
        found.add(promise)
    return found


ORDER = "test_every_value_sent_under_a_name_is_read_unchanged_in_the_order_of_the_header"
FAULTS = {
    "reads the last value only": {ORDER},
    "reads in another order": {ORDER},
    "reads None where there is none": {"test_a_name_that_was_not_sent_has_no_values"},
    "reads without regard to case": {"test_only_the_very_name_is_read"},
    "reads without dots": {"test_only_the_very_name_is_read"},
    "reads each value once": {ORDER},
    "encodes": {ORDER},
    "reads what it sent": {"test_sending_does_not_change_what_is_read"},
    "keeps the earlier lines": {
        "test_a_later_outcome_takes_the_place_of_an_earlier_one",
        "test_other_headers_keep_their_order_and_their_octets",
    },
    "takes away another session's lines": {"test_two_sessions_of_one_exchange_both_keep_their_cookies"},
    "loses deletions": {"test_each_cookie_of_an_outcome_becomes_one_set_cookie_line"},
    "tells no cache": {"test_caches_are_told"},
    "loses the application's cookies": {"test_other_headers_keep_their_order_and_their_octets"},
    "sorts": {"test_other_headers_keep_their_order_and_their_octets", "test_caches_are_told"},
    "loses a cookie": {"test_what_would_be_lost_is_refused"},
    "fails without a cookie": {"test_what_would_be_lost_is_refused"},
}


def test_a_jar_that_keeps_every_promise_passes_the_contract() -> None:
    assert broken(Contract()) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_contract_names_the_promise_that_a_jar_breaks(fault: str) -> None:
    assert broken(Contract(fault)) >= FAULTS[fault]


def test_every_promise_of_the_contract_can_be_broken() -> None:
    assert set.union(*FAULTS.values()) == set(PROMISES)


def test_a_failing_contract_says_what_it_expected_and_what_it_found() -> None:
    with pytest.raises(AssertionError, match=r"in the order of the header: expected \[.*\], found \[.*\]"):
        getattr(Contract("reads in another order"), ORDER)()
    with pytest.raises(AssertionError, match="must raise HeadersAlreadySent"):
        Contract("loses a cookie").test_what_would_be_lost_is_refused()


def test_a_contract_without_its_two_methods_fails() -> None:
    with pytest.raises(NotImplementedError):
        JarContract().exchange([], [])
    with pytest.raises(NotImplementedError):
        JarContract().closed_jar()


def test_unittest_runs_the_contract_too() -> None:
    class Case(Contract, unittest.TestCase):
        def __init__(self, method: str) -> None:
            unittest.TestCase.__init__(self, method)
            self.fault = ""

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.failures, result.errors) == (len(PROMISES), [], [])
