"""Rules for Renovate: the packages that have to move together, and how far they may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import FAMILY
from torchlock.report.emit.subject import plain

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

_USE = "Put these packageRules into renovate.json. Lock again to allow newer releases."


def render(subject: Subject) -> str:
    """JSON, which has no comments: the header is a description."""
    bound = {
        pin.name: plain(pin, "renovate").partition("+")[0]
        for pin in subject.pins
        if pin.rules or pin.name in FAMILY
    }
    description = " ".join(line.lstrip("# ") for line in subject.header(_USE))
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
