"""What ``torchlock upgrade`` refuses: it would lose a build or a release, or has nothing to move."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.jobs.lock_files import FIELDS
from torchlock.knowledge.stack import FAMILY
from torchlock.spelling import meant

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.cli.upgrade_plan import Plan
    from torchlock.manifests.pin_sets import PinSet
    from torchlock.terms import Inputs

# A field in the name of a lock, as in requirements-{python}.txt.
_FIELD = re.compile(rf"\{{(?:{'|'.join(FIELDS)})\}}")


def refuse_fields(output: str, words: Sequence[str]) -> None:
    """Refuse a lock that is one of several files with fields in their name: the others would not move with it.

    Raises:
        InputError: it is one, by its name or by the command in its first lines.
    """
    values = [value.rpartition("=")[2] for value in (output, *words)]
    named = next((value for value in values if _FIELD.search(value)), "")
    if named:
        raise InputError(
            f"upgrade moves one lock, and -o {named} names several",
            hint="change the input, then lock again with torchlock lock -P NAME and this -o",
        )


def refuse_emitted(output: str, text: str) -> None:
    """Refuse what --emit writes: it is made from a lock, and is none.

    Raises:
        InputError: it is.
    """
    from torchlock.report.emit import form_of

    if form := form_of(text):
        hint = f"upgrade the lock, then run torchlock lock --emit {form} again"
        raise InputError(f"is not a lock: torchlock wrote it with --emit {form}", path=output, hint=hint)


def refuse_unknown(asked: Iterable[str], plan: Plan, inputs: Inputs, arguments: argparse.Namespace) -> None:
    """Refuse a package that neither the input nor the lock has.

    Raises:
        InputError: there is one.
    """
    from torchlock.jobs.lock_inputs import existing_lock
    from torchlock.standards.names import normalise

    pins = existing_lock(arguments).pin_set
    if pins is None:  # there is no lock yet
        return
    lines = [line.requirement for line in (*inputs.requirements, *inputs.constraints, *inputs.overrides)]
    known = {*plan.names, *pins.by_name, *(normalise(line.name) for line in lines if line is not None)}
    for name in asked:
        if name not in known:
            said = f"{arguments.output} and the input do not contain this package"
            raise InputError(
                f"{name}: {said}{meant(name, sorted(known))}",
                hint="to add a package, write it into the input, then run torchlock lock",
            )


def refuse_unmoved(asked: Mapping[str, str], versions: Mapping[str, Sequence[str]], inputs: Inputs) -> None:
    """Refuse an upgrade after which no target has a release that is asked for: an override replaces the request.

    Raises:
        InputError: there is none.
    """
    from packaging.specifiers import SpecifierSet

    from torchlock.standards.names import normalise

    for name, specifier in asked.items():
        wanted = SpecifierSet("" if "+" in specifier else specifier)
        found = versions.get(name, ())
        if not found or any(wanted.contains(each, prereleases=True) for each in found):
            continue
        for written in inputs.overrides:
            if written.requirement is not None and normalise(written.requirement.name) == name:
                path, line, text = written.origin
                said = f"the override {text.strip()} excludes {name}{specifier}"
                raise InputError(said, path=path, line=line, hint="change the override, or leave it out")


def refuse_unwritten(plan: Plan, versions: Mapping[str, Sequence[str]], arguments: argparse.Namespace) -> None:
    """Refuse a label that neither a line nor --accelerator can hold: the next lock would be of another build.

    Raises:
        InputError: it is one.
    """
    if plan.build and plan.build not in (arguments.accelerator or ()) and not plan.names_build(versions):
        raise InputError(
            f"no line of the input pins a version, so none can name the build +{plan.build}",
            hint=f"use --accelerator {plan.build}, and name the version without a label",
        )


def refuse_loss(found: Mapping[str, Sequence[str]], before: PinSet, after: PinSet) -> None:
    """Refuse an upgrade that moves a target back, because one line cannot have the release of each target.

    ``found`` are the releases that the targets could have.

    Raises:
        InputError: it does.
    """
    from packaging.version import Version

    old, new = versions_of(before), versions_of(after)
    for name in sorted(found.keys() & old.keys() & new.keys(), key=lambda name: (name not in FAMILY, name)):
        best, was, now = (Version(versions[name][-1]) for versions in (found, old, new))
        if len(found[name]) > 1 and now < min(best, was):
            raise InputError(
                f"the newest {name} differs between the targets: {', '.join(found[name])}; one release for all "
                f"of them is {now}, which is older than {was} in the lock",
                hint=f"name one release, like torchlock upgrade {name}=={now}; or change the lines by hand",
            )


def versions_of(pins: PinSet) -> dict[str, list[str]]:
    """The versions of each package, without the label of a build, the oldest first."""
    from packaging.version import Version

    found = {}
    for name, several in pins.by_name.items():
        versions = {pin.version.partition("+")[0] for pin in several if pin.version[:1].isdigit()}
        if versions:
            found[name] = sorted(versions, key=Version)
    return found
