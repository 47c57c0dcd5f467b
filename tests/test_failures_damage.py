"""Damaged environments: two owners of a file, interrupted installations, mixed releases, files that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.ground import Checked, Ground
from support.libraries import elf
from support.site_folder import write
from support.skeletons import Site

POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:bef4b84c08da403b651eea3a94676c7f8327\nsize 497868624\n"
)
PAGE = "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head><body>blocked by proxy</body></html>\n"


def whole(ground: Ground, torch: str = "2.8.0+cu128", torchaudio: str = "torchaudio==2.8.0") -> Site:
    """torch, torchaudio and soundfile that go together."""
    site = ground.linux()
    ground.image()
    ground.wheel(site, torchaudio)
    ground.torch(site, torch, made_for=[torchaudio], recorded=torch.partition("+")[0])
    ground.wheel(site, "soundfile==0.13.1")
    return site


def check(ground: Ground, site: Site) -> Checked:
    return ground.check(site, root=True)


@pytest.mark.sketched
def test_a_whole_stack_is_left_alone(ground: Ground) -> None:
    assert not check(ground, whole(ground)).bad


# Two owners of a file


def test_pysoundfile_over_soundfile(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/414"""
    site = whole(ground)
    ground.wheel(site, "pysoundfile==0.9.0.post1", platform="any")
    done = check(ground, site)
    assert done.first.rule == "TL620"
    assert done.first.message.startswith("pysoundfile 0.9.0.post1 overwrote soundfile 0.13.1")
    assert "soundfile==0.13.1" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_soundfile_over_pysoundfile_works(ground: Ground) -> None:
    site = whole(ground)
    ground.uninstall(site, "soundfile")
    ground.wheel(site, "pysoundfile==0.9.0.post1", platform="any")
    ground.wheel(site, "soundfile==0.13.1")
    assert not check(ground, site).bad


def test_pysoundfile_was_uninstalled_and_took_the_module_along(ground: Ground) -> None:
    site = whole(ground)
    ground.wheel(site, "pysoundfile==0.9.0.post1", platform="any")
    assert ground.uninstall(site, "PySoundFile")
    done = check(ground, site)
    assert done.first.rule == "TL601"
    assert "soundfile.py" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_a_cpu_torch_over_a_cuda_torch(ground: Ground) -> None:
    """It was unpacked over the other one: libtorch_cuda.so is a leftover, and no evidence that CUDA works."""
    site = whole(ground)
    of_cuda = {
        name: (site.path / "torch" / "lib" / name).read_bytes() for name in ("libtorch_cuda.so", "libc10_cuda.so")
    }
    ground.torch(site, "2.8.0+cpu", made_for=["torchaudio==2.8.0"])
    for name, data in of_cuda.items():
        write(site.path / "torch" / "lib" / name, data)
    done = check(ground, site)
    assert done.first.rule == "TL201"
    assert "this torch (2.8.0+cpu) is the CPU build" in done.first.message
    assert "torchaudio==2.8.0+cpu" in done.command
    ground.cure(done)


# Interrupted installations


@pytest.mark.sketched
def test_an_interrupted_pip_moved_torch_aside(ground: Ground) -> None:
    """https://github.com/vladmandic/sdnext/issues/4946: a program had torch/_C open"""
    site = whole(ground)
    (info,) = site.path.glob("torch-*.dist-info")
    shutil.move(site.path / "torch", site.path / "~orch")
    shutil.move(info, info.with_name(info.name.replace("torch", "~orch")))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL603", "error")
    assert done.first.message.startswith("an interrupted installation moved torch aside as ~orch and ~orch-2.8.0")
    assert done.first.message.endswith("and no torch is there")
    assert done.first.remedy.startswith("Close all programs that use this Python")
    assert "--no-cache-dir torch==2.8.0" in done.command
    ground.cure(done)
    assert not list(site.path.glob("~*"))


@pytest.mark.sketched
def test_an_interrupted_pip_left_a_part_of_torch(ground: Ground) -> None:
    site = whole(ground)
    shutil.copytree(site.path / "torch", site.path / "~orch")
    for name in ("libtorch_cpu.so", "libc10.so"):
        (site.path / "torch" / "lib" / name).unlink()
    done = check(ground, site)
    assert done.first.rule == "TL603"
    assert "and only a part of torch is there" in done.first.message
    assert "TL601" in done.first.consequences
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize("rest", ["torch/lib", ""])
def test_what_was_moved_aside_says_which_build_was_there(ground: Ground, rest: str) -> None:
    """https://github.com/bmaltais/kohya_ss/issues/1562: the record in the name of a folder."""
    site = ground.linux()
    ground.wheel(site, "torchvision==0.19.1")
    ground.torch(site, "2.4.1+cu118", made_for=["torchvision==0.19.1"])
    ground.uninstall(site, "torch")
    (site.path / "~orch-2.4.1+cu118.dist-info").mkdir()
    (site.path / rest).mkdir(parents=True, exist_ok=True)
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL603", "error")
    assert "torch==2.4.1" in done.command
    assert "/cu118" in done.command
    assert "torchaudio" not in done.command


@pytest.mark.sketched
def test_a_leftover_beside_a_whole_torch_is_harmless(ground: Ground) -> None:
    site = whole(ground)
    write(site.path / "~orch" / "__init__.py")
    write(site.path / "~orch-2.7.0.dist-info" / "METADATA", "Name: torch\nVersion: 2.7.0\n")
    assert not check(ground, site).bad


@pytest.mark.sketched
def test_only_the_libraries_of_torch_are_left(ground: Ground) -> None:
    """https://github.com/vladmandic/sdnext/issues/3797: import torch finds a folder, and it has no __version__"""
    site = whole(ground)
    for path in (site.path / "torch").glob("*.*"):
        path.unlink()
    shutil.rmtree(next(site.path.glob("torch-*.dist-info")))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL604", "error")
    assert done.first.message == "only a folder without __init__.py is left of torch"
    assert done.command.startswith(f"rm -rf {site.path}/torch && ")
    ground.cure(done)


@pytest.mark.sketched
def test_a_torchaudio_of_compiled_modules_only(ground: Ground) -> None:
    site = whole(ground)
    shutil.rmtree(site.path / "torchaudio")
    shutil.rmtree(next(site.path.glob("torchaudio-*.dist-info")))
    write(site.path / "torchaudio" / "__pycache__" / "__init__.cpython-311.pyc")
    done = check(ground, site)
    assert done.first.rule == "TL604"
    ground.cure(done)


# Two releases in one folder


@pytest.mark.sketched
def test_an_older_torchaudio_over_a_newer_one(ground: Ground) -> None:
    """Both are recorded; the files are those of the one that came later."""
    site = whole(ground)
    ground.wheel(site, "torchaudio==2.7.1")
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL605", "error")
    assert (
        "recorded twice in one folder, as 2.7.1 and 2.8.0, and its files are those of 2.7.1" in done.first.message
    )
    assert "TL101" in done.first.consequences
    assert done.command.startswith("rm -rf ")
    assert done.command.endswith("torchaudio==2.8.0")
    ground.cure(done)


@pytest.mark.sketched
def test_a_newer_torchaudio_over_an_older_one_works(ground: Ground) -> None:
    site = ground.linux()
    ground.image()
    ground.wheel(site, "torchaudio==2.7.1")
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.8.0+cu128", made_for=["torchaudio==2.8.0"])
    ground.wheel(site, "soundfile==0.13.1")
    assert not [each for each in check(ground, site).bad if each.severity == "error"]


@pytest.mark.sketched
def test_a_record_of_another_release(ground: Ground) -> None:
    """pip says that the requirement is already satisfied, because it asks the record."""
    site = whole(ground)
    ground.wheel(site, "torchaudio==2.7.1")
    shutil.rmtree(next(site.path.glob("torchaudio-2.7.1.dist-info")))
    done = check(ground, site)
    assert done.first.rule == "TL605"
    assert "torchaudio is recorded as 2.8.0, but its files are of 2.7.1+cu126" in done.first.message
    assert "rm -rf" in done.command
    ground.cure(done)


def test_a_module_of_one_soundfile_and_the_library_of_another(ground: Ground) -> None:
    """0.10.3 was installed over 0.13.1; on Linux it has no library of its own."""
    site = whole(ground)
    ground.wheel(site, "soundfile==0.10.3.post1", platform="any")
    done = check(ground, site)
    assert done.first.rule == "TL605"
    assert "libsndfile_x86_64.so beside soundfile 0.10.3.post1 is of another release" in done.first.message
    assert "soundfile==0.10" not in done.command
    ground.cure(done)


def test_a_folder_of_soundfile_without_its_first_file(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/373"""
    site = whole(ground)
    (site.path / "_soundfile_data" / "__init__.py").unlink()
    done = check(ground, site)
    assert done.first.rule == "TL605"
    assert "soundfile==0.13.1" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_soundfile_of_another_processor(ground: Ground) -> None:
    """The record has the version; its own text has 0.10.3, which was never published."""
    site = ground.mac("opt/miniconda", "3.8")
    ground.wheel(site, "soundfile==0.10.3.post1", platform="macosx_10_5_x86_64")
    ground.wheel(site, "torchaudio==0.10.2", platform="macosx_11_0_arm64")
    ground.torch(site, "1.10.2", made_for=["torchaudio==0.10.2"])
    done = ground.check(site, root=True)
    assert done.first.rule == "TL608"
    assert "soundfile 0.10.3.post1 is for macOS (x86_64), this Python is for macOS (arm64)" in done.first.message
    assert "soundfile==0.10" not in done.command
    ground.cure(done)


# Files that are none


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("torchaudio/lib/libtorchaudio.so", POINTER, "is a Git LFS pointer, not the library itself"),
        ("torch/lib/libtorch_cpu.so", POINTER, "is a Git LFS pointer, not the library itself"),
        ("torchaudio/lib/libtorchaudio.so", PAGE, "is a web page, not the library itself"),
        ("torch/lib/libc10.so", "libc10.so.1", "is a text with the name of another file, not the library itself"),
        ("torchaudio/lib/libtorchaudio.so", "", "is empty"),
        ("torch/lib/libtorch_cpu.so", "\0" * 70_000, "has only zeros in it"),
    ],
)
def test_something_else_in_place_of_a_library(path: str, content: str, says: str, ground: Ground) -> None:
    site = whole(ground)
    write(site.path / path, content)
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL607", "error")
    assert done.first.message.endswith(says)
    assert "--force-reinstall" in done.command
    assert "--no-cache-dir" in done.command
    ground.cure(done)


def test_a_cut_library(ground: Ground) -> None:
    site = whole(ground)
    library = site.path / "torchaudio" / "lib" / "libtorchaudio.so"
    library.write_bytes(library.read_bytes()[:200_000])
    done = check(ground, site)
    assert done.first.rule == "TL607"
    assert "is truncated: it has 200000 of" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_a_link_of_an_nvidia_library_that_became_a_text(ground: Ground) -> None:
    """Git for Windows and some copies write a link as a file with its target."""
    site = whole(ground)
    library = next(site.path.glob("nvidia/*/lib/libcudart.so.12"))
    write(Path(f"{library}.8.90"), library.read_bytes())
    write(library, "libcudart.so.12.8.90")
    done = check(ground, site)
    assert done.first.rule == "TL607"
    assert "libcudart.so.12 of nvidia-cuda-runtime-cu12" in done.first.message
    assert "nvidia-cuda-runtime-cu12==" in done.command
    assert " torch==" not in done.command


@pytest.mark.sketched
def test_a_wheel_of_another_machine_over_this_one(ground: Ground) -> None:
    site = whole(ground)
    ground.wheels.install(site.path, "torchaudio==2.8.0", "manylinux_2_28_aarch64", "3.11")
    done = check(ground, site)
    assert done.first.rule == "TL608"
    assert "was built for Linux (aarch64), this Python is for Linux (x86_64)" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_a_dll_that_a_scanner_took_away(ground: Ground) -> None:
    """A library is gone, and its record is there."""
    site = whole(ground)
    (site.path / "torch" / "lib" / "libc10.so").unlink()
    done = check(ground, site)
    assert done.first.rule == "TL601"
    assert "torch/lib/libc10.so" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_modules_for_an_earlier_python(ground: Ground) -> None:
    """The folder of packages was copied from an environment of Python 3.10."""
    site = whole(ground)
    module = next((site.path / "torch").glob("_C.*.so"))
    module.rename(module.with_name("_C.cpython-310-x86_64-linux-gnu.so"))
    shutil.rmtree(next(site.path.glob("torch-*.dist-info")))
    done = check(ground, site)
    assert done.first.rule == "TL608"
    assert "was built for Python 3.10, this is Python 3.11" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_an_older_library_beside_a_newer_one_is_harmless(ground: Ground) -> None:
    """Files of an earlier release that no record has, and that nothing opens."""
    site = whole(ground)
    write(site.path / "torchaudio" / "lib" / "libtorchaudio_old.so", elf("", ["libgone.so"]))
    assert not check(ground, site).bad


@pytest.mark.sketched
def test_an_older_torchcodec_over_a_newer_one(ground: Ground) -> None:
    """Its library for FFmpeg 8 is a leftover of 0.9, which 0.7 does not open."""
    site = whole(ground)
    ground.image(
        "libavutil.so.60", "libavcodec.so.62", "libavformat.so.62", "libavfilter.so.11", "libavdevice.so.62"
    )
    ground.image("libswscale.so.9", "libswresample.so.6")
    ground.wheel(site, "torchcodec==0.9.1")
    shutil.rmtree(next(site.path.glob("torchcodec-*.dist-info")))
    ground.wheel(site, "torchcodec==0.7.0")
    assert (site.path / "torchcodec" / "libtorchcodec_core8.so").exists()
    done = check(ground, site)
    assert done.first.rule == "TL304"
    assert done.first.message == "torchcodec 0.7.0 needs FFmpeg 4 to 7, and this machine has FFmpeg 8"


@pytest.mark.sketched
def test_pip_over_conda_with_files_of_both(ground: Ground) -> None:
    """https://github.com/huggingface/transformers/issues/29022"""
    site = whole(ground)
    for name in ("pytorch-2.5.1-cuda124_py311_305.json", "history"):
        write(site.path.parents[2] / "conda-meta" / name, "{}")
    library = site.path / "torch" / "lib" / "libtorch_cpu.so"
    write(library, elf("libtorch_cpu.so", exports=["_ZN2at4_ops3add4callERKNS_6TensorE"]))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL605", "error")
    assert "conda installed torch 2.5.1, and another installer overwrote it with 2.8.0" in done.first.message
    assert "TL611" in done.first.consequences
    ground.cure(done)


@pytest.mark.sketched
def test_pip_over_conda_with_all_files_of_pip_works(ground: Ground) -> None:
    site = whole(ground)
    for name in ("pytorch-2.5.1-cuda124_py311_305.json", "history"):
        write(site.path.parents[2] / "conda-meta" / name, "{}")
    assert not check(ground, site).bad


@pytest.mark.sketched
def test_an_egg_that_comes_before_the_folder_of_packages(ground: Ground) -> None:
    """easy_install moves the eggs of its file to the beginning of the path."""
    site = whole(ground)
    egg = site.path / "torchaudio-2.7.1-py3.11-linux-x86_64.egg"
    ground.wheels.install(egg, "torchaudio==2.7.1")
    metadata = next(egg.glob("*.dist-info/METADATA"))
    write(egg / "EGG-INFO" / "PKG-INFO", metadata.read_bytes())
    shutil.rmtree(metadata.parent)
    lines = (
        "import sys; sys.__plen = len(sys.path)",
        f"./{egg.name}",
        "import sys; sys.path[getattr(sys, '__egginsert', 0):0]",
    )
    write(site.path / "easy-install.pth", "\n".join(lines))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL606", "error")
    assert "TL101" in done.first.consequences
    assert done.first.remedy.startswith("Remove line 2 of ")

    def remove() -> None:
        write(site.path / "easy-install.pth", "")
        shutil.rmtree(egg)

    ground.cure(done, by=remove)
