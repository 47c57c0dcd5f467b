"""The platform of an environment of pure packages: that of the system whose files are below --root."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install

pytestmark = pytest.mark.sketched


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_c_library_of_a_root_shows_the_machine(ground: Ground, machine: str) -> None:
    """https://github.com/speaches-ai/speaches/issues/21: soundfile is pure there, and nothing else shows it."""
    site = ground.linux("3.12", machine=machine)
    install(site.path, "soundfile", "0.12.1", {"soundfile.py": "import cffi\n"}, tag="py2.py3-none-any")
    install(site.path, "cffi", "1.16.0", {"cffi/__init__.py": ""})
    ground.image(system="ubuntu-22.04", machine=machine)
    done = ground.check(site, root=True)
    assert done.json["target"]["platform"].endswith(f"_{machine}")
    assert done.first.rule == "TL301"
