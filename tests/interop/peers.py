"""The JavaScript implementations, as Python sees them: one Node process that answers in JSON lines.

`peers.mjs` describes the protocol. Data goes over as JSON text and comes back as JSON text, so that what a
test compares is what the library under test read and wrote, not what the line made of it.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO

FOLDER: Final = Path(__file__).parent
PROGRAM: Final = FOLDER / "peers.mjs"

SEALS: Final = ("hapi-iron-7", "iron-webcrypto-1", "iron-webcrypto-2")
"""The libraries that seal any JSON value, under a password with any id or none."""
SESSIONS: Final = ("iron-session-6", "iron-session-8", "iron-session-9")
"""The libraries that seal sessions, under a password whose id is a number."""
ENVELOPES: Final = ("iron-store-1", "next-iron-session-4")
"""Their forerunners, which put the data into ``{"persistent": ..., "flash": ...}``."""

CALLS_PER_LINE: Final = 200
ANSWER_WITHIN: Final = 60.0  # seconds for one line of calls

Call: TypeAlias = "dict[str, Any]"


class PeerError(Exception):
    """A library refused what it was asked."""


class PeersGone(Exception):
    """The Node process ended, or did not answer in time."""


class Answer(NamedTuple):
    """What a library answered to one call."""

    ok: bool
    value: Any = None
    name: str = ""
    message: str = ""

    @property
    def data(self) -> Any:
        """The value, which is JSON text, read."""
        if not self.ok:
            msg = f"{self.name}: {self.message}"
            raise PeerError(msg)
        return json.loads(self.value)


@final
class Peers:
    """All implementations behind one Node process, which starts with the first call and ends with `close`."""

    def __init__(self, node: Path, *, program: Path = PROGRAM, answer_within: float = ANSWER_WITHIN) -> None:
        """Remember to run *program* with *node*; nothing is started yet."""
        self._command = [str(node), str(program)]
        self._answer_within = answer_within
        self._process: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complaints: deque[str] = deque(maxlen=40)
        self._asked = 0

    def ask(self, call: str, **arguments: Any) -> Answer:
        """Make one call."""
        return self.ask_all([{"call": call, **arguments}])[0]

    def value(self, call: str, **arguments: Any) -> Any:
        """Make one call that must succeed.

        Raises:
            PeerError: It did not.
        """
        answer = self.ask(call, **arguments)
        if not answer.ok:
            msg = f"{answer.name}: {answer.message}"
            raise PeerError(msg)
        return answer.value

    def ask_all(self, calls: Iterable[Call]) -> list[Answer]:
        """Make *calls* in turn, in few lines, and return their answers in the same order.

        Raises:
            PeersGone: The process ended or was silent for too long; the message holds what it complained of.
        """
        everything = list(calls)
        answers: list[Answer] = []
        for start in range(0, len(everything), CALLS_PER_LINE):
            answers += self._line(everything[start : start + CALLS_PER_LINE])
        return answers

    @property
    def is_ended(self) -> bool:
        """Whether no process runs."""
        return self._process is None

    def close(self) -> None:
        """End the process: at the end of its input it leaves by itself, or is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        stdin, stdout, stderr = _pipes(process)
        try:
            stdin.close()
            process.wait(timeout=5)
        except (subprocess.TimeoutExpired, OSError):
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        stdout.close()
        stderr.close()

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self, calls: Sequence[Call]) -> list[Answer]:
        process = self._process or self._start()
        self._asked += 1
        stdin, _, _ = _pipes(process)
        try:
            stdin.write(json.dumps({"id": self._asked, "calls": calls}) + "\n")
            stdin.flush()
            line = self._lines.get(timeout=self._answer_within)
        except (OSError, queue.Empty) as error:
            raise self._gone("did not take or answer a line") from error
        if line is None:
            raise self._gone("ended")
        document = json.loads(line)
        if document["id"] != self._asked:
            raise self._gone("answered another question")
        return [_answer(answer) for answer in document["answers"]]

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command,
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="ascii",
            errors="backslashreplace",
        )
        _, stdout, stderr = _pipes(process)
        self._process = process
        self._threads = [
            threading.Thread(target=self._listen, args=(stdout,), daemon=True),
            threading.Thread(target=self._complaints.extend, args=(stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return process

    def _listen(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _gone(self, what: str) -> PeersGone:
        if self._process is not None:
            self._process.kill()
        self.close()
        return PeersGone(f"the Node process {what}; it said:\n" + "".join(self._complaints))


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr


def _answer(answer: Mapping[str, Any]) -> Answer:
    if answer["ok"]:
        return Answer(ok=True, value=answer["value"])
    return Answer(ok=False, name=answer["error"]["name"], message=answer["error"]["message"])
