"""The commands ``flask iron keygen`` and ``flask iron inspect``, found through an entry point."""

from __future__ import annotations

import sys

import click
from flask import current_app
from flask.cli import AppGroup

from iron_wsgi import IronError, generate_password
from iron_wsgi.inspection import inspect

from .interface import IronSessionInterface

iron = AppGroup("iron", help="Session passwords and cookies.")


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
    """Show what a cookie proves under this application's passwords, and what it holds.

    COOKIE is a value, name=value or a whole header, as copied from a browser; without it standard input.
    Exit codes: 0 done, 1 a seal could not be opened, 2 wrong use.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - as documented
    interface = app.session_interface
    if not isinstance(interface, IronSessionInterface):
        msg = "this application's session_interface is not an IronSessionInterface"
        raise click.UsageError(msg)
    if not interface.config(app).has_password:
        msg = "this application has no password: set IRON_SESSION_PASSWORD or SECRET_KEY"
        raise click.UsageError(msg)
    try:
        options = interface.options(app)
        passwords = options.password if purpose is None else options.password.derive(purpose)
        text = " ".join(cookie) or sys.stdin.read()
        report = inspect(text, passwords, iterations=options.iterations, clock=options.clock)
    except IronError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report.text)
    if not report.is_opened:
        context.exit(1)
