"""The extension modules of packages that require torch: linked against one release of it, declared or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.machine import suffix_of
from torchlock.inspect.record import read_record
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.inspect.distributions import Distribution

# Modules, not the libraries beside them, of which a package may bring one for each release of CUDA.
# Packages of PyG load theirs by torch.ops.load_library: ``_convert_cpu.so`` on each system.
_MODULE = pattern(
    r"\.(cpython-\w+-[\w-]+|abi3)\.so$|\.cp\w+-win\w+\.pyd$|(^|/)(_C\w*|_[a-z]\w{0,60}_(cpu|cuda))\.(so|pyd)$"
    # Intel's extension is in libraries that its module _C links.
    r"|(^|/)(lib)?intel-ext-pt-(cpu|gpu)\.(so|dll)$"
)
_MOST = 40


class Extension(NamedTuple):
    """An extension module: the distribution that recorded it, its file, and whether it is a module by itself.

    One inside of a package may be imported by it or not; ``flash_attn_2_cuda`` is what a package lives on.
    """

    distribution: str
    path: str
    is_top: bool


def extensions(distributions: Iterable[Distribution], python: str) -> list[Extension]:
    """The first of those that are recorded and there, but for those of another Python (``3.11``, "" for any)."""
    found: list[Extension] = []
    for distribution in distributions:
        found += _of(distribution, python)
    return found[:_MOST]


def beside_packages(distribution: Distribution, python: str) -> list[str]:
    """The extension modules that a distribution has recorded outside of any package: their paths."""
    return [each.path for each in _of(distribution, python) if each.is_top]


def of_other_pythons(distribution: Distribution, python: str) -> list[tuple[Extension, str]]:
    """The modules of a distribution for other Pythons (``3.8``), each with that Python.

    A module that is there for this Python, too, is left out; so are all if this Python is unknown.
    """
    mine = {_stem(each.path) for each in _of(distribution, python)}
    found = [(each, _python_of(each.path)) for each in _of(distribution, "")] if python else []
    return [
        (each, theirs) for each, theirs in found if theirs not in ("", python) and _stem(each.path) not in mine
    ]


def _of(distribution: Distribution, python: str) -> Iterator[Extension]:
    record = read_record(distribution)
    if isinstance(record, str):
        return
    for row in record.rows(endings=(".so", ".pyd")):
        if not _MODULE.search(row.path) or {"", ".."} & set(row.path.split("/")):
            continue
        if python and _python_of(row.path) not in ("", python):
            continue
        path = os.path.join(record.base, *row.path.split("/"))
        if files.is_file(path):
            yield Extension(distribution.name, path, "/" not in row.path)


def _python_of(path: str) -> str:
    suffix = suffix_of(os.path.basename(path))
    return suffix.python if suffix is not None else ""


def _stem(path: str) -> str:
    """The path of a module without the end that names its Python."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name.partition(".")[0])
