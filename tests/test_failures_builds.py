"""Failures of vendors' builds, builds from source, conda's and nightly builds of torch; and such that work."""

from __future__ import annotations

import re
import shutil

import pytest

from support.ground import Checked, Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site, Uses

STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
NEW = "was compiled with the new C++ string ABI (_GLIBCXX_USE_CXX11_ABI=1), torch"
OLD = "was compiled with the old C++ string ABI (_GLIBCXX_USE_CXX11_ABI=0), torch"


def with_new_strings(uses: Uses) -> Uses:
    """The same functions of torch, as a compiler names them with the new ABI of std::string."""
    return _respelled(uses, lambda name: re.sub(r"Ss$", STRING, name).replace("Node4nameEv", "Node4nameB5cxx11Ev"))


def with_old_strings(uses: Uses) -> Uses:
    """The same functions of torch with the old ABI."""
    return _respelled(uses, lambda name: name.replace(STRING, "Ss").replace("B5cxx11", ""))


def _respelled(uses: Uses, spell: object) -> Uses:
    is_torchs = re.compile(r"_ZNK?(3c10|2at|5torch)").match
    symbols = {
        library: {spell(name) if is_torchs(name) else name for name in names}  # type: ignore[operator]
        for library, names in uses.symbols.items()
    }
    return Uses(symbols, uses.needed)


def built_here(ground: Ground, site: Site, name: str = "torchaudio", version: str = "2.6.0") -> None:
    """Put a companion there that was compiled against the torch of this site."""
    ground.uninstall(site, name)
    shutil.rmtree(site.path / name, ignore_errors=True)
    files: dict[str, bytes | str] = {
        f"{name}/__init__.py": "",
        f"{name}/version.py": f"__version__ = '{version}+d883142'\n",
        f"{name}/lib/lib{name}.so": elf("", ["libtorch_cpu.so", "libc10.so"]),
    }
    install(site.path, name, f"{version}+d883142", files)


def with_backend(ground: Ground, site: Site) -> None:
    ground.image()
    ground.wheel(site, "soundfile==0.13.1")


def clean(done: Checked) -> bool:
    return not done.bad


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "cuda", "torchaudio", "built"),
    [
        ("2.6.0a0+ecf3bae40a.nv25.01", "12.8", "2.5.1", "2.6.0"),
        ("2.6.0a0+git1eba9b3", "12.4", "2.6.0", "2.6.0"),
        ("2.5.1", "12.4", "2.5.1", "2.5.1"),
    ],
    ids=["the NGC container", "from source", "from source, with the version of a release"],
)
def test_a_torch_with_the_new_string_abi(
    torch: str, cuda: str, torchaudio: str, built: str, ground: Ground
) -> None:
    """https://github.com/pytorch/audio/issues/2532, 2731 and 4138"""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, f"torchaudio=={torchaudio}")
    uses = with_new_strings(ground.measured(site, f"torchaudio=={torchaudio}"))
    ground.torch(site, torch, made_for=[], uses=uses, cuda=cuda)
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL611", "error")
    assert done.first.message.startswith(f"torchaudio {torchaudio} (CUDA 12.4) {OLD} {torch.partition('+')[0]}")
    assert "libtorchaudio.so uses a form of torch::autograd::Node::name" in done.first.message
    assert done.command.endswith(
        f"--no-deps --no-build-isolation --no-cache-dir git+https://github.com/pytorch/audio@v{built}"
    )
    ground.cure(done, by=lambda: built_here(ground, site, version=built))


@pytest.mark.sketched
def test_a_torch_with_the_old_string_abi(ground: Ground) -> None:
    """A vendor that compiles as before 2.7, and a torchaudio of the index."""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.7.1")
    uses = with_old_strings(ground.measured(site, "torchaudio==2.7.1"))
    ground.torch(site, "2.7.1+cu126", made_for=[], uses=uses)
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert done.first.message.startswith(f"torchaudio 2.7.1 (CUDA 12.6) {NEW} 2.7.1 (CUDA 12.6) with the old one")
    assert done.command.endswith("git+https://github.com/pytorch/audio@v2.7.1")
    ground.cure(done, by=lambda: built_here(ground, site, version="2.7.1"))


@pytest.mark.sketched
def test_a_torch_of_conda_and_a_torchaudio_of_the_index(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/3335"""
    site = ground.linux(prefix="opt/conda")
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.5.1")
    uses = with_new_strings(ground.measured(site, "torchaudio==2.5.1"))
    ground.torch(site, "2.5.1", made_for=[], uses=uses, cuda="12.4")
    by_conda(site, "torch", "pytorch-2.5.1-cuda126_py311h22fbcef_305")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert f"torchaudio 2.5.1 (CUDA 12.4) {OLD} 2.5.1" in done.first.message
    assert (
        done.command == "python -m pip uninstall -y torchaudio && "
        "conda install -y -p /opt/conda -c conda-forge torchaudio=2.5.1"
    )
    ground.cure(done, by=lambda: built_here(ground, site, version="2.5.1"))


def by_conda(site: Site, name: str, record: str) -> None:
    """Let conda have installed a package."""
    (info,) = site.path.glob(f"{name}-*.dist-info")
    write(info / "INSTALLER", "conda")
    write(site.path.parents[2] / "conda-meta" / f"{record}.json", "{}")
    write(site.path.parents[2] / "conda-meta" / "history", "")


@pytest.mark.sketched
def test_a_vendors_torch_for_another_cuda_version(ground: Ground) -> None:
    """All symbols are there, and the import compares the CUDA versions: 12.8 of the version file, 12.6."""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.7.1")
    ground.torch(site, "2.7.0a0+7c8ec84dab.nv25.03", made_for=["torchaudio==2.7.1"], cuda="12.8")
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL201", "error")
    assert (
        "torchaudio 2.7.1 was built for CUDA 12.6, this torch (2.7.0a0+7c8ec84dab.nv25.03)" in done.first.message
    )
    assert "from where torch 2.7.0a0+7c8ec84dab.nv25.03 came" in done.first.remedy
    assert done.command.endswith("git+https://github.com/pytorch/audio@v2.7.0")
    ground.cure(done, by=lambda: built_here(ground, site, version="2.7.0"))


@pytest.mark.sketched
def test_a_vendors_torch_and_the_newest_torchaudio(ground: Ground) -> None:
    """pip took torchaudio 2.11 for CUDA 13: https://github.com/dusty-nv/jetson-containers/pull/1297"""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.11.0")
    uses = ground.measured(site, "torchaudio==2.11.0")
    needed = {each for each in uses.needed if "cudart" not in each}
    ground.torch(site, "2.9.0a0+50eac811a6.nv25.09", made_for=[], uses=Uses(uses.symbols, needed), cuda="12.9")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL201"
    assert "was built for CUDA 13.0" in done.first.message
    assert done.command.endswith("git+https://github.com/pytorch/audio@v2.9.0")
    ground.cure(done, by=lambda: built_here(ground, site, version="2.9.0"))


@pytest.mark.sketched
def test_a_torch_of_nvidia_without_torchaudio(ground: Ground) -> None:
    """The import in the log asks for a torchaudio; the torch of the container is not replaced."""
    site = ground.linux()
    with_backend(ground, site)
    ground.torch(site, "2.6.0a0+ecf3bae40a.nv25.01", cuda="12.8")
    done = ground.check(site, root=True, log="ModuleNotFoundError: No module named 'torchaudio'\n")
    assert (done.first.rule, done.first.severity) == ("TL615", "error")
    assert "torch==" not in done.command
    assert done.command.endswith("git+https://github.com/pytorch/audio@v2.6.0")
    ground.cure(done, by=lambda: built_here(ground, site))


@pytest.mark.sketched
def test_a_torchvision_for_another_string_abi(ground: Ground) -> None:
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchvision==0.20.1")
    uses = with_new_strings(ground.measured(site, "torchvision==0.20.1"))
    ground.torch(site, "2.6.0a0+ecf3bae40a.nv25.01", made_for=[], uses=uses, cuda="12.8")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert done.first.message.startswith(f"torchvision 0.20.1 (CUDA 12.4) {OLD} 2.6.0a0")
    assert done.command.endswith("git+https://github.com/pytorch/vision@v0.21.0")
    ground.cure(done, by=lambda: built_here(ground, site, "torchvision", "0.21.0"))


def test_a_torch_of_jetson(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/2731"""
    site = ground.linux("3.8", machine="aarch64")
    ground.image(machine="aarch64")
    ground.wheel(site, "soundfile==0.13.1")
    ground.wheel(site, "torchaudio==0.12.1")
    uses = with_new_strings(ground.measured(site, "torchaudio==0.12.1"))
    ground.torch(site, "1.12.0a0+84d1cb9.nv22.4", made_for=[], uses=uses, cuda="11.4", nvidia=False)
    for each in ("libcudart.so.11.0", "libcublas.so.11"):
        ground.library(f"usr/lib/{each}", machine=183)
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert f"torchaudio 0.12.1 {OLD} 1.12.0a0" in done.first.message
    assert done.command.endswith("git+https://github.com/pytorch/audio@v0.12.0")


# Nightly builds


def night(ground: Ground, site: Site, version: str, wheel: str = "torchaudio==2.9.1") -> None:
    """A nightly torchaudio, which has the libraries of a release."""
    ground.wheel(site, wheel)
    ground.relabel(site, "torchaudio", version)
    ground.any_torch(site)


def without(uses: Uses, lost: str) -> Uses:
    return Uses(
        {key: {each for each in names if lost not in each} for key, names in uses.symbols.items()}, uses.needed
    )


def test_nightly_builds_of_two_days(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/2610"""
    site = ground.linux()
    with_backend(ground, site)
    night(ground, site, "2.8.0.dev20250920+cu128")
    uses = without(ground.measured(site, "torchaudio==2.9.1"), "torchCheckFail")
    ground.torch(site, "2.10.0.dev20251001+cu128", made_for=[], uses=uses)
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert "c10::detail::torchCheckFail" in done.first.message
    assert "https://download.pytorch.org/whl/nightly/cu128" in done.first.remedy
    assert "torch==2.10.0 torchaudio==2.10.0" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_nightly_builds_for_two_cuda_versions(ground: Ground) -> None:
    site = ground.linux()
    with_backend(ground, site)
    night(ground, site, "2.8.0.dev20250920+cu126")
    ground.torch(site, "2.10.0.dev20251001+cu128", made_for=["torchaudio==2.9.1"])
    done = ground.check(site, root=True)
    assert done.first.rule == "TL201"
    assert "torch==2.10.0 torchaudio==2.10.0" in done.command
    ground.cure(done)


def test_a_nightly_torchaudio_beside_a_release_of_torch(ground: Ground) -> None:
    site = ground.linux()
    with_backend(ground, site)
    night(ground, site, "2.10.0.dev20251014+cu128")
    uses = without(ground.measured(site, "torchaudio==2.9.1"), "torchCheckFail")
    ground.torch(site, "2.9.1+cu128", made_for=[], uses=uses)
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert "torch==" not in done.command.replace("torchaudio==", "")
    assert "torchaudio==2.9.1" in done.command


# What works


@pytest.mark.sketched
def test_a_vendors_torch_with_its_own_torchaudio_works(ground: Ground) -> None:
    site = ground.linux(packages="dist-packages")
    with_backend(ground, site)
    built_here(ground, site, version="2.7.0")
    ground.torch(site, "2.7.0a0+7c8ec84dab.nv25.03", made_for=[], cuda="12.8")
    assert clean(ground.check(site, root=True))


@pytest.mark.sketched
def test_a_vendors_torch_with_the_stable_interface_works(ground: Ground) -> None:
    """The wheel of the index for the same CUDA version uses only what each torch since 2.11 has."""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.11.0")
    ground.torch(site, "2.11.0a0+b558c986e8.nv26.01", made_for=["torchaudio==2.11.0"], cuda="13.0")
    assert clean(ground.check(site, root=True))


@pytest.mark.sketched
def test_conda_with_both_packages_works(ground: Ground) -> None:
    site = ground.linux(prefix="opt/conda")
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.9.1", made_for=["torchaudio==2.9.1"], cuda="12.8")
    by_conda(site, "torch", "pytorch-2.9.1-cuda128_py311h22fbcef_305")
    by_conda(site, "torchaudio", "torchaudio-2.9.1-cuda128_py311h22fbcef_0")
    assert clean(ground.check(site, root=True))


@pytest.mark.sketched
def test_nightly_builds_of_two_days_that_go_together(ground: Ground) -> None:
    site = ground.linux()
    with_backend(ground, site)
    night(ground, site, "2.8.0.dev20250920+cu128")
    ground.torch(site, "2.10.0.dev20251001+cu128", made_for=["torchaudio==2.9.1"])
    assert clean(ground.check(site, root=True))


@pytest.mark.sketched
def test_a_torch_that_is_developed_in_its_checkout_works(ground: Ground) -> None:
    """setup.py develop: an .egg-link and a path line lead to the checkout."""
    site = ground.linux()
    with_backend(ground, site)
    ground.wheel(site, "torchaudio==2.9.1")
    ground.any_torch(site)
    ground.torch(site, "2.10.0a0+git1234567", made_for=["torchaudio==2.9.1"], cuda="12.8")
    checkout = site.root / "src" / "pytorch"
    checkout.mkdir(parents=True)
    shutil.move(site.path / "torch", checkout / "torch")
    shutil.rmtree(next(site.path.glob("torch-*.dist-info")))
    write(
        checkout / "torch.egg-info" / "PKG-INFO",
        "Metadata-Version: 2.1\nName: torch\nVersion: 2.10.0a0+git1234567\n",
    )
    write(site.path / "torch.egg-link", f"{checkout}\n.")
    write(site.path / "easy-install.pth", f"{checkout}\n")
    assert clean(ground.check(site, root=True))
