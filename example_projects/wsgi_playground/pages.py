"""The pages around the session: start, signing in, and what is shown where there is no session to show."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from iron_wsgi import CookieTooLarge

from .anatomy import KINDS
from .layout import COLUMNS, EMPTY, SECURE, TOKEN, coloured, page

_START = Markup("""<section class="hero">
<h1>A session that the browser carries and cannot read</h1>
<p class="lead">Sign in and this site remembers you without keeping anything about you: the whole session
travels in one cookie, encrypted and sealed. Here you can take that cookie apart, change what it holds, and
try to break it.</p>
<p class="actions"><a class="button" href="/sign-in">Sign in</a>
<a class="button quiet" href="/session">See the session</a></p>
<p class="account">The account is <strong>{user}</strong> with the password <strong>{password}</strong>.</p>
<p class="whole" aria-hidden="true">{whole}</p>
</section>""")

_THINGS_TO_TRY = Markup("""<section>
<h2>Things to try</h2>
<ol class="steps">
<li><strong>Read the cookie.</strong> It has nine parts. Some can be read by everybody, the data by nobody but
the server.</li>
<li><strong>Change one byte.</strong> Choose the part; the server hands you your own cookie with that byte
changed, and you see what comes of it.</li>
<li><strong>Rotate the password.</strong> You stay signed in, and the next page seals your session anew.</li>
<li><strong>Fill it up.</strong> A cookie ends at 4,096 octets. See what happens to the one too many.</li>
<li><strong>Wait.</strong> After half an hour without you the session is over, and after eight hours in any
case.</li>
</ol>
<p class="aside">This page does not look at your session. So its response says neither <code>Vary</code> nor
<code>Set-Cookie</code>, and any cache may keep it.</p>
</section>""")

_SIGNED_OUT = Markup('<p class="note good" role="status">You are signed out, and the cookie is deleted.</p>')


def start(account: tuple[str, str], *, is_secure: bool, is_signed_out: bool) -> str:
    """Return the page that everybody may see."""
    user, password = account
    return page(
        "Start",
        _SIGNED_OUT if is_signed_out else EMPTY,
        _START.format(user=user, password=password, whole=coloured([kind.title for kind in KINDS])),
        COLUMNS.format(_THINGS_TO_TRY, SECURE[is_secure]),
    )


_SIGN_IN = Markup("""<section class="narrow">
<h1>Sign in</h1>
{error}
<form method="post" action="/sign-in">
{token}
<p><label for="name">Name</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" required></p>
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required></p>
<p><button class="button">Sign in</button></p>
</form>
<p class="account">The account is <strong>{user}</strong> with the password <strong>{password}</strong>.</p>
</section>""")

_WRONG = Markup("""<p class="note bad" role="alert">No account has this name and this password. The name that
you typed is “{name}”.</p>""")


def sign_in(account: tuple[str, str], token: str, *, wrong_name: str | None = None) -> str:
    """Return the form; after a failed attempt with the name that was typed."""
    user, password = account
    return page(
        "Sign in",
        _SIGN_IN.format(
            error=EMPTY if wrong_name is None else _WRONG.format(name=wrong_name),
            token=TOKEN.format(token),
            name=wrong_name or "",
            user=user,
            password=password,
        ),
    )


_ANONYMOUS = Markup("""<section class="narrow">
<h1>Nobody is signed in</h1>
{explanation}
<p class="actions"><a class="button" href="/sign-in">Sign in</a></p>
</section>""")

_NO_COOKIE = Markup("<p>Your browser brought no sign-in: to this site you are a visitor like any other.</p>")

_REFUSED = Markup("""<div class="note bad" role="alert">
<h2>The cookie was refused: {reason}</h2>
{deed}
<p>{why}</p>
<p>{consequence}</p>
</div>""")

_DEED = Markup("<p>You changed one byte of the <strong>{title}</strong>, hoping for {temptation}.</p>")

_WHY: Final = {
    "invalid": "It is not authentic. Some byte was changed, or the seal was made under another password, "
    "as every seal was that is older than this server's last start. Which of the two, nobody can tell: "
    "nothing in it is believed, and its data are not even decrypted.",
    "unknown-password": "It names a password that this server does not have. The number may be false, or "
    "that of a password that was dropped after several rotations.",
    "expired": "It is authentic, but its time is over.",
    "no-expiry": "It has no end, and here every session has one.",
    "too-old": "It is authentic, but the session began longer ago than any may last.",
}

_DELETED: Final = "You are anonymous, and this response deletes the cookie."
_LEFT: Final = (
    "You are anonymous. The cookie stays, though: during a rotation another server may already have "
    "the password that this one lacks, and deleting the cookie would sign you out there."
)


def anonymous(*, reason: str | None, is_kept: bool, changed: str | None) -> str:
    """Return the session page of a visitor who is not signed in.

    Args:
        reason: Why a cookie was refused; None if none was.
        is_kept: The refused cookie stays in the browser.
        changed: The name of the part that the visitor changed before.
    """
    explanation = _NO_COOKIE
    if reason is not None:
        deeds = [
            _DEED.format(title=kind.title, temptation=kind.temptation)
            for kind in KINDS
            if kind.name == changed
        ]
        explanation = _REFUSED.format(
            reason=reason,
            deed=Markup("").join(deeds),
            why=_WHY[reason],
            consequence=_LEFT if is_kept else _DELETED,
        )
    return page("Nobody is signed in", _ANONYMOUS.format(explanation=explanation))


_TOO_LARGE = Markup("""<section class="narrow">
<h1>That does not fit</h1>
<div class="note bad" role="alert">
<p>The cookie would have had <strong>{size}</strong> octets, and {limit} is the limit.
<code>session.save()</code> raised <code>CookieTooLarge</code>, so this page is shown. Your browser keeps the
cookie that it has: nothing is lost but the last change.</p>
</div>
<h2>The largest keys</h2>
<dl class="facts">
{largest}
</dl>
<p class="actions"><a class="button" href="/session">Back to the session</a></p>
</section>""")

_KEY = Markup("<dt><code>{key}</code></dt><dd>{octets} octets</dd>")


def too_large(error: CookieTooLarge) -> str:
    """Return the explanation of a session that does not fit into its cookie."""
    largest = [_KEY.format(key=key, octets=f"{octets:,}") for key, octets in error.largest]
    return page(
        "That does not fit",
        _TOO_LARGE.format(
            size=f"{error.size:,}", limit=f"{error.limit:,}", largest=Markup("\n").join(largest)
        ),
    )


_PROBLEM = Markup("""<section class="narrow">
<h1>{name}</h1>
<p>{description}</p>
<p class="actions"><a class="button" href="/">Start</a></p>
</section>""")


def problem(name: str, description: str) -> str:
    """Return the page for a request that cannot be answered as it was meant."""
    return page(name, _PROBLEM.format(name=name, description=description))
