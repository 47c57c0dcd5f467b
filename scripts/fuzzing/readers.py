"""The readers of everything that comes from outside, each with the errors that it may give."""

from __future__ import annotations

import io
import random
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fuzzing import binaries
from fuzzing.budget import OverBudget, within
from fuzzing.corpus import Sample
from fuzzing.mutation import mutated, renumbered
from torchlock.audit import Auditor, Options
from torchlock.errors import TorchlockError
from torchlock.finding import FileReport, Report

# One library in some is followed by holes of so many bytes.
_HOLES = {7: 1 << 20, 17: 1 << 28, 27: 1 << 40}

Tries = Callable[[str, bytes], str | None]
Mutates = Callable[[random.Random, bytes, bytes], bytes]


class Reader(NamedTuple):
    """``tries`` reads a content under a name, and returns what is wrong with the result (None: nothing).

    ``mutates`` makes further contents of one.
    """

    tries: Tries
    mutates: Mutates = mutated


@cache
def _auditor() -> Auditor:
    return Auditor(Options(docs=True))


def _audit(path: str, content: bytes) -> str | None:
    """Audited, reported in every format, and fixed: as many errors as before at most, and every report whole."""
    report = _auditor().report(path, raw=content)
    if broken := _broken(report):
        return broken
    _reported(report)
    if report.error is not None:
        return None
    fixed = _auditor().fixed(path, raw=content)
    if fixed is None:
        return None
    if fixed == content:
        return "fixed without a change"
    after = _auditor().report(path, raw=fixed)
    if after.error is not None:
        return f"unreadable once fixed: {after.error}"
    if any(finding.rule == "TL501" for finding in report.findings):
        return None  # more shows once a line can be read
    errors = [sum(each.severity == "error" for each in one.findings) for one in (report, after)]
    return f"{errors[0]} errors before, {errors[1]} after" if errors[1] > errors[0] else None


def _broken(report: FileReport) -> str | None:
    return None if report.broken is None else report.broken.trace


def _reported(report: FileReport) -> None:
    from torchlock.report.audit_json import audit_json
    from torchlock.report.audit_text import text
    from torchlock.report.github import github
    from torchlock.report.sarif import sarif

    whole = Report([report], "2026-01-01", {})
    for written in (audit_json(whole), sarif(whole), github(whole), text(whole, lambda style, words: words)):
        written.encode()


def _lock(path: str, content: bytes) -> None:
    from torchlock.manifests.selection import read_inputs

    with _folder({path: content}) as folder:
        read_inputs(str(folder / path))


def _requirement(path: str, content: bytes) -> None:
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.terms import Origin

    text = content.decode("utf-8", "surrogateescape")
    parse_requirement(text, Origin(None, None, text))


def _log(path: str, content: bytes) -> None:
    from torchlock.check.log import candidates, decoded, read_log

    candidates(read_log(decoded(content)))


def _metadata(path: str, content: bytes) -> None:
    from torchlock.standards.core_metadata import parse_metadata

    parse_metadata(content.decode("utf-8", "replace"))


def _page(path: str, content: bytes) -> None:
    from torchlock.index.page_values import PageError
    from torchlock.index.pages import parse_page

    kind = "application/vnd.pypi.simple.v1+json" if path.endswith(".json") else "text/html"
    try:
        parse_page(content, kind, "https://example.org/simple/torch/")
    except PageError:
        return


def _settings(path: str, content: bytes) -> None:
    from torchlock.index import read_settings

    with _folder({path: content}) as folder:
        variable = "PIP_CONFIG_FILE" if path.startswith("pip") else "UV_CONFIG_FILE"
        read_settings(environ={variable: str(folder / path), "HOME": str(folder)}, folder=folder)


def _installed(path: str, content: bytes) -> None:
    """A file of an installed distribution, of its environment, or of its metadata."""
    from torchlock.inspect.distributions import installed
    from torchlock.inspect.environment import of_tree
    from torchlock.inspect.record import read_record

    site = "env/lib/python3.11/site-packages"
    info = f"{site}/torchaudio-2.3.1.dist-info"
    base = {f"{info}/METADATA": b"Name: torchaudio\nVersion: 2.3.1\n", f"{info}/RECORD": b"", f"{site}/x.pth": b""}
    with _folder({**base, path: content}) as folder:
        found = installed(of_tree(str(folder / site)))
        for distribution in found.distributions:
            read_record(distribution)


def _sdist(path: str, content: bytes) -> None:
    from torchlock.index.archives import ArchiveError
    from torchlock.index.sdist.reader import Reader as SdistReader

    try:
        SdistReader.read(io.BytesIO(content), path)
    except ArchiveError:
        return


def _wheel(path: str, content: bytes) -> None:
    from torchlock.index.archives import ArchiveError, wheel_metadata

    try:
        wheel_metadata(io.BytesIO(content), path)
    except ArchiveError:
        return


def _source_tree(path: str, content: bytes) -> None:
    from torchlock.index.sdist.statement import stated_requirements

    stated_requirements({path: content})


def _binary(path: str, content: bytes) -> None:
    with _folder({}) as folder:
        binaries.read(str(folder), content, _HOLES.get(len(content) % 50, 0))


@contextmanager
def _folder(contents: dict[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="torchlock-fuzz-") as name:
        for path, content in contents.items():
            file = Path(name, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        yield Path(name)


READERS = {
    "audit": Reader(_audit),
    "binary": Reader(_binary, binaries.mutate),
    "installed": Reader(_installed),
    "lock": Reader(_lock),
    "log": Reader(_log),
    "metadata": Reader(_metadata),
    "page": Reader(_page),
    "requirement": Reader(_requirement),
    "sdist": Reader(_sdist, renumbered),
    "settings": Reader(_settings),
    "source-tree": Reader(_source_tree),
    "wheel": Reader(_wheel, renumbered),
}


def problem(sample: Sample, *, counted: bool = True) -> str | None:
    """What is wrong with how a sample is read: a sentence or a traceback. An error of ours is an answer.

    ``counted``: see ``within``.
    """
    reader, size = READERS[sample.reader], len(sample.content)
    try:
        return within(lambda: reader.tries(sample.path, sample.content), size, counted=counted)
    except TorchlockError:
        return None
    except OverBudget as error:
        return str(error)
    except Exception:
        return traceback.format_exc()
