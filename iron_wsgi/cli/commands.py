"""The command ``iron-wsgi``: make a password, seal and unseal JSON, inspect a cookie.

Passwords come from an environment variable, a file or a prompt. They are never an argument, because every
user of the machine can read the arguments of all processes. An error is one line and quotes no input.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO, final

from iron_wsgi.errors import IronError, SealError, SealReason, WeakPasswordWarning
from iron_wsgi.seals.passwords import Password, Passwords, generate_password
from iron_wsgi.seals.sealer import Sealer, seal_data, unseal_data
from iron_wsgi.times import DEFAULT_TTL, Clock

from .inspection import inspect, pretty, printable, seals_in

VARIABLE = "IRON_SESSION_PASSWORD"
EXIT_CODES = "Exit codes: 0 done, 1 a seal could not be opened, 2 wrong use."
SOURCES = (
    f"The password comes from the variable {VARIABLE}, or the one that --password-env names, from "
    "--password-file, or from a prompt; never from an argument, which every user of the machine can read. "
    'Several are JSON: {"2": "new", "1": "old"}.'
)


def main(
    argv: Sequence[str] | None = None,
    *,
    stdin: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    ask: Callable[[str], str] = getpass.getpass,
    clock: Clock | None = None,
) -> int:
    """Run the command and return its exit code: 0 done, 1 a seal could not be opened, 2 wrong use.

    Args:
        argv: The arguments; None for those of the process.
        stdin: The input for data that are no argument; None for the process's standard input.
        environ: The environment variables.
        ask: Asks for a password, which the terminal does not show.
        clock: Returns epoch seconds; `time.time` if None.
    """
    call = _Call(stdin=stdin or sys.stdin, environ=environ, ask=ask, clock=clock)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", WeakPasswordWarning)
        code = _run(argv, call)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        _print_error(f"warning: {message}")
    return code


class _Call(argparse.Namespace):
    """One call of the command: its environment and its parsed arguments."""

    stdin: TextIO
    environ: Mapping[str, str]
    ask: Callable[[str], str]
    clock: Clock | None
    command: Callable[[_Call], int]
    env: bool
    text: list[str]
    ttl: float | None
    purpose: str | None
    iterations: int
    password_env: str | None
    password_file: Path | None


class _Misuse(Exception):
    """The command was called wrongly."""


@final
class _Parser(argparse.ArgumentParser):
    """Answers wrong use in one line. The argument is not quoted: it may be a password or a cookie."""

    def error(self, message: str) -> NoReturn:
        problem = re.split(r":? ['\"]", message)[0]
        raise _Misuse(f"{problem}; see {self.prog} --help")


def _run(argv: Sequence[str] | None, call: _Call) -> int:
    try:
        _, unknown = _parser().parse_known_args(argv, call)
        return call.command(call) if not unknown else _refuse(unknown)
    except SystemExit:  # --help
        return 0
    except SealError as error:
        problem, code = str(error), 1
    except (IronError, _Misuse) as error:
        problem, code = str(error), 2
    except (EOFError, KeyboardInterrupt):
        problem, code = "stopped", 2
    _print_error(problem)
    return code


def _refuse(unknown: Sequence[str]) -> NoReturn:
    names = " ".join(name.partition("=")[0] for name in unknown if name.startswith("--"))
    raise _Misuse(f"not understood: {names or 'an argument'}; see --help (a password is never an argument)")


def _parser() -> _Parser:
    parser = _Parser("iron-wsgi", description="Passwords and seals.", epilog=EXIT_CODES, allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(command: Callable[[_Call], int], about: str, epilog: str = f"{SOURCES} {EXIT_CODES}") -> _Parser:
        name = command.__name__.strip("_")
        one = commands.add_parser(name, help=about, description=about, epilog=epilog, allow_abbrev=False)
        one.set_defaults(command=command)
        return one

    keygen = add(_keygen, "Print a new password.", EXIT_CODES)
    keygen.add_argument("--env", action="store_true", help=f"print it as {VARIABLE}=...")
    seal = add(_seal, "Seal a JSON object. Without --purpose the result is a valid session cookie.")
    unseal = add(_unseal, "Print what a seal holds, if it is authentic and in time.")
    inspect = add(_inspect, "Show the parts of a cookie as copied from a browser, and what they prove.")
    seal.add_argument("text", nargs="*", metavar="JSON", help="the object; without it standard input")
    seal.add_argument("--ttl", type=float, help=f"seconds until it expires; {DEFAULT_TTL} without --purpose")
    about = "a value, name=value or a whole header; without it standard input"
    for reader in (unseal, inspect):
        reader.add_argument("text", nargs="*", metavar="COOKIE", help=about)
    for user in (seal, unseal, inspect):
        sources = user.add_mutually_exclusive_group()
        sources.add_argument("--password-env", metavar="NAME", help="the variable with the password")
        sources.add_argument("--password-file", metavar="PATH", type=Path, help="the file with the password")
        user.add_argument("--purpose", help="what the seal is for, as in Sealer(password, purpose=...)")
        user.add_argument("--iterations", type=int, default=1, help="PBKDF2 rounds; 1 but for h3's seals")
    return parser


def _keygen(call: _Call) -> int:
    print(f"{VARIABLE}={generate_password()}" if call.env else generate_password())
    return 0


def _seal(call: _Call) -> int:
    passwords = _passwords(call) or _refuse_without_password()
    try:
        data = json.loads(_text(call))
    except (ValueError, RecursionError):
        raise _Misuse("the data are not JSON") from None
    if not isinstance(data, dict):
        raise _Misuse('the data must be a JSON object, such as {"user": 7}')
    if call.purpose is None:
        ttl = DEFAULT_TTL if call.ttl is None else call.ttl
        print(seal_data(data, password=passwords, ttl=ttl, iterations=call.iterations, clock=call.clock))
    elif call.ttl is None:
        raise _Misuse("--purpose needs --ttl SECONDS: a seal that leaves the server needs an end")
    else:
        print(_sealer(call, passwords, call.purpose).seal(data, ttl=call.ttl))
    return 0


def _unseal(call: _Call) -> int:
    passwords = _passwords(call) or _refuse_without_password()
    cookies, *others = seals_in(_text(call))
    if others:
        raise _Misuse(f"there are {1 + len(others)} seals; give one")
    seal, rounds, clock = "".join(cookies.values()), call.iterations, call.clock
    if call.purpose is None:
        data = unseal_data(seal, password=passwords, iterations=rounds, on_unseal_error=_raise, clock=clock)
    else:
        data = _sealer(call, passwords, call.purpose).unseal(seal)
    print(pretty(data))
    return 0


def _inspect(call: _Call) -> int:
    passwords = _passwords(call, "Password (none: show what everybody can read): ")
    if passwords is not None and call.purpose is not None:
        passwords = passwords.derive(call.purpose)
    report = inspect(_text(call), passwords, iterations=call.iterations, clock=call.clock)
    print(report.text)
    return 0 if report.is_opened else 1


def _sealer(call: _Call, passwords: Passwords, purpose: str) -> Sealer:
    return Sealer(passwords, purpose=purpose, iterations=call.iterations, clock=call.clock)


def _raise(_reason: SealReason, error: SealError) -> NoReturn:
    raise error


def _refuse_without_password() -> NoReturn:
    raise _Misuse(f"no password: set {VARIABLE}, or give --password-env NAME or --password-file PATH")


def _text(call: _Call) -> str:
    try:
        return " ".join(call.text) or call.stdin.read()
    except UnicodeDecodeError:
        raise _Misuse("standard input is not text") from None


def _passwords(call: _Call, prompt: str = "Password: ") -> Passwords | None:
    """Return the passwords; None if no source has one. Errors quote no argument, as in `_Parser`."""
    if call.password_file is not None:
        try:
            text = call.password_file.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise _Misuse(f"the file of --password-file cannot be read: {problem}") from None
    else:
        text = call.environ.get(call.password_env or VARIABLE, "")
        if not text and call.password_env is not None:
            raise _Misuse("the variable that --password-env names is not set")
        if not text and call.stdin.isatty():
            text = call.ask(prompt)
        if not text:
            return None
    password: Password = text.strip("\r\n")
    if text.strip()[:1] in ("{", "[") and text.strip()[-1:] in ("}", "]"):
        try:
            password = json.loads(text)
        except (ValueError, RecursionError):
            raise _Misuse("the password looks like JSON and is none") from None
    return Passwords.parse(password)


def _print_error(message: str) -> None:
    print("iron-wsgi:", printable(message), file=sys.stderr)
