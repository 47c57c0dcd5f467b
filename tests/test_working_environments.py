"""Environments that work are left alone: real wheels in the layouts that people have, and no error or warning."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site

Stage = Callable[[Ground], Checked]
WORKING: dict[str, Stage] = {}


def works(stage: Stage) -> Stage:
    """Register an environment that works."""
    WORKING[stage.__name__.replace("_", " ")] = stage
    return stage


def _pair(ground: Ground, site: Site, torch: str, *others: str) -> None:
    for each in others:
        ground.wheel(site, each)
    ground.torch(site, torch)


# No torch


@works
def soundfile_alone(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "soundfile==0.13.1")
    ground.image()
    return ground.check(site)


@works
def onnxruntime_alone(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "onnxruntime==1.19.2")
    ground.image()
    return ground.check(site)


@works
def librosa_and_soundfile(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "librosa==0.10.2.post1")
    ground.wheel(site, "soundfile==0.13.1")
    for name, version in (("numpy", "1.26.4"), ("cffi", "1.17.1"), ("pycparser", "2.22")):
        install(site.path, name, version)
    ground.image()
    return ground.check(site)


@works
def an_empty_environment(ground: Ground) -> Checked:
    site = ground.linux()
    install(site.path, "pip", "24.0")
    ground.image()
    return ground.check(site)


@works
def an_extra_that_would_bring_torch(ground: Ground) -> Checked:
    site = ground.linux()
    install(
        site.path,
        "silero-vad",
        "5.1",
        headers='Provides-Extra: torch\nRequires-Dist: torch>=1.12; extra == "torch"\n',
    )
    ground.wheel(site, "soundfile==0.13.1")
    ground.image()
    return ground.check(site)


@works
def soundfile_alone_on_windows(ground: Ground) -> Checked:
    site = ground.windows()
    ground.wheel(site, "soundfile==0.13.1")
    return ground.check(site)


# A part of the stack


@works
def torch_alone(ground: Ground) -> Checked:
    site = ground.linux()
    ground.torch(site, "2.7.1+cu128")
    ground.image()
    return ground.check(site)


@works
def torchvision_for_images(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.7.1+cu126", "torchvision==0.22.1")
    ground.image()
    return ground.check(site)


@works
def a_server_of_speech_recognition_without_ffmpeg(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.8.0+cu128", "torchaudio==2.8.0", "soundfile==0.13.1")
    ground.image()
    return ground.check(site)


@works
def a_server_that_decodes_with_av(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.5.1+cu124", "torchaudio==2.5.1")
    install(site.path, "av", "12.3.0", {"av/__init__.py": ""})
    install(site.path, "faster-whisper", "1.1.0", headers="Requires-Dist: av>=11\n")
    ground.image()
    return ground.check(site)


@works
def torchaudio_for_features_only(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.9.1+cu128", "torchaudio==2.9.1")
    ground.image()
    return ground.check(site)


@works
def torchcodec_on_a_machine_with_ffmpeg(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.8.0+cu128", "torchaudio==2.8.0", "torchcodec==0.7.0")
    ground.image(*ffmpeg(5))
    return ground.check(site)


# Pairs that load


@works
def patch_releases_that_differ(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.9.0")
    ground.torch(site, "2.9.1+cu128", made_for=["torchaudio==2.9.0", "torchaudio==2.9.1"])
    ground.image()
    return ground.check(site)


@works
def a_later_torch_over_the_stable_interface(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.11.0")
    ground.torch(site, "2.13.0+cu130")
    ground.image()
    return ground.check(site)


@works
def nightlies_of_one_date(ground: Ground) -> Checked:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.10.0.dev20250915+cu128", made_for=["torchaudio==2.9.1"])
    ground.relabel(site, "torchaudio", "2.8.0.dev20250915+cu128")
    ground.any_torch(site)
    ground.wheel(site, "soundfile==0.13.1")
    ground.image()
    return ground.check(site)


@works
def an_old_stack(ground: Ground) -> Checked:
    site = ground.linux("3.9")
    _pair(ground, site, "1.13.1+cu117", "torchaudio==0.13.1", "torchvision==0.14.1", "torchtext==0.14.1")
    ground.wheel(site, "soundfile==0.12.1")
    ground.image()
    return ground.check(site)


@works
def a_cpu_build(ground: Ground) -> Checked:
    site = ground.linux("3.12")
    _pair(ground, site, "2.6.0+cpu", "torchaudio==2.6.0+cpu", "torchvision==0.21.0+cpu", "soundfile==0.13.1")
    ground.image()
    return ground.check(site)


@works
def builds_for_rocm(ground: Ground) -> Checked:
    site = ground.linux("3.12")
    ground.wheel(site, "torchaudio==2.7.1+cpu")
    ground.relabel(site, "torchaudio", "2.7.1+rocm6.3")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.7.1+rocm6.3", hip="6.3.42131")
    ground.image()
    return ground.check(site)


# Layouts


@works
def a_slim_image(ground: Ground) -> Checked:
    site = ground.linux("3.12")
    _pair(ground, site, "2.8.0+cpu", "torchaudio==2.8.0+cpu", "soundfile==0.13.1")
    ground.image()
    for name in ("libgomp.so.1", "libz.so.1"):
        (site.root / "lib64" / name).unlink()
    (site.root / "var" / "lib" / "apt" / "lists").mkdir(parents=True)
    return ground.check(site)


@works
def a_distroless_tree(ground: Ground) -> Checked:
    site = ground.linux(prefix="app")
    _pair(ground, site, "2.7.1+cpu", "torchaudio==2.7.1+cpu", "soundfile==0.13.1")
    root = ground.image()
    shutil.move(root / "lib64", root / "lib" / "x86_64-linux-gnu")
    return ground.check(site)


@works
def a_folder_of_pip_target(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.7.1+cpu", "torchaudio==2.7.1+cpu", "soundfile==0.13.1")
    ground.image()
    place = site._replace(path=site.root / "opt" / "python")
    shutil.move(site.path, place.path)
    return ground.check(place)


@works
def a_store_of_nix(ground: Ground) -> Checked:
    """Each package has a folder of its own; an environment links them, and libraries name their place."""
    site = ground.linux(prefix="nix/store/aaa-python3-3.11.9-env")
    _pair(ground, site, "2.5.1+cpu", "torchaudio==2.5.1+cpu", "soundfile==0.13.1")
    for entry in list(site.path.iterdir()):
        store = site.root / "nix/store" / f"bbb-{entry.name.split('-')[0]}" / "lib/python3.11/site-packages"
        store.mkdir(parents=True, exist_ok=True)
        shutil.move(entry, store / entry.name)
        entry.symlink_to(os.path.relpath(store / entry.name, site.path))
    gcc = site.root / "nix/store/ccc-gcc-13-lib/lib"
    for name in ("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"):
        write(gcc / name, elf(name))
    return ground.check(site)


@works
def conda_forge(ground: Ground) -> Checked:
    """Libraries of torch and FFmpeg are in the prefix."""
    site = ground.linux(prefix="opt/conda/envs/asr")
    prefix = site.path.parents[2]
    _pair(ground, site, "2.5.1", "torchaudio==2.5.1+cpu")
    ground.relabel(site, "torchaudio", "2.5.1")
    for name in ("libtorch.so", "libtorch_cpu.so", "libc10.so"):
        shutil.move(site.path / "torch/lib" / name, prefix / "lib" / name)
        (site.path / "torch/lib" / name).symlink_to(f"../../../../{name}")
    for name in ("pytorch-2.5.1-cpu_generic_py311_h1", "torchaudio-2.5.1-cpu_py311_h2", "ffmpeg-7.1.0-gpl_h3"):
        parts = dict(zip(("name", "version", "build"), name.rsplit("-", 2), strict=True))
        write(prefix / "conda-meta" / f"{name}.json", json.dumps({**parts, "channel": "conda-forge"}))
    for name in (*ffmpeg(6), "libstdc++.so.6", "libgcc_s.so.1", "libsndfile.so.1"):
        write(prefix / "lib" / name, elf(name))
    ground.image()
    return ground.check(site)


@works
def packages_of_debian(ground: Ground) -> Checked:
    """Debian's python3-torch: its libraries are the system's, with numbers of their own."""
    site = ground.linux("3.13", packages="dist-packages", prefix="usr")
    root = ground.image("libsndfile.so.1", system="debian-13")
    write(root / "usr/bin/python3.13", elf(""))
    triplet = root / "usr/lib/x86_64-linux-gnu"
    exports = ["torch_library_impl"]
    for name, needed in (
        ("libc10.so.2.6", []),
        ("libtorch_cpu.so.2.6", ["libc10.so.2.6"]),
        ("libtorch.so.2.6", ["libtorch_cpu.so.2.6"]),
        ("libtorch_python.so.2.6", ["libtorch.so.2.6", "libtorch_cpu.so.2.6", "libc10.so.2.6"]),
    ):
        write(triplet / name, elf(name, needed, exports))
    module = "cpython-313-x86_64-linux-gnu.so"
    own = "__version__ = '2.6.0+debian'\ncuda = None\nhip = None\n"
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": own,
        f"torch/_C.{module}": elf("", ["libtorch_python.so.2.6"]),
    }
    _egg_info(site, "torch", "2.6.0", files)
    audio: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": "__version__ = '2.6.0'\n",
        "torchaudio/lib/libtorchaudio.so": elf("", ["libtorch.so.2.6"], [], exports),
    }
    _egg_info(site, "torchaudio", "2.6.0", audio)
    write(site.path / "soundfile.py", "")
    return ground.check(site)


def _egg_info(site: Site, name: str, version: str, files: dict[str, bytes | str]) -> None:
    """A package as a distribution installs it: without a record."""
    for path, content in files.items():
        write(site.path / path, content)
    write(
        site.path / f"{name}-{version}.egg-info" / "PKG-INFO",
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    )


@works
def an_environment_of_links(ground: Ground) -> Checked:
    """``uv pip install --link-mode symlink``: each file is a link into the cache."""
    site = ground.linux(prefix="work/.venv")
    _pair(ground, site, "2.6.0+cpu", "torchaudio==2.6.0+cpu", "soundfile==0.13.1")
    cache = site.root / "root/.cache/uv/archive-v0"
    for path in [path for path in site.path.rglob("*") if path.is_file()]:
        place = cache / path.relative_to(site.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, place)
        path.symlink_to(place)
    write(site.path.parents[2] / "pyvenv.cfg", "home = /usr/bin\nuv = 0.9.0\nversion_info = 3.11.9\n")
    ground.image()
    return ground.check(site)


@works
def packages_of_the_system_below_an_environment(ground: Ground) -> Checked:
    """``python -m venv --system-site-packages``, as in images of vendors."""
    base = ground.linux()
    _pair(ground, base, "2.7.1+cpu", "torchaudio==2.7.1+cpu")
    site = base._replace(path=base.root / "work/.venv/lib/python3.11/site-packages")
    site.path.mkdir(parents=True)
    ground.wheel(site, "soundfile==0.13.1")
    home = base.root / "usr/local/bin"
    write(home / "python3.11", elf(""))
    settings = "home = /usr/local/bin\ninclude-system-site-packages = true\nversion = 3.11.9\n"
    write(site.path.parents[2] / "pyvenv.cfg", settings)
    ground.image()
    return ground.check(site)


@works
def an_editable_torchaudio(ground: Ground) -> Checked:
    site = ground.linux()
    _pair(ground, site, "2.7.1+cpu", "torchaudio==2.7.1+cpu", "soundfile==0.13.1")
    source = site.root / "work/audio/src"
    source.mkdir(parents=True)
    shutil.move(site.path / "torchaudio", source / "torchaudio")
    write(site.path / "__editable__.torchaudio-2.7.1.pth", f"{source}\n")
    (info,) = site.path.glob("torchaudio-*.dist-info")
    write(info / "RECORD", f"__editable__.torchaudio-2.7.1.pth,,\n{info.name}/RECORD,,\n{info.name}/METADATA,,\n")
    ground.image()
    return ground.check(site)


@works
def a_notebook_server(ground: Ground) -> Checked:
    """Hosted notebooks have their packages in /usr/local/lib/python3.11/dist-packages."""
    site = ground.linux(packages="dist-packages")
    _pair(ground, site, "2.6.0+cu124", "torchaudio==2.6.0+cu124", "torchvision==0.21.0+cu124", "soundfile==0.13.1")
    ground.image(*ffmpeg(4), system="ubuntu-22.04")
    return ground.check(site)


@works
def an_image_of_a_vendor(ground: Ground) -> Checked:
    """A vendor's torch with the torchaudio that it built for it."""
    site = ground.linux("3.10", packages="dist-packages")
    ground.wheel(site, "torchaudio==2.4.0")
    ground.torch(site, "2.5.0a0+872d972e41.nv24.8", cuda="12.6", made_for=["torchaudio==2.4.0"])
    ground.relabel(site, "torchaudio", "2.5.0a0+69d4077")
    ground.any_torch(site)
    ground.wheel(site, "soundfile==0.13.1")
    ground.image(system="ubuntu-22.04")
    return ground.check(site)


@works
def cuda_on_arm(ground: Ground) -> Checked:
    """A torch for CUDA beside the public index's torchaudio, which is a CPU build there."""
    site = ground.linux("3.11", machine="aarch64")
    ground.wheel(site, "torchaudio==2.7.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.7.1+cu128")
    ground.image(machine="aarch64")
    return ground.check(site)


@works
def a_mac_with_soundfile(ground: Ground) -> Checked:
    site = ground.mac("opt/homebrew")
    _pair(ground, site, "2.8.0", "torchaudio==2.8.0", "soundfile==0.13.1")
    return ground.check(site, root=True)


@works
def a_windows_machine(ground: Ground) -> Checked:
    site = ground.windows("3.12")
    _pair(ground, site, "2.8.0+cpu", "torchaudio==2.8.0", "soundfile==0.13.1")
    return ground.check(site)


@pytest.mark.sketched
@pytest.mark.parametrize("name", WORKING)
def test_it_is_left_alone(name: str, ground: Ground) -> None:
    done = WORKING[name](ground)
    assert [(each.rule, each.severity, each.message) for each in done.bad] == []
    assert done.code == 0
