"""System checks: what would go wrong in front of visitors, said by ``manage.py check`` before that.

Each returns messages and never raises, opens no session and asks no database. They are silent where neither
``SESSION_ENGINE`` nor ``MIDDLEWARE`` is of this package.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice
from django.core.exceptions import ImproperlyConfigured
from django.db.models import CharField
from django.utils.module_loading import import_string

from iron_wsgi import ConfigError, Passwords, WeakPasswordWarning
from iron_wsgi.cookies import MAX_COOKIE

from .conf import MIDDLEWARE_ONLY, options
from .installed import ENGINE, OURS, STOCK, has_our_engine, is_a, middleware_of, path_of

AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"
SESSIONS: Final = "django.contrib.sessions"
SESSION_MODEL: Final = "django.contrib.sessions.base_session.AbstractBaseSession"

KEY_LENGTH: Final = 32
"""Characters of a session key where our middleware is used; as many as Django's own have."""

KEY_COLUMNS: Final = {"hitcount.hit": "session"}
"""Columns that hold session keys under a name that does not end in ``session_key``, by model."""

SHORTEN: Final = (
    f"Put {OURS!r} into MIDDLEWARE in place of Django's: its session keys are short, and stay the same."
)
WIDEN: Final = "Widen the column."


def check_settings(**_asked: object) -> list[CheckMessage]:
    """Check the password, the cookie, the serializer and all other options."""
    if not _is_used():
        return []
    found = [*_password(), *_cookie(), *_serializer(), *_lifetime(), *_older()]
    return found if any(message.is_serious() for message in found) else [*found, *_unusable()]


def check_middleware(**_asked: object) -> list[CheckMessage]:
    """Check that there is one session middleware, in its place, and that the engine suits it."""
    return list(_middleware_messages()) if _is_used() else []


def check_applications(*, app_configs: Iterable[Any] | None = None, **_asked: object) -> list[CheckMessage]:
    """Check that what the installed applications keep of sessions has room, and means something."""
    if not _is_used():
        return []
    return list(_application_messages(apps.get_app_configs() if app_configs is None else app_configs))


def check_password_strength(**_asked: object) -> list[CheckMessage]:
    """Refuse to deploy a password that can be guessed."""
    if not _is_used():
        return []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _explicit_passwords()
    if not any(issubclass(one.category, WeakPasswordWarning) for one in caught):
        return []
    return [
        Error(
            "A session password was published, or has fewer than 12 different characters.",
            hint="Make one with `manage.py iron_keygen`; whoever guesses it can read and make sessions.",
            id="iron_wsgi.E004",
        )
    ]


def check_cookie_protection(**_asked: object) -> list[CheckMessage]:
    """Say which protection the session cookie lacks, where Django's own checks do not look."""
    return list(_protection_messages()) if _is_used() else []


ALWAYS: Final = (check_settings, check_middleware, check_applications)
BEFORE_DEPLOYMENT: Final = (check_password_strength, check_cookie_protection)


# What there is.


def _is_used() -> bool:
    return has_our_engine() or bool(middleware_of(OURS))


def _given() -> Mapping[str, Any]:
    given = getattr(settings, "IRON_SESSION", {})
    return given if isinstance(given, Mapping) else {}


def _explicit_passwords() -> Passwords | None:
    """Return the passwords of ``IRON_SESSION``; None if there are none, or none that can be used."""
    try:
        return Passwords.parse(_given()["password"], seal_with=_given().get("seal_with"))
    except (KeyError, ConfigError):
        return None


def _secret_keys() -> list[str | bytes]:
    try:
        return [key for key in (settings.SECRET_KEY, *(settings.SECRET_KEY_FALLBACKS or ())) if key]
    except ImproperlyConfigured:  # Django's way to say that it is empty
        return []


# What there is to say of it.


def _password() -> Iterator[CheckMessage]:
    if _given().get("password") is None:
        if "password" in _given() or not _secret_keys():
            yield Error(
                "There is no password to seal sessions with.",
                hint='Set IRON_SESSION = {"password": ...}, from `manage.py iron_keygen`, or SECRET_KEY.',
                id="iron_wsgi.E002",
            )
        return
    with warnings.catch_warnings():
        # It is for `check --deploy`, and for the process that builds the engine.
        warnings.simplefilter("ignore", WeakPasswordWarning)
        try:
            passwords = Passwords.parse(_given()["password"], seal_with=_given().get("seal_with"))
        except ConfigError as error:
            yield Error(
                f"IRON_SESSION: the password cannot be used: {error}.",
                hint="Make one with `manage.py iron_keygen`.",
                id="iron_wsgi.E003",
            )
            return
    if {passwords.get(one) for one in passwords.ids} & {_text(key) for key in _secret_keys()}:
        yield Advice(
            "A session password is also a SECRET_KEY: whoever shares the sessions can sign for this site.",
            hint="Make one with `manage.py iron_keygen`, or give none: it is derived from SECRET_KEY.",
            id="iron_wsgi.W001",
        )


def _text(key: str | bytes) -> str:
    return str(key, "utf-8", "replace") if isinstance(key, bytes) else str(key)


def _cookie() -> Iterator[CheckMessage]:
    name, prefix = settings.SESSION_COOKIE_NAME, str(settings.SESSION_COOKIE_NAME).lower()
    missing = []
    if prefix.startswith(("__secure-", "__host-", "__http-")) and not settings.SESSION_COOKIE_SECURE:
        missing.append("SESSION_COOKIE_SECURE = True")
    if prefix.startswith(("__http-", "__host-http-")) and not settings.SESSION_COOKIE_HTTPONLY:
        missing.append("SESSION_COOKIE_HTTPONLY = True")
    if prefix.startswith("__host-") and settings.SESSION_COOKIE_PATH != "/":
        missing.append('SESSION_COOKIE_PATH = "/"')
    if prefix.startswith("__host-") and settings.SESSION_COOKIE_DOMAIN:
        missing.append("SESSION_COOKIE_DOMAIN = None")
    if missing:
        yield Error(
            f"Browsers drop a cookie named {name!r} under these settings.",
            hint=f"Set {', '.join(missing)}, or choose a SESSION_COOKIE_NAME without the prefix.",
            id="iron_wsgi.E006",
        )
    if settings.SESSION_COOKIE_SECURE:
        return
    given = _given().get("cookie_options")
    if isinstance(given, Mapping) and given.get("partitioned"):
        lacking = 'IRON_SESSION["cookie_options"]["partitioned"]'
    elif str(settings.SESSION_COOKIE_SAMESITE).lower() == "none" and settings.SESSION_COOKIE_SAMESITE:
        lacking = 'SESSION_COOKIE_SAMESITE = "None"'
    else:
        return
    yield Error(
        f"Browsers drop the session cookie: {lacking} needs a Secure cookie.",
        hint="Set SESSION_COOKIE_SECURE = True.",
        id="iron_wsgi.E007",
    )


def _serializer() -> Iterator[CheckMessage]:
    chosen: Any = _given().get("serializer")
    try:
        if chosen is None:
            chosen = import_string(settings.SESSION_SERIALIZER)()
        written = b"" if isinstance(chosen, str) else chosen.dumps({"a": 1})
    except Exception:  # noqa: BLE001 - a serializer may raise anything; what is unusable is said elsewhere
        written = b""
    names = {path_of(one).lower() for one in type(chosen).__mro__}
    # Protocol 2 and later begin with its number; they end with a full stop (pickletools: PROTO, STOP).
    if any("pickle" in name for name in names) or (written[:1] == b"\x80" and written[-1:] == b"."):
        yield Error(
            "The session serializer writes pickles: whoever learns the password can run programs here.",
            hint='Drop SESSION_SERIALIZER (its default is JSON), or set IRON_SESSION["serializer"] = "json".',
            id="iron_wsgi.E005",
        )


def _lifetime() -> Iterator[CheckMessage]:
    if "ttl" in _given():
        yield Error(
            f'IRON_SESSION["ttl"] is {_given()["ttl"]!r}, and a session lives for SESSION_COOKIE_AGE, which '
            f"is {settings.SESSION_COOKIE_AGE!r} seconds.",
            hint='Set SESSION_COOKIE_AGE, and drop IRON_SESSION["ttl"].',
            id="iron_wsgi.E013",
        )


def _older() -> Iterator[CheckMessage]:
    accept = _given().get("accept")
    if isinstance(accept, (tuple, list)) and "db" in accept and not apps.is_installed(SESSIONS):
        yield Error(
            f'IRON_SESSION["accept"] names "db", and INSTALLED_APPS has no {SESSIONS!r}.',
            hint=f"Put {SESSIONS!r} into INSTALLED_APPS, whose table is read, or drop the name.",
            id="iron_wsgi.E014",
        )


def _unusable() -> Iterator[CheckMessage]:
    try:
        options()
    except Exception as error:  # noqa: BLE001 - whatever a setting names may raise anything
        yield Error(
            f"The session settings cannot be used: {error}",
            hint="Correct IRON_SESSION or the setting that is named; until then every request fails.",
            id="iron_wsgi.E001",
        )


def _middleware_messages() -> Iterator[CheckMessage]:
    sessions = middleware_of(STOCK)
    if not sessions:
        yield Advice(
            "SESSION_ENGINE seals sessions, but MIDDLEWARE has no session middleware.",
            hint=f"Put {OURS!r} into MIDDLEWARE, before AuthenticationMiddleware.",
            id="iron_wsgi.W002",
        )
        return
    first, *others = sessions
    if others:
        yield Error(
            f"MIDDLEWARE has several session middlewares: {', '.join(one.path for one in sessions)}.",
            hint=f"Keep one, {OURS!r}: the inner hides the session of the outer, and both set cookies.",
            id="iron_wsgi.E008",
        )
    is_ours = is_a(first.made, OURS)
    if is_ours and not has_our_engine():
        yield Error(
            f"Sessions are not sealed: MIDDLEWARE has {first.path}, and SESSION_ENGINE is "
            f"{settings.SESSION_ENGINE!r}.",
            hint=f"Set SESSION_ENGINE = {ENGINE!r}.",
            id="iron_wsgi.E012",
        )
    idle = [] if is_ours else [name for name in MIDDLEWARE_ONLY if _given().get(name, "raise") != "raise"]
    if "overflow" in idle:
        yield Error(
            f'IRON_SESSION["overflow"] is "chunk", and {first.path} sets only one cookie.',
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.E011",
        )
    elif idle:
        yield Advice(
            f"IRON_SESSION: {', '.join(idle)} has no effect under {first.path}.",
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.W009",
        )
    needing = (AUTHENTICATION, MESSAGES, CSRF) if settings.CSRF_USE_SESSIONS else (AUTHENTICATION, MESSAGES)
    early = [one.path for one in middleware_of(*needing) if one.place < first.place]
    if early:
        yield Error(
            f"MIDDLEWARE has {first.path} after {', '.join(early)}, which needs a session.",
            hint=f"Move {first.path} up, before {early[0]}.",
            id="iron_wsgi.E009",
        )
    late = [one.path for one in middleware_of(CACHE) if one.place > first.place]
    if late:
        yield Error(
            f"MIDDLEWARE has {first.path} before {late[0]}, which so keeps pages for everybody to see "
            "before they are marked as one visitor's.",
            hint=f"Move {late[0]} up, before {first.path}.",
            id="iron_wsgi.E010",
        )


def _application_messages(configs: Iterable[Any]) -> Iterator[CheckMessage]:
    has_ours = bool(middleware_of(OURS))
    longest = KEY_LENGTH if has_ours else MAX_COOKIE
    for model in (model for config in configs for model in config.get_models()):
        if is_a(model, SESSION_MODEL):
            continue
        label = model._meta.label  # noqa: SLF001 - as documented
        for field in model._meta.local_fields:  # noqa: SLF001 - the same
            if _holds_keys(field, KEY_COLUMNS.get(label.lower())) and (field.max_length or longest) < longest:
                yield Advice(
                    f"{label}.{field.name} has room for {field.max_length} characters, and a session key "
                    f"has up to {longest}.",
                    hint=WIDEN if has_ours else SHORTEN,
                    obj=model,
                    id="iron_wsgi.W003",
                )
            if is_a(field.related_model, SESSION_MODEL):
                yield Advice(
                    f"{label}.{field.name} points at the table of sessions, which stays empty.",
                    hint="Keep the session key itself, in a CharField; sessions are in their cookies.",
                    obj=model,
                    id="iron_wsgi.W004",
                )
    if apps.is_installed("allauth.usersessions"):
        yield Advice(
            "allauth.usersessions can neither list nor end sessions of other devices: browsers have them.",
            hint="Tell users to change their password, which ends all; else a cookie lives until it expires.",
            id="iron_wsgi.W005",
        )


def _holds_keys(field: Any, known: str | None) -> bool:
    name = str(field.name)
    return isinstance(field, CharField) and (name.endswith("session_key") or name == known)


def _protection_messages() -> Iterator[CheckMessage]:
    # security.W010 to W015 see Django's own application and the path of its own middleware, nothing else.
    is_seen = SESSIONS in settings.INSTALLED_APPS or STOCK in settings.MIDDLEWARE
    if not is_seen and settings.SESSION_COOKIE_SECURE is not True:
        yield Advice(
            "SESSION_COOKIE_SECURE is not True: whoever listens to one plain http request has the session.",
            hint="Set SESSION_COOKIE_SECURE = True; the site must be served over https.",
            id="iron_wsgi.W006",
        )
    if not is_seen and settings.SESSION_COOKIE_HTTPONLY is not True:
        yield Advice(
            "SESSION_COOKIE_HTTPONLY is not True: a script that gets into a page can take the session away.",
            hint="Set SESSION_COOKIE_HTTPONLY = True, which is Django's default.",
            id="iron_wsgi.W007",
        )
    if not settings.SESSION_COOKIE_SAMESITE:
        yield Advice(
            "SESSION_COOKIE_SAMESITE is off: some browsers send the session with requests of other sites.",
            hint='Set SESSION_COOKIE_SAMESITE = "Lax", which is Django\'s default, or "Strict".',
            id="iron_wsgi.W008",
        )
