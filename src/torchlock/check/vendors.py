"""Packages of the torch family that PyTorch did not build: of a vendor, of a distribution, from source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.torch_builds import public_build
from torchlock.check.index_wheels import has_wheels
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.stack import backends

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.knowledge.stack import Backend


def backend_of(context: CheckContext) -> Backend | None:
    """The installed package by which torch uses the accelerator of another vendor; None if there is none.

    A torch whose label or files name CUDA, ROCm or XPU is not one for such an accelerator.
    """
    build = context.build("torch")
    if build is not None and (build.cuda or build.hip or build.xpu):
        return None
    return next((each for name, each in backends().items() if context.installed.get(name) is not None), None)


def is_built_for_backend(context: CheckContext) -> bool:
    """Whether the vendor of such a package built this torch: it does, and no label says that PyTorch did."""
    backend = backend_of(context)
    return backend is not None and backend.own and kind_of(context.labelled("torch")) is None


def is_vendors(context: CheckContext, name: str) -> bool:
    """Whether the package is not a PyTorch build, so that the rules may not apply; its libraries decide."""
    pin = context.pins.get(name)
    if pin is None or pin.unversioned:
        return True
    copy = context.copy(name)
    if copy is not None and copy.kind == "editable":
        return True
    if pin.version.local and kind_of(pin.version.local) is None:
        return True
    if name == "torch" and is_built_for_backend(context):
        return True
    return pin.version.is_prerelease or is_of_no_index(context, name)


def is_of_no_index(context: CheckContext, name: str) -> bool:
    """Whether no index has this release: conda-forge and others number their builds (``2.4.1.post3``)."""
    pin = context.pins.get(name)
    if pin is None or pin.unversioned or not pin.version.is_postrelease:
        return False
    package = CompatibilityTable().packages.get(name)
    return package is not None and pin.version.public not in package.versions


def is_unpublished_build(context: CheckContext) -> bool:
    """Whether torch has the number of a release, and a CUDA version for which the index has no wheel of it.

    NVIDIA's builds for the first Jetsons are such. A companion of the index may still work beside one.
    """
    pin, target = context.pins.get("torch"), context.target
    if pin is None or pin.unversioned or target is None or context.labelled("torch"):
        return False
    version, label = pin.version.public, context.label("torch") or ""
    if kind_of(label) != "cuda" or public_build("torch", version, target) == label:
        return False
    return has_wheels("torch", version, label, target) is False
