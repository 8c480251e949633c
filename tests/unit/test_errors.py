from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from types import ModuleType

import pytest

import iron_wsgi
from iron_wsgi import (
    ConfigError,
    CookieTooLarge,
    EnvironJar,
    ExpiredSeal,
    HeadersAlreadySent,
    InvalidSeal,
    IronError,
    IronSessionMiddleware,
    Passwords,
    PayloadError,
    Refused,
    Sealer,
    SealError,
    SessionDestroyed,
    SessionOptions,
    Unavailable,
    UnknownPassword,
    WeakPasswordWarning,
    apply_session,
    errors,
    get_iron_session,
    seal_data,
    unseal_data,
)
from iron_wsgi.seals import seal

from .visitor import OTHER, PASSWORD, sealed


def test_every_error_of_the_package_is_an_iron_error() -> None:
    found = [
        one
        for one in vars(errors).values()
        if inspect.isclass(one) and issubclass(one, Exception) and one is not WeakPasswordWarning
    ]
    assert len(found) >= 12
    assert all(issubclass(one, IronError) for one in found)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigError, ValueError),
        (PayloadError, TypeError),
        (CookieTooLarge, ValueError),
        (HeadersAlreadySent, RuntimeError),
        (SessionDestroyed, RuntimeError),
        (WeakPasswordWarning, UserWarning),
    ],
)
def test_errors_can_be_caught_as_the_builtin_that_they_are_a_kind_of(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, builtin)


def test_the_reasons_of_seal_errors_are_the_words_of_iron_session() -> None:
    reasons = {error: error.reason for error in (InvalidSeal, ExpiredSeal, UnknownPassword)}
    assert reasons == {
        InvalidSeal: "invalid",
        ExpiredSeal: "expired",
        UnknownPassword: "unknown-password",
    }
    assert all(issubclass(error, SealError) for error in reasons)


def test_data_that_cannot_be_trusted_is_never_taken_for_a_fault_of_the_program() -> None:
    for outside in (SealError, Refused, Unavailable):
        assert not issubclass(outside, (ValueError, TypeError, RuntimeError))


def test_a_refusal_says_why_and_which_password_was_named() -> None:
    refused = Refused("unknown-password", password_id="9")
    assert (refused.reason, refused.password_id) == ("unknown-password", "9")
    assert str(refused) == "the session cookie was refused: unknown-password"


def test_a_payload_error_says_where() -> None:
    error = PayloadError("session.cart[2].when", "is a datetime")
    assert (error.path, str(error)) == ("session.cart[2].when", "session.cart[2].when is a datetime")


def test_a_size_error_names_the_largest_keys_by_size_and_not_by_value() -> None:
    error = CookieTooLarge("Too large.", size=5000, limit=4096, largest=[("cart", 3000), ("notes", 900)])
    assert str(error) == "Too large. Largest keys, in octets: 'cart' 3000, 'notes' 900."
    assert (error.size, error.limit, error.largest) == (5000, 4096, (("cart", 3000), ("notes", 900)))
    assert str(CookieTooLarge("Too large.", size=1, limit=0)) == "Too large."


# ---- what tools that record tracebacks with local variables get to see ----

SECRET = "canary-Zq81-" + PASSWORD[12:]
UNSEALABLE = {"token": "canary-payload", "when": object()}


def _frames_of_the_package(error: BaseException) -> str:
    """Everything a recorder would keep of the package's own frames."""
    recorded = traceback.TracebackException.from_exception(error, capture_locals=True)
    kept = [frame for frame in recorded.stack if "/iron_wsgi/" in frame.filename]
    links = (error.__cause__, error.__context__)
    return f"{kept} {[frame.locals for frame in kept]} {error} {error!r} {links}"


def _unseal(value: str) -> object:
    return Sealer(SECRET, purpose="links").unseal(value)


def _save_what_is_no_json() -> None:
    session = get_iron_session(EnvironJar({}, []), password=SECRET, cookie_name="s")
    session["token"] = "canary-payload"
    session["when"] = object()
    session.save()


def _leave_with_what_is_no_json() -> None:
    with get_iron_session(EnvironJar({}, []), password=SECRET, cookie_name="s") as session:
        session["token"] = "canary-payload"
        session["when"] = object()


FAILURES: list[Callable[[], object]] = [
    lambda: seal.seal(b"canary-payload", "canary-short"),
    lambda: seal.unseal("canary-payload", SECRET),
    lambda: seal.unseal(sealed({"n": "canary-payload"}, password=OTHER), SECRET),
    lambda: seal_data(UNSEALABLE, password=SECRET),
    lambda: seal_data({}, password={1: SECRET, 2: "canary-short"}),
    lambda: unseal_data("canary-payload", password="canary-short"),
    lambda: Sealer(SECRET, purpose=""),
    lambda: Sealer(SECRET, purpose="links").seal(UNSEALABLE, ttl=60),
    lambda: _unseal(sealed({"n": "canary-payload"})),
    lambda: _unseal(sealed({"n": "canary-payload"}, password=SECRET, password_id="7")),
    lambda: Passwords.parse({0: SECRET}),
    lambda: Passwords.from_secret_keys([SECRET, ""]),
    lambda: SessionOptions(password=SECRET, cookie_name="canary payload"),
    lambda: IronSessionMiddleware(lambda *_: [], password=SECRET),
    lambda: apply_session({}, lambda *_: print, password=SECRET),
    lambda: get_iron_session(EnvironJar({}), password=SECRET),
    _save_what_is_no_json,
    _leave_with_what_is_no_json,
]


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_no_error_shows_a_password_a_seal_or_a_value_even_with_local_variables(number: int) -> None:
    with pytest.raises(IronError) as caught:
        FAILURES[number]()
    assert "canary" not in _frames_of_the_package(caught.value)


def test_the_canaries_would_be_seen_if_they_were_there() -> None:
    module = ModuleType("careless")
    source = "def careless(password):\n    raise ValueError('no')\n"
    exec(compile(source, "/somewhere/iron_wsgi/careless.py", "exec"), vars(module))  # noqa: S102
    with pytest.raises(ValueError, match="no") as caught:
        module.careless(SECRET)
    assert "canary" in _frames_of_the_package(caught.value)


def test_a_guarded_function_keeps_the_errors_class_message_and_attributes() -> None:
    @errors.opaque
    def fail(reason: str) -> None:
        """Fail."""
        raise PayloadError("session.a", reason) from ValueError(reason)

    with pytest.raises(PayloadError, match=r"session\.a is wrong") as caught:
        fail("is wrong")
    assert caught.value.path == "session.a"
    assert caught.value.__cause__ is None
    assert (fail.__name__, fail.__doc__) == ("fail", "Fail.")


def test_a_guarded_function_passes_on_results_and_foreign_errors() -> None:
    @errors.opaque
    def divide(number: int) -> float:
        return 1 / number

    assert divide(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        divide(0)


def test_every_public_name_is_documented() -> None:
    public = [
        one for name, one in vars(iron_wsgi).items() if not name.startswith("_") and inspect.isclass(one)
    ]
    assert len(public) > 20
    assert [one.__name__ for one in public if not inspect.getdoc(one)] == []
