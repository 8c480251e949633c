"""The forms. Flask-WTF puts a token of the visitor's session into each, and refuses one that has none."""

# Flask-WTF has no types, and WTForms brings none.
# mypy: disable-error-code="import-untyped", allow-subclassing-any

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import DataRequired, Length


class SignIn(FlaskForm):
    """Name and password."""

    name = StringField("Name", [DataRequired(), Length(max=100)])
    password = PasswordField("Password", [DataRequired(), Length(max=1000)])
    remember = BooleanField("Remember me for 30 days")


class Link(FlaskForm):
    """Whom to send a link to."""

    name = StringField("Name", [DataRequired(), Length(max=100)])


class Note(FlaskForm):
    """A text to keep in the session."""

    text = StringField("A note to keep in it", [DataRequired(), Length(max=200)])
