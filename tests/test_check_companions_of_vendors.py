"""What check offers for each package that is compiled against torch, beside the torch of a vendor."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.libraries import elf
from support.site_folder import install
from support.skeletons import Site
from torchlock.check.fix.release_pairs import COMPANIONS, COMPILED_BY_PIP, SOURCES

pytestmark = pytest.mark.sketched
TORCHES = {
    "2.8.0a0+34c6371d24.nv25.08": "12.9",
    "2.9.0+rocm7.0.lw.git64359f59": "",
    "2.9.1+cpu.cxx11.abi": "",
    "1.9.0a0+git854cc53": "11.1",
    "2.2.0a0+81ea7a4": "12.3",
}
LIBRARIES = {
    "torchaudio": "torchaudio/lib/libtorchaudio.so",
    "torchvision": "torchvision/_C.so",
    "torchtext": "torchtext/_torchtext.so",
    "torchcodec": "torchcodec/libtorchcodec_core6.so",
}
SYMBOL = "_ZN3c105MakerEv"


def stage(ground: Ground, torch: str, name: str, version: str, **library: list[str]) -> Site:
    """A site with the torch of a vendor and one companion, whose library is as described."""
    site = ground.linux("3.12")
    ground.image()
    ground.torch(site, torch, made_for=[], cuda=TORCHES[torch])
    content = elf("", ["libtorch_cpu.so", "libc10.so", *library.get("needs", [])], [], library.get("uses", []))
    files: dict[str, bytes | str] = {
        f"{name}/__init__.py": "",
        f"{name}/version.py": f"__version__ = '{version}'\n",
        LIBRARIES[name]: content,
    }
    if name == "torchcodec":
        for major in (4, 5, 7, 8):
            files[f"torchcodec/libtorchcodec_core{major}.so"] = content
    install(site.path, name, version, files)
    return site


@pytest.mark.parametrize("torch", TORCHES)
@pytest.mark.parametrize("name", COMPANIONS)
@pytest.mark.parametrize(
    "library", [{"uses": [SYMBOL]}, {"needs": ["libtorch_cuda.so.7"]}, {}], ids=["symbol", "library", "release"]
)
def test_the_remedy_is_about_the_package_of_the_finding(
    ground: Ground, torch: str, name: str, library: dict[str, list[str]]
) -> None:
    site = stage(ground, torch, name, "0.0.7" if not library else "0.9.0", **library)
    done = ground.check(site, root=True)
    for found in done.bad:
        others = set(COMPANIONS) - set(found.packages)
        said = " ".join((found.remedy, *found.commands))
        assert found.remedy
        assert not [each for each in others if each in said or f"{SOURCES[each]}@" in said], said


@pytest.mark.parametrize("name", COMPANIONS)
def test_a_library_that_lacks_a_symbol_is_compiled_against_this_torch(ground: Ground, name: str) -> None:
    """https://github.com/NVIDIA-NeMo/Automodel/issues/1826 and https://github.com/pytorch/text/issues/1364"""
    torch = "2.2.0a0+81ea7a4" if name == "torchtext" else "2.8.0a0+34c6371d24.nv25.08"
    done = ground.check(stage(ground, torch, name, "0.9.0", uses=[SYMBOL]), root=True)
    found = next(each for each in done.bad if each.rule in ("TL611",))
    assert found.packages[0] == name
    assert f"build {name} " in found.remedy
    assert SOURCES[name] in " ".join((found.remedy, *found.commands))
    assert bool(found.commands) is (name in COMPILED_BY_PIP)
