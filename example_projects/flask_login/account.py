"""Signing in and out, and what only those see who did. Every response is about one visitor."""

# Flask-Login has no types.
# mypy: disable-error-code="import-untyped", allow-untyped-decorators

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from flask_login import LoginManager, current_user, login_required, login_user, logout_user

from iron_wsgi_flask import session

from .contents import entries
from .destination import is_local
from .forms import Note, SignIn
from .others import end_others
from .users import User, known_users

REMEMBERED: Final = timedelta(days=30)

blueprint = Blueprint("account", __name__)

login_manager = LoginManager()
login_manager.login_view = "account.sign_in"
login_manager.login_message = "Sign in to see your session."
# It would compare a hash of address and browser. Telephones change their address all day, and whoever copies
# a cookie can copy the browser's name too.
login_manager.session_protection = None
# Not on the application: after each response of what it is given, Flask-Login looks into the session for its
# remember cookie, and before each template it loads the user. On this blueprint that is right.
login_manager.init_app(blueprint)


@login_manager.user_loader
def _load(identity: str) -> User | None:
    return known_users().get(identity)


def begin_session(user: User) -> None:
    """Sign *user* in. Of the session before nothing stays: no id, no lifetime, no token of a form."""
    session.regenerate(clear=True)
    login_user(user)


@blueprint.after_request
def keep_out_of_caches(response: Response) -> Response:
    """Let nobody keep these pages, not even the browser: Back would show them after signing out."""
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Show the form; begin a session if name and password are right."""
    wanted = request.args.get("next", "")
    destination = wanted if is_local(wanted) else url_for(".show")
    if current_user.is_authenticated:
        return redirect(destination, 303)
    form = SignIn()
    if form.validate_on_submit() and (user := known_users().authenticate(form.name.data, form.password.data)):
        begin_session(user)
        if form.remember.data:
            # Not Flask-Login's remember=True: that is a second cookie, signed and good for a year, that signs
            # in by itself whatever became of the session. And not session.permanent: its lifetime is also the
            # hour after which every session ends unused. This is for one session, and later writes keep it.
            session.set_expiry(REMEMBERED)
        flash("Welcome. This message was in your cookie, and it is gone already.", "good")
        # At the end of the request it would be saved by itself. If the list of revocations does not answer,
        # it is too late then for the site's own page about that.
        session.save()
        return redirect(destination, 303)
    is_wrong = request.method == "POST"
    return render_template("sign_in.html", form=form, is_wrong=is_wrong), 403 if is_wrong else 200


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session, and every copy of it. By POST and with a token: no other site can do it."""
    logout_user()
    session.destroy()
    return redirect(url_for("public.start"), 303)


@blueprint.post("/sign-out-everywhere-else")
@login_required
def sign_out_everywhere_else() -> ResponseReturnValue:
    """End all other sessions of this user."""
    end_others(current_user.get_id())
    flash("You are signed out everywhere else.", "good")
    return redirect(url_for(".show"), 303)


@blueprint.route("/session", methods=["GET", "POST"])
@login_required
def show() -> ResponseReturnValue:
    """Show the session; keep a note in it."""
    form = Note()
    if form.validate_on_submit():
        session["note"] = form.text.data
        flash("Your note is in the session: in the cookie, that is, and nowhere else.", "good")
        return redirect(url_for(".show"), 303)
    page = render_template("session.html", form=form, entries=entries(session), size=session.size)
    return page, 400 if form.errors else 200


@blueprint.get("/api/me")
def me() -> ResponseReturnValue:
    """Tell the public page's script who is looking."""
    return {"name": current_user.name if current_user.is_authenticated else None}
