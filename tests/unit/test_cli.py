from __future__ import annotations

import argparse
import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from iron_wsgi import Passwords, Sealer, seal_data, unseal_data
from iron_wsgi.cli import commands as cli
from iron_wsgi.seals import seal
from iron_wsgi.testing import FakeClock, dump_session

from .visitor import NEWER, NOW, OTHER, PASSWORD, payload, sealed

VARIABLE = "IRON_SESSION_PASSWORD"
DATA = {"user": 7}


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


class Command:
    """The command in this process, with everything that it reads."""

    def __init__(self, capsys: pytest.CaptureFixture[str], clock: FakeClock) -> None:
        self.capsys = capsys
        self.clock = clock
        self.asked: list[str] = []

    def __call__(
        self,
        *arguments: str,
        stdin: str | io.TextIOBase = "",
        environ: Mapping[str, str] | None = None,
        answer: str | BaseException = "",
    ) -> Said:
        def ask(prompt: str) -> str:
            self.asked.append(prompt)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        code = cli.main(
            arguments,
            stdin=io.StringIO(stdin) if isinstance(stdin, str) else stdin,  # type: ignore[arg-type]
            environ={VARIABLE: PASSWORD} if environ is None else environ,
            ask=ask,
            clock=self.clock,
        )
        return Said(code, *self.capsys.readouterr())


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], clock: FakeClock) -> Command:
    return Command(capsys, clock)


def refused(said: Said, code: int, fix: str) -> None:
    """One line on standard error that says what to do, and nothing else."""
    assert said.out == ""
    assert re.fullmatch(r"iron-wsgi: [ -~]+\n", said.err)
    assert fix in said.err
    assert said.code == code


def value_of(**changes: object) -> str:
    return dump_session(DATA, password=PASSWORD, cookie_name="s", clock=FakeClock(), **changes)["s"]  # type: ignore[arg-type]


def row(said: Said, label: str) -> str:
    """The line about *label*."""
    [line] = [line for line in said.out.splitlines() if re.match(rf"(\s*\d )?{re.escape(label)}\s", line)]
    return line


# keygen


def test_keygen_prints_a_new_password_each_time(command: Command) -> None:
    first, second = command("keygen"), command("keygen")
    assert first.out != second.out
    for said in (first, second):
        assert (said.code, said.err) == (0, "")
        assert re.fullmatch(r"[\w-]{43}\n", said.out)
        Passwords.parse(said.out.strip())


def test_keygen_prints_a_line_for_a_file_of_variables(command: Command) -> None:
    assert re.fullmatch(rf"{VARIABLE}=[\w-]{{43}}\n", command("keygen", "--env").out)


# seal and unseal


def test_seal_writes_a_session_that_lasts_two_weeks(command: Command, clock: FakeClock) -> None:
    said = command("seal", json.dumps(DATA))
    assert (said.code, said.err) == (0, "")
    assert unseal_data(said.out.strip(), password=PASSWORD, clock=clock) == DATA
    assert seal.parse(said.out).expiration == b"%d" % ((NOW + 1_209_600) * 1000)


@pytest.mark.parametrize("ttl", [0, 1, 900.5])
def test_seal_takes_the_seconds_until_it_expires(command: Command, ttl: float) -> None:
    said = command("seal", "{}", "--ttl", str(ttl))
    expected = b"%d" % round((NOW + ttl) * 1000) if ttl else b""
    assert seal.parse(said.out).expiration == expected


def test_what_seal_reads_from_standard_input_unseal_prints_from_there(command: Command) -> None:
    data = {"name": "Zoë 🦊", "deep": [{"a": None, "b": 1.5}]}
    written = command("seal", stdin=json.dumps(data))
    said = command("unseal", stdin=written.out)
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == data
    assert "Zoë 🦊" in said.out


def test_a_seal_for_a_purpose_opens_for_that_purpose_alone(command: Command, clock: FakeClock) -> None:
    token = command("seal", '{"user": 7}', "--purpose", "magic-link", "--ttl", "900").out
    links = Sealer(PASSWORD, purpose="magic-link", clock=clock)
    assert links.unseal(token.strip()) == DATA
    assert json.loads(command("unseal", "--purpose", "magic-link", token).out) == DATA
    refused(command("unseal", "--purpose", "invitation", token), 1, "another password")
    refused(command("unseal", token), 1, "another password")


def test_a_seal_for_a_purpose_needs_an_end_and_a_name(command: Command) -> None:
    refused(command("seal", "{}", "--purpose", "magic-link"), 2, "--ttl SECONDS")
    refused(command("seal", "{}", "--purpose", "magic-link", "--ttl", "0"), 2, "ttl must be positive")
    refused(command("seal", "{}", "--purpose", "", "--ttl", "9"), 2, "purpose must not be empty")
    refused(command("unseal", value_of(), "--purpose", ""), 2, "purpose must not be empty")


def test_the_number_of_rounds_reaches_every_command(command: Command, clock: FakeClock) -> None:
    value = command("seal", '{"user": 7}', "--iterations", "3").out.strip()
    assert unseal_data(value, password=PASSWORD, iterations=3, clock=clock) == DATA
    assert json.loads(command("unseal", value, "--iterations", "3").out) == DATA
    assert command("inspect", value, "--iterations", "3").code == 0
    refused(command("unseal", value), 1, "another password")
    token = command("seal", "{}", "--iterations", "3", "--purpose", "p", "--ttl", "9").out
    assert command("unseal", token, "--iterations", "3", "--purpose", "p").code == 0
    refused(command("unseal", value, "--iterations", "0"), 2, "iterations must be between 1")
    refused(command("unseal", value, "--iterations", str(10**30)), 2, "iterations must be between 1")


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"n": NaN}', "data.n is not a finite number"),
        ('{"n": 9007199254740993}', "store it as a string"),
        ('{"a\\n\\u001b[2J": NaN}', r"data.a\n\x1b[2J is not a finite number"),
    ],
)
def test_seal_refuses_what_is_no_json_object(command: Command, data: str, fix: str) -> None:
    refused(command("seal", data), 2, fix)


@pytest.mark.parametrize("ttl", ["-1", "nan", "1e300", "soon"])
def test_seal_refuses_an_impossible_lifetime(command: Command, ttl: str) -> None:
    refused(command("seal", "{}", "--ttl", ttl), 2, "ttl")


def test_unseal_refuses_what_is_altered_expired_or_unknown(command: Command, clock: FakeClock) -> None:
    value = value_of()
    flipped = value.replace("*1*", "*2*", 1)
    refused(command("unseal", flipped), 1, "password id that is not configured")
    refused(command("unseal", value.replace("Fe26.2*1*", "Fe26.2*1*f")), 1, "was altered")
    refused(command("unseal", value[:100]), 1, "8 fields")
    clock.advance(1_209_600 + 60)
    refused(command("unseal", value), 1, "expired 60 seconds ago")


def test_unseal_takes_one_seal(command: Command) -> None:
    refused(command("unseal", f"a={value_of()}; b={value_of()}"), 2, "there are 2 seals; give one")
    refused(command("unseal", "session=hello"), 1, "would begin with Fe26.2*")
    refused(command("unseal"), 1, "no seal found")


def test_standard_input_that_is_not_text_is_refused(command: Command) -> None:
    octets = io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8")
    refused(command("unseal", stdin=octets), 2, "not text")


# Passwords


def test_the_password_comes_from_a_variable_of_any_name(command: Command) -> None:
    environ = {VARIABLE: OTHER, "MINE": PASSWORD}
    assert command("unseal", value_of(), "--password-env", "MINE", environ=environ).code == 0
    refused(command("unseal", value_of(), environ=environ), 1, "another password")


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD,
        f"{PASSWORD}\n",
        f"\ufeff{PASSWORD}\r\n",
        json.dumps({"2": NEWER, "1": PASSWORD}),
        "\n  " + json.dumps([{"id": 2, "password": NEWER}, {"id": 1, "password": PASSWORD}]) + "\n",
    ],
)
def test_the_password_comes_from_a_file_in_every_form(command: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "pass words"
    file.write_text(text, encoding="utf-8")
    said = command("unseal", value_of(), "--password-file", str(file), environ={VARIABLE: OTHER})
    assert (said.code, json.loads(said.out)) == (0, DATA)


def test_the_newest_of_several_passwords_seals(command: Command) -> None:
    said = command("seal", "{}", environ={VARIABLE: json.dumps({"1": PASSWORD, "2": NEWER})})
    assert seal.parse(said.out).password_id == "2"
    assert payload(said.out.strip(), NEWER) == {}


@pytest.mark.parametrize("password", ["{" + PASSWORD, PASSWORD + "}", "[" + PASSWORD, f" {PASSWORD} "])
def test_a_password_may_hold_brackets_and_blanks(command: Command, clock: FakeClock, password: str) -> None:
    said = command("seal", '{"user": 7}', environ={VARIABLE: password})
    assert unseal_data(said.out.strip(), password=password, clock=clock) == DATA


def test_on_a_terminal_the_password_is_asked_for(command: Command) -> None:
    said = command("unseal", value_of(), stdin=Terminal(), environ={}, answer=PASSWORD)
    assert (said.code, command.asked) == (0, ["Password: "])


def test_nobody_is_asked_where_a_password_is_given_or_nobody_is_there(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    command("unseal", value_of(), stdin=Terminal())
    command("unseal", value_of(), "--password-file", str(file), stdin=Terminal(), environ={})
    refused(command("unseal", value_of(), environ={}), 2, f"set {VARIABLE}, or give --password-env NAME")
    refused(command("seal", "{}", environ={VARIABLE: ""}), 2, "--password-file PATH")
    assert command.asked == []


def test_an_empty_answer_is_no_password(command: Command) -> None:
    refused(command("seal", "{}", stdin=Terminal(), environ={}, answer=""), 2, "no password")


@pytest.mark.parametrize("stop", [EOFError(), KeyboardInterrupt()])
def test_who_stops_at_the_prompt_sees_no_traceback(command: Command, stop: BaseException) -> None:
    refused(command("seal", "{}", stdin=Terminal(), environ={}, answer=stop), 2, "stopped")


def test_an_unusable_password_is_refused_without_a_word_of_it(command: Command, tmp_path: Path) -> None:
    short = "hunter2-hunter2"
    refused(command("seal", "{}", environ={VARIABLE: short}), 2, "iron-wsgi keygen")
    said = command("seal", "{}", environ={VARIABLE: f'{{"1": "{PASSWORD}",}}'})
    refused(said, 2, "looks like JSON and is none")
    assert PASSWORD not in said.err
    refused(command("seal", "{}", environ={VARIABLE: "[" * 100_000 + "]"}), 2, "looks like JSON")
    refused(command("seal", "{}", environ={VARIABLE: "{}"}), 2, "password is empty")
    refused(command("seal", "{}", environ={VARIABLE: '{"x": 1}'}), 2, "password id is an integer")
    # Given by mistake where a name or a path belongs.
    for option, fix in [
        ("--password-env", "is not set"),
        ("--password-file", "cannot be read: No such file"),
    ]:
        said = command("seal", "{}", option, PASSWORD, environ={})
        refused(said, 2, fix)
        assert PASSWORD not in said.err
    refused(command("seal", "{}", "--password-file", str(tmp_path)), 2, "cannot be read: Is a directory")
    (tmp_path / "latin").write_bytes(b"\xe9" * 40)
    refused(command("seal", "{}", "--password-file", str(tmp_path / "latin")), 2, "not UTF-8 text")


def test_a_weak_password_works_and_is_warned_of_once(command: Command) -> None:
    said = command("seal", "{}", environ={VARIABLE: "0" * 32})
    assert said.code == 0
    assert said.out.startswith("Fe26.2*1*")
    assert re.fullmatch(r"iron-wsgi: warning: the session password was published .*\n", said.err)


def test_no_option_takes_a_password() -> None:
    commands = [
        parser
        for action in cli._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for parser in action.choices.values()
    ]
    assert len(commands) == 4
    options = {
        option: action.metavar
        for parser in commands
        for action in parser._actions
        for option in action.option_strings
        if "pass" in option or "key" in option or "secret" in option
    }
    assert options == {"--password-env": "NAME", "--password-file": "PATH"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["seal", "--password", PASSWORD, "{}"],
        ["seal", f"--password={PASSWORD}", "{}"],
        ["seal", f"-p{PASSWORD}", "{}"],
        ["inspect", f"--pass={PASSWORD}"],
        ["keygen", PASSWORD],
        ["keygen", f"--env={PASSWORD}"],
        [PASSWORD],
        [PASSWORD + "'\"", "{}"],
        ["seal", "{}", "--ttl", PASSWORD],
        ["seal", "{}", "--iterations", PASSWORD],
        ["seal", "--password-env", PASSWORD, "--password-file", PASSWORD],
        [],
        ["seal", "--purpose"],
    ],
)
def test_misuse_is_answered_in_one_line_that_quotes_nothing(
    command: Command, arguments: Sequence[str]
) -> None:
    said = command(*arguments)
    refused(said, 2, "--help")
    assert PASSWORD not in said.err


def test_an_attempt_to_give_a_password_as_an_argument_is_explained(command: Command) -> None:
    refused(
        command("seal", "--password", PASSWORD, "{}"),
        2,
        "not understood: --password; see --help (a password is",
    )


# inspect


def test_inspect_shows_each_field_with_its_meaning_and_length(command: Command) -> None:
    value = value_of()
    said = command("inspect", f"session={value}")
    assert (said.code, said.err) == (0, "")
    fields = value.removesuffix("~2").split("*")
    labels = (
        "prefix",
        "password id",
        "encryption salt",
        "IV",
        "ciphertext",
        "expiration",
        "integrity salt",
        "MAC",
    )
    for number, (label, field) in enumerate(zip(labels, fields, strict=True), start=1):
        words = row(said, label).removeprefix(f" {number} {label}").split()
        assert words[:2] == [str(len(field)), field[:8]]
        assert len(words) > 2


def test_inspect_never_prints_the_whole_seal(command: Command) -> None:
    said = command("inspect", value_of())
    fields = value_of().split("*")
    for index in (2, 3, 4, 6, 7):
        assert fields[index] not in said.out


def test_inspect_counts_the_octets_against_the_limit(command: Command) -> None:
    value = value_of()
    said = command("inspect", f"session={value}")
    cookies = dump_session(DATA, password=PASSWORD, cookie_name="session", clock=FakeClock())
    line = f"session={value}; Secure; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"
    assert len(cookies["session"]) == len(value)
    expected = f"cookie   session: {len(value)} octets; with name and default attributes {len(line)} of 4096"
    assert f"{expected} ({len(line) / 4096:.0%})" in said.out


def test_inspect_tells_what_remains_of_a_seal_and_since_when_it_is_over(
    command: Command, clock: FakeClock
) -> None:
    value = value_of()
    assert row(command("inspect", value), "expires") == (
        "expires  2027-01-29 08:00:00 UTC, in 14 days, 0:00:00"
    )
    clock.advance(1_209_600 - 3661)
    assert row(command("inspect", value), "expires").endswith(", in 1:01:01")
    clock.advance(3661 + 59)
    assert row(command("inspect", value), "expires").endswith(
        "UTC, over since 0:00:59; accepted until 2027-01-29 08:01:00 UTC"
    )
    clock.advance(1)
    said = command("inspect", value)
    assert row(said, "expires").endswith("UTC, over since 0:01:00")
    assert said.code == 0
    assert '"user": 7' in said.out


@pytest.mark.parametrize(
    ("expiration", "words"),
    [
        (b"", "never; such a session is refused unless ttl is 0"),
        (b"soon", "unreadable"),
        (b"0123", "unreadable"),
        (b"1" * 17, "unreadable"),
        (b"9" * 5000, "unreadable"),
        (b"%d" % 2**53, "unreadable"),
        (b"%d" % (2**53 - 1), "9.0072e+12 seconds after 1970, in 104229158 days, 0:59:01"),
    ],
)
def test_inspect_reads_any_expiration_that_is_no_date(
    command: Command, expiration: bytes, words: str
) -> None:
    value = re.sub(r"\*\d{13}\*", f"*{expiration.decode()}*", value_of())
    said = command("inspect", value, environ={})
    assert words in row(said, "expires")
    assert said.code == 0


def test_without_a_password_inspect_proves_nothing_and_says_so(command: Command) -> None:
    said = command("inspect", value_of(), environ={})
    assert (
        row(said, "proven") == "proven   nothing: no password was given, and anybody could have written this"
    )
    assert "payload" not in said.out
    assert (said.code, said.err) == (0, "")


def test_with_the_password_inspect_proves_and_prints_the_payload(command: Command) -> None:
    said = command("inspect", value_of())
    assert row(said, "proven") == "proven   fields 1 to 6: the MAC matches under password id 1"
    assert row(said, "payload") == "payload  10 octets"
    assert said.out.endswith('{\n  "user": 7\n}\n')


def test_on_a_terminal_inspect_asks_and_takes_no_for_an_answer(command: Command) -> None:
    asked = command("inspect", value_of(), stdin=Terminal(), environ={}, answer=PASSWORD)
    assert '"user": 7' in asked.out
    assert "nothing" in row(command("inspect", value_of(), stdin=Terminal(), environ={}), "proven")
    assert command.asked == ["Password (none: show what everybody can read): "] * 2


@pytest.mark.parametrize(
    ("password", "value", "words"),
    [
        (OTHER, value_of(), "no: the seal was altered, or made under another password"),
        (
            PASSWORD,
            value_of().replace("*1*", "*3*", 1),
            "no: the seal names a password id that is not configured",
        ),
        (json.dumps({"7": NEWER, "2": OTHER}), value_of(), "The ids of the passwords given: 7, 2"),
        (PASSWORD, sealed(DATA, password_id=""), "no: the seal names no password id"),
    ],
)
def test_inspect_says_why_a_seal_does_not_open(
    command: Command, password: str, value: str, words: str
) -> None:
    said = command("inspect", value, environ={VARIABLE: password})
    assert words in row(said, "opened")
    assert "proven" not in said.out
    assert "payload" not in said.out
    assert (said.code, said.err) == (1, "")


def test_inspect_opens_a_seal_for_a_purpose_and_one_without_an_id(command: Command, clock: FakeClock) -> None:
    token = Sealer(PASSWORD, purpose="magic-link", clock=clock).seal(DATA, ttl=900)
    assert command("inspect", token).code == 1
    assert '"user": 7' in command("inspect", token, "--purpose", "magic-link").out
    assert command("inspect", token, "--purpose", "magic-link", environ={}).code == 0
    passwords = json.dumps({"1": NEWER, "default": PASSWORD})
    said = command("inspect", sealed(DATA, password_id=""), environ={VARIABLE: passwords})
    assert row(said, "proven").endswith("under password id default")


def test_inspect_explains_the_stamps_of_a_session(command: Command) -> None:
    stamps = {"sid": "abc", "iat": NOW, "ttl": 60, "exp": NOW + 60, "new\n": 1}
    said = command("inspect", sealed({**DATA, "_iron": stamps}))
    assert said.out.splitlines()[-5:] == [
        "_iron.sid: the session's id",
        "_iron.iat: when the session began, 2027-01-15 08:00:00 UTC",
        "_iron.ttl: seconds it lives after each write",
        "_iron.exp: when it ends, however often it is written, 2027-01-15 08:01:00 UTC",
        r"_iron.new\n: unknown to this version",
    ]


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        ({"iat": 1e300}, "when the session began, 1e+300 seconds after 1970"),
        ({"iat": "now"}, "when the session began\n"),
        ("none", '"_iron": "none"\n}\n'),
    ],
)
def test_inspect_survives_stamps_that_are_none(command: Command, stamps: object, words: str) -> None:
    said = command("inspect", sealed({"_iron": stamps}))
    assert said.out.endswith(words if words.endswith("\n") else words + "\n")
    assert said.code == 0


def test_inspect_says_what_a_payload_is_that_is_no_json_object(command: Command) -> None:
    value = seal.seal_at(b"\x80pickled", PASSWORD, password_id="1", expires_at=None)
    said = command("inspect", value)
    assert said.out.endswith("payload  8 octets\nwhich are not JSON: another serializer wrote them\n")
    assert command("inspect", sealed([1])).out.endswith("[\n  1\n]\n")
    deep = seal.seal_at(b"[" * 100_000, PASSWORD, password_id="1", expires_at=None)
    assert "not JSON" in command("inspect", deep).out


@pytest.mark.parametrize("depth", [100, 900, 1200, 2000, 5000, 20_000])
def test_no_payload_is_too_deep_for_an_answer(command: Command, depth: int) -> None:
    value = seal.seal_at(b'{"a":' * depth + b"1" + b"}" * depth, PASSWORD, password_id="1", expires_at=None)
    for said in (command("inspect", value), command("unseal", value)):
        assert said.out or said.err
        assert said.err.count("\n") <= 1


HOSTILE = "\x1b[2J\u202e\x9b"


def test_nothing_that_was_pasted_or_sealed_reaches_the_terminal_as_a_command(command: Command) -> None:
    value = sealed({HOSTILE: HOSTILE, "_iron": {HOSTILE: 1}})
    parts = value.split("*")
    parts[2] = HOSTILE.split("\u202e", maxsplit=1)[0]
    for pasted in (f"{HOSTILE}={value}", f"{HOSTILE}={'*'.join(parts)}"):
        for said in (command("inspect", pasted), command("unseal", pasted)):
            assert re.fullmatch(r"[ -~\n]*", said.out + said.err)
            assert said.out + said.err


def test_a_terminal_that_is_not_utf_8_gets_escapes(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    for stdout in (io.TextIOWrapper(raw, encoding="ascii"), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(["unseal", sealed({"name": "Zoë"})], environ={VARIABLE: PASSWORD}, clock=clock) == 0
        stdout.flush()
        text = stdout.getvalue() if isinstance(stdout, io.StringIO) else raw.getvalue().decode()
        assert text == '{\n  "name": "Zo\\u00eb"\n}\n'


SEAL = value_of()
CHUNKED = dump_session(
    {"long": "x" * 4000}, password=PASSWORD, cookie_name="s", overflow="chunk", clock=FakeClock()
)


@pytest.mark.parametrize(
    "pasted",
    [
        SEAL,
        f"  {SEAL}\n",
        f'"{SEAL}"',
        f"'{SEAL}'",
        SEAL.replace("*", "%2A").replace("~", "%7E"),
        f"s={SEAL}",
        f's="{SEAL}"',
        f'"s={SEAL}"',
        f"s={SEAL.replace('*', '%2a')}; Path=/",
        f"Set-Cookie: s={SEAL}; Max-Age=1209540; Expires=Fri, 29 Jan 2027 08:00:00 GMT; Path=/; Secure",
        f"set-cookie:s={SEAL};Path=/",
        f"Cookie: theme=dark; s={SEAL}; lang=de",
        f"cookie:s={SEAL}",
        f"'Cookie: s={SEAL}'",
        f"s\t{SEAL}\tlocalhost\t/\tSession\t281\t✓",
        f'{{"s": "{SEAL}"}}',
        f"Set-Cookie: s.0=; Max-Age=0\nSet-Cookie: s={SEAL}; Path=/",
    ],
)
def test_a_cookie_is_taken_as_it_was_copied(command: Command, pasted: str) -> None:
    assert json.loads(command("unseal", pasted).out) == DATA
    assert json.loads(command("unseal", stdin=pasted).out) == DATA
    said = command("inspect", pasted)
    assert (said.code, said.out.count("proven")) == (0, 1)


@pytest.mark.parametrize(
    "pasted",
    [
        "; ".join(f"{name}={value}" for name, value in CHUNKED.items()),
        "Cookie: a=b; " + "; ".join(f"{name}={value}" for name, value in reversed(CHUNKED.items())),
        "\n".join(f"Set-Cookie: {name}={value}; Path=/; Secure" for name, value in CHUNKED.items())
        + "\nSet-Cookie: s=; Max-Age=0; Path=/\nSet-Cookie: s.2=; Max-Age=0\nSet-Cookie: s.3=stale",
    ],
)
def test_chunks_are_put_together(command: Command, pasted: str) -> None:
    assert len(CHUNKED) == 2
    assert json.loads(command("unseal", pasted).out) == {"long": "x" * 4000}
    said = command("inspect", pasted)
    assert [line.split()[1] for line in said.out.splitlines() if line.startswith("cookie ")] == [
        "s.0:",
        "s.1:",
    ]
    assert (said.code, said.out.count("proven")) == (0, 1)


def test_a_cookie_without_a_name_is_said_to_have_none(command: Command) -> None:
    assert "cookie   of unknown name: " in command("inspect", SEAL).out


def test_inspect_shows_every_seal_of_a_header(command: Command) -> None:
    said = command("inspect", f"Cookie: a={SEAL}; b={sealed(DATA, password=OTHER)}; c={SEAL}")
    assert (said.out.count("proven"), said.out.count("opened   no"), said.code) == (2, 1, 1)


def test_a_value_that_was_cut_when_it_was_copied_is_refused(command: Command) -> None:
    refused(command("inspect", SEAL[:100]), 1, "8 fields joined by '*' are expected, 5 found")
    refused(command("inspect", "Fe26.1*" + SEAL[7:]), 1, "does not begin with 'Fe26.2'")
    refused(command("inspect", "deadbeef"), 1, "no seal found")


# The whole


@pytest.mark.parametrize("name", ["", "keygen", "seal", "unseal", "inspect"])
def test_help_names_the_exit_codes_and_where_passwords_come_from(command: Command, name: str) -> None:
    said = command(*filter(None, [name]), "--help")
    words = " ".join(said.out.split())
    assert (said.code, said.err) == (0, "")
    assert "Exit codes: 0 done, 1 a seal could not be opened, 2 wrong use." in words
    assert ("never from an argument" in words) == (name in {"seal", "unseal", "inspect"})


def run(*arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None) -> Said:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "iron_wsgi", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={
            **{name: value for name, value in os.environ.items() if name != VARIABLE},
            "PYTHONPATH": os.pathsep.join(sys.path),
            **(environ or {}),
        },
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_python_m_iron_wsgi_makes_a_password_seals_unseals_and_inspects() -> None:
    line = run("keygen", "--env").out
    environ = {VARIABLE: line.strip().partition("=")[2]}
    written = run("seal", stdin='{"user": 7}', environ=environ)
    assert (written.code, written.err) == (0, "")
    assert unseal_data(written.out.strip(), password=environ[VARIABLE]) == DATA
    assert json.loads(run("unseal", stdin=written.out, environ=environ).out) == DATA
    shown = run("inspect", f"session={written.out.strip()}", environ=environ)
    assert (shown.code, shown.err) == (0, "")
    assert "the MAC matches" in shown.out
    refused(run("unseal", written.out, environ={VARIABLE: PASSWORD}), 1, "another password")
    refused(run("unseal", written.out), 2, f"set {VARIABLE}")


def test_python_m_iron_wsgi_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iron-wsgi", "inspect", seal_data(DATA, password=PASSWORD)])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("iron_wsgi", run_name="__main__")
    assert ended.value.code == 0
    assert "the MAC matches" in capsys.readouterr().out
