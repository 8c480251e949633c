"""The frame around every page, and the pieces that several pages use.

Everything is a `Markup`, whose `format` escapes each value that is put into it.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

EMPTY: Final = Markup("")
COLUMNS: Final = Markup('<div class="columns">\n{}\n{}\n</div>')
TOKEN: Final = Markup('<input type="hidden" name="csrf" value="{}">')

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%23a63a0a'/%3E"
    "%3Cpath d='M3 11 5 5h6l2 6z' fill='%23fff'/%3E%3C/svg%3E"
)

_LAYOUT = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · iron_wsgi playground</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="{icon}">
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


def page(title: str, *sections: Markup) -> str:
    """Return a whole page."""
    return str(_LAYOUT.format(title=title, icon=_ICON, body=Markup("\n").join(sections)))


_COLOURED = Markup('<span class="part-{number}">{text}</span>')


def coloured(texts: list[str]) -> Markup:
    """Return the nine parts of a cookie, joined as they are in one, each in its colour."""
    spans = [_COLOURED.format(number=number, text=text) for number, text in enumerate(texts, 1)]
    return Markup("*").join(spans[:-1]) + spans[-1]


SECURE: Final = {
    False: Markup("""<section>
<h2>Why <code>Secure</code> is off</h2>
<p>You came over plain http. A cookie marked <code>Secure</code> is for https alone: most browsers make an
exception for this machine, some do not, and from any other address all of them would drop it.</p>
<p>Over plain http everybody on the way can copy the cookie, and whoever has a copy is you: sealing keeps it
from being read and changed, not from being copied. So a real site uses https and leaves <code>Secure</code>
on, which is iron_wsgi's default. Behind https this playground does so too.</p>
</section>"""),
    True: Markup("""<section>
<h2>Why <code>Secure</code> is on</h2>
<p>You came over https, so the cookie is marked <code>Secure</code>: the browser never sends it over plain
http, where everybody on the way could copy it.</p>
</section>"""),
}
"""The section about the attribute Secure, by whether the request came over https."""
