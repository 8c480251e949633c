"""The commands ``flask iron ...``, found through an entry point.

Exit codes: 0 done, 1 it could not be done, 2 wrong use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final, NoReturn, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup

from iron_wsgi import IronError, SessionOptions, generate_password
from iron_wsgi.cli.inspection import inspect
from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.servers.ids import key_of
from iron_wsgi.servers.outages import ask
from iron_wsgi.stores import MemoryStore, Store
from iron_wsgi.times import epoch, now

from .interface import IronSessionInterface

T = TypeVar("T")

DATE_FORMATS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z")
HANDLE_LENGTH: Final = 12
"""Digits of a session's key in the store that are shown. With them a session can be ended."""

NO_REVOCATIONS: Final = "this application keeps no list of revocations: set IRON_SESSION_REVOCATIONS"

iron = AppGroup("iron", help="Session passwords, cookies, stores and revocations.")


@iron.command(with_appcontext=False)
@click.option("--env", is_flag=True, help="Print it as FLASK_IRON_SESSION_PASSWORD=...")
def keygen(*, env: bool) -> None:
    """Print a new session password.

    The configuration's IRON_SESSION_PASSWORD takes it; app.config.from_prefixed_env() reads it from the
    environment variable FLASK_IRON_SESSION_PASSWORD.
    """
    click.echo(f"FLASK_IRON_SESSION_PASSWORD={generate_password()}" if env else generate_password())


@iron.command("inspect")
@click.argument("cookie", nargs=-1)
@click.option("--purpose", help="What the seal is for, as in interface.sealer(purpose).")
@click.pass_context
def inspect_cookie(context: click.Context, cookie: tuple[str, ...], purpose: str | None) -> None:
    """Open a cookie under this application's passwords, and show what it holds.

    COOKIE is a value, name=value or a whole header, as copied from a browser; without it standard input.
    Exit codes: 0 done, 1 a seal could not be opened, 2 wrong use.
    """
    options = _options()
    try:
        passwords = options.password if purpose is None else options.password.derive(purpose)
        text = " ".join(cookie) or sys.stdin.read()
        report = inspect(text, passwords, iterations=options.iterations, clock=options.clock)
    except IronError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report.text)
    if not report.is_opened:
        context.exit(1)


@iron.command()
@click.option("--subject", metavar="ID", help="End all sessions of one user.")
@click.option("--sid", metavar="SID", help="End one session, by its session.sid.")
@click.option("--all", "is_for_all", is_flag=True, help="End all sessions.")
@click.option(
    "--before",
    metavar="MOMENT",
    type=click.DateTime(DATE_FORMATS),
    help="Only what began before: 2026-11-21, 2026-11-21T10:00:00, 2026-11-21T10:00:00+01:00; else UTC.",
)
def revoke(*, subject: str | None, sid: str | None, is_for_all: bool, before: datetime | None) -> None:
    """End sessions: every copy of their cookies, wherever it is.

    Exit codes: 0 done, 1 the store or the list of revocations does not answer, 2 wrong use.
    """
    if (subject is not None) + (sid is not None) + is_for_all != 1:
        _usage_error("give one of --subject, --sid and --all")
    if before is not None and sid is not None:
        _usage_error("--before goes with --subject and --all")
    options = _options()
    if sid is not None:
        _revoke_one(options, sid)
        click.echo("The session is over.")
        return
    at = now(options.clock)
    moment = at if before is None else epoch(before)
    if moment > at:
        _usage_error("--before is in the future: sessions that are yet to begin would be over")
    _revoke_many(options, subject, moment)
    whose = "All sessions" if subject is None else f"The sessions of {subject}"
    click.echo(f"{whose} that began before {_formatted(moment)} are over.")


@iron.command()
@click.argument("subject")
@click.option("--end", metavar="HANDLE", help="End this one of them.")
def sessions(*, subject: str, end: str | None) -> None:
    """List the sessions of one user, SUBJECT, that are in the store.

    Exit codes: 0 done, 1 the store does not answer, or has no such session, 2 wrong use.
    """
    store = _store(_options())
    if store is None:
        _usage_error(
            "this application has no store: set IRON_SESSION_STORE. What is in cookies is listed nowhere"
        )
    if end == "":
        _usage_error("--end needs a handle, as this command lists them")
    found = _ask_store(lambda: store.sessions_of(subject))
    if end is not None:
        ended = [session for session in found if session.key.startswith(end)]
        if len(ended) != 1:
            msg = f"{'several sessions have' if ended else 'no session has'} a handle that begins like this"
            raise click.ClickException(msg)
        _ask_store(lambda: store.delete(ended[0].key))
        click.echo("The session is over.")
        return
    row = f"{{:{HANDLE_LENGTH}}}  {{:20}}  {{:20}}  {{}}".format
    click.echo(row("handle", "began", "last written", "expires") if found else "There are none.")
    for one in found:
        expires = "never" if one.expires_at is None else _formatted(one.expires_at)
        click.echo(
            row(one.key[:HANDLE_LENGTH], _formatted(one.created_at), _formatted(one.written_at), expires)
        )


@iron.command()
def cleanup() -> None:
    """Remove expired entries from the store and from the list of revocations.

    Exit codes: 0 done, 1 one of them does not answer, 2 wrong use.
    """
    options = _options()
    store, revocations = _store(options), _revocations(options)
    if store is None and revocations is None:
        _usage_error("there is nothing to clean: this application has no store and no list of revocations")
    if store is not None:
        click.echo(f"The store: {_ask_store(store.sweep)} removed.")
    if revocations is not None:
        click.echo(f"The list of revocations: {_ask_list(revocations.sweep)} removed.")


def _revoke_one(options: SessionOptions, sid: str) -> None:
    revocations, store = _revocations(options), _store(options)
    if revocations is not None and type(revocations).revoke is not Revocations.revoke:
        _ask_list(lambda: revocations.revoke(sid))
    elif options.storage != "store":
        _usage_error(NO_REVOCATIONS if revocations is None else _unsupported(revocations))
    if store is not None:  # a session in the store is over when its record is gone
        _ask_store(lambda: store.delete(key_of(sid)))


def _revoke_many(options: SessionOptions, subject: str | None, moment: float) -> None:
    revocations, store = _revocations(options), _store(options)
    if revocations is None and (options.storage != "store" or subject is None):
        _usage_error(NO_REVOCATIONS)
    if revocations is not None:
        if type(revocations).revoke_subject is Revocations.revoke_subject:
            _usage_error(_unsupported(revocations))
        if subject is None:
            _ask_list(lambda: revocations.revoke_all(before=moment))
        else:
            _ask_list(lambda: revocations.revoke_subject(subject, before=moment))
    if store is not None and subject is not None:
        listed = _ask_store(lambda: store.sessions_of(subject))
        for key in (session.key for session in listed if session.created_at < moment):
            _ask_store(lambda: store.delete(key))  # noqa: B023 - asked at once


def _unsupported(revocations: Revocations) -> str:
    return f"this application's {type(revocations).__name__} has a way of its own to end sessions"


def _options() -> SessionOptions:
    """Return the application's options."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - as documented
    interface = app.session_interface
    if not isinstance(interface, IronSessionInterface):
        _usage_error("this application's session_interface is not an IronSessionInterface")
    if not interface.config(app).has_password:
        _usage_error("this application has no password: set IRON_SESSION_PASSWORD or SECRET_KEY")
    try:
        return interface.options(app)
    except IronError as error:
        raise click.ClickException(str(error)) from None


def _store(options: SessionOptions) -> Store | None:
    if isinstance(options.store, MemoryStore):
        _usage_error("this application's store is in the memory of each process, where no command reaches it")
    return options.store


def _revocations(options: SessionOptions) -> Revocations | None:
    if isinstance(options.revocations, MemoryRevocations):
        _usage_error(
            "this application's list of revocations is in each process's memory, where no command reaches it"
        )
    return options.revocations


def _ask_store(question: Callable[[], T]) -> T:
    return _ask("store", question)


def _ask_list(question: Callable[[], T]) -> T:
    return _ask("list of revocations", question)


def _ask(what: str, question: Callable[[], T]) -> T:
    try:
        return ask(what, question)
    except IronError as error:
        raise click.ClickException(str(error)) from None


def _usage_error(message: str) -> NoReturn:
    raise click.UsageError(message)


def _formatted(moment: float) -> str:
    """Return epoch seconds as --before takes them."""
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
