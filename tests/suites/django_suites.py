"""Django's own suite, as far as sessions matter to it, at two versions; our middleware, and Django's own.

Without a store and without a list of revocations, but for the engine's contract, which is kept with each.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from .suite import Difference, Suite

# The package suite_django stands in the folder plugins. One process: where there are more, Django's runner
# takes one test for another as soon as a whole class is skipped.
DJANGO: Final = ("tests/runtests.py", "--parallel=1", "--settings=suite_django.published")
OUR_MIDDLEWARE: Final = ("--settings=suite_django.middleware",)
STOCK_MIDDLEWARE: Final = ("--settings=suite_django.engine",)

# Without argon2-cffi, bcrypt, docutils, jinja2 and pillow it skips tests.
LIBRARIES: Final = (
    "argon2-cffi==25.1.0",
    "asgiref==3.12.1",
    "bcrypt==5.0.0",
    "cryptography==50.0.2",
    "docutils==0.23",
    "jinja2==3.1.6",
    "pillow==12.3.0",
    "sqlparse==0.6.1",
    "werkzeug==3.1.9",
)

CONTRACT: Final = ("suite_django.contract", "sessions_tests")
CLIENTS: Final = ("test_client", "test_client_regress", "messages_tests", "csrf_tests")
# The part of auth_tests that uses sessions: at Django 6.1 the whole spends a minute on hashing passwords.
AUTH: Final = tuple(
    f"auth_tests.test_{name}"
    for name in (
        "admin_multidb",
        "auth_backends",
        "basic",
        "context_processors",
        "decorators",
        "forms",
        "handlers",
        "login",
        "middleware",
        "mixins",
        "models",
        "remote_user",
        "signals",
        "templates",
        "validators",
        "views",
    )
)


def _after_sign_out(*cases: str) -> dict[str, Difference]:
    why = (
        "A session that was signed out in one place is saved in another: only a server that remembers who "
        "signed out can tell, and a session that lives in its cookie alone is remembered nowhere."
    )
    test = "save_does_not_resurrect_session_logged_out_in_other_context"
    names = [f"suite_django.{case}.test_session_{kind}{test}" for case in cases for kind in ("", "a")]
    return dict.fromkeys(names, Difference(why, says="UpdateError not raised"))


def _model(says: str) -> dict[str, Difference]:
    why = "It reads the row of the model Session, and there are no rows."
    return {"sessions_tests.tests.SessionMiddlewareTests.test_empty_session_saved": Difference(why, says)}


def _one_query_fewer(expected: Mapping[str, int]) -> dict[str, Difference]:
    why = (
        "It counts the queries of a request, and one of them fetches the session: ours needs none. "
        "suite_django.queries has the test with one query fewer, and it passes."
    )
    return {
        name: Difference(why, says=f"{count - 1} != {count} : {count - 1} queries executed, {count} expected")
        for name, count in expected.items()
    }


RESURRECTED: Final = _after_sign_out("contract.EngineTests")
KEY_OF_ITS_OWN: Final = {
    "suite_django.bound.RequestTests.test_session_key_valid_string_saved": Difference(
        "It sets the private attribute of the key, and reads it again. In a request the key is an id out of "
        "the seal, or a random one; none that somebody chose is taken over.",
        says="None != '12345678'",
    ),
}
IN_REQUESTS: Final = _after_sign_out("bound.RequestTests") | KEY_OF_ITS_OWN
DEFERRED: Final = {(3, 14): 1}
"""One test of admin_views and one of auth_tests want annotations that are looked at later."""

NO_ROW: Final = _model("Session matching query does not exist")
# It stops before it gets that far: its first assertion wants the key itself as the cookie's value.
KEY_IS_NO_COOKIE: Final = _model("not found in 'Set-Cookie: sessionid=Fe26.2*")
QUERIES: Final = _one_query_fewer(
    {
        "admin_views.tests.AdminCustomQuerysetTest.test_changelist_view_count_queries": 5,
        "admin_views.tests.AdminSearchTest.test_no_total_count": 4,
        "admin_views.tests.AdminSearchTest.test_reset_link": 5,
        "admin_views.tests.GroupAdminTest.test_group_permission_performance": 6,
        "admin_views.tests.UserAdminTest.test_user_permission_performance": 8,
    }
)
QUERIES_6_1: Final = QUERIES | _one_query_fewer(
    {"auth_tests.test_middleware.TestLoginRequiredMiddleware.test_protected_view_logged_in_performance": 2}
)
KEY_IS_THE_SEAL: Final = {
    "auth_tests.test_views.LoginTest.test_session_key_flushed_on_login_after_password_change": Difference(
        "It wants the session key to be the same after a second login. Under Django's own middleware the key "
        "is the cookie, which is sealed anew at every save; under ours it stays the same.",
        says="'Fe26.2*",
    )
}
DJANGO_5_2: Final = partial(
    Suite,
    project="django",
    version="5.2.19",
    sha256="ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1",
    requirements=(*LIBRARIES, "django==5.2.19"),
    command=DJANGO,
)
DJANGO_6_1: Final = partial(
    Suite,
    project="django",
    version="6.1.3",
    sha256="b5d2d9e35295065d13b1927b3f19a59bd119f737aa6299def14ccca1ae3c8c0d",
    oldest_python=(3, 12),
    requirements=(*LIBRARIES, "django==6.1.3"),
    command=DJANGO,
)

DJANGO_SUITES: Final = (
    DJANGO_5_2(
        name="django",
        ours=OUR_MIDDLEWARE,
        tests=(*CONTRACT, *CLIENTS, "auth_tests"),
        added=("suite_django.bound",),
        collected=2049,
        skipped=4,
        skipped_before=DEFERRED,
        different=RESURRECTED | IN_REQUESTS | KEY_IS_NO_COOKIE,
        opened=1100,
        sealed=250,
    ),
    DJANGO_5_2(
        name="django-admin",
        ours=OUR_MIDDLEWARE,
        tests=("admin_views",),
        added=("suite_django.queries",),
        collected=484,
        skipped=42,
        skipped_before=DEFERRED,
        different=QUERIES,
        opened=900,
        sealed=10,
    ),
    DJANGO_5_2(
        name="django-stock-middleware",
        ours=STOCK_MIDDLEWARE,
        tests=(*CONTRACT, *CLIENTS, "auth_tests"),
        collected=1984,
        skipped=4,
        skipped_before=DEFERRED,
        different=RESURRECTED | NO_ROW | KEY_IS_THE_SEAL,
        opened=1100,
        sealed=250,
    ),
    DJANGO_5_2(
        name="django-admin-stock-middleware",
        ours=STOCK_MIDDLEWARE,
        tests=("admin_views",),
        added=("suite_django.queries",),
        collected=484,
        skipped=42,
        skipped_before=DEFERRED,
        different=QUERIES,
        opened=900,
        sealed=10,
    ),
    # With a server that remembers who signed out, all of what Django asks of an engine is kept.
    *(
        DJANGO_5_2(
            name=f"django-{kind}",
            ours=(f"--settings=suite_django.{kind}_middleware",),
            tests=CONTRACT,
            added=("suite_django.bound",),
            collected=781,
            skipped=4,
            different=KEY_OF_ITS_OWN | KEY_IS_NO_COOKIE,
            opened=10,
            sealed=5,
        )
        for kind in ("revoking", "storing")
    ),
    *(
        DJANGO_5_2(
            name=f"django-{kind}-stock-middleware",
            ours=(f"--settings=suite_django.{kind}_engine",),
            tests=CONTRACT,
            collected=716,
            skipped=4,
            different=NO_ROW,
            opened=10,
            sealed=5,
        )
        for kind in ("revoking", "storing")
    ),
    DJANGO_6_1(
        name="django-6.1",
        ours=OUR_MIDDLEWARE,
        tests=(*CONTRACT, *CLIENTS, *AUTH, "admin_views"),
        added=("suite_django.bound", "suite_django.queries"),
        collected=2527,
        skipped=76,
        skipped_before={(3, 14): 2},
        different=RESURRECTED | IN_REQUESTS | KEY_IS_NO_COOKIE | QUERIES_6_1,
        opened=2100,
        sealed=250,
    ),
    DJANGO_6_1(
        name="django-6.1-stock-middleware",
        ours=STOCK_MIDDLEWARE,
        tests=CONTRACT,
        collected=717,
        skipped=4,
        different=RESURRECTED | NO_ROW,
        opened=10,
        sealed=5,
    ),
)
