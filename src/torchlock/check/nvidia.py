"""The NVIDIA packages that the installed torch requires, and those of them that are not installed as required."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.context import dependencies_of, version_of
from torchlock.check.relevance import owners_of
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.rules import specifier_set
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.standards.dependency import Dependency

# The part of a package's name for a library; for all others it is the name of the library.
_PARTS = {
    "cudart": "cuda-runtime",
    "nvrtc": "cuda-nvrtc",
    "cupti": "cuda-cupti",
    "nvtoolsext": "nvtx",
    "cublaslt": "cublas",
    "nvshmem-host": "nvshmem",
}
# torch 2.11 and later require the packages of CUDA itself by extras of this one.
_TOOLKIT = "cuda-toolkit"


class Unmet(NamedTuple):
    """A requirement of torch on an NVIDIA package that is not met.

    ``installed`` is the installed version, "" if the package is missing; ``is_older``: than the required one.
    """

    name: str
    specifier: str
    installed: str
    is_older: bool = False

    @property
    def wanted(self) -> str:
        """The requirement as an argument of an installer."""
        return self.name + self.specifier


def required(context: CheckContext) -> dict[str, str]:
    """The NVIDIA packages that torch's metadata requires here: name → specifier."""
    record, target = context.record("torch"), context.target
    found: dict[str, str] = {}
    for each in dependencies_of(record) if record is not None and target is not None else ():
        if target is not None and target.holds(each.marker):
            mine = _of_toolkit(context, each) if each.name == _TOOLKIT else [each]
            found |= {item.name: item.specifier for item in mine if item.name.startswith("nvidia-")}
    return found


def _of_toolkit(context: CheckContext, asked: Dependency) -> list[Dependency]:
    """What the extras of the installed cuda-toolkit require."""
    record, target = context.installed.get(_TOOLKIT), context.target
    if record is None or target is None:
        return []
    mine = dependencies_of(record)
    return [each for each in mine if any(target.holds(each.marker, extra) for extra in asked.extras)]


def unmet(context: CheckContext) -> list[Unmet]:
    """The requirements of torch on NVIDIA packages that are not met, in the order of its metadata."""
    return list(_unmet(context))


def _unmet(context: CheckContext) -> Iterator[Unmet]:
    for name, specifier in required(context).items():
        record = context.installed.get(name)
        if record is None:
            if not context.environment.conda:  # whose packages have other names
                yield Unmet(name, specifier, "")
            continue
        version, lowest = version_of(record.version), re.search(r"(?:==|>=|~=) *([0-9.]*[0-9])", specifier)
        if version is not None and not specifier_set(specifier).contains(version):
            bound = version_of(lowest[1]) if lowest else None
            yield Unmet(name, specifier, record.version, bound is not None and version < bound)


def owner_of(context: CheckContext, path: str) -> str:
    """The installed NVIDIA package that has a library, by its record; "" if none has it."""
    path = os.path.abspath(path)
    for entry in context.environment.path:
        if path.startswith(f"{entry.path}{os.sep}nvidia{os.sep}"):
            short = os.path.relpath(path, entry.path).replace(os.sep, "/")
            mine = sorted(each for each in owners_of(context, {short}) if each.startswith("nvidia-"))
            pinned = required(context)
            return next((each for each in mine if each in pinned), mine[0] if mine else "")
    return ""


def why_outdated(context: CheckContext, provider: str) -> str:
    """Why a library of an NVIDIA package lacks symbols; NCCL and cuDNN are not part of a CUDA release."""
    stem = provider.rpartition("-cu")[0]
    built_with = next((each for each in required(context) if stem and each.rpartition("-cu")[0] == stem), provider)
    if built_with != provider:
        return f"torch was built with {built_with}; {provider} has the same file, and replaced or hides it"
    if re.search(r"nccl|cudnn|nvshmem|cusparselt", provider):
        return f"torch was built with another release of {provider} than the installed one"
    return "the two are from different releases of CUDA; torch requires the ones that it was built with"


def package_for(context: CheckContext, library: str) -> str:
    """The required NVIDIA package that contains a library (``libcudart.so.12``); "" if none is known."""
    stem = re.match(r"lib(\w+?)\.so", library)
    if stem is None:
        return ""
    part = stem[1].lower().replace("_", "-")
    part = "cudnn" if part.startswith("cudnn-") else _PARTS.get(part, part)
    return next((name for name in required(context) if re.fullmatch(rf"nvidia-{part}(-cu\d+)?", name)), "")


def copies_of(context: CheckContext, library: str, inner: str = "lib") -> list[str]:
    """The paths of a library in the folders of NVIDIA packages, in import order; the name may be a pattern.

    ``inner`` is the folder in each package: ``bin`` on Windows.
    """
    tree, found = context.environment.tree, []
    for entry in context.environment.path:
        if entry.state != "folder" or tree.names(entry.path).get("nvidia") != "folder":
            continue
        nvidia = os.path.join(entry.path, "nvidia")
        folders = [os.path.join(nvidia, name, inner) for name in sorted(tree.names(nvidia))]
        found += [
            os.path.join(each, name) for each in folders for name in tree.names(each) if fnmatchcase(name, library)
        ]
    return found


def has_symbol(path: str, symbol: str) -> bool | Unreadable:
    """Whether a library defines a symbol, in any version; Unreadable if its tables cannot be read."""
    binary = read_binary(path)
    symbols = binary.symbols if isinstance(binary, Binary) else binary
    return symbols if isinstance(symbols, Unreadable) else symbols.defines(symbol)


# Where CUDA and conda put libraries: folders that people name in LD_LIBRARY_PATH.
_USUAL = ("/usr/local/cuda/lib64", "/usr/local/cuda/targets/x86_64-linux/lib", "/opt/conda/lib")
_MOST = 50


def copies_on_machine(context: CheckContext, library: str) -> Iterator[str]:
    """The copies of a library on the machine, outside of the packages."""
    root = context.root
    if root is None:
        return
    versions = sorted(
        name for name in context.environment.tree.names(root.real("/usr/local")) if name.startswith("cuda-")
    )
    usual = [*root.library_path, *_USUAL, *(f"/usr/local/{name}/lib64" for name in versions[:_MOST])]
    paths = [*root.cache.get(library, ()), *(f"{folder}/{library}" for folder in [*usual, *root.folders])]
    paths.append(os.path.join(context.environment.interpreter.prefix, "lib", library))
    yield from dict.fromkeys(filter(None, map(root.file, paths)))
