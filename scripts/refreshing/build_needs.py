"""What the builds on the PyTorch wheel index require of the public index.

The releases of the public index do not lead there: its torch requires no oneAPI, and no CUDA 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refreshing.build_requirements import read_rows
from torchlock.knowledge.build_labels import is_from_index
from torchlock.knowledge.releases import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torchlock.standards.dependency import Dependency


def needs_of_builds(builds: Path) -> set[Dependency]:
    """Every requirement of a build on a project of the public index.

    ``builds`` is like ``compat_data/builds``: its table of requirements says what a build requires of its
    accelerator, also where no file is known; its tables of files say what each wheel requires.

    Raises:
        TableError: the table of requirements is damaged.
        DataError: a table of files is damaged.
    """
    stated = [*_of_table(builds / "requirements.toml"), *_of_files(builds / "files")]
    return {need for folder, need in stated if not is_from_index(need.name, folder)}


def _of_table(path: Path) -> Iterator[tuple[str, Dependency]]:
    for (_, _, folder, _), row in read_rows(path).items():
        for need in row.requires:
            yield folder, need


def _of_files(files: Path) -> Iterator[tuple[str, Dependency]]:
    for folder in sorted(path for path in files.glob("*") if path.is_dir()):
        catalogue = Catalogue(folder)
        for name in catalogue.names():
            for release in catalogue.releases(name) or ():
                for wheel in range(len(release.tags)):
                    needs = release.dependencies(wheel)
                    for need in needs if isinstance(needs, list) else ():
                        yield folder.name, need
