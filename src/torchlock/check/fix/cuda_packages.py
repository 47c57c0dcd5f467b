"""Remedies for packages that bring their own code for CUDA (bitsandbytes, triton), and for a mixed cuDNN."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add, add_all
from torchlock.check.fix.search_path import put_first, taken_out
from torchlock.check.nvidia import copies_of
from torchlock.check.rules.bitsandbytes import libraries_of
from torchlock.check.rules.triton import required
from torchlock.finding import Command, Remedy
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

# The libraries of bitsandbytes 0.48.2.
_MEASURED = "0.48.2"
_OF_MEASURED = frozenset({"118", "120", "121", "122", "123", "124", "125", "126", "128", "129", "130"})
# The first series of triton-windows that a torch does not work with.
_BEFORE = {"2.6": "3.3", "2.7": "3.4", "2.8": "3.5", "2.9": "3.6", "2.10": "3.7", "2.11": "3.7", "2.12": "3.8"}


def of_cuda_package(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for TL231 to TL233; None for all other findings."""
    known = {"TL231": _one_cudnn, "TL232": _with_library, "TL233": _with_triton}
    return known[finding.rule](context, finding) if finding.rule in known else None


def _one_cudnn(context: CheckContext, finding: Finding) -> Remedy:
    """Take all parts from the package: its folder first, or without the folder that has the others."""
    root = context.root
    folder = os.path.realpath(os.path.dirname(finding.path))
    if root is not None and folder in {os.path.realpath(root.real(each)) for each in root.library_path}:
        return taken_out(context, finding.path)
    copies = copies_of(context, "libcudnn.so.9")
    own = os.path.dirname(copies[0]) if copies else ""
    if finding.lacks and not os.path.isfile(os.path.join(own, finding.lacks[0])):
        return Remedy(
            "Remove the cuDNN of the machine from the search path of the loader (its package, or its folder in "
            "ld.so.conf), or install the same release there."
        )
    return put_first(context, own, "Make the loader find all parts of cuDNN in the package")


def _with_library(context: CheckContext, finding: Finding) -> Remedy:
    """A release with the library, or the library for another minor version of the same CUDA."""
    wanted = finding.lacks[0].partition("cuda")[2].partition(".")[0]
    version = context.version("bitsandbytes")
    if wanted in _OF_MEASURED and version and specifier_set(f"<{_MEASURED}").contains(version):
        words = f"Install bitsandbytes {_MEASURED} or later, which has this library."
        return Remedy(words, commands=add(context, "bitsandbytes", f">={_MEASURED}"))
    near = [each for each in libraries_of(context) if each[:-1] == wanted[:-1]]
    if near:
        words = (
            f"Make bitsandbytes use its library for CUDA {near[-1][:-1]}.{near[-1][-1]}, which fits this torch."
        )
        return Remedy(words, commands=(Command("shell", f"export BNB_CUDA_VERSION={near[-1]}"),))
    return Remedy(
        f"Compile bitsandbytes for CUDA {wanted[:-1]}.{wanted[-1]}, or use a torch for a CUDA version that it has."
    )


def _with_triton(context: CheckContext, finding: Finding) -> Remedy | None:
    name, specifier = required(context)
    if name == "triton-windows" and not specifier:
        series = ".".join(context.version("torch").split(".")[:2])
        bound = _BEFORE.get(series)
        if bound is None:
            return Remedy("Install the triton-windows release for this torch (its README has the table).")
        specifier = f"<{bound}"
    if not specifier:
        return Remedy("Install the triton that this torch was built with; its metadata does not name one.")
    words = f"Install {name}{specifier}, which is for {context.named('torch')}."
    return Remedy(words, commands=add_all(context, {name: specifier}))
