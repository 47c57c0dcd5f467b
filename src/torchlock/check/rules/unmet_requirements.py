"""TL609: requirements of the stack, or of packages that use it, that are missing or in another version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.context import dependencies_of, version_of
from torchlock.check.linking import resolved
from torchlock.check.proven import proof_of
from torchlock.check.rules.import_path import is_of_user
from torchlock.check.rules.stdlib_shadowing import lacks_what_torch_takes
from torchlock.check.rules.versions import in_words
from torchlock.finding import Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, FAMILY, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.version import Version

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.standards.dependency import Dependency

# Without these an import fails, in every release that requires them. Other requirements are used later.
_IMPORTED = {"torch": frozenset({"typing-extensions"}), "soundfile": frozenset({"cffi", "numpy"})}
# What the imports of all releases take, with the names of the modules.
_TAKEN = {
    "torch": {"typing-extensions": "typing_extensions"},
    "torchvision": {"numpy": "numpy", "pillow": "PIL"},
    "soundfile": {"cffi": "cffi", "numpy": "numpy"},
}
# torch requires these, and other rules check them: the loader shows whether their libraries are found.
_LOADED = ("nvidia-", "cuda-")
# torch works without it, and only torch.compile does not; with another release of it, some calls fail.
_OF_COMPILER = "triton"


@rule("TL609")
def unmet(context: CheckContext) -> Iterator[Finding]:
    """Requirements of torch and its companions, and those of other packages on torch and its companions."""
    if context.target is None:
        return
    for distribution in context.installed.distributions:
        if distribution.name in STACK and context.record(distribution.name) is not distribution:
            continue
        for dependency in dependencies_of(distribution, on=() if distribution.name in STACK else FAMILY):
            if _matters(distribution, dependency) and context.target.holds(dependency.marker):
                yield from _judged(context, distribution, dependency)


def _matters(distribution: Distribution, dependency: Dependency) -> bool:
    if dependency.name.startswith(_LOADED):
        return False
    return dependency.name in FAMILY or distribution.name in STACK


def _judged(context: CheckContext, distribution: Distribution, dependency: Dependency) -> Iterator[Finding]:
    version = _installed(context, dependency.name)
    asked = f"{distribution.name} {distribution.version} asks for {dependency.name}"
    wanted = f"{asked} {in_words(dependency.specifier)}".rstrip()
    if version is None and dependency.name.startswith(_OF_COMPILER):
        return
    if version is None:
        in_family = dependency.name in FAMILY and distribution.name in FAMILY
        if not in_family and not _is_importable(context, dependency.name):
            yield _missing(context, distribution, dependency, f"{wanted}, which is not installed")
        return
    found = version_of(version)
    if found is not None and not specifier_set(dependency.specifier).contains(found):
        message = f"{wanted}, and {version} is installed"
        yield _other_version(context, distribution, dependency, found, message)


def lacking(context: CheckContext) -> dict[str, list[str]]:
    """The packages of the stack whose import takes others that are not on this path, with the names of these."""
    found: dict[str, list[str]] = {}
    for name, imported in _TAKEN.items():
        record = context.record(name)
        if record is None or name not in context.pins or name in context.ran or context.environment.conda:
            continue
        asked = {each.name for each in dependencies_of(record)}
        lost = [
            other
            for other, module in imported.items()
            if other in asked and not context.installed.get(other) and not context.environment.has_module(module)
        ]
        if lost:
            found[name] = lost
    return found


def _missing(context: CheckContext, distribution: Distribution, dependency: Dependency, message: str) -> Finding:
    is_imported = dependency.name in _IMPORTED.get(distribution.name, ())
    used = is_imported and not _is_partial(context, distribution) and not is_of_user(context)
    severity = severity_of(
        fails=used and distribution.name == "torch", partly=used or distribution.name not in STACK
    )
    return context.finding(
        "TL609",
        severity,
        message,
        distribution.name,
        dependency.name,
        path=distribution.path,
        expected_error=f"ModuleNotFoundError: No module named '{dependency.name.replace('-', '_')}'",
    )


def _other_version(
    context: CheckContext, distribution: Distribution, dependency: Dependency, found: Version, message: str
) -> Finding:
    vital = distribution.name in FAMILY and dependency.name in CORE
    repacked = vital and (found.is_devrelease or (found.local is not None and _strange_label(found.local)))
    in_family = distribution.name in FAMILY or dependency.name in FAMILY
    loads = dependency.name == "torch" and _loads_anyway(context, distribution.name) is not None
    is_optional = dependency.name.startswith(_OF_COMPILER)
    severity = severity_of(fails=False, partly=in_family and not (repacked or loads or is_optional))
    expected_error, strength = "", Strength.DECLARED
    if distribution.name == "torch" and dependency.name in _IMPORTED["torch"]:
        module = dependency.name.replace("-", "_")
        if lost := lacks_what_torch_takes(context, module):
            severity, strength = severity_of(fails=True), Strength.SHOWN
            expected_error = f"ImportError: cannot import name '{lost}' from '{module}'"
    return context.finding(
        "TL609",
        severity,
        message,
        distribution.name,
        dependency.name,
        path=distribution.path,
        because=_because(context, distribution.name, dependency.name),
        expected_error=expected_error,
        strength=strength,
    )


def _because(context: CheckContext, name: str, other: str) -> str | None:
    """Why a companion works in spite of a pin, if that is known."""
    loads = _loads_anyway(context, name) if other == "torch" and name in FAMILY else None
    return None if loads is None else f"installers follow this pin of its metadata; {loads}"


def _loads_anyway(context: CheckContext, name: str) -> str | None:
    """How it is known that a companion loads with this torch: by its libraries, or else by the public wheels."""
    links = resolved(context, name)
    if links is True:
        return f"all symbols that {name} uses are in this torch"
    proof = proof_of(context, name) if isinstance(links, Unknown) else None
    if proof is None or proof.verdict != "loads":
        return None
    files = " and ".join(each.file for each in proof.evidence)
    return f"the two releases load together, as their wheels show ({files})"


def _is_partial(context: CheckContext, distribution: Distribution) -> bool:
    """Whether a tree has none of the requirements of a distribution: then it is only a part of a path."""
    names = {
        item.name for item in dependencies_of(distribution) if not item.name.startswith((*_LOADED, _OF_COMPILER))
    }
    return not context.live and not any(context.installed.get(name) for name in names - FAMILY)


def _strange_label(label: str) -> bool:
    from torchlock.knowledge.build_labels import kind_of

    return kind_of(label) is None


def _installed(context: CheckContext, name: str) -> str | None:
    """The imported version, else the version of the record; "" for an unknown one, None for a missing package."""
    pin = context.pins.get(name)
    if pin is None:
        record = context.installed.get(name)
        return None if record is None else record.version
    return "" if pin.unversioned else str(pin.version)


def _is_importable(context: CheckContext, name: str) -> bool:
    """Whether the path has a module of that name without a record (from conda or a system package)."""
    return context.environment.has_module(name.replace("-", "_")) or bool(context.environment.conda)
