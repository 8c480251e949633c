"""Signing in by a link, which is sent to its user and good for one use."""

# Flask-Login has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple, final

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from iron_wsgi import ExpiredSeal, Sealer, SealError, UsedSeal
from iron_wsgi_flask import session

from .account import begin_session, keep_out_of_caches
from .forms import Link
from .interface import interface
from .users import User, known_users

LIFETIME: Final = timedelta(minutes=15)

blueprint = Blueprint("link", __name__, url_prefix="/sign-in/link")
blueprint.after_request(keep_out_of_caches)


@final
class Refusal(NamedTuple):
    """What is said of a link that does not sign in."""

    status: int
    name: str
    description: str


REFUSALS: Final[dict[type[SealError], Refusal]] = {
    UsedSeal: Refusal(410, "This link has been used", "A link signs in once, and then never again."),
    ExpiredSeal: Refusal(410, "This link has expired", "A link is good for 15 minutes."),
}
BROKEN: Final = Refusal(
    403,
    "This link is not whole",
    "Perhaps a piece of it is missing, since programs for mail break long lines. Copy all of it, or ask for "
    "another.",
)


def links() -> Sealer:
    """Return what seals the links: under the session's password, and for this purpose alone."""
    return interface().sealer("sign-in", once=True)


@blueprint.route("", methods=["GET", "POST"])
def ask() -> ResponseReturnValue:
    """Ask whom the link is for, and send it. The answer does not tell whether there is such a user."""
    form = Link()
    if not form.validate_on_submit():
        return render_template("link_ask.html", form=form), 400 if form.errors else 200
    user = known_users().named(form.name.data)
    # Nobody gets a link too, which is not sent: the answer takes as long.
    token = links().seal({"user_id": user.id if user else None}, ttl=LIFETIME)
    if user:
        # A path. What goes before it knows who sends it: a request's Host is the choice of whoever asks, and
        # the user would carry his link there.
        current_app.config["SEND_LINK"](user, url_for(".show", token=token))
    return render_template("link_sent.html")


@blueprint.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show a button. Programs that look through mail open the links in it; this one is as good as before."""
    return render_template("link_open.html", user=_user_of(links().unseal(token)))


@blueprint.post("/<token>")
def use(token: str) -> ResponseReturnValue:
    """Use the link up and sign in. Of any number of parallel requests one gets this far."""
    begin_session(_user_of(links().consume(token)))
    flash("Welcome. The link that you came by is of no use any more.", "good")
    session.save()  # see account.sign_in
    return redirect(url_for("account.show"), 303)


def _user_of(sealed: dict[str, Any]) -> User:
    return known_users().get(sealed["user_id"]) or abort(410, "The account that this link is for is gone.")


@blueprint.errorhandler(SealError)
def explain(error: SealError) -> ResponseReturnValue:
    """Say what is wrong with a link, and where to get another."""
    refusal = REFUSALS.get(type(error), BROKEN)
    page = render_template("link_refused.html", name=refusal.name, description=refusal.description)
    return page, refusal.status
