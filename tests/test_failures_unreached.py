"""Libraries that a package of the environment has in a folder where torch does not search."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site
from torchlock.inspect.loading.root import Root

pytestmark = pytest.mark.sketched

LINUX = "; platform_system == 'Linux'"
CUDA = ["nvidia-cudnn-cu12==9.10.2.21" + LINUX, "nvidia-cuda-runtime-cu12==12.8.90" + LINUX]
CUDNN, CUDART = "nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cuda_runtime/lib/libcudart.so.12"
RUNPATH = "$ORIGIN:$ORIGIN/../../nvidia/cudnn/lib:$ORIGIN/../../nvidia/cuda_runtime/lib"


@pytest.fixture(autouse=True)
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables of the test are those of the staged machine, as if check ran there."""
    real = Root.__init__

    def init(self: Root, folder: str = "/", environ: object = None, machine: str = "x86_64") -> None:
        real(self, folder, os.environ, machine)

    monkeypatch.setattr(Root, "__init__", init)
    yield


def split(ground: Ground, *of_machine: str) -> Site:
    """torch in lib64 and the packages of NVIDIA in lib, both folders of one virtual environment."""
    site = ground._site("home/u/venv/lib64/python3.11/site-packages", "3.11", "linux", "x86_64")
    ground.torch(site, "2.9.0", cuda="12.8", made_for=[], nvidia=False, requires=CUDA)
    of_cuda = ["libc10_cuda.so", "libcudart.so.12", "libcudnn.so.9"]
    write(site.path / "torch/lib/libtorch_cuda.so", elf("libtorch_cuda.so", of_cuda, runpath=RUNPATH))
    ground.unrecord(site, "torch/.*")
    first = elf("libtorch_global_deps.so", ["libcudart.so.12"], runpath=RUNPATH)
    write(site.path / "torch/lib/libtorch_global_deps.so", first)
    other = site.root / "home/u/venv/lib/python3.11/site-packages"
    other.mkdir(parents=True)
    install(other, "nvidia-cuda-runtime-cu12", "12.8.90", {CUDART: elf("libcudart.so.12")})
    install(other, "nvidia-cudnn-cu12", "9.10.2.21", {CUDNN: elf("libcudnn.so.9")})
    install(other, "pip", "25.2", {"pip/__init__.py": ""})
    write(site.root / "home/u/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.11\n")
    ground.image(*of_machine, system="almalinux-9.6", folder="usr/lib64")
    return site


def test_torch_in_lib64_and_cudnn_in_lib(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/165812: if its first library loads, torch opens none by path."""
    site = split(ground, "libcudart.so.12")
    done = ground.check(site, root=True, platform="linux-x86_64")
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert "libtorch_cuda.so of torch needs libcudnn.so.9" in done.first.message
    assert (
        "venv/lib/python3.11/site-packages/nvidia/cudnn/lib (of nvidia-cudnn-cu12 9.10.2.21)" in done.first.because
    )
    folder = "/home/u/venv/lib/python3.11/site-packages/nvidia/cudnn/lib"
    assert done.command.startswith(f"export LD_LIBRARY_PATH={folder}")
    ground.cure(done)


def test_torch_opens_all_libraries_by_path_if_the_first_lacks_one(ground: Ground) -> None:
    """The same folders on a machine without CUDA work: torch finds all packages on the import path."""
    assert ground.check(split(ground), root=True, platform="linux-x86_64").bad == []


@pytest.mark.parametrize("has_core", [True, False])
def test_a_rocm_torch_beside_the_packages_of_rocm(ground: Ground, has_core: bool) -> None:
    """https://github.com/pccr10001/comfyui-gfx1151-fa/issues/1: torch looks in /opt/rocm/lib only."""
    site = ground.linux("3.12", prefix="home/u/venv")
    ground.torch(site, "2.8.0a0+gitba56102", cuda="", hip="7.0.51831", made_for=[])
    needed = ["libMIOpen.so.1", "libamdhip64.so.7", "libc10.so", "libtorch_cpu.so"]
    for name, below in (("libtorch_hip.so", needed), ("libtorch_python.so", ["libtorch_hip.so", "libtorch.so"])):
        write(site.path / "torch/lib" / name, elf(name, below, runpath="$ORIGIN:/opt/rocm/lib"))
    ground.unrecord(site, "torch/.*")
    first, core = "_rocm_sdk_libraries_gfx1151/lib", "_rocm_sdk_core/lib"
    deep = elf("libMIOpen.so.1", ["librocm_sysdeps_z.so.1"])
    install(site.path, "rocm-sdk-libraries-gfx1151", "7.0.0", {f"{first}/libMIOpen.so.1": deep})
    deps = {f"{core}/rocm_sysdeps/lib/librocm_sysdeps_z.so.1": elf("librocm_sysdeps_z.so.1")}
    mine = {f"{core}/libamdhip64.so.7": elf("libamdhip64.so.7")} if has_core else {}
    install(site.path, "rocm-sdk-core", "7.0.0", {**deps, **mine})
    ground.image(system="ubuntu-24.04")
    done = ground.check(site, root=True, platform="linux-x86_64")
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert f"{first} (of rocm-sdk-libraries-gfx1151 7.0.0)" in done.first.because
    if has_core:
        folders = [f"{site.path}/{each}" for each in (first, core, f"{core}/rocm_sysdeps/lib")]
        assert done.command.startswith("export LD_LIBRARY_PATH=")
        assert all(each.replace(str(site.root), "") in done.command for each in folders)
        ground.cure(done)
    else:
        assert "install what contains libamdhip64.so.7" in done.first.remedy
        assert not done.commands
