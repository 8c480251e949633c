"""A machine made for one test: a checkout in a folder with a space, and a PATH with nothing else on it.

Its interpreters are stand-ins: sh programs that make environments and install packages by writing down that
they were asked to, and hand everything else to the interpreter that runs the tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
ENDS_WITHIN: Final = 60  # seconds

TOOLS: Final = ("cat", "chmod", "cp", "dirname", "ln", "mkdir", "readlink", "rm", "sleep", "tail")
"""All that the scripts, and the stand-ins, may expect of a system beside its sh."""

PLAYGROUND: Final = '''\
"""Stands in for the demo's application."""

ACCOUNT = ("ada", "lovelace")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>Playground</title>"]
'''

INTERPRETER: Final = """\
#!/bin/sh
echo "python $*" >>"$MACHINE/calls"
for name in VIRTUAL_ENV PYTHONHOME PYTHONPATH PIP_USER; do
    eval "[ -z \\"\\${$name+set}\\" ]" || echo "$name reached the interpreter" >>"$MACHINE/calls"
done
case "$1 $2" in
    "-m venv") exec make_environment "$3" ;;
    "-m virtualenv") exit 1 ;;
    "-m pip")
        left=100
        while [ -e "$MACHINE/pip-waits" ] && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.1; done
        [ ! -e "$MACHINE/pip-fails" ] || { cat "$MACHINE/pip-fails"; exit 1; }
        ;;
    *) exec "$REAL_PYTHON" "$@" ;;
esac
"""

MAKE_ENVIRONMENT: Final = """\
#!/bin/sh
mkdir -p "$1/bin"
cp "$MACHINE/interpreter" "$1/bin/python"
printf '#!/bin/sh\\necho "pip 25.0 from %s/lib/site-packages/pip (python 3.12)"\\n' "$1" >"$1/bin/pip"
chmod +x "$1/bin/pip"
"""

BROKEN_VENV: Final = """\
#!/bin/sh
case "$1 $2" in
    "-m venv")
        mkdir -p "$3/bin"
        cp "$MACHINE/interpreter" "$3/bin/python"
        echo "ensurepip is not available"
        exit 1
        ;;
    *) exec "$MACHINE/interpreter" "$@" ;;
esac
"""

TOO_OLD: Final = """\
#!/bin/sh
echo 3.9.18
exit 1
"""


class Machine:
    """What one test needs to run the two commands; the checkout's own files are never touched."""

    def __init__(self, folder: Path) -> None:
        """Lay out a checkout and a PATH without any Python below `folder`."""
        self.folder = folder
        self.checkout = folder / "a checkout"
        self.venv = self.checkout / ".venv"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, f"{tool} is not on PATH"
            (self.programs / tool).symlink_to(found)
        shutil.copytree(ROOT / "scripts", self.checkout / "scripts")
        for name in ("setup.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout / name)
        playground = self.checkout / "example_projects" / "wsgi_playground"
        playground.mkdir(parents=True)
        shutil.copy(ROOT / "example_projects" / "serve.py", playground.parent)
        (playground / "app.py").write_text(PLAYGROUND)
        self._write(folder / "interpreter", INTERPRETER)
        self.add("make_environment", MAKE_ENVIRONMENT)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def add(self, name: str, text: str = INTERPRETER) -> None:
        """Put a program on PATH, by default a Python that works."""
        self._write(self.programs / name, text)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a command."""
        return {
            "HOME": str(self.folder),
            "MACHINE": str(self.folder),
            "PATH": str(self.programs),
            "REAL_PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, name: str, *arguments: str, shell: str | None = None) -> list[str]:
        """The words that run one of the two commands, by itself or under a shell."""
        words = [str(self.checkout / "scripts" / name), *arguments]
        return [shell, *words] if shell else words

    def run(
        self,
        name: str,
        *arguments: str,
        shell: str | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the two commands to its end."""
        return subprocess.run(
            self.command(name, *arguments, shell=shell),
            cwd=cwd or self.folder,
            env=self.environment | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What the interpreters were asked, in order."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def installations(self) -> list[str]:
        """The calls of pip that install something."""
        return [call for call in self.calls if call.startswith("python -m pip install")]

    @contextmanager
    def pip_waits(self) -> Iterator[None]:
        """Hold every installation up meanwhile, for ten seconds at most."""
        path = self.folder / "pip-waits"
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    def pip_fails(self, output: str) -> None:
        """Make every later installation fail, or work again where `output` is empty."""
        path = self.folder / "pip-fails"
        if output:
            path.write_text(output)
        else:
            path.unlink()
