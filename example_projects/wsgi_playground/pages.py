"""The pages, as HTML. `Markup.format` escapes every value that is put into them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, final

from markupsafe import Markup

from iron_wsgi import CookieTooLarge

from .anatomy import KINDS, Part, moment

LIMIT: Final = 4096  # octets of a Set-Cookie line
CROWDED: Final = 3000  # octets in one response from which on iron_wsgi warns of proxies
SHOWN: Final = 160  # characters of a part that are shown in full

EMPTY: Final = Markup("")

_COLUMNS = Markup('<div class="columns">\n{}\n{}\n</div>')

_LAYOUT = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · iron_wsgi playground</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
%3Crect width='16' height='16' rx='4' fill='%23b3420f'/%3E%3Cpath d='M3 11 5 5h6l2 6z' fill='%23fff'/%3E%3C/svg%3E">
</head>
<body>
<header class="site">
<a class="brand" href="/">iron_wsgi <span>playground</span></a>
<nav aria-label="Site"><a href="/">Start</a> <a href="/session">Session</a></nav>
</header>
<main>
{body}
</main>
<footer class="site">A demo, for this machine alone. A real site never shows its visitors' cookies.</footer>
</body>
</html>
""")


def _page(title: str, *sections: Markup) -> str:
    return str(_LAYOUT.format(title=title, body=Markup("\n").join(sections)))


# The start page.

_START = Markup("""<section class="hero">
<h1>A session that the browser carries and cannot read</h1>
<p class="lead">Sign in and this site remembers you without keeping anything about you: the whole session travels in
one cookie, encrypted and sealed. Here you can take that cookie apart, change what it holds, and try to break it.</p>
<p class="actions"><a class="button" href="/sign-in">Sign in</a> <a class="button quiet" href="/session">See the
session</a></p>
<p class="account">The account is <strong>{user}</strong> with the password <strong>{password}</strong>.</p>
<p class="whole" aria-hidden="true">{whole}</p>
</section>""")

_THINGS_TO_TRY = Markup("""<section>
<h2>Things to try</h2>
<ol class="steps">
<li><strong>Read the cookie.</strong> It has nine parts. Three can be read by everybody, the data by nobody but the
server.</li>
<li><strong>Change one byte.</strong> Choose the part; the server hands you your own cookie with that byte
changed, and you see what comes of it.</li>
<li><strong>Rotate the password.</strong> You stay signed in, and the next page seals your session anew.</li>
<li><strong>Fill it up.</strong> A cookie ends at 4,096 octets. See what happens to the one too many.</li>
<li><strong>Wait.</strong> After half an hour without you the session is over; after eight hours in any case.</li>
</ol>
<p class="aside">This page does not look at your session. So its response says neither <code>Vary</code> nor
<code>Set-Cookie</code>, and any cache may keep it.</p>
</section>""")

_SIGNED_OUT = Markup('<p class="note good" role="status">You are signed out, and the cookie is deleted.</p>')


def start(account: tuple[str, str], *, is_secure: bool, is_signed_out: bool) -> str:
    """Return the page that everybody may see."""
    user, password = account
    return _page(
        "Start",
        _SIGNED_OUT if is_signed_out else EMPTY,
        _START.format(user=user, password=password, whole=_coloured([kind.title for kind in KINDS])),
        _COLUMNS.format(_THINGS_TO_TRY, _SECURE[is_secure]),
    )


_SECURE = {
    False: Markup("""<section>
<h2>Why <code>Secure</code> is off</h2>
<p>You came over plain http. A cookie marked <code>Secure</code> is for https alone: most browsers make an exception
for this machine, some do not, and from any other address all of them would drop it. Over plain http everybody on
the way can copy the cookie, and whoever has a copy is you; sealing keeps it from being read and changed, not from
being copied. So a real site uses https and leaves <code>Secure</code> on, which is iron_wsgi's default. Behind https
this playground does so too.</p>
</section>"""),
    True: Markup("""<section>
<h2>Why <code>Secure</code> is on</h2>
<p>You came over https, so the cookie is marked <code>Secure</code>: the browser never sends it over plain http, where
everybody on the way could copy it.</p>
</section>"""),
}


# Signing in.

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

_WRONG = Markup(
    '<p class="note bad" role="alert">No account has this name and this password. You typed the name “{name}”.</p>'
)
_TOKEN = Markup('<input type="hidden" name="csrf" value="{token}">')


def sign_in(account: tuple[str, str], token: str, *, wrong_name: str | None = None) -> str:
    """Return the form; after a failed attempt with the name that was typed."""
    user, password = account
    return _page(
        "Sign in",
        _SIGN_IN.format(
            error=EMPTY if wrong_name is None else _WRONG.format(name=wrong_name),
            token=_TOKEN.format(token=token),
            name=wrong_name or "",
            user=user,
            password=password,
        ),
    )


# Nobody is signed in.

_ANONYMOUS = Markup("""<section class="narrow">
<h1>Nobody is signed in</h1>
{explanation}
<p class="actions"><a class="button" href="/sign-in">Sign in</a></p>
</section>""")

_NO_COOKIE = Markup("<p>Your browser sent no session, so to this site you are a visitor like any other.</p>")

_REFUSED = Markup("""<div class="note bad" role="alert">
<h2>The cookie was refused: {reason}</h2>
{deed}<p>{why}</p>
<p>{consequence}</p>
</div>""")

_DEED = Markup("<p>You changed one byte of the <strong>{title}</strong>, hoping for {temptation}.</p>\n")

_WHY: Final = {
    "invalid": "The MAC does not match. So some byte was changed, or the seal was made under another password, as "
    "every seal was that is older than this server’s last start. Which of the two, nobody can tell: what is "
    "not authentic is not believed in any part, and not even decrypted.",
    "unknown-password": "The cookie names a password that this server does not have. It may be a false number, or a "
    "password that was dropped after several rotations.",
    "expired": "The cookie is authentic, but its time is over.",
    "no-expiry": "The cookie has no end, and here every session has one.",
    "too-old": "The cookie is authentic, but the session began longer ago than any may last, however much it is used.",
}

_DELETED: Final = "You are anonymous, and this response deletes the cookie."
_LEFT: Final = (
    "You are anonymous. The cookie stays, though: in a rotation another server may already have the password that "
    "this one lacks, and deleting the cookie would sign you out there."
)


def anonymous(*, reason: str | None, is_kept: bool, changed: str | None) -> str:
    """Return the session page of a visitor without a session.

    Args:
        reason: Why a cookie was refused; None if none came.
        is_kept: The refused cookie stays in the browser.
        changed: The name of the part that the visitor changed before.
    """
    explanation = _NO_COOKIE
    if reason is not None:
        deeds = [_deed(name) for name in [changed] if name is not None]
        explanation = _REFUSED.format(
            reason=reason,
            deed=Markup("").join(deeds),
            why=_WHY[reason],
            consequence=_LEFT if is_kept else _DELETED,
        )
    return _page("Nobody is signed in", _ANONYMOUS.format(explanation=explanation))


def _deed(name: str) -> Markup:
    kind = next(kind for kind in KINDS if kind.name == name)
    return _DEED.format(title=kind.title, temptation=kind.temptation)


# The session.


@final
@dataclass(frozen=True, kw_only=True)
class Visit:
    """What the session page shows. Moments are epoch seconds, lengths octets."""

    user: str
    token: str
    notice: str | None
    is_secure: bool
    now: float
    data: dict[str, Any]
    sid: str
    issued_at: float
    expires_at: float
    ends_at: float
    size: int
    cookie: list[Part]
    payload: dict[str, Any]
    password_ids: tuple[str, ...]
    sealing_id: str


_HEAD = Markup("""<div class="title">
<div><h1>Your session</h1>
<p class="lead">Signed in as <strong>{user}</strong>.</p></div>
<form method="post" action="/sign-out">{token}<button class="button quiet">Sign out</button></form>
</div>
{notice}""")

_NOTICE = Markup('<p class="note good" role="status">{notice}</p>')


def session(visit: Visit) -> str:
    """Return the page that shows a session and its cookie."""
    token = _TOKEN.format(token=visit.token)
    notice = EMPTY if visit.notice is None else _NOTICE.format(notice=visit.notice)
    return _page(
        "Your session",
        _HEAD.format(user=visit.user, token=token, notice=notice),
        _COLUMNS.format(_holdings(visit), _actions(visit, token)),
        _anatomy(visit, token),
        _readers(visit),
        _SECURE[visit.is_secure],
    )


_HOLDINGS = Markup("""<section>
<h2>What it holds</h2>
<pre tabindex="0" aria-label="The session’s data"><code>{data}</code></pre>
{gauge}
<h2>How long it lives</h2>
<dl class="facts">
<dt>Id</dt><dd><code>{sid}</code></dd>
<dt>Began</dt><dd>{issued}</dd>
<dt>Ends unused</dt><dd>{expires} <em>{remains}</em></dd>
<dt>Ends in any case</dt><dd>{ends} <em>{rest}</em></dd>
</dl>
<p class="aside">Once a minute, using the session seals it anew, and half an hour begins again. Both ends stand in the
cookie itself: no server remembers you.</p>
</section>""")


def _holdings(visit: Visit) -> Markup:
    return _HOLDINGS.format(
        data=_json(visit.data),
        gauge=_gauge(visit.size),
        sid=visit.sid,
        issued=_time(visit.issued_at),
        expires=_time(visit.expires_at),
        remains=_remains(visit.expires_at - visit.now),
        ends=_time(visit.ends_at),
        rest=_remains(visit.ends_at - visit.now),
    )


_GAUGE = Markup("""<figure class="gauge">
<svg viewBox="0 0 {limit} 100" preserveAspectRatio="none" role="img" aria-label="{size} of {limit} octets are used">
<rect class="all" width="{limit}" height="100"/><rect class="{level}" width="{size}" height="100"/></svg>
<figcaption><strong>{pretty}</strong> of 4,096 octets, the whole <code>Set-Cookie</code> line. {remark}</figcaption>
</figure>""")


def _gauge(size: int) -> Markup:
    crowded = size > CROWDED
    remark = "Browsers drop a larger cookie."
    if crowded:
        remark = "Some proxies answer 502 before that, at 4 KB for all headers together."
    level = "crowded" if crowded else "used"
    return _GAUGE.format(limit=LIMIT, size=size, pretty=f"{size:,}", level=level, remark=remark)


_ACTIONS = Markup("""<section>
<h2>Change it</h2>
<form method="post" action="/items" class="action">{token}
<label for="item">Add to a list</label>
<div class="row"><input id="item" name="item" maxlength="100" required autocomplete="off">
<button class="button">Add</button></div>
<code>session["items"].append(item)</code>
</form>
<form method="post" action="/apples" class="action">{token}
<button class="button">One apple more</button>
<code>session["cart"]["apples"] += 1</code>
</form>
<form method="post" action="/padding" class="action">{token}
<button class="button">500 octets more</button>
<code>session["padding"] += 500 * "x"</code>
</form>
<form method="post" action="/emptying" class="action">{token}
<button class="button quiet">Empty it</button>
<code>session["items"].clear()</code>
</form>
<h2>Rotate the password</h2>
<form method="post" action="/rotation" class="action">{token}
<button class="button">Make a new password</button>
<p>{passwords}</p>
</form>
</section>""")

_NEWEST = Markup("Your cookie was sealed by password {came}, the newest.")
_OUTDATED = Markup(
    "<strong>Your cookie was sealed by password {came}, and the newest is {sealing}.</strong> It still opens, and this "
    "response brings it back sealed by password {sealing}: load the page again to see it."
)


def _actions(visit: Visit, token: Markup) -> Markup:
    came = visit.cookie[1].text
    passwords = (_NEWEST if came == visit.sealing_id else _OUTDATED).format(came=came, sealing=visit.sealing_id)
    if len(visit.password_ids) > 1:
        older = ", ".join(number for number in visit.password_ids if number != visit.sealing_id)
        passwords += Markup(" The server also opens what was sealed by {}.").format(older)
    return _ACTIONS.format(token=token, passwords=passwords)


# The cookie, field by field.

_ANATOMY = Markup("""<section>
<h2>The cookie, part by part</h2>
<p>This is what your browser sent with this request: eight fields joined by <code>*</code>, and a mark. Changing a byte
sends it back to you with one character of that part changed.</p>
<p class="whole" aria-hidden="true">{whole}</p>
<form method="post" action="/tampering">{token}
<ol class="parts">
{parts}
</ol>
</form>
</section>""")

_PART = Markup("""<li class="part-{number}">
<h3>{title} <small>{octets}</small></h3>
<p class="text"><code>{text}</code></p>
<p>{purpose}</p>
<button class="button small" name="part" value="{name}">Change a byte<span class="unseen"> of the {title}</span></button>
</li>""")

_COLOURED = Markup('<span class="part-{number}">{text}</span>')


def _coloured(texts: list[str]) -> Markup:
    """Return the nine parts of a cookie, joined as they are in one, each in its colour."""
    spans = [_COLOURED.format(number=number, text=text) for number, text in enumerate(texts, 1)]
    return Markup("*").join(spans[:-1]) + spans[-1]


def _anatomy(visit: Visit, token: Markup) -> Markup:
    parts = [
        _PART.format(
            number=number,
            name=part.kind.name,
            title=part.kind.title,
            octets=f"{len(part.text):,} octet{'s' * (len(part.text) != 1)}",
            text=_shortened(part.text),
            purpose=part.kind.purpose,
        )
        for number, part in enumerate(visit.cookie, 1)
    ]
    return _ANATOMY.format(
        whole=_coloured([_shortened(part.text) for part in visit.cookie]),
        token=token,
        parts=Markup("\n").join(parts),
    )


_READERS = Markup("""<section>
<h2>Who can read what</h2>
<div class="columns">
<div><h3>Without the password</h3>
<dl class="facts wide">
{learnt}
</dl></div>
<div><h3>With it, the server</h3>
<pre tabindex="0" aria-label="The cookie’s payload"><code>{payload}</code></pre>
<p class="aside">As it came in. <code>_iron</code> holds the session’s own stamps: its id and when it began.</p></div>
</div>
</section>""")

_LEARNT = Markup("<dt>{title}</dt><dd>{reading}</dd>")


def _readers(visit: Visit) -> Markup:
    learnt = [
        _LEARNT.format(title=part.kind.title, reading=part.kind.reading(part.text)) for part in visit.cookie
    ]
    return _READERS.format(learnt=Markup("\n").join(learnt), payload=_json(visit.payload))


# What goes wrong.

_TOO_LARGE = Markup("""<section class="narrow">
<h1>That does not fit</h1>
<div class="note bad" role="alert">
<p>The cookie would have had <strong>{size}</strong> octets, and {limit} is the limit. <code>session.save()</code> raised
<code>CookieTooLarge</code>, this page was shown instead of an error, and your browser keeps the cookie that it has:
nothing is lost but the last change.</p>
</div>
<h2>The largest keys</h2>
<dl class="facts">
{largest}
</dl>
<p class="actions"><a class="button" href="/session">Back to the session</a></p>
</section>""")


def too_large(error: CookieTooLarge) -> str:
    """Return the explanation of a session that does not fit into its cookie."""
    largest = [
        Markup("<dt><code>{}</code></dt><dd>{} octets</dd>").format(key, f"{octets:,}")
        for key, octets in error.largest
    ]
    return _page(
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
    return _page(name, _PROBLEM.format(name=name, description=description))


# Values.


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _shortened(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    return f"{text[: SHOWN - 40]} … {len(text) - SHOWN:,} more … {text[-40:]}"


def _time(epoch: float) -> Markup:
    machine = datetime.fromtimestamp(epoch, tz=timezone.utc).isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(machine, moment(epoch))


def _remains(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"in {hours} h {minutes} min"
    return f"in {minutes} min {rest} s" if minutes else f"in {rest} s"
