"""Writes the pages that stand in tables elsewhere: ``python docs/generate.py``.

``configuration.md`` comes from the tables of options in the code, ``differences.md`` from the tables that the
interoperability tests hold every library to. So neither can fall behind. A test compares them with what this
writes.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

# Found beside this folder, wherever it is run from.
from iron_wsgi import CookieOptions  # noqa: E402
from iron_wsgi.cookies import options as cookies  # noqa: E402
from iron_wsgi.seals.payload import StrictJSON  # noqa: E402
from iron_wsgi.sessions import option_table as options  # noqa: E402
from iron_wsgi.sessions.option_table import OPTIONS, REQUIRED, Option  # noqa: E402
from iron_wsgi.sessions.options import Options  # noqa: E402
from iron_wsgi_django.conf import ACCEPTED, DEFAULT_SERIALIZER, ELSEWHERE, MIDDLEWARE_ONLY, NAMES  # noqa: E402
from iron_wsgi_flask import IronSessionInterface  # noqa: E402
from iron_wsgi_flask.options import KEYS, PREFIX  # noqa: E402
from tests.interop import differences  # noqa: E402

CONFIGURATION = """\
# Configuration

<!-- Written by docs/generate.py from the tables in the code. Change those, and run it again. -->

All options are keyword arguments, of `IronSessionMiddleware`, `get_iron_session`, `with_iron_session`,
`apply_session`, `SessionOptions` and Flask's `IronSessionInterface` alike. They are checked when they are
given: a wrong one is a `ConfigError` at start, not at a request. In Flask the application's configuration may
give them too, under the key of the second column; it is checked when a session is first used. In Django the
settings give them, under the key of the third; `manage.py check` checks them.

Durations are seconds or a `timedelta`.

## The session

{options}

Of what `accept` names, Flask reads `"next-iron-session"`, `"flask"` and `"secret-key"`, Django
{accepted},
and the middleware for WSGI `"next-iron-session"` alone. What cannot be read is refused.

## The cookie

What `cookie_options` takes, as a mapping or as `CookieOptions`. The spellings of JavaScript are answered with
the right ones. `encode` and `priority` are refused with the reason.

{attributes}

## Flask

An option comes from the argument of `IronSessionInterface`, else from its `IRON_SESSION_...` key, else from
Flask's own key, else it has its default. For some the last two are not what the table above says:

| Option | If neither gives it |
|---|---|
| `password` | derived from `SECRET_KEY` and from each of `SECRET_KEY_FALLBACKS` |
| `cookie_name` | `SESSION_COOKIE_NAME` |
| `ttl` | `PERMANENT_SESSION_LIFETIME`, at least one second |
| `cookie_options` | `SESSION_COOKIE_...` and `APPLICATION_ROOT`; what is given wins attribute by attribute |
| `serializer` | `"tagged"`, which keeps Flask's types |
| `save_on_error` | True, as Flask saves |

With a `ttl` that is given the cookie outlives the browser by default. `serializer` may also be `"json"`, the
strict JSON, or an object with `dumps` and `loads`.

[The page about Flask](flask.md#configuration) says what each key means.

## Django

`IRON_SESSION` in the settings is a dictionary of options. What Django has a setting for comes from there, and
is refused in `IRON_SESSION`. For some the default is not what the table above says:

| Option | If `IRON_SESSION` does not give it |
|---|---|
| `password` | derived from `SECRET_KEY` and from each of `SECRET_KEY_FALLBACKS` |
| `cookie_name` | `SESSION_COOKIE_NAME`, always |
| `ttl` | `SESSION_COOKIE_AGE`, at least one second, or what `request.session.set_expiry` says |
| `cookie_options` | `SESSION_COOKIE_...`; `IRON_SESSION` may add `{{"partitioned": True}}` and nothing else |
| `serializer` | `SESSION_SERIALIZER`, by default `{serializer}` |
| `generate_id` | 160 bits as 32 characters, so that they fit where Django's session keys do |

`serializer` may also be `"json"`, the strict JSON, or an object with `dumps` and `loads`. With Django's own
session middleware {middleware_only}
have no effect; `overflow="chunk"` there is an error of `manage.py check`.

[The page about Django](django.md#settings) says what each setting means.
"""

DIFFERENCES = """\
# Where the libraries differ

<!-- Written by docs/generate.py from tests/interop/differences.py. Change that, and run it again. -->

Every input to which the libraries that know the format give different answers, with what each of them says
and why we say what we say. The [format](format.md) has the short version. All of it is held by
`tests/interop/test_differences.py`, which asks every library again, and about the inputs to which all give
the same answer too.

In a cell, *opens* means that the data are read, `{{}}` that an empty session is begun without a word; the
rest is the reason or the error. A cell with a stroke depends on Node's version. A seal that all of them
refuse is not opened here.

## Seals

{seals}

## Cookies

{cookies}
"""


def pages() -> dict[Path, str]:
    """Return each page's file and its text."""
    return {
        DOCS / "configuration.md": CONFIGURATION.format(
            options=_table("Option", "In Flask", "In Django", rows=map(_option_row, OPTIONS)),
            attributes=_table("Attribute", rows=_attribute_rows()),
            accepted=_listed(json.dumps(name) for name in ACCEPTED),
            serializer=DEFAULT_SERIALIZER,
            middleware_only=_listed(MIDDLEWARE_ONLY),
        ),
        DOCS / "differences.md": DIFFERENCES.format(
            seals=differences.markdown(differences.SEALS, differences.SEAL_COLUMNS),
            cookies=differences.markdown(differences.COOKIES, differences.COOKIE_COLUMNS),
        ),
    }


def _table(*first: str, rows: Iterable[tuple[str, ...]]) -> str:
    head = (*first, "Takes", "Default", "What it does")
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _option_row(option: Option) -> tuple[str, ...]:
    return (
        f"`{option.name}`",
        _flask_key(option),
        _django_key(option),
        _code(_spelt_out(_annotations(Options)[option.name])),
        _default(option),
        option.help,
    )


def _flask_key(option: Option) -> str:
    key = PREFIX + option.name.upper()
    if key in KEYS:
        return _code(key)
    is_argument = option.name in inspect.signature(IronSessionInterface).parameters
    return "an argument only" if is_argument else "none"


def _django_key(option: Option) -> str:
    is_given = option.name in NAMES
    return _code(f'IRON_SESSION["{option.name}"]' if is_given else ELSEWHERE[option.name])


def _listed(names: Iterable[str]) -> str:
    *others, last = (_code(name) for name in names)
    return f"{', '.join(others)} and {last}"


def _attribute_rows() -> Iterator[tuple[str, ...]]:
    annotations, sentences = _annotations(CookieOptions), _attributes(CookieOptions)
    for field in fields(CookieOptions):
        yield (
            f"`{field.name}`",
            _code(_spelt_out(annotations[field.name])),
            _code(_written(field.default)),
            sentences[field.name],
        )


def _default(option: Option) -> str:
    if option.default is REQUIRED:
        return "required"
    if isinstance(option.default, CookieOptions):
        return "see below"
    if isinstance(option.default, StrictJSON):
        return "strict JSON"
    return _code(f"{option.default:g}" if isinstance(option.default, float) else _written(option.default))


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _spelt_out(annotation: str) -> str:
    """Return an annotation with the values in place of a name for them."""

    def values(name: re.Match[str]) -> str:
        alias = getattr(options, name[0], getattr(cookies, name[0], None))
        return " | ".join(map(json.dumps, get_args(alias))) if get_origin(alias) is Literal else name[0]

    return re.sub(r"\w+", values, annotation)


def _annotations(owner: type) -> dict[str, str]:
    """Return a class's annotations as they are written in its source."""
    (tree,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - the source of a class is a class
    return {
        node.target.id: ast.unparse(node.annotation).replace("'", '"')
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _attributes(owner: type) -> dict[str, str]:
    """Return what the ``Attributes:`` section of a class's docstring says of each."""
    section = (inspect.getdoc(owner) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {
        name: re.sub(r"``|\s*\n\s*", lambda found: "`" if found[0] == "``" else " ", text)
        for name, text in entries
    }


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
