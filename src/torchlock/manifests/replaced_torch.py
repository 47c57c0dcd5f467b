"""Companions of torch that stay in a base image while a command replaces its torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from torchlock.knowledge.images import companions_of, fits_a_torch_of
from torchlock.manifests.already_satisfied import pinned_version
from torchlock.manifests.document import ParseIssue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.knowledge.images import Image
    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Entry

_RULES = {"torchaudio": "TL101", "torchvision": "TL103"}


def warn_of_left_companions(
    entries: Sequence[Entry], held: Mapping[str, str], image: Image, builder: DocumentBuilder
) -> None:
    """Warn about each companion of an image that is for another torch than the one that a command installs.

    ``entries`` are what the commands install, ``held`` what they leave of the image. Which companions work with a
    torch is known only of known releases; of a range, that it allows no torch that a companion is for.
    """
    new = [entry for entry in entries if entry.name == "torch" and entry.step and not entry.constraint]
    if not new or new[-1].scope or new[-1].url is not None or not new[-1].specifier:
        return
    release = pinned_version(new[-1].specifier)
    if _contains(f"=={release}" if release else new[-1].specifier, image.torch_version) is not False:
        return
    known = companions_of(release.partition("+")[0]) if release else {}
    for name, rule in _RULES.items():
        version, fitting = held.get(name, "").partition("+")[0], known.get(name, "")
        again = any(entry.name == name and not entry.constraint for entry in entries)
        if not version or again or version == fitting or (release and not fitting):
            continue
        if release or not fits_a_torch_of(name, version, new[-1].specifier):
            builder.document.issues.append(_issue(rule, name, held[name], fitting, new[-1], image))


def _contains(specifier: str, version: str) -> bool | None:
    """Whether a specifier set allows a version; None if one of them has no meaning."""
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except ValueError:
        return None


def _issue(rule: str, name: str, version: str, fitting: str, torch: Entry, image: Image) -> ParseIssue:
    text = f"torch{torch.specifier}"
    message = (
        f"{text} replaces torch {image.torch_version} of {image.name}, and {name} {version} of that image stays, "
        "which is built for the torch that is replaced"
    )
    which = f"{name}=={fitting}" if fitting else name
    remedy = f"Install {which} in the same command, or use an image that has this torch."
    place = torch.place
    if torch.via.line:  # It is in an included file.
        message += f"; torch is in {os.path.normpath(torch.path)}:{torch.place.line}"
        place = torch.via
    return ParseIssue(rule, "warning", message, place, remedy=remedy, scope=torch.scope)
