"""The forms."""

# Django has no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.contrib.auth.forms import AuthenticationForm


class SignIn(AuthenticationForm):
    """Name and password, which Django checks, taking as long for a name that does not exist."""

    error_messages: ClassVar = {
        **AuthenticationForm.error_messages,
        "invalid_login": "No account has this name and this password.",
    }
    remember = forms.BooleanField(label="Remember me for 30 days", required=False)


class Note(forms.Form):
    """A text to keep in the session."""

    text = forms.CharField(label="A note to keep in it", max_length=200)
