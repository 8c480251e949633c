"""A real Chromium without a window, driven over its debugging pipe: no other package and no port is needed.

The protocol is Chrome's DevTools protocol: JSON messages that end in a NUL octet, on the descriptors 3 and 4.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ANSWER_WITHIN: Final = 30  # seconds
END_WITHIN: Final = 10  # seconds
TALL: Final = 900  # CSS pixels of the window's height

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)

# Puts the pipes where Chromium looks for them, then becomes Chromium. Not preexec_fn: servers run in threads.
_START: Final = (
    "import fcntl, os, sys\n"
    "pipes = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10) for pipe in sys.argv[1:3]]\n"
    "for place, pipe in enumerate(pipes, 3): os.dup2(pipe, place)\n"
    "os.closerange(5, max(pipes) + 1)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


@final
class Chromium:
    """A browser. As a context manager it ends, with all its tabs, when the block is left."""

    def __init__(self, program: Path, profile: Path) -> None:
        """Start *program* with a new, empty *profile* folder."""
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Chromium's words on standard error are many and say nothing of the page.
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _START,
                str(theirs_in),
                str(theirs_out),
                program,
                *FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def tab(self) -> Tab:
        """Return a tab of a visitor who was never here: it shares no cookie with another."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        return Tab(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def call(self, method: str, *, tab: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        number = self._number
        message = {
            "id": number,
            "method": method,
            "params": parameters,
            **({"sessionId": tab} if tab else {}),
        }
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_WITHIN
        while True:
            answer = self._read(deadline)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def events(self, method: str, tab: str) -> list[dict[str, Any]]:
        """Take the events of a kind that a tab has sent so far."""
        taken = [
            event for event in self._events if event["method"] == method and event.get("sessionId") == tab
        ]
        self._events = [event for event in self._events if event not in taken]
        return [event["params"] for event in taken]

    def wait_for(self, method: str, tab: str) -> None:
        """Wait until a tab sends an event."""
        deadline = time.monotonic() + ANSWER_WITHIN
        while not self.events(method, tab):
            self._read(deadline)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError(f"Chromium said nothing for {ANSWER_WITHIN} seconds")
            octets = os.read(self._in, 1 << 16)
            if not octets:
                raise EOFError("Chromium ended")
            self._rest += octets
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        if "method" in message:
            self._events.append(message)
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._out)  # the end of its instructions is a browser's end
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_WITHIN)
        os.close(self._in)


@final
class Tab:
    """A page, used as a person does: by mouse and keys, on what can be seen."""

    def __init__(self, chromium: Chromium, identity: str) -> None:
        self._chromium = chromium
        self._identity = identity
        for domain in ("Page", "DOM", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.resize(1200)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol on this tab."""
        return self._chromium.call(method, tab=self._identity, **parameters)

    def open(self, address: str) -> None:
        """Go to *address* and wait until it is loaded."""
        self._chromium.events("Page.loadEventFired", self._identity)
        failure = self.call("Page.navigate", url=address).get("errorText")
        assert failure is None, failure
        self._chromium.wait_for("Page.loadEventFired", self._identity)

    def press(self, selector: str) -> None:
        """Click on what leads to another page, and wait until that is loaded."""
        self._chromium.events("Page.loadEventFired", self._identity)
        self.click(selector)
        self._chromium.wait_for("Page.loadEventFired", self._identity)

    def click(self, selector: str) -> None:
        """Scroll to an element and click where its middle is, whatever covers it."""
        node = self._node(selector)
        self.call("DOM.scrollIntoViewIfNeeded", nodeId=node)
        quad = self.call("DOM.getContentQuads", nodeId=node)["quads"][0]
        x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Click into a field and type *text*."""
        self.click(selector)
        self.call("Input.insertText", text=text)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, which runs even where the page may run none."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """What can be read on the page."""
        text: str = self.evaluate("document.body.innerText")
        return text

    @property
    def path(self) -> str:
        """The address without its host."""
        path: str = self.evaluate("location.pathname + location.search")
        return path

    @property
    def cookies(self) -> dict[str, dict[str, Any]]:
        """The cookies of the page by name, HttpOnly ones too."""
        return {cookie["name"]: cookie for cookie in self.call("Network.getCookies")["cookies"]}

    @property
    def complaints(self) -> list[str]:
        """What the browser found wrong since it was last asked: blocked content, failed requests."""
        entries = self._chromium.events("Log.entryAdded", self._identity)
        return [entry["entry"]["text"] for entry in entries]

    def names_of(self, *roles: str) -> list[str]:
        """Return what a screen reader calls the elements of some roles."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            node["name"]["value"]
            for node in nodes
            if not node["ignored"] and node.get("role", {}).get("value") in roles
        ]

    def resize(self, width: int) -> None:
        """Give the window a width, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=TALL, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, scheme: str) -> None:
        """Set the visitor's preference: ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def without_scripts(self) -> None:
        """Switch JavaScript off for the pages."""
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def _node(self, selector: str) -> int:
        document = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        node: int = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        assert node, f"there is no {selector} on the page"
        return node
