from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import Group, Kind, Line, goals_markdown, goals_table, table

pytestmark = pytest.mark.slow("runs the benchmarks")

ROOT = Path(__file__).parents[2]
PARTS = ["rivals", "javascript", "requests", "flask", "django", "gunicorn"]
SIZES = ("100 octets", "1,000 octets", "2,500 octets")


@functools.cache
def benchmarks(*arguments: str, path: str | None = None) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", "--quick", *arguments],
        cwd=ROOT,
        env=os.environ if path is None else {**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def groups_of(*arguments: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = json.loads(benchmarks(*arguments, "--json"))["groups"]
    return groups


def lines_of(groups: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["what"], line["against"]) for group in groups for line in group["lines"]]


def goals_of(groups: list[dict[str, Any]]) -> dict[str, set[float]]:
    return {
        group["title"]: {line["limit"] for line in group["lines"] if line["limit"] is not None}
        for group in groups
    }


@pytest.mark.needs("redis")
def test_every_goal_of_speed_is_measured_against_its_limit() -> None:
    goals = goals_of(groups_of())
    assert goals == {
        "seal_at, of the library calls it must make": {1.2},
        "unseal_at(parse()), of the library calls it must make": {1.2},
        "Sealer.seal, of the library calls it must make": {1.4},
        "Sealer.unseal, of the library calls it must make": {1.4},
        "seal_data, of the library calls it must make": {1.6},
        "unseal_data, of the library calls it must make": {1.6},
        "Sealer.seal under many passwords, of what it costs under one": {1.1},
        "Sealer.unseal under many passwords, of what it costs under one": {1.1},
        "Sealer.seal of large payloads: per octet, of 32,768 octets": {1.25},
        "Sealer.unseal of large payloads: per octet, of 32,768 octets": {1.25},
        "WSGI: read, of two key derivations, HMAC and AES": {3.2},
        "WSGI: write, of twice these": {3.2},
        "WSGI: untouched, beside the same without the middleware": {3.0},
        "WSGI: refusing a forged cookie, of opening a good one": {1.0},
        "WSGI: reading among many foreign cookies, of what it costs beside one": {1.1},
        "Flask: read, of what its own session adds": {0.75},
        "Flask: write, of what its own session adds": {0.85},
        "Flask: untouched, of what its own session adds": {0.1},
        "Django: read, of what signed_cookies adds": {1.3},
        "Django: write, of what signed_cookies adds": {1.2},
        "Django: untouched, of what signed_cookies adds": {1.0},
        "Flask on Redis: read, of what Flask-Session adds": {1.0},
        "Flask on Redis: write, of what Flask-Session adds": {1.5},
        "Flask on Redis: untouched, of what Flask-Session adds": {0.3},
        "Flask on Redis: round trips of an untouched request": {0},
    }


@pytest.mark.needs("redis")
def test_a_goal_is_judged_at_1000_octets_and_the_other_sizes_stand_beside() -> None:
    by_size = [group for group in groups_of() if "1,000 octets" in lines_by_name(group)]
    assert len(by_size) == 18
    for group in by_size:
        lines = lines_by_name(group)
        assert set(SIZES) <= set(lines)
        assert [what for what, line in lines.items() if line["limit"] is not None] == ["1,000 octets"]


def lines_by_name(group: dict[str, Any]) -> dict[str, Any]:
    return {line["what"]: line for line in group["lines"]}


@pytest.mark.needs("redis")
def test_the_goals_are_printed_as_markdown_with_a_row_for_each() -> None:
    titles = list(goals_of(groups_of()))
    markdown = benchmarks("--markdown").splitlines()
    assert markdown[0] == "| goal | target | measured | beside it | met |"
    for row, title in zip(markdown[2 : 2 + len(titles)], titles, strict=True):
        assert row.startswith(f"| {title} | at most ")
        assert row.endswith((" yes |", " NO |"))
    assert "CPython" in markdown[-1]
    assert "load" in markdown[-1]


def line(what: str, microseconds: float | None, limit: float | None = None, kind: Kind = "ratio") -> Line:
    ours = None if microseconds is None else microseconds / 1e6
    return Line(what=what, ours=ours, against="theirs", theirs=2e-6, kind=kind, limit=limit)


def test_the_worst_line_with_a_limit_decides_whether_a_goal_is_met() -> None:
    lines = [line("small", 9), line("one", 2, limit=1.1), line("other", 3, limit=1.1)]
    row = list(goals_markdown([Group(title="goal", lines=lines)]))[2]
    assert row == "| goal | at most 1.1 | other: 1.50 | small: 4.50; one: 1.00 | NO |"
    assert "NO" in list(goals_table([Group(title="goal", lines=lines)]))[1]


def test_a_goal_that_is_met_by_microseconds_or_by_a_number_says_so() -> None:
    longer = Group(title="longer", lines=[line("one", 4.5, limit=3, kind="longer")])
    number = Line(what="trips", ours=0, against="theirs", theirs=2, kind="number", limit=0)
    rows = list(goals_markdown([longer, Group(title="number", lines=[number])]))[2:]
    assert rows == [
        "| longer | at most 3 µs more | 2.5 µs more |  | yes |",
        "| number | at most 0 | 0 |  | yes |",
    ]


def test_a_goal_that_could_not_be_measured_is_not_met() -> None:
    lines = [line("one", 2, limit=1.1), line("other", None, limit=1.1)]
    row = list(goals_markdown([Group(title="goal", lines=lines)]))[2]
    assert row == "| goal | at most 1.1 | other: - | one: 1.00 | left out |"


def test_a_table_has_a_row_for_each_line_with_its_verdict() -> None:
    lines = [line("good", 2, limit=1), line("bad", 3, limit=1), line("beside", 4), line("gone", None)]
    title, _, *rows, note = table(Group(title="title", lines=lines, note="note", load=1.5))
    assert title == "title (load 1.5)"
    assert [row.split()[0] for row in rows] == ["good", "bad", "beside", "gone"]
    assert [row.split()[-1] for row in rows] == ["met", "MISSED", "2.00", "out"]
    assert note.strip() == "note"


def test_every_other_part_runs_alone_and_prints_every_line() -> None:
    groups = [group for part in PARTS for group in groups_of(part)]
    lines = lines_of(groups)
    for verb in ("seal", "unseal"):
        for size in (100, 1000, 2500):
            data = f"{verb} {size} octets of JSON"
            against = {other for what, other in lines if what == data}
            assert {"@hapi/iron 7", "iron-session 9"} < against
            for library in ("Fernet", "itsdangerous", "Django", "joserfc"):
                assert any(library in other for other in against)
    assert sum("1 MiB" in group["title"] for group in groups) == 1
    flask = {what for what, other in lines if other == "Flask's own"}
    assert {"other cookies only", "1,000 octets, SESSION_REFRESH_EACH_REQUEST=False"} < flask
    django = {other: {what for what, against in lines if against == other} for _, other in lines}
    for verb in ("read", "write", "ignore"):
        assert f"{verb} 1,000 octets" in django["signed_cookies"] & django["cached_db"]
    assert sum("gunicorn" in group["title"] for group in groups) == 1


@pytest.mark.needs("redis")
def test_sessions_on_a_server_are_compared_as_they_come_and_like_for_like() -> None:
    groups = groups_of("stores")
    as_they_come, like_for_like, listed, django = groups
    assert "out of the box" in as_they_come["title"]
    assert "like for like" in like_for_like["title"]
    verbs = ("read", "write", "ignore")
    cases = [f"{verb} {size} octets" for size in ("100", "1,000", "2,500", "10,000") for verb in verbs]
    for group in (as_they_come, like_for_like):
        lines = [case for case in lines_of([group]) if not case[0].endswith("primitives alone")]
        assert lines == [(case, "Flask-Session") for case in cases]
    assert ("read 10,000 octets, primitives alone", "Flask-Session") in lines_of([like_for_like])
    assert lines_of([django]) == [(case, "cached_db") for case in cases]
    assert lines_of([listed]) == [
        ("read 1,000 octets", "no list, and 1 PING"),
        ("write 1,000 octets", "no list, and 1 PING"),
        ("ignore 1,000 octets", "no list, and 0 PING"),
    ]
    assert "A million revocations take" in listed["note"]
    # What one request asks of the server does not depend on how busy the machine is.
    assert trips_of(as_they_come).items() >= {
        ("ours, read", 1),
        ("ours, write", 2),
        ("theirs, read", 2),
        ("theirs, write", 2),
    }
    assert trips_of(like_for_like).items() >= {
        ("ours, read", 2),
        ("ours, write", 2),
        ("theirs, read", 2),
        ("theirs, write", 2),
    }


def trips_of(group: dict[str, Any]) -> dict[str, float]:
    told = re.findall(r"(\w+, \w+): ([0-9.]+) round trip", group["note"])
    return {request: float(trips) for request, trips in told}


def test_without_node_its_lines_say_that_they_were_left_out(tmp_path: Path) -> None:
    table = benchmarks("javascript", path=str(tmp_path))
    rows = [row for row in table.splitlines() if "iron-session 9" in row]
    assert len(rows) == 6
    assert all(row.endswith("left out") for row in rows)
    assert "Node 20 on PATH" in table


def test_without_gunicorn_its_lines_say_that_they_were_left_out() -> None:
    program = (
        "import sys; sys.modules['gunicorn'] = None; "
        "from benchmarks.__main__ import main; sys.exit(main(['gunicorn', '--quick']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    rows = [row for row in run.stdout.splitlines() if "Flask's own" in row]
    assert len(rows) == 3
    assert all(row.endswith("left out") for row in rows)
    assert "pip install gunicorn" in run.stdout


def test_the_sweep_is_measured_on_each_database() -> None:
    titles = [group["title"] for group in groups_of("sweep")]
    assert [title.partition(":")[0] for title in titles] == ["SQLite", "PostgreSQL"]
