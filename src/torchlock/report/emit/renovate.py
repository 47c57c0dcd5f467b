"""Rules for Renovate: the packages that have to move together, and how far they may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.knowledge.stack import FAMILY
from torchlock.report.emit.subject import plain

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

USE = "Put these packageRules into renovate.json. Lock again to allow newer releases."


def render(subject: Subject) -> str:
    """JSON, whose header is a description. Of several targets the newest release is the bound."""
    bound: dict[str, Version] = {}
    for each in subject.pins:
        if each.pin.rules or each.pin.name in FAMILY:
            version = Version(plain(each.pin, "renovate").partition("+")[0])
            bound[each.pin.name] = max(version, bound.get(each.pin.name, version))
    description = " ".join(line.lstrip("# ") for line in subject.header(USE))
    rules: list[dict[str, object]] = [
        {
            "description": "These packages load only in matching releases: one pull request for all of them.",
            "matchDatasources": ["pypi"],
            "matchPackageNames": sorted(bound),
            "groupName": "PyTorch audio stack",
        }
    ]
    rules += [
        {"matchDatasources": ["pypi"], "matchPackageNames": [name], "allowedVersions": f"<={version}"}
        for name, version in sorted(bound.items())
    ]
    return json.dumps({"description": [description], "packageRules": rules}, indent=2) + "\n"
