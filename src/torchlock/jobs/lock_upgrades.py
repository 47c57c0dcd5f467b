"""The packages that ``--upgrade-package`` and ``--upgrade-group`` name."""

from __future__ import annotations

import re

from torchlock.errors import InputError
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.spelling import meant
from torchlock.standards.names import normalise
from torchlock.terms import Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping

    from torchlock.terms import Inputs, ParsedRequirement


def upgraded_packages(arguments: argparse.Namespace) -> dict[str, ParsedRequirement | None]:
    """The packages of ``--upgrade-package``, each with its version as a constraint, or None.

    Raises:
        InputError: a value is neither NAME nor NAME==VERSION, or names a package twice.
    """
    found: dict[str, ParsedRequirement | None] = {}
    for text in arguments.upgrade_packages:
        match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*(==.+)?", text)
        if not match:
            raise InputError(
                f"--upgrade-package: {text!r} is neither NAME nor NAME==VERSION",
                hint="like -P torch or -P torch==2.8.0",
            )
        origin = Origin(None, None, f"--upgrade-package {text}")
        try:
            written = parse_requirement(text, origin) if match[2] else None
        except InputError:
            version = str(match[2]).removeprefix("==").strip()
            said = f"--upgrade-package: {version!r} is not a version of {match[1]}"
            raise InputError(said, hint=f"like -P {match[1]}==2.8.0") from None
        name = normalise(match[1])
        if found.setdefault(name, written) != written:
            raise InputError(f"--upgrade-package names {name} twice", hint="use only one of them")
    return found


def refuse_overridden(asked: Mapping[str, str], inputs: Inputs) -> None:
    """Refuse to move a package away from the release that an override pins on all targets.

    ``asked`` has the specifier set for each package.

    Raises:
        InputError: an override pins another release.
    """
    if not inputs.overrides:
        return
    from packaging.specifiers import SpecifierSet

    from torchlock.manifests.pins import exact_version

    for written in inputs.overrides:
        requirement = written.requirement
        if requirement is None or requirement.marker is not None or requirement.url:
            continue
        pinned, name = exact_version(str(requirement.specifier)), normalise(requirement.name)
        wanted = asked.get(name, "")
        if not pinned or SpecifierSet(wanted.partition("+")[0]).contains(pinned, prereleases=True):
            continue
        path, line, text = written.origin
        raise InputError(
            f"the override {text.strip()} excludes {name}{wanted}, and it replaces all other lines on {name}",
            path=path,
            line=line,
            hint="change the override, or leave it out",
        )


def allowed_by(arguments: argparse.Namespace) -> dict[str, str]:
    """The option that allows a newer release, by package; "" stands for all packages."""
    if arguments.upgrade:
        return {"": "-U"}
    groups = {name: f"--upgrade-group {group}" for name, group in packages_of_groups(arguments).items()}
    return {**{name: f"-P {name}" for name in upgraded_packages(arguments)}, **groups}


def packages_of_groups(arguments: argparse.Namespace) -> dict[str, str]:
    """The packages that the groups of ``--upgrade-group`` list, each with its group.

    Raises:
        InputError: no input file declares such a group.
    """
    found: dict[str, str] = {}
    for group in arguments.upgrade_groups:
        names = _names_of(group, arguments.files or ["pyproject.toml"])
        found.update(dict.fromkeys(names, group))
    return found


def _names_of(group: str, files: Collection[str]) -> list[str]:
    from torchlock.manifests.lockable import document_to_lock, lock_kind

    declared: list[str] = []
    for file in files:
        document = document_to_lock(file) if file != "-" and not lock_kind(file) else None
        known = document.groups.get(normalise(group)) if document is not None else None
        if document is not None and known is not None:
            return [entry.name for entry in document.entries if entry.scope == known.scope and entry.name]
        declared += [] if document is None else [item.name for item in document.groups.values()]
    hint = f"declared: {', '.join(sorted(declared))}" if declared else "no input file declares dependency groups"
    raise InputError(f"--upgrade-group: unknown dependency group {group!r}{meant(group, declared)}", hint=hint)


def refuse_unknown(
    arguments: argparse.Namespace, inputs: Inputs, locked: Collection[str], before: Collection[str]
) -> None:
    """Refuse a package to upgrade that neither the input nor a lock has.

    ``locked`` are the packages of the new lock, ``before`` those of the existing one.

    Raises:
        InputError: a name is nowhere.
    """
    asked = [
        written.requirement.name
        for written in (*inputs.requirements, *inputs.constraints, *inputs.overrides)
        if written.requirement is not None and not written.is_upgrade
    ]
    known = {*map(normalise, asked), *map(normalise, locked), *before}
    for name in upgraded_packages(arguments):
        if name in known or name in packages_of_groups(arguments):
            continue
        where = f"{arguments.output} and the input do" if before else "the lock and the input do"
        raise InputError(
            f"-P {name}: {where} not contain this package{meant(name, sorted(known))}",
            hint="-P upgrades one package of the lock; torchlock lock NAME adds one",
        )
