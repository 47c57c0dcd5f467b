"""The builds on the PyTorch wheel index for the Python and platform of an environment, and their versions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.knowledge.build_files import build_catalogue, folders
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.standards.filenames import platform_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from torchlock.target import Target


def has_wheels(name: str, version: str, label: str, target: Target) -> bool | Unknown:
    """Whether the folder of a build has wheels of this release for the target, with or without a label.

    Links of the root page to old wheels without a label, which the folders repeat, do not count.
    """
    found = build_table().published(name, version, label, str(target.platform), str(target.python))
    if found is True or any(target.rank(tag) is not None for tag in _tags(name, version, label, "")):
        return True
    if found is False and _fits(_tags(name, version, label, ""), target):
        return Unknown(f"no wheel of {name} {version} in this folder is known for Python {target.python}")
    return found


def likely_has_wheels(name: str, version: str, label: str, target: Target) -> bool:
    """Whether the folder has wheels of this release for the target, or is known to have some for its platform.

    The table knows the files of few folders completely: one for another Python shows that the release is there.
    """
    found = has_wheels(name, version, label, target)
    return _fits(_tags(name, version, label), target) if isinstance(found, Unknown) else found


def wheel_version(name: str, version: str, label: str, target: Target) -> str:
    """The version as its wheels there have it: ``2.8.0+cu128``; ``2.8.0`` for wheels without a label (aarch64)."""
    labelled = build_table().published(name, version, label, str(target.platform))
    if labelled is not True and _fits(_tags(name, version, label, ""), target):
        return version
    is_plain = isinstance(labelled, Unknown) and name == "torchcodec"
    return version if is_plain else f"{version}+{label}"


def known_labels(name: str, version: str) -> Collection[str]:
    """The labels that a command may name: the known ones; none for a release without a list of labels."""
    labels = build_table().labels(name, version)
    return () if isinstance(labels, Unknown) else labels


@cache
def labels_of(name: str) -> frozenset[str]:
    """The labels of all builds of a package that are known, of any release."""
    return frozenset(
        label for version in CompatibilityTable().packages[name].versions for label in known_labels(name, version)
    )


def _tags(name: str, version: str, label: str, *labels: str) -> list[str]:
    """The tags of the known wheels of a release in the folder of a build; with ``labels``, only of those."""
    found = (build_catalogue(label).releases(name) or ()) if label in folders() else ()
    versions = [f"{version}+{each}" if each else version for each in labels or ("", label)]
    return [tag for each in found if each.version in versions for tag in each.tags]


def _fits(tags: Collection[str], target: Target) -> bool:
    """Whether any of these wheels is for the platform, and for any Python."""
    return any(platform_in(each) == str(target.platform) for each in tags)
