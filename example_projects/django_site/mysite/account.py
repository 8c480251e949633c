"""Signing in, and what only those see who did. Every response is about one visitor."""

# Django has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from . import contents, forms

# Seconds unused. A timedelta would be the moment thirty days from the sign-in, whatever is done until then.
REMEMBERED: Final = 30 * 24 * 60 * 60


class SignIn(LoginView):
    """Django's own view, with "remember me". It never leads to another site, whatever ``next`` says."""

    form_class = forms.SignIn
    template_name = "sign_in.html"
    redirect_authenticated_user = True

    @property
    def extra_context(self) -> dict[str, Any]:
        """What the page shows beside the form."""
        return {"demo_account": settings.DEMO_ACCOUNT}

    def form_valid(self, form: forms.SignIn) -> HttpResponse:
        """Begin a session. Django gives it a new key, so one from before the sign-in stays anonymous."""
        response = super().form_valid(form)
        if form.cleaned_data["remember"]:
            # For this one session; later writes keep it, and signing out ends it.
            self.request.session.set_expiry(REMEMBERED)
        messages.success(self.request, "Welcome. This message was in your cookie, and it is gone already.")
        return response


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """Show the session; keep a note in it."""
    form = forms.Note(request.POST if request.method == "POST" else None)
    if form.is_valid():
        request.session["note"] = form.cleaned_data["text"]
        messages.success(request, "Your note is in the session: in the cookie, that is, and nowhere else.")
        return redirect("session")
    shown = {"form": form, "entries": contents.entries(request.session), "cookie": contents.cookie(request)}
    return render(request, "session.html", shown, status=400 if form.errors else 200)


@never_cache
@require_GET
def me(request: HttpRequest) -> HttpResponse:
    """Tell the public page's script who is looking."""
    return JsonResponse({"name": request.user.get_username() or None})
