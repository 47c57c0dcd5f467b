"""TL603 to TL605: records without a package, packages without a record, and two records for one package."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.check.other_copies import fitting_record
from torchlock.check.relevance import is_hidden, is_vital, module_of, needed_by_stack
from torchlock.check.rules.letter_case import in_other_case
from torchlock.finding import Remedy
from torchlock.inspect.ownership import is_whole
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, FAMILY, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution, Duplicate
    from torchlock.inspect.integrity import Checked


@rule("TL604")
def records_without_package(context: CheckContext) -> Iterator[Finding]:
    """Records without their package, after an interrupted installation or a manual deletion."""
    examined = {*STACK, *needed_by_stack(context)}
    for checked in context.integrity.checked:
        distribution = checked.distribution
        if distribution.name not in examined or is_hidden(context, distribution):
            continue
        nothing = checked.is_hollow or (checked.recorded is None and _is_plain_install(context, distribution))
        if in_other_case(context, distribution.name):
            continue
        if nothing and not _is_importable(context, distribution):
            message = f"{distribution.name} {distribution.version} is recorded as installed, but has no files"
            severity = severity_of(fails=is_vital(distribution.name))
            expected_error = f"ModuleNotFoundError: No module named '{module_of(distribution.name)}'"
            yield context.finding(
                "TL604",
                severity,
                message,
                distribution.name,
                path=distribution.path,
                because="an interrupted installation or a deleted folder leaves its record behind",
                expected_error=expected_error,
            )
        elif checked.problem and distribution.name in STACK:
            yield _unreadable(context, checked)


def _is_importable(context: CheckContext, distribution: Distribution) -> bool:
    """Whether the module of a package that torch needs still exists, from another record or without one."""
    if distribution.name not in STACK:
        return context.environment.has_module(module_of(distribution.name))
    copy = context.copy(distribution.name)
    return copy is not None and copy.kind != "namespace"


def _is_plain_install(context: CheckContext, distribution: Distribution) -> bool:
    """Whether an unreadable record belongs to a normal installation, whose module would be seen."""
    plain = distribution.source is None or not distribution.source.editable
    return plain and distribution.kind == "dist-info" and context.live and not _has_archives(context)


def _has_archives(context: CheckContext) -> bool:
    """Whether packages may be in an archive, which is not opened."""
    return any(entry.state == "file" and entry.kind != "stdlib" for entry in context.environment.path)


def _unreadable(context: CheckContext, checked: Checked) -> Finding:
    distribution = checked.distribution
    message = f"the RECORD of {distribution.name} cannot be read ({checked.problem}): its files were not compared"
    return context.finding("TL604", "note", message, distribution.name, path=distribution.path)


@rule("TL605")
def duplicate_records(context: CheckContext) -> Iterator[Finding]:
    """Two records of one package in one folder, of conda and pip, or a record and files of different releases."""
    for duplicate in context.installed.duplicates:
        # An egg has its own folder.
        folders = {each.path if each.kind == "egg" else each.entry.path for each in duplicate.distributions}
        versions = {distribution.version for distribution in duplicate.distributions}
        several = duplicate.name in STACK and len(folders) == 1 and len(versions) > 1
        if several and not _is_left(context, duplicate):
            yield _twice(context, duplicate)
    for twin in context.installed.twins:
        if twin.name in STACK:
            theirs, ours = twin.conda_version, twin.distribution.version
            message = f"conda installed {twin.name} {theirs}, and another installer overwrote it with {ours}"
            mixed = not _same(theirs, ours) and not is_whole(twin.distribution)
            message += ": the files of both are mixed" if mixed else ""
            severity = severity_of(fails=False, partly=mixed)
            because = "two installers wrote it, and each has a record"
            yield context.finding(
                "TL605", severity, message, twin.name, path=twin.distribution.path, because=because
            )
    yield from _other_release(context)


def _twice(context: CheckContext, duplicate: Duplicate) -> Finding:
    """Two records: whether the files are those of one of them, by their content."""
    several = " and ".join(sorted({each.version for each in duplicate.distributions}))
    message = f"{duplicate.name} is recorded twice in one folder, as {several}"
    whole = [each for each in duplicate.distributions if is_whole(each)]
    severity = severity_of(fails=not whole and duplicate.name in CORE, partly=not whole)
    build = context.build(duplicate.name)
    whole.sort(key=lambda each: build is None or not _same(each.version, build.version))
    unlisted = [each for each in duplicate.distributions if not each.has_record]
    if whole:
        message += f", and its files are those of {whole[0].version}"
    elif build is not None and any(_same(each.version, build.version) for each in unlisted):
        message += f", and its version.py belongs to {build.version}"
    else:
        message += ": their files are mixed"
    because = "an installer that did not remove the old release unpacked the other one over it"
    path = duplicate.distributions[0].path
    remedy = _without_rest(context, duplicate, whole[0]) if whole else None
    return context.finding("TL605", severity, message, duplicate.name, path=path, because=because, remedy=remedy)


def _without_rest(context: CheckContext, duplicate: Duplicate, whole: Distribution) -> Remedy:
    """Delete the records of which no release is there any more; the files belong to the other one."""
    from torchlock.check.fix.deletion import deletion

    rest = [each.path for each in duplicate.distributions if each.version != whole.version]
    names = " and ".join(os.path.basename(each) for each in rest)
    return Remedy(
        f"Delete {names}, so that one record is left. If {duplicate.name} fails after that, uninstall it until no "
        f"record is left (python -m pip uninstall {duplicate.name}), and install {whole.version} again.",
        commands=deletion(context, rest, duplicate.name),
    )


def _is_left(context: CheckContext, duplicate: Duplicate) -> bool:
    """Whether only one of the records has a RECORD file, and the files belong to it."""
    build = context.build(duplicate.name)
    owning = [each for each in duplicate.distributions if each.has_record]
    return build is not None and len(owning) == 1 and _same(owning[0].version, build.version)


def blame_records(context: CheckContext, findings: list[Finding]) -> list[Finding]:
    """Make two records, or a record of other files, the cause of the errors of these files.

    An installer asks the record. It takes a release for installed whose files are not there. If the other one of
    two records is of the release that the rest needs, the files that are there are the ones that are wrong.
    """
    for finding in findings:
        if finding.rule == "TL605" and finding.severity != "error" and finding.packages:
            name, is_note = finding.packages[0][0], finding.severity == "note"
            others = [each for each in findings if each.severity == "error" and each.rule != "TL605"]
            is_first = is_note and not fitting_record(context, name)
            blamed = {other for each in others for other, _ in (each.packages[:1] if is_first else each.packages)}
            if name in CORE and name in blamed:
                finding.severity, finding.remedy = "error", None  # Its files are the wrong ones.
    return findings


def _same(one: str, other: str) -> bool:
    first, second = version_of(one), version_of(other)
    return first is not None and second is not None and first.public == second.public


def _other_release(context: CheckContext) -> Iterator[Finding]:
    """A record and a version file of different releases."""
    for name in (*FAMILY, "numpy"):
        record, build = context.record(name), context.build(name)
        if record is None or build is None or record.kind == "conda" or not build.version:
            continue
        if version_of(build.version) and version_of(record.version) and not _same(build.version, record.version):
            message = f"{name} is recorded as {record.version}, but its files are of {build.version}"
            because = "another release was unpacked or copied over it; installers and pip list believe the record"
            yield context.finding("TL605", "warning", message, name, path=build.path, because=because)


@rule("TL604")
def unrecorded(context: CheckContext) -> Iterator[Finding]:
    """Packages that no installer knows; those of an application are none of its business."""
    if context.environment.frozen is not None:
        return
    for name in (*FAMILY, "soundfile"):
        copy = context.copy(name)
        if copy is None or copy.entry is None or not copy.entry.is_site or copy.kind == "namespace":
            continue
        if context.record(name) is None and not context.environment.conda:
            message = f"{name} has no installation record: no installer can replace it as a whole"
            yield context.finding("TL604", "note", message, name, path=copy.path)
