"""Sealing and unsealing against the JavaScript originals, timed by a Node process in the same turns."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from iron_wsgi import seal_data, unseal_data

from . import floors
from .payloads import PASSWORD, SIZES, TTL, data_of
from .report import Group, Line
from .timing import Effort, Timer, compare, python

HERE: Final = Path(__file__).parent
PACKAGES: Final = HERE.parent / "tests" / "interop"

PEERS: Final = ("@hapi/iron 7", "iron-session 9")


def groups(effort: Effort) -> Iterator[Group]:
    """Measure both; lines without figures if there is no Node, or the packages are not installed."""
    title = "Data: seal_data and unseal_data against Node, called in sequence (ratio: how many times faster)"
    program = shutil.which("node")
    if program is None or not (PACKAGES / "node_modules").is_dir():
        missing = "Node 20 on PATH" if program is None else "`npm ci` in tests/interop"
        yield Group(title=title, lines=list(_left_out()), note=f"To measure these: {missing}.")
        return
    with _node(program) as node:
        lines = [line for size in SIZES for line in _lines(node, size, effort)]
    yield Group(title=title, lines=lines)


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
    """Ours against theirs, and the primitives alone against theirs: what nothing in Python can exceed."""
    data, end = data_of(size), time.time() + TTL
    sealed = seal_data(data, password=PASSWORD, ttl=TTL)
    jobs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "seal": (
            partial(seal_data, data, password=PASSWORD, ttl=TTL),
            partial(floors.seal_data, data, PASSWORD, end),
        ),
        "unseal": (
            partial(unseal_data, sealed, password=PASSWORD),
            partial(floors.unseal_data, sealed, PASSWORD, 0.0),
        ),
    }
    for verb, (ours, floor) in jobs.items():
        theirs = {
            name: node.timer(f"{name} {verb}", data=data, sealed=sealed, password=PASSWORD, ttl=TTL)
            for name in PEERS
        }
        seconds = compare({"ours": python(ours), "floor": python(floor), **theirs}, effort)
        for name in PEERS:
            yield Line(
                what=_what(verb, size),
                ours=seconds["ours"],
                against=name,
                theirs=seconds[name],
                kind="speed",
            )
        for name in PEERS:
            yield Line(
                what=_what(verb, size) + ", primitives alone",
                ours=seconds["floor"],
                against=name,
                theirs=seconds[name],
                kind="speed",
            )


def _left_out() -> Iterator[Line]:
    for size in SIZES:
        for verb in ("seal", "unseal"):
            for name in PEERS:
                yield Line(what=_what(verb, size), ours=None, against=name, theirs=None)


def _what(verb: str, size: int) -> str:
    return f"{verb} {size} octets of JSON"
