from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ["seals", "rivals", "javascript", "growth", "requests", "flask", "django", "gunicorn"]


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


def lines_of(groups: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["what"], line["against"]) for group in groups for line in group["lines"]]


def test_every_part_prints_every_line() -> None:
    groups = json.loads(benchmarks("--json"))
    lines = lines_of(groups)
    for verb in ("seal", "unseal"):
        for size in (50, 500, 2700):
            assert (f"{verb} {size} octets", "primitives") in lines
            data = f"{verb} {size} octets of JSON"
            against = {other for what, other in lines if what == data}
            assert {"primitives", "@hapi/iron 7", "iron-session 9"} < against
            for library in ("Fernet", "itsdangerous", "Django", "joserfc"):
                assert any(library in other for other in against)
        assert (f"{verb} under 100 passwords", "1 password") in lines
    assert sum("forged" in group["title"] for group in groups) == 1
    assert sum("1 MiB" in group["title"] for group in groups) == 1
    assert sum("does not touch its session" in group["title"] for group in groups) == 1
    flask = {what for what, other in lines if other == "Flask's own"}
    assert {"no cookie", "100 octets, SESSION_REFRESH_EACH_REQUEST=False"} < flask
    assert {"100 octets, cookies seen before", "100 octets, cookies not seen before"} < flask
    for verb in ("read", "write"):
        for size in (100, 1000, 2500):
            assert {f"{verb} {size} octets", f'{verb} {size} octets, serializer="json"'} < flask
    django = {what for what, other in lines if other == "signed_cookies"}
    for case in ("no cookie", "100 octets", "read 1000 octets", "write 2500 octets"):
        assert {case, f"{case}, Django's own middleware"} < django
        assert (case, "cached_db") in lines
    assert sum("gunicorn" in group["title"] for group in groups) == 1


def test_the_table_has_a_row_for_each_line_of_the_document() -> None:
    table = benchmarks("growth")
    for what, against in lines_of(json.loads(benchmarks("growth", "--json"))):
        assert any(what in row and against in row for row in table.splitlines())


@pytest.mark.needs("redis")
def test_sessions_on_a_server_are_compared_as_they_come_and_like_for_like() -> None:
    groups = json.loads(benchmarks("stores", "--json"))
    as_they_come, like_for_like, listed, django = groups
    assert "out of the box" in as_they_come["title"]
    assert "like for like" in like_for_like["title"]
    cases = [f"{verb} {size} octets" for size in (100, 1000, 10_000) for verb in ("read", "write")]
    for case in cases:
        for what in (case, f"{case}, processor time"):
            assert (what, "Flask-Session") in lines_of([as_they_come])
            assert (what, "Flask-Session") in lines_of([like_for_like])
            assert (f"{what}, primitives alone", "Flask-Session") in lines_of([like_for_like])
    assert lines_of([django]) == [(case, "cached_db") for case in cases]
    assert lines_of([listed]) == [
        ("ignore 1000 octets", "no list, and 0 PING"),
        ("read 1000 octets", "no list, and 1 PING"),
        ("write 1000 octets", "no list, and 1 PING"),
    ]
    assert "A million revocations take" in listed["note"]
    # What one request asks of the server does not depend on how busy the machine is.
    assert trips_of(as_they_come) == {
        "ours, read": 1,
        "ours, write": 2,
        "theirs, read": 2,
        "theirs, write": 2,
    }
    assert trips_of(like_for_like) == {
        "ours, read": 2,
        "ours, write": 2,
        "theirs, read": 2,
        "theirs, write": 2,
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


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_run_alone(part: str) -> None:
    assert json.loads(benchmarks(part, "--json"))
