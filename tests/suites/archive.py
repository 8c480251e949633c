"""A project's published source archive: the one that the table means, and no other."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .pip import pip

if TYPE_CHECKING:
    from .suite import Suite


class WrongArchive(Exception):
    """It is not what the table says, or reaches out of its folder."""


def download(suite: Suite, folder: Path, python: Path) -> Path:
    """Return the archive, from *folder* if an earlier run has left it there.

    Args:
        suite: Whose.
        folder: Where it is kept.
        python: An interpreter that the project supports: with others its archive is not even looked for.

    Raises:
        PipFailed: No archive of that version and checksum can be had.
    """
    kept = folder / f"{suite.sha256}.tar.gz"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            fetched = Path(name) / "fetched"
            wanted = Path(name) / "requirements.txt"
            wanted.write_text(f"{suite.project}=={suite.version} --hash=sha256:{suite.sha256}\n")
            # pip runs the archive's build to learn its metadata; so it, too, must know the checksum.
            source = ("--no-deps", "--no-binary", suite.project, "--require-hashes")
            where = ("--dest", str(fetched), "--requirement", str(wanted))
            pip("download", *source, *where, python=python)
            (archive,) = fetched.iterdir()
            archive.replace(kept)
    return kept


def unpack(archive: Path, sha256: str, folder: Path) -> Path:
    """Write the archive's files below *folder* and return the one folder that holds them all.

    Only plain files are written, links and the like are left out.

    Raises:
        WrongArchive: The checksum is another, or a file's name leads elsewhere.
    """
    content = archive.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WrongArchive(f"{archive.name} has the checksum {found}, not {sha256}")
    # Not extractall(): its filter is missing from Python 3.11.2, which Debian 12 has.
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        for member in files:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise WrongArchive(f"{archive.name} holds {member.name}")
            if member.isfile() and (file := files.extractfile(member)):
                written = folder / path
                written.parent.mkdir(parents=True, exist_ok=True)
                written.write_bytes(file.read())
    (top,) = folder.iterdir()
    return top
