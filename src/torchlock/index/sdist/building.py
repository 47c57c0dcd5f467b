"""Run the build backend of a source distribution to get the metadata of its wheel: this runs the package's code.

A separate process unpacks nothing and knows nothing about the lock: it gets a folder, creates an environment with
what the backend needs (PEP 517, by the library ``build``), and writes the metadata. It has a time limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.index.archives import ArchiveError, archive_errors
from torchlock.index.sdist.compressed import decompressed
from torchlock.index.sdist.reader import COMPUTED_HERE, built_text
from torchlock.redaction import masked
from torchlock.runtime.process import Tail, child, temporary_folder
from torchlock.standards.filenames import parse
from torchlock.standards.headers import read_headers
from torchlock.standards.names import project_name

if TYPE_CHECKING:
    from torchlock.index import IndexSettings

# A build may fetch large requirements, such as compilers; one that hangs is stopped.
SECONDS = 600.0
_UNPACKED = 4 << 30
_SAID = 1200


def check_library() -> None:
    """Check that the library that runs build backends is installed.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("build") is None:
        raise InputError(
            "--build needs the library build, which is not installed",
            hint="python -m pip install 'torchlock[build]'",
        )


class Builder:
    """Runs build backends on this machine (implements ``index.metadata.Builder``)."""

    def __init__(self, settings: IndexSettings | None = None, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds

    @property
    def machine(self) -> str:
        """The facts about this machine that computed metadata may depend on."""
        import sysconfig

        return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"

    def __call__(self, content: bytes, filename: str) -> str | Unknown:
        """The METADATA text of the build backend, or why there is none."""
        with temporary_folder() as place:
            root = Path(place)
            for name in ("source", "metadata", "empty", "temporary"):
                (root / name).mkdir()
            source = _unpack(content, filename, root / "source")
            if isinstance(source, Unknown):
                return source
            code, said = self._run(root, source)
            if code is None:
                return Unknown(f"its build backend did not finish within {self._seconds:g} seconds{_told(said)}")
            found = sorted((root / "metadata").rglob("METADATA"))
            if code or not found:
                return Unknown(f"its build backend failed{_told(said)}")
            text = found[0].read_text(encoding="utf-8", errors="replace")
        named, parsed = read_headers(text).first("name"), parse(filename)
        if parsed and project_name(named) != parsed[0]:
            return Unknown(f"its build backend produced metadata for {named or 'no project'}")
        return built_text(text, f"{COMPUTED_HERE} ({self.machine})")

    def _run(self, root: Path, source: Path) -> tuple[int | None, str]:
        """The exit code of the backend (None if the time limit was reached), and its last output."""
        library = str(Path(__file__).parents[3])
        start = f"import sys; sys.path.append({library!r}); from torchlock.index.sdist.backend import main; main()"
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        # The backend creates its environment in the same folder, so it is removed with the rest.
        environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(root / "temporary"))
        code: int | None = None
        with child(
            [sys.executable, "-c", start, str(source), str(root / "metadata")],
            cwd=root / "empty",
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            tail = Tail(process.stdout)
            try:
                process.stdin.write(json.dumps(self._pip()).encode())
                process.stdin.close()
                code = process.wait(self._seconds)
            except subprocess.TimeoutExpired:
                pass
            except OSError:  # it ended before it read its input
                code = process.wait(5)
        return code, tail.text()

    def _pip(self) -> dict[str, str]:
        """The indexes for the backend's own requirements: those of the lock. Only pip sees them."""
        settings = self._settings
        if settings is None:
            return {}
        *extra, last = settings.index_urls or [""]
        told = {
            "PIP_INDEX_URL": last,
            "PIP_EXTRA_INDEX_URL": " ".join(extra),
            "PIP_FIND_LINKS": " ".join(settings.find_links),
            "PIP_NO_INDEX": "" if settings.index_urls else "1",
        }
        return {name: value for name, value in told.items() if value}


def _unpack(content: bytes, filename: str, folder: Path) -> Path | Unknown:
    """Unpack an archive into a folder; returns the project's folder in it."""
    import tarfile
    import zipfile

    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                if sum(item.file_size for item in archive.infolist()) > _UNPACKED:
                    return Unknown("it is larger than 4 GB once unpacked")
                archive.extractall(folder)  # noqa: S202 - bounded; zipfile keeps members in the folder
        else:
            with tarfile.open(fileobj=decompressed(BytesIO(content)), mode="r:") as tar:
                if not hasattr(tarfile, "data_filter"):
                    return Unknown("this Python is too old to unpack it safely (3.10.12 can)")
                size = 0
                for member in tar:
                    size += member.size
                    if size > _UNPACKED:
                        return Unknown("it is larger than 4 GB once unpacked")
                    tar.extract(member, folder, filter="data")
    except ArchiveError as error:
        return Unknown(f"it {error}")
    except archive_errors() as error:
        return Unknown(f"it cannot be unpacked ({error})")
    tops = [path for path in folder.iterdir() if path.is_dir()]
    return tops[0] if len(tops) == 1 else Unknown("it does not have a single top-level folder")


def _told(said: str) -> str:
    """The last output of a process, as the end of a sentence."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    shown = " | ".join(masked(line) for line in lines[-8:])[-_SAID:]
    return f"; it printed last: {shown}" if shown else ""
