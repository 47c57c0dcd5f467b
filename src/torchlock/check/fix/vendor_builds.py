"""The remedy for a companion of a torch from elsewhere than the index of PyTorch: a vendor, conda, its source.

Such a torch stays. Its companion comes from the same source, or is compiled against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.version import Version

from torchlock.check.conda import is_recorded
from torchlock.check.cxx_symbols import other_abi
from torchlock.check.fix.commands import built_from, compiled_from, install, is_managed, is_windows
from torchlock.check.fix.conda_channels import of_channel
from torchlock.check.fix.nightly_builds import of_nightly
from torchlock.check.fix.plan import Plan, of_build
from torchlock.check.fix.release_pairs import COMPANIONS, COMPILED_BY_PIP, SOURCES, release_for
from torchlock.check.fix.torch_builds import is_of_conda
from torchlock.check.index_wheels import has_wheels
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.vendors import is_vendors
from torchlock.finding import Remedy
from torchlock.knowledge.registry import group

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding

# What the build of torchcodec needs besides pip.
_ASKS = "needs the header files of FFmpeg, and asks you to confirm that this use of FFmpeg is licensed"
# The wheels of the index for Linux x86_64 have the new ABI of std::string from this release on; 2.6.0 only some.
_NEW_ABI, _BOTH_ABIS = Version("2.7"), Version("2.6")


def of_vendor(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a companion that does not work with a torch of another source; None for other findings."""
    name = finding.package
    if name not in COMPANIONS or finding.rule not in group("versions", "builds", "loading", "absence"):
        return None
    if context.copy("torch") is None or context.target is None or not is_of_another_source(context, name):
        return None
    return companion(context, name)


def of_machines_rocm(context: CheckContext, finding: Finding) -> Remedy | None:
    """A library of ROCm that nightly wheels lack: that of the machine, or another night; None for others."""
    name, label = finding.package, context.label("torch") or ""
    pin = context.pins.get("torch")
    is_nightly = pin is not None and pin.version.is_devrelease
    if (
        not is_nightly
        or not label.startswith("rocm")
        or name not in COMPANIONS
        or finding.lacks[:1] != ("libomp.so",)
    ):
        return None
    known = meaning_of_missing("libomp.so")
    words = of_nightly(context, name).summary
    return None if known is None else Remedy(f"{known.look} Or {words[:1].lower()}{words[1:]}")


def of_source(context: CheckContext, finding: Finding) -> Remedy | None:
    """Compile again what was compiled from a folder for another torch; None for what is not editable."""
    record = context.installed.get(finding.package)
    source = record.source if record is not None else None
    if source is None or not source.editable or not source.url.startswith("file:///"):
        return None
    folder = unquote(source.url.removeprefix("file://")).lstrip("/" if is_windows(context) else "")
    torch = context.named("torch")
    return Remedy(
        f"Compile {record.name if record else ''} again against {torch}, from {folder}, in the state of its "
        "sources that belongs to this torch; without what the last build left in its folder build.",
        commands=compiled_from(context, folder),
    )


def companion(context: CheckContext, name: str) -> Remedy:
    """The companion for the installed torch, from its source or compiled against it."""
    build, pin = context.build("torch"), context.pins.get("torch")
    torch = f"torch {build.version if build is not None else context.version('torch')}"
    if pin is not None and pin.version.is_devrelease:
        return of_nightly(context, name)
    version = release_for(context, name, pin.version) if pin is not None and not pin.unversioned else None
    if version is None:
        return Remedy(f"Install the {name} from where {torch} came, or build it against this torch.")
    if is_of_conda(context):
        return of_channel(context, name, str(version))
    if stable := _stable(context, name, version):
        words = f"Install {name} {version}, whose library works with each later torch of one CUDA version"
        return Remedy(f"{words}; {torch} stays as it is.", commands=install(context, stable, again=True))
    words = f"Install the {name} from where {torch} came, or build {name} {version} against this torch"
    because = "the wheels of the public index are built for another torch."
    if name not in COMPILED_BY_PIP:
        where = f"https://github.com/{SOURCES[name]}"
        return Remedy(f"{words}, as {where} describes: {because} There is no command, because its build {_ASKS}.")
    return Remedy(f"{words}: {because}", commands=built_from(context, SOURCES[name], f"v{version}"))


def is_of_another_source(context: CheckContext, name: str) -> bool:
    """Whether torch is not from the index: by its label, by an ABI that the index does not publish, or by conda.

    The companion of conda's torch counts only if conda installed it, too: wheels of the index may work beside it.
    """
    pin = context.pins.get("torch")
    if pin is None or pin.unversioned or pin.version.is_devrelease:
        return False  # A nightly build is from the index.
    if is_of_conda(context) and is_recorded(context, name):
        return True
    return is_vendors(context, "torch") or (_has_other_abi(context, name) and not _has_abi_of_index(context, name))


def _has_other_abi(context: CheckContext, name: str) -> bool:
    return _abi(context, name) is not None


def _abi(context: CheckContext, name: str) -> bool | None:
    """Whether the companion has the new ABI of std::string and torch the old one; None if both have the same."""
    attempts = [each for each in context.attempts if each.package == name]
    found = other_abi(context, [each.symbol for attempt in attempts for each in attempt.outcome.undefined])
    return None if found is None else found.is_new


def _has_abi_of_index(context: CheckContext, name: str) -> bool:
    """Whether this torch has the ABI of the wheels of the index in its release, so that it may be one of them."""
    target, version = context.target, context.pins["torch"].version
    if target is None or target.platform.system != "linux" or target.platform.machine != "x86_64":
        return True
    if version.release[:2] == _BOTH_ABIS.release:
        return True
    return (version >= _NEW_ABI) is not _abi(context, name)


def _stable(context: CheckContext, name: str, version: Version) -> Plan | None:
    """A wheel of the index that uses the stable ABI of torch only, for the CUDA version of this torch."""
    label, target = context.pins["torch"].build, context.target
    is_stable = name == "torchaudio" and version >= Version("2.11")
    if not is_stable or target is None or not isinstance(label, str) or is_managed(context):
        return None
    if context.version(name).startswith(str(version)) or has_wheels(name, str(version), label, target) is not True:
        return None
    return of_build({name: str(version)}, label, target)._replace(alone=True)
