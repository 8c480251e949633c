"""The page that shows a session and takes its cookie apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, final

from markupsafe import Markup

from .anatomy import Part, moment
from .layout import COLUMNS, EMPTY, SECURE, TOKEN, coloured, page

LIMIT: Final = 4096  # octets of a Set-Cookie line
CROWDED: Final = 3000  # octets in one response from which on iron_wsgi warns of proxies
SHOWN: Final = 160  # characters of a part that are shown in full


@final
@dataclass(frozen=True, kw_only=True)
class Visit:
    """What the page shows. Moments are epoch seconds, lengths octets."""

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

_NOTICE = Markup('<p class="note good" role="status">{}</p>')


def session(visit: Visit) -> str:
    """Return the page."""
    token = TOKEN.format(visit.token)
    notice = EMPTY if visit.notice is None else _NOTICE.format(visit.notice)
    return page(
        "Your session",
        _HEAD.format(user=visit.user, token=token, notice=notice),
        COLUMNS.format(_holdings(visit), _actions(visit, token)),
        _anatomy(visit, token),
        _readers(visit),
        SECURE[visit.is_secure],
    )


_HOLDINGS = Markup("""<section>
<h2>What it holds</h2>
<pre tabindex="0" role="group" aria-label="The session's data"><code>{data}</code></pre>
{gauge}
<h2>How long it lives</h2>
<dl class="facts">
<dt>Id</dt><dd><code>{sid}</code></dd>
<dt>Began</dt><dd>{issued}</dd>
<dt>Ends unused</dt><dd>{expires} <em>{remains}</em></dd>
<dt>Ends in any case</dt><dd>{ends} <em>{rest}</em></dd>
</dl>
<p class="aside">Once a minute, using the session seals it anew, and half an hour begins again. Both ends
stand in the cookie itself: no server remembers you.</p>
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
<svg viewBox="0 0 {limit} 100" preserveAspectRatio="none" role="img"
aria-label="{size} of {limit} octets are used">
<rect class="all" width="{limit}" height="100"/><rect class="{level}" width="{size}" height="100"/></svg>
<figcaption><strong>{pretty}</strong> of 4,096 octets, the whole <code>Set-Cookie</code> line.
{remark}</figcaption>
</figure>""")


def _gauge(size: int) -> Markup:
    level, remark = "used", "Browsers drop a larger cookie."
    if size > CROWDED:
        level, remark = "crowded", "Some proxies answer 502 before that, at 4 KB for all headers together."
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
<h2 id="rotation">Rotate the password</h2>
<form method="post" action="/rotation" class="action">{token}
<button class="button">Make a new password</button>
<p>{passwords}</p>
</form>
</section>""")

_NEWEST = Markup("Your cookie was sealed by password {came}, the newest.")
_OUTDATED = Markup(
    "<strong>Your cookie was sealed by password {came}, and the newest is {sealing}.</strong> It still "
    "opens, and this response brings it back sealed by password {sealing}: load the page again to see it."
)
_OLDER = Markup("{passwords} The server also opens what was sealed by {older}.")


def _actions(visit: Visit, token: Markup) -> Markup:
    came, sealing = visit.cookie[1].text, visit.sealing_id
    passwords = (_NEWEST if came == sealing else _OUTDATED).format(came=came, sealing=sealing)
    older = ", ".join(number for number in visit.password_ids if number not in (came, sealing))
    if older:
        passwords = _OLDER.format(passwords=passwords, older=older)
    return _ACTIONS.format(token=token, passwords=passwords)


_ANATOMY = Markup("""<section>
<h2>The cookie, part by part</h2>
<p>This is what your browser sent with this request: eight fields joined by <code>*</code>, and a mark.
“Change a byte” sends it back to you with one character of that part changed.</p>
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
<button class="button small" name="part" value="{name}">Change a byte<span class="unseen"> of the
{title}</span></button>
</li>""")


def _anatomy(visit: Visit, token: Markup) -> Markup:
    parts = [
        _PART.format(
            number=number,
            name=part.kind.name,
            title=part.kind.title,
            octets="1 octet" if len(part.text) == 1 else f"{len(part.text):,} octets",
            text=_shortened(part.text),
            purpose=part.kind.purpose,
        )
        for number, part in enumerate(visit.cookie, 1)
    ]
    return _ANATOMY.format(
        whole=coloured([_shortened(part.text) for part in visit.cookie]),
        token=token,
        parts=Markup("\n").join(parts),
    )


_READERS = Markup("""<section>
<h2>Who can read what</h2>
<div class="columns">
<div><h3>Without the password</h3>
<dl class="facts">
{learnt}
</dl></div>
<div><h3>With it, the server</h3>
<pre tabindex="0" role="group" aria-label="The cookie's payload"><code>{payload}</code></pre>
<p class="aside">As it came in. <code>_iron</code> holds the session's own stamps: its id and when it
began.</p></div>
</div>
</section>""")

_LEARNT = Markup("<dt>{title}</dt><dd>{reading}</dd>")


def _readers(visit: Visit) -> Markup:
    learnt = [
        _LEARNT.format(title=part.kind.title, reading=part.kind.reading(part.text)) for part in visit.cookie
    ]
    return _READERS.format(learnt=Markup("\n").join(learnt), payload=_json(visit.payload))


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
