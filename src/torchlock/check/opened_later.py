"""The libraries that packages open when they are used, as their files name them, and which nothing here has."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.nvidia import copies_of, copies_on_machine
from torchlock.check.packaged_libraries import recorded
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.binaries.elf_strings import library_names
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext


class Opener(NamedTuple):
    """A library that opens others: its folder beside the packages, a pattern for its file name, and for theirs.

    ``is_linked``: it is itself opened when it is used, and needs the others. If not, their names are constants.
    ``error`` is what the package prints. ``for_gpu``: whether the package has no other use.
    """

    folder: str
    file: str
    opens: str
    error: str = "{library}: cannot open shared object file: No such file or directory"
    is_linked: bool = False
    for_gpu: bool = False


class Lacking(NamedTuple):
    """A package, the library of it that opens others, those that were not found, and the error for the first.

    ``is_known``: the machine was examined, too, and does not have them. ``of_driver``: the driver has them.
    """

    user: str
    path: str
    names: tuple[str, ...]
    error: str
    is_known: bool
    of_driver: bool


_OF_CUDA = r"lib(cublas|cublasLt|cudart|cufft|curand|cusolver|cusparse|cudnn)\.so\.[\d.]{1,20}"
# A bundled libcudnn opens its parts; these two compute convolutions.
_PARTS = r"libcudnn_(ops|cnn)(_infer)?\.so(\.8)?"
_CTRANSLATE2 = "RuntimeError: Library {library} is not found or cannot be loaded"
_ONNXRUNTIME = (
    "Failed to load library libonnxruntime_providers_cuda.so with error: {library}: cannot open shared object file"
)
_OPENERS = {
    "ctranslate2": (
        Opener(
            "ctranslate2.libs",
            r"libctranslate2-\w{1,40}\.so\.[\d.]{1,20}",
            r"libcublas\.so\.\d{1,3}",
            _CTRANSLATE2,
        ),
        Opener("ctranslate2.libs", r"libcudnn-\w{1,40}\.so\.(?P<major>\d{1,2})\.[\d.]{1,20}", _PARTS),
    ),
    "onnxruntime-gpu": (
        Opener(
            "onnxruntime/capi", r"libonnxruntime_providers_cuda\.so", _OF_CUDA, _ONNXRUNTIME, True, for_gpu=True
        ),
    ),
    "bitsandbytes": (
        Opener("bitsandbytes", r"libbitsandbytes_cuda(?P<cuda>\d{2,3})\.so", _OF_CUDA, is_linked=True),
    ),
    "torchcodec": (Opener("torchcodec", r"libtorchcodec_core\d{1,2}\.so", r"libnvcuvid\.so\.1"),),
}
# The folders of libraries in an environment of conda.
_OF_CONDA = (("lib",), ("targets", "x86_64-linux", "lib"))
# The folder of DLLs in the packages for CUDA 13.
_OF_CUDA_13 = os.path.join("bin", "x86_64")
# The driver has these, and a container gets each kind of them only if it asks for it.
_OF_DRIVER, _DRIVER = re.compile(r"libnv(cuvid|idia)[\w-]{0,40}\.so"), "libcuda.so.1"


def lacking(context: CheckContext) -> Iterator[Lacking]:
    """What the installed packages of Linux open when they are used and would not find: one for each package."""
    for user in _OPENERS if context.operating_system == "linux" else ():
        if found := list(_of_user(context, user)):
            names = dict.fromkeys(name for each in found for name in each.names)
            yield found[0]._replace(names=tuple(names))


def _of_user(context: CheckContext, user: str) -> Iterator[Lacking]:
    record = context.installed.get(user)
    for opener in _OPENERS[user] if record is not None else ():
        if record is None or not (opener.for_gpu or _computes_on_gpu(context)):
            continue
        folder = os.path.join(record.entry.path, *opener.folder.split("/"))
        path, opens = _opened(context, folder, opener)
        if names := tuple(name for name in opens if not _has(context, name)):
            error = opener.error.format(library=names[0])
            yield Lacking(user, path, names, error, _is_examined(context), bool(_OF_DRIVER.match(names[0])))


def _opened(context: CheckContext, folder: str, opener: Opener) -> tuple[str, list[str]]:
    """The library that opens others, and their names; "" if it is not there, or not for this torch."""
    torch = context.build("torch")
    cuda = "".join(((torch.cuda if torch is not None else "") or "").split(".")[:2])
    for name in sorted(context.environment.tree.names(folder)):
        match = re.fullmatch(opener.file, name)
        if match is None or match.groupdict().get("cuda", cuda) != cuda:
            continue
        path = os.path.join(folder, name)
        found = _linked(path) if opener.is_linked else sorted(library_names(path))
        number = match.groupdict().get("major")
        opens = [each for each in found if re.fullmatch(opener.opens, each)]
        return path, [f"{each}.{number}" if number and each.endswith(".so") else each for each in opens]
    return "", []


def _linked(path: str) -> list[str]:
    binary = read_binary(path)
    return [each.name for each in binary.needed] if isinstance(binary, Binary) else []


def _has(context: CheckContext, library: str) -> bool:
    """Whether anything here has a library. The driver is judged only where a part of it is seen."""
    if _OF_DRIVER.match(library):
        root = context.root
        return root is None or root.search(_DRIVER) is None or root.search(library) is not None
    return bool(places_of(context, library))


def _computes_on_gpu(context: CheckContext) -> bool:
    """Whether somebody means to: torch is a build for CUDA, or there is a GPU."""
    torch = context.build("torch")
    return bool((torch is not None and torch.cuda) or has_gpu(context))


def has_gpu(context: CheckContext) -> bool:
    """Whether a GPU or its driver is known to be there."""
    return bool(context.gpus or context.libraries.get("cuda-driver"))


def _is_examined(context: CheckContext) -> bool:
    return context.root is not None and not context.root.is_partial


def _in_conda(context: CheckContext, library: str) -> list[str]:
    """The copy in the folder of DLLs of an environment of conda, which it puts on the PATH."""
    folder = os.path.join(context.environment.interpreter.prefix, "Library", "bin")
    names = context.environment.tree.names(folder) if context.environment.conda else ()
    return [os.path.join(folder, name) for name in names if name.lower() == library.lower()]


def places_of(context: CheckContext, library: str) -> list[str]:
    """The copies of a library in the installed packages, and on the machine."""
    is_dll = library.endswith(".dll")
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy is not None else ""
    names = context.environment.tree.names(folder) if folder else {}
    found = [os.path.join(folder, name) for name in names if name.lower() == library.lower()]
    if is_dll:
        folders = ("bin", _OF_CUDA_13)
        installed = [path for inner in folders for path in copies_of(context, library, inner)]
        return [*found, *installed, *_in_conda(context, library)]
    prefixes = (context.environment.interpreter.prefix, context.environment.interpreter.base_prefix)
    of_conda = (os.path.join(each, *inner, library) for each in prefixes if each for inner in _OF_CONDA)
    machine = copies_on_machine(context, library)
    found = [*copies_of(context, library), *found, *machine, *filter(files.is_file, of_conda)]
    return found or [path for _, path in [recorded(context, library)] if path and files.is_file(path)]
