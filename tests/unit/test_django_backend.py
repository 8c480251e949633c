from __future__ import annotations

import subprocess
import sys
import textwrap

from iron_wsgi import unseal_data

PROGRAM = textwrap.dedent(
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
        IRON_SESSION={"password": sys.argv[1]} if sys.argv[1:] else {},
    )


    def login(request):
        request.session["user"] = {"id": 7}
        return HttpResponse("in")


    def home(request):
        return HttpResponse(str(request.session.get("user")))


    def logout(request):
        request.session.flush()
        return HttpResponse("out")


    urlpatterns = [path("login", login), path("", home), path("logout", logout)]
    django.setup()

    from django.test import Client
    from django.test.utils import override_settings

    from iron_wsgi import ConfigError, seal_data

    with override_settings(IRON_SESSION={"refresh_after": 60}):
        try:
            Client().get("/login")
        except ConfigError as error:
            assert "IRON_SESSION: refresh_after has no effect here" in str(error)
        else:
            raise AssertionError

    client = Client()
    client.get("/login")
    cookie = client.cookies["sessionid"].value
    assert client.get("/").content == b"{'id': 7}"
    assert "Set-Cookie" not in client.get("/").headers
    client.get("/logout")
    assert client.get("/").content == b"None"
    client.cookies["sessionid"] = cookie[:-10] + cookie[-9:]
    assert client.get("/").content == b"None"
    stranger = "stranger-Kq3Zt8Wm5Xb2Rv7Lc9Jd4Fs6Gh1Ty0Pn"
    client.cookies["sessionid"] = seal_data({"user": {"id": 8}}, password={9: stranger})
    kept = client.get("/")
    assert kept.content == b"None"
    assert "sessionid" not in kept.cookies
    print(cookie)
    """
)

PASSWORD = "django-J4hPq8Zt1-bVxN6wKs3RmL0yEc9Ua2Of"


def visit(*arguments: str) -> str:
    """Run a Django project in a process of its own: its settings are global."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_one_line_gives_a_django_project_sealed_sessions() -> None:
    assert visit().startswith("Fe26.2*")


def test_django_refuses_options_without_effect_and_keeps_cookies_of_servers_ahead_in_a_rotation() -> None:
    assert visit(PASSWORD)


def test_a_django_session_is_what_iron_session_reads() -> None:
    assert unseal_data(visit(PASSWORD), password=PASSWORD) == {"user": {"id": 7}}
