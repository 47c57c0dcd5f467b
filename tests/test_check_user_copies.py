"""A log whose torch is in the folder of the user, while its other files are of the examined environment."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import write
from support.skeletons import Site

WINDOWS = "C:\\Users\\u\\miniforge3\\envs\\sam\\Lib\\site-packages"
ROAMING = "C:\\Users\\u\\AppData\\Roaming\\Python\\Python311\\site-packages"
LINUX = "/home/u/miniforge3/envs/sam/lib/python3.11/site-packages"
LOCAL = "/home/u/.local/lib/python3.11/site-packages"
MAC = "/Users/u/Library/Python/3.11/lib/python/site-packages"
ERROR = "AttributeError: module 'torch.library' has no attribute 'register_fake'"


def log(site: str, *of_torch: str) -> str:
    """torchvision of a folder fails in the torch of another one."""
    separator = "\\" if "\\" in site else "/"
    frame = f'  File "{separator.join((site, "torchvision", "_meta_registrations.py"))}", line 163, in <module>\n'
    call = '    @torch.library.register_fake("torchvision::nms")\n'
    printed = "".join(f"{separator.join((each, 'torch', '__init__.py'))}\n" for each in of_torch)
    return f"Traceback (most recent call last):\n{frame}{call}{ERROR}\n$ python where.py\n{printed}"


def staged(ground: Ground, site: Site) -> Site:
    """An environment whose own torch has what the log lacks."""
    ground.torch(site, "2.6.0+cpu", made_for=["torchvision==0.21.0"])
    write(site.path / "torch/library.py", "def register_fake(op):\n    return op\n")
    ground.unrecord(site, "torch/library.py")
    return site


@pytest.mark.sketched
def test_the_torch_of_the_user_came_first_on_windows(ground: Ground) -> None:
    """https://github.com/computational-cell-analytics/micro-sam/issues/953"""
    site = staged(ground, ground.windows("3.11", "Users/u/miniforge3/envs/sam"))
    done = ground.check(site, log=log(WINDOWS, ROAMING))
    assert done.first.rule == "TL606"
    assert f"imported torch from {ROAMING.rpartition(chr(92))[0]}, the folder of the user" in done.first.message
    assert done.command == "set PYTHONNOUSERSITE=1"


@pytest.mark.sketched
@pytest.mark.parametrize("user", [LOCAL, MAC])
def test_the_torch_of_the_user_came_first(ground: Ground, user: str) -> None:
    site = staged(ground, ground._site(LINUX.lstrip("/"), "3.11", "linux", "x86_64"))
    done = ground.check(site, log=log(LINUX, user))
    assert done.first.rule == "TL606"
    assert done.command == "export PYTHONNOUSERSITE=1"


@pytest.mark.sketched
@pytest.mark.parametrize("of_torch", [(), (LINUX,)])
def test_a_log_without_the_folder_of_a_user_is_of_another_state(ground: Ground, of_torch: tuple[str, ...]) -> None:
    site = staged(ground, ground._site(LINUX.lstrip("/"), "3.11", "linux", "x86_64"))
    done = ground.check(site, log=log(LINUX, *of_torch))
    assert not done.bad


@pytest.mark.sketched
def test_the_torch_of_the_user_where_the_failure_is_of_this_environment(ground: Ground) -> None:
    """Both lack the name: the folder of the user is not the cause."""
    site = staged(ground, ground._site(LINUX.lstrip("/"), "3.11", "linux", "x86_64"))
    write(site.path / "torch/library.py", "def impl_abstract(op):\n    return op\n")
    done = ground.check(site, log=log(LINUX, LOCAL))
    assert "TL606" not in {each.rule for each in done.bad}
