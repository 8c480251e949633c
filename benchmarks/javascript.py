"""Sealing and unsealing against the JavaScript originals, timed by a Node process in the same turns."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from iron_wsgi import seal_data, unseal_data

from .payloads import PASSWORD, SIZES, TTL, data_of
from .report import Group, Line, Target
from .timing import Effort, Timer, compare, python

HERE: Final = Path(__file__).parent
PACKAGES: Final = HERE.parent / "tests" / "interop"

TARGETS: Final = {
    "@hapi/iron 7": Target("at least", 5, aim=8),
    "iron-session 9": Target("at least", 15, aim=20),
}


def groups(effort: Effort) -> Iterator[Group]:
    """Measure both; lines without figures if there is no Node, or the packages are not installed."""
    title = "Data: seal_data and unseal_data against Node, called in sequence (ratio: how many times faster)"
    program = shutil.which("node")
    if program is None or not (PACKAGES / "node_modules").is_dir():
        missing = "Node 20 on PATH" if program is None else "`npm ci` in tests/interop"
        yield Group(title=title, lines=list(_left_out()), note=f"To measure these: {missing}.")
        return
    with _node(program) as node:
        yield Group(title=title, lines=[line for size in SIZES for line in _lines(node, size, effort)])


@final
class Node:
    """A Node process that times jobs; see ``node.mjs``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Speak to *process*."""
        self._process = process

    def timer(self, job: str, **arguments: Any) -> Timer:
        """Return what times calls of *job*."""

        def time(calls: int) -> float:
            stdin, stdout = self._process.stdin, self._process.stdout
            if stdin is None or stdout is None:
                raise AssertionError
            stdin.write(json.dumps({"job": job, "calls": calls, **arguments}) + "\n")
            stdin.flush()
            answer = stdout.readline()
            if not answer:
                msg = f"Node ended while it did {job}"
                raise RuntimeError(msg)
            return float(json.loads(answer)["seconds"])

        return time


@contextmanager
def _node(program: str) -> Iterator[Node]:
    with subprocess.Popen(
        [program, str(HERE / "node.mjs"), str(PACKAGES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield Node(process)
        finally:
            process.kill()


def _lines(node: Node, size: int, effort: Effort) -> Iterator[Line]:
    data = data_of(size)
    sealed = seal_data(data, password=PASSWORD, ttl=TTL)
    ours = {
        "seal": python(lambda: seal_data(data, password=PASSWORD, ttl=TTL)),
        "unseal": python(lambda: unseal_data(sealed, password=PASSWORD)),
    }
    for verb, timer in ours.items():
        theirs = {
            name: node.timer(f"{name} {verb}", data=data, sealed=sealed, password=PASSWORD, ttl=TTL)
            for name in TARGETS
        }
        seconds = compare({"ours": timer, **theirs}, effort)
        for name, target in TARGETS.items():
            yield _line(verb, size, name, target, seconds["ours"], seconds[name])


def _left_out() -> Iterator[Line]:
    for size in SIZES:
        for verb in ("seal", "unseal"):
            for name, target in TARGETS.items():
                yield _line(verb, size, name, target, None, None)


def _line(
    verb: str, size: int, name: str, target: Target, ours: float | None, theirs: float | None
) -> Line:
    return Line(what=f"{verb} {size} octets of JSON", ours=ours, against=name, theirs=theirs, target=target)
