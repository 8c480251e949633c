"""Flask's own suite, at two versions, and those of the extensions that live in its session."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .suite import Suite

# suite_outcomes, suite_flask and suite_flask_store stand in the folder plugins.
PYTEST: Final = ("-m", "pytest", "-p", "suite_outcomes", "-p", "no:cacheprovider")
FLASK_SESSIONS: Final = ("-p", "suite_flask")
STORED_SESSIONS: Final = ("-p", "suite_flask_store")

# Flask's test_cli imports a private name, which pytest 9 no longer has.
TOOLS: Final = ("pytest==8.4.2", "cryptography==50.0.2")
LIBRARIES: Final = (
    "blinker==1.9.0",
    "itsdangerous==2.2.0",
    "jinja2==3.1.6",
    "markupsafe==3.0.4",
    "werkzeug==3.1.9",
)
# Without these, Flask's suite skips tests.
OPTIONAL: Final = ("asgiref==3.12.1", "greenlet==3.5.6", "python-dotenv==1.2.4")
FLASK: Final = (*LIBRARIES, "click==8.5.1", "flask==3.1.3")

TOML: Final = {(3, 11): 1}
"""One test of Flask's wants the module tomllib."""

BAD_HOST: Final = {
    "tests/test_reqctx.py::test_bad_environ_raises_bad_request": (
        "since 3.1.8 Werkzeug takes a Host of invalid characters for an empty one: "
        "the answer is 404, where the test expects 400"
    )
}

IN_COOKIES: Final = (
    Suite(
        name="flask",
        project="flask",
        version="3.1.3",
        sha256="0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb",
        requirements=(*TOOLS, *FLASK, *OPTIONAL),
        command=PYTEST,
        ours=FLASK_SESSIONS,
        collected=490,
        skipped_before=TOML,
        known=BAD_HOST,
        opened=400,
        sealed=40,
    ),
    Suite(
        name="flask-3.0",
        project="flask",
        version="3.0.3",
        sha256="ceb27b0af3823ea2737928a4d99d125a06175b8512c445cbd9a9ce200ef76842",
        # Three of its tests of the command line pass an argument that click 8.2 took away.
        requirements=(*TOOLS, *LIBRARIES, *OPTIONAL, "click==8.1.8", "flask==3.0.3"),
        command=PYTEST,
        ours=FLASK_SESSIONS,
        collected=484,
        skipped_before=TOML,
        known=BAD_HOST,
        opened=400,
        sealed=40,
    ),
    Suite(
        name="flask-login",
        project="Flask-Login",
        version="0.6.3",
        sha256="5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333",
        requirements=(*TOOLS, *FLASK, "asgiref==3.12.1", "flask-login==0.6.3", "semantic-version==2.10.0"),
        # It calls utcnow(), of which Python 3.12 and newer warn, and its configuration makes warnings errors.
        command=(*PYTEST, "-W", "ignore:datetime.datetime.utcnow:DeprecationWarning"),
        ours=FLASK_SESSIONS,
        collected=114,
        opened=200,
        sealed=80,
    ),
    Suite(
        name="flask-wtf",
        project="flask_wtf",
        version="1.3.0",
        sha256="61d5dabc50c3df885c297dcbd80810443a5d632106c8a69cab8ce740f0cdd7cc",
        # Without the last two it skips tests.
        requirements=(
            *TOOLS,
            *FLASK,
            "flask-wtf==1.3.0",
            "wtforms==3.2.2",
            "flask-babel==4.0.0",
            "flask-reuploaded==1.6.0",
        ),
        command=PYTEST,
        ours=FLASK_SESSIONS,
        collected=85,
        opened=100,
        sealed=10,
    ),
)

IN_A_STORE: Final = tuple(
    replace(suite, name=f"{suite.name}-store", ours=STORED_SESSIONS)
    for suite in IN_COOKIES
    if suite.name != "flask-3.0"
)
FLASK_SUITES: Final = (*IN_COOKIES, *IN_A_STORE)
