"""An installer that found no wheel: which release is meant, and which one is offered."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install

pytestmark = pytest.mark.sketched

NONE = """\
ERROR: Could not find a version that satisfies the requirement {0} (from versions: none)
ERROR: No matching distribution found for {0}
"""


@pytest.mark.parametrize(
    "above",
    [
        "",
        "Collecting gradio==3.16.2\n  Using cached gradio-3.16.2-py3-none-any.whl (14.2 MB)\n",
        "  Downloading torchvision-0.15.1-cp311-cp311-manylinux1_x86_64.whl (6.0 MB)\n",
    ],
)
def test_a_wheel_of_another_project_says_nothing_about_the_version(ground: Ground, above: str) -> None:
    """https://github.com/xiaoyou-bilibili/voice_clone/issues/2: no wheel of torchaudio 0.9 is for Python 3.11."""
    site = ground.linux("3.11")
    install(site.path, "pip", "22.3.1", {"pip/__init__.py": ""})
    done = ground.check(site, platform="linux-x86_64", log=above + NONE.format("torchaudio~=0.9.0"))
    assert done.first.rule == "TL403"
    assert done.command.endswith("pip install torchaudio==0.9.1")
    # 2.0.0 was withdrawn: its requirement on torch was wrong.
    assert "torchaudio 2.0.1, which has a wheel for Python 3.11" in done.first.remedy


def test_a_withdrawn_release_is_not_the_next_one(ground: Ground) -> None:
    site = ground.linux("3.11")
    install(site.path, "pip", "22.3.1", {"pip/__init__.py": ""})
    done = ground.check(site, platform="linux-x86_64", log=NONE.format("torchaudio==0.13.1"))
    assert "2.0.0" not in " ".join([done.first.remedy, *done.first.commands])
