"""One file of ``compat_data/releases``: valid JSON with its large part last (see compat_data/README.md).

The head has one line for each requirement, set of requirements and release. If its digest is known (``kinds.py``),
only the lines that are asked for are parsed, else the head as a whole. In the tail, only the lines of the chosen
releases are parsed. For a lock of torch and librosa, all this is a twentieth of the bytes.
"""

from __future__ import annotations

import json
import os
from functools import cached_property, lru_cache
from types import MappingProxyType

from torchlock.errors import DataError
from torchlock.knowledge.kinds import Kind, digest_of, digests
from torchlock.standards.dependency import Dependency
from torchlock.standards.ordering import admitted
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from mmap import mmap

    from torchlock.answers import Unknown
    from torchlock.knowledge.releases import Release
    from torchlock.standards.index_file import File

_decode = json.JSONDecoder().raw_decode
_TAIL = b'\n"files": {'


@lru_cache(maxsize=256)
def _mapped(path: str, inode: int, changed: int, size: int) -> mmap:
    """The file in this state, once for all catalogues of the process: each map holds a file descriptor.

    Raises:
        DataError: the file is empty.
    """
    from mmap import ACCESS_READ, mmap

    if not size:
        raise DataError("is empty", path=path)
    with open(path, "rb") as file:
        return mmap(file.fileno(), size, access=ACCESS_READ)


class Table:
    """The releases of one project. The file is mapped into memory; most of it is never read.

    ``versions``, ``kinds`` and ``requires`` have one item for each release, oldest first. ``tags`` are those of
    all wheels. ``build`` is that of a folder of the PyTorch index ("" for the root page), None for the public
    index. ``files`` are those that were read. ``unproven`` has the releases of which it is not known what they
    work with, and why: by platform, or for every one ("").

    Raises:
        DataError: the file is damaged.
    """

    def __init__(
        self,
        name: str,
        path: str,
        sdist: Callable[[str, str], Release | Unknown],
        unproven: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.unproven = unproven
        self._path = path
        self._ask_sdist = sdist
        self._served: dict[str, Release | Unknown] = {}
        self.files: dict[str, list[File]] = {}
        self._sets: dict[int, list[Dependency]] = {}
        self._dependencies: dict[int, Dependency] = {}
        self._records: dict[int, dict[str, Any]] = {}
        self._admitted: dict[str, int | None] = {}
        self._ranks: dict[Callable[[str], int | None], list[int | None]] = {}
        self._fitting: dict[Callable[[str], int | None], frozenset[int]] = {}
        self._state = os.stat(path)
        known = digests(os.path.dirname(path))
        digest = None if known is None else known.of(name, self._state.st_size)
        try:
            if digest is None:
                self.name = self._head["name"]
                digest = digest_of(self._head)
            self.build: str | None = digest.get("build")
            self.tags: list[str] = digest["tags"]
            self.versions: list[str] = digest["versions"].split(" ") if digest["versions"] else []
            self.latest: str = digest["latest"]
            self._is_ordered: bool = digest["ordered"]
            kinds = [Kind(*row) for row in digest["kinds"]]
            self.kinds = [kinds[each] for each in digest["of"]]
            self.requires: list[int | list[int | None] | None] = digest["requires"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"damaged ({error})", path=path) from error

    def admitted(self, specifier: str) -> int | None:
        """The releases that a specifier set admits, as the bits of their numbers; None to test each version."""
        if not self._is_ordered:
            return None
        if specifier not in self._admitted:
            self._admitted[specifier] = admitted(specifier, self.versions)
        return self._admitted[specifier]

    def record(self, number: int) -> dict[str, Any]:
        """What the table says of a release, by its number in ``versions``."""
        known = self._records.get(number)
        if known is None:
            known = self._records[number] = self._item("releases", number)
        return known

    def requirement_set(self, number: int) -> list[Dependency]:
        known = self._sets.get(number)
        if known is None:
            known = self._sets[number] = [self._dependency(each) for each in self._item("requires", number)]
        return known

    def _dependency(self, number: int) -> Dependency:
        known = self._dependencies.get(number)
        if known is None:
            known = self._dependencies[number] = Dependency.from_row(self._item("requirements", number))
        return known

    def sdist(self, version: str) -> Release | Unknown:
        """The release as an index serves it; the catalogue has no requirements of its sdist."""
        if version not in self._served:
            self._served[version] = self._ask_sdist(self.name, version)
        return self._served[version]

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each of ``tags``, computed once for each ranking function."""
        known = self._ranks.get(rank)
        if known is None:
            known = self._ranks[rank] = [rank(tags) for tags in self.tags]
        return known

    def fitting(self, rank: Callable[[str], int | None]) -> frozenset[int]:
        """The indexes of ``tags`` that have a rank, computed once for each ranking function."""
        known = self._fitting.get(rank)
        if known is None:
            ranked = enumerate(self.ranks(rank))
            known = self._fitting[rank] = frozenset(index for index, found in ranked if found is not None)
        return known

    def rows(self, version: str) -> list[list[Any]]:
        """The rows of a release in ``files``: those of its wheels in the order of the record, then the sdist's."""
        content = self._content
        start = content.rfind(b'\n"%b": ' % version.encode(), self._tail)  # new releases come last
        if start < 0:
            raise DataError("no files of this release", path=self._path, key=f"files.{version}")
        end = content.find(b"\n", start + 1)
        line = content[start + 1 : end if end >= 0 else len(content)]
        rows: list[list[Any]] = json.loads(line[line.index(b": ") + 2 :].rstrip().rstrip(b",}"))
        return rows

    # How the file is read.

    def _item(self, block: str, number: int) -> Any:
        """An item of a list or object of the head.

        Raises:
            DataError: the file is damaged.
        """
        try:
            if "_head" in self.__dict__:
                items = self._head[block]
                return items[number] if isinstance(items, list) else items[self.versions[number]]
            line = self._lines[self._starts[block] + number]
            return _decode(line, 0 if line[0] == "[" else line.index(": ") + 2)[0]
        except (ValueError, KeyError, IndexError) as error:
            raise DataError(f"damaged ({error})", path=self._path) from error

    @cached_property
    def _content(self) -> mmap:
        return _mapped(self._path, self._state.st_ino, self._state.st_mtime_ns, self._state.st_size)

    @cached_property
    def _tail(self) -> int:
        tail = self._content.find(_TAIL)
        if tail < 0:
            raise DataError('no line begins with "files"', path=self._path)
        return tail

    @cached_property
    def _head(self) -> dict[str, Any]:
        head: dict[str, Any] = json.loads(self._content[: self._tail].rstrip().rstrip(b",") + b"}")
        return head

    @cached_property
    def _lines(self) -> list[str]:
        return str(self._content[: self._tail], "utf-8").split("\n")

    @cached_property
    def _starts(self) -> dict[str, int]:
        """The line of the first item of each block."""
        blocks = (
            ("requirements", '"requirements": ['),
            ("requires", '"requires": ['),
            ("releases", '"releases": {'),
        )
        return {name: self._lines.index(line) + 1 for name, line in blocks if line in self._lines}
