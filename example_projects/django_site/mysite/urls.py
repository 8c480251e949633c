"""Which address shows what."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from . import account, public

urlpatterns = [
    path("", public.start, name="start"),
    path("sign-in", account.SignIn.as_view(), name="sign_in"),
    # Django's own. By POST and with a token, so no other site can sign a visitor out.
    path("sign-out", LogoutView.as_view(), name="sign_out"),
    path("session", account.show, name="session"),
    path("api/me", account.me, name="me"),
    path("admin/", admin.site.urls),
]
