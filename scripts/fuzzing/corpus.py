"""The saved corpus: ``tests/fuzz_corpus/READER/CASE/PATH``, a seed or an input that failed once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).parents[2] / "tests" / "fuzz_corpus"


class Sample(NamedTuple):
    """One input. ``path`` is its name for the reader, which may tell the format by it."""

    reader: str
    case: str
    path: str
    content: bytes


def saved(folder: Path = CORPUS) -> list[Sample]:
    """All samples of a corpus, in the order of their paths."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        reader, case, *path = file.relative_to(folder).parts
        found.append(Sample(reader, case, "/".join(path), file.read_bytes()))
    return found


def save(sample: Sample, folder: Path = CORPUS) -> Path:
    """Keep an input that failed, under the hash of its content; returns its file."""
    name = hashlib.sha256(sample.content).hexdigest()[:12]
    file = folder / sample.reader / name / sample.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(sample.content)
    return file
