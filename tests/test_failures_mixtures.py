"""Damaged and mixed environments: halves of packages, zeros inside of files, two installers, what comes first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.installed import record_of
from support.libraries import elf, with_segment
from support.site_folder import install, write
from support.skeletons import Site, nvidia

_LOAD, _STACK = 1, 0x6474E551
# What __init__.py of torchaudio imports, and the version that it compares.
_INIT = "from torchaudio import _extension, functional, transforms\n"
_NEW, _OLD = "1.17.1", "1.15.1"


def whole(ground: Ground, torch: str = "2.8.0+cu128", site: Site | None = None) -> Site:
    """torch and torchaudio that go together, on a machine with glibc 2.36."""
    place = site or ground.linux()
    ground.image()
    glibc(place, 36)
    label = torch.partition("+")[2]
    ground.wheel(place, "torchaudio==2.8.0+cpu" if label == "cpu" else "torchaudio==2.8.0")
    ground.torch(place, torch, made_for=["torchaudio==2.8.0"], recorded=torch.partition("+")[0])
    return place


def glibc(site: Site, minor: int) -> None:
    versions = [f"GLIBC_2.{each}" for each in range(2, minor + 1)]
    write(site.root / "lib64" / "libc.so.6", elf("libc.so.6", defines=versions))


def check(ground: Ground, site: Site) -> Checked:
    return ground.check(site, root=True)


def change(site: Site, path: str, kind: int, flags: int, *rest: int) -> Path:
    library = next(site.path.glob(path))
    return write(library, with_segment(library.read_bytes(), kind, flags, *rest))


# Inside of a library


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("path", ["torch/lib/libtorch_cpu.so", "torchaudio/lib/libtorchaudio.so"])
def test_zeros_in_place_of_a_dynamic_section(path: str, ground: Ground) -> None:
    """The size is right, as after a loss of power."""
    site = whole(ground)
    data = (site.path / path).read_bytes()
    write(site.path / path, data[:256] + bytes(len(data) - 256))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL607", "error")
    assert done.first.message.endswith("its dynamic section has only zeros in it")
    assert "zeros instead of a part of a file" in done.first.because
    assert "--no-cache-dir" in done.command


@pytest.mark.sketched(real=False)
def test_a_library_that_strip_misaligned(ground: Ground) -> None:
    """https://github.com/pypa/auditwheel/issues/716"""
    site = whole(ground)
    change(site, "torch/lib/libc10.so", _LOAD, 4, 16, 0x400000, 4096)
    ground.unrecord(site, "torch/lib/libc10.so")
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL607", "error")
    assert done.first.message.endswith("cannot be loaded: its segments are not aligned to pages")
    assert "strip after patchelf" in done.first.because


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL621")
def test_an_executable_stack_on_a_later_glibc(ground: Ground) -> None:
    """https://github.com/conda-forge/pytorch-cpu-feedstock/issues/350"""
    site = whole(ground, "2.8.0+cpu")
    glibc(site, 41)
    path = change(site, "torch/lib/libtorch_cpu.so", _STACK, 7)
    ground.unrecord(site, "torch/lib/libtorch_cpu.so")
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL621", "error")
    assert "is marked to need an executable stack, which glibc 2.41 refuses" in done.first.message
    assert f"patchelf --clear-execstack {path}" in done.first.remedy


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL621")
def test_an_alignment_that_an_earlier_glibc_compares(ground: Ground) -> None:
    """https://github.com/NixOS/patchelf/pull/510"""
    site = whole(ground)
    glibc(site, 31)
    change(site, "nvidia/*/lib/libcudart.so.12", _LOAD, 4, 0x2000, 0x401000, 0x200000)
    done = check(ground, site)
    assert done.first.rule == "TL621"
    assert "has segments that are not aligned, which glibc 2.31 refuses" in done.first.message
    assert "nvidia-cuda-runtime-cu12" in done.command


@pytest.mark.sketched(real=False)
@pytest.mark.leaves_alone("TL621", "TL607")
@pytest.mark.parametrize("kind", [(_STACK, 7), (_STACK, 6), (_LOAD, 4, 0x2000, 0x401000, 0x200000)])
def test_what_this_glibc_takes(kind: tuple[int, ...], ground: Ground) -> None:
    site = whole(ground)
    change(site, "torch/lib/libtorch_cpu.so", *kind)
    ground.unrecord(site, "torch/lib/libtorch_cpu.so")
    assert not check(ground, site).bad


@pytest.mark.sketched(real=False)
def test_zeros_in_place_of_an_export_table(ground: Ground) -> None:
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.8.0+cpu", made_for=["torchaudio==2.8.0"], recorded="2.8.0")
    library = site.path / "torch" / "lib" / "torch_cpu.dll"
    data = library.read_bytes()
    write(library, data[:512] + bytes(len(data) - 512))
    done = ground.check(site)
    assert done.first.rule == "TL607"
    assert done.first.message.endswith("its export table has only zeros in it")


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL607")
def test_zeros_inside_of_the_library_of_soundfile(ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site)
    library = site.path / "_soundfile_data" / "libsndfile_x86_64.so"
    data = elf("libsndfile.so.1")
    write(library, data[:200] + bytes(len(data) - 200))
    ground.unrecord(site, "_soundfile_data/.*")
    assert check(ground, site).first.message.startswith("libsndfile_x86_64.so of soundfile cannot be loaded: ")


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("has_ffmpeg", [True, False])
def test_a_torchcodec_that_glibc_refuses(has_ffmpeg: bool, ground: Ground) -> None:
    """FFmpeg is what is missing, as long as it is not there."""
    site = whole(ground)
    ground.image(*(ffmpeg(7, "linux") if has_ffmpeg else ()))
    glibc(site, 41)
    ground.wheel(site, "torchcodec==0.7.0")
    for path in site.path.glob("torchcodec/libtorchcodec_core*.so"):
        write(path, with_segment(path.read_bytes(), _STACK, 7))
    ground.unrecord(site, "torchcodec/.*")
    assert [each.rule for each in check(ground, site).bad] == ["TL621" if has_ffmpeg else "TL304"]


# Halves of packages


@pytest.mark.sketched(real=False)
def test_half_of_a_torchaudio_without_its_record(ground: Ground) -> None:
    """Installers write RECORD last."""
    site = whole(ground)
    write(site.path / "torchaudio" / "__init__.py", _INIT)
    info = record_of(site, "torchaudio")
    assert info is not None
    (info / "RECORD").unlink()
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL601", "error")
    assert done.first.message == "torchaudio lacks torchaudio.transforms, which its own import loads"
    assert "torchaudio==2.8.0" in done.command


@pytest.mark.sketched(real=False)
@pytest.mark.leaves_alone("TL601")
@pytest.mark.parametrize(
    "text",
    [
        "from torchaudio import _extension, functional\n",
        "try:\n    from torchaudio import transforms\nexcept ImportError:\n    transforms = None\n",
        "from torchaudio.functional import transforms\n",
        "import sys\nif sys.version_info < (3,):\n    from torchaudio import transforms\n",
        "from torchaudio.lib import _C\nfrom torchaudio import version\n",
    ],
)
def test_a_torchaudio_without_its_record_that_is_whole(text: str, ground: Ground) -> None:
    site = whole(ground)
    write(site.path / "torchaudio" / "__init__.py", text)
    write(site.path / "torchaudio" / "lib" / "_C.abi3.so", elf())
    info = record_of(site, "torchaudio")
    assert info is not None
    (info / "RECORD").unlink()
    assert not check(ground, site).bad


@pytest.mark.sketched(real=False)
def test_a_folder_in_another_case(ground: Ground) -> None:
    site = whole(ground)
    (site.path / "torchaudio").rename(site.path / "TorchAudio")
    done = check(ground, site)
    assert done.first.message == "the folder of torchaudio is named TorchAudio, and Python looks for torchaudio"
    ground.cure(done)


@pytest.mark.sketched(real=False)
def test_a_cudnn_that_was_moved_aside(ground: Ground) -> None:
    """What an interrupted pip moved aside is in no folder from which torch loads."""
    site = ground.linux()
    ground.image()
    ground.wheel(site, "torchaudio==2.8.0")
    required = "nvidia-cudnn-cu12==9.10.2.21; platform_system == 'Linux'"
    needs = {"libtorch_cuda.so": ["libcudnn.so.9"]}
    ground.torch(site, "2.8.0+cu128", recorded="2.8.0", requires=[required], needs=needs, nvidia=False)
    nvidia(site, "nvidia-cuda-runtime-cu12", "12.8.90")
    nvidia(site, "nvidia-cudnn-cu12", "9.10.2.21")
    (site.path / "nvidia" / "cudnn").rename(site.path / "nvidia" / "~udnn")
    info = record_of(site, "nvidia-cudnn-cu12")
    assert info is not None
    info.rename(info.with_name(f"~{info.name[1:]}"))
    done = check(ground, site)
    assert done.first.message == "libtorch_cuda.so of torch needs libcudnn.so.9, which is not found"
    assert "nvidia-cudnn-cu12==9.10.2.21" in done.command


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("has_open", [True, False])
def test_files_that_a_program_on_nfs_still_uses(has_open: bool, ground: Ground) -> None:
    site = whole(ground)
    if has_open:
        ground.uninstall(site, "torch")
    write(site.path / "torch" / "lib" / ".nfs0000000004a3f1e200000012")
    done = check(ground, site)
    assert bool(done.bad) == has_open
    if has_open:
        assert "which NFS keeps as .nfs files" in done.first.because
        assert done.first.remedy.startswith("Close all programs")


# cffi and NumPy


def with_cffi(
    site: Site, package: str = _NEW, module: str = _NEW, tag: str = "cpython-311-x86_64-linux-gnu"
) -> None:
    """soundfile with NumPy and cffi. ``module`` is the version in the compiled module."""
    own: dict[str, bytes | str] = {"soundfile.py": "import _soundfile\n", "_soundfile_data/__init__.py": ""}
    install(site.path, "soundfile", "0.13.1", {**own, "_soundfile_data/libsndfile_x86_64.so": elf()})
    install(site.path, "numpy", "2.2.6", {"numpy/__init__.py": ""})
    text = b"\0" + module.encode() + b"\0003.11.4\0"
    files: dict[str, bytes | str] = {"cffi/__init__.py": f'__version__ = "{_NEW}"\n'}
    install(site.path, "cffi", _NEW, {**files, f"_cffi_backend.{tag}.so": elf() + text})


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL608")
def test_a_module_of_cffi_for_another_python(ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site, tag="cpython-310-x86_64-linux-gnu")
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL608", "warning")
    assert "was built for Python 3.10, this is Python 3.11" in done.first.message
    assert f"cffi=={_NEW}" in done.command


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL605")
def test_a_module_of_another_cffi(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/197"""
    site = whole(ground)
    with_cffi(site, module=_OLD)
    done = check(ground, site)
    assert done.first.message.startswith(f"_cffi_backend is of cffi {_OLD}, and the package cffi is {_NEW}")
    assert f"cffi=={_NEW}" in done.command


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL606")
def test_a_module_of_another_cffi_that_comes_first(ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site)
    other = ground.folder / "root" / "legacy"
    write(other / "_cffi_backend.cpython-311-x86_64-linux-gnu.so", elf() + f"\0{_OLD}\0".encode())
    write(site.path / "first.pth", f"import sys; sys.path.insert(0, {str(other)!r})\n")
    done = check(ground, site)
    assert done.first.rule == "TL606"
    assert done.first.remedy.startswith("Remove line 1 of ")


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL601")
def test_a_cffi_without_its_module(ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site)
    next(site.path.glob("_cffi_backend*")).unlink()
    assert check(ground, site).first.message.endswith("lacks its extension module _cffi_backend")


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL601")
def test_a_record_of_cffi_without_its_files(ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site)
    shutil.rmtree(site.path / "cffi")
    assert check(ground, site).first.message.endswith(", has a record but no files")


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL601")
def test_a_first_file_of_another_numpy(ground: Ground) -> None:
    """https://github.com/numpy/numpy/issues/12736"""
    site = whole(ground)
    own = {"numpy/__init__.py": "from . import core\n", "numpy/core/__init__.py": ""}
    install(site.path, "numpy", "1.26.4", {**own, "numpy/core/_multiarray_umath.so": elf()})
    write(site.path / "numpy" / "__init__.py", "from . import _core\nfrom ._expired_attrs import names\n")
    done = check(ground, site)
    assert done.first.message == "numpy lacks numpy._core and 1 more, which its own import loads"
    assert "the files of two releases are mixed" in done.first.because


@pytest.mark.sketched(real=False)
@pytest.mark.leaves_alone("TL601", "TL605", "TL606", "TL608")
@pytest.mark.parametrize("tag", ["cpython-311-x86_64-linux-gnu", "abi3"])
def test_a_cffi_that_is_whole(tag: str, ground: Ground) -> None:
    site = whole(ground)
    with_cffi(site, tag=tag)
    assert not check(ground, site).bad


@pytest.mark.sketched(real=False)
def test_a_numpy_of_two_releases(ground: Ground) -> None:
    site = whole(ground)
    install(site.path, "numpy", "2.2.6", {"numpy/__init__.py": "", "numpy/version.py": 'version = "2.2.6"\n'})
    write(site.path / "numpy" / "version.py", 'version = "1.26.4"\n')
    done = check(ground, site)
    assert done.first.rule == "TL605"
    assert done.first.message == "numpy is recorded as 2.2.6, but its files are of 1.26.4"


# Two installers


@pytest.mark.sketched(real=False)
def test_records_of_two_torches_of_which_the_absent_one_fits(ground: Ground) -> None:
    """pip --target without --upgrade keeps the folder that is there, and writes the new record beside the old."""
    site = whole(ground)
    info = record_of(site, "torch")
    assert info is not None
    kept = {path.name: path.read_bytes() for path in info.iterdir()}
    ground.torch(site, "2.6.0+cu124", made_for=["torchaudio==2.6.0"], recorded="2.6.0")
    for name, data in kept.items():
        write(site.path / "torch-2.8.0.dist-info" / name, data)
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL605", "error")
    assert done.first.message.endswith("as 2.6.0 and 2.8.0, and its files are those of 2.6.0")
    assert "TL101" in done.first.consequences
    ground.cure(done)


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("folder", ["usr/local/lib/python3.11", "usr/lib/python3", ""])
def test_the_two_folders_of_debian(folder: str, ground: Ground) -> None:
    """torch of apt beside torchaudio of pip, from whichever folder one looks."""
    apt = ground.linux(packages="dist-packages", prefix="usr")
    ground.image()
    ground.torch(apt, "2.6.0+debian", cuda="", made_for=["torchaudio==2.6.0"])
    pip = ground.linux(packages="dist-packages")
    ground.wheel(pip, "torchaudio==2.8.0")
    place = apt.root / folder / "dist-packages" if folder else apt.root
    done = ground.check(pip._replace(path=place), root=True)
    assert "TL108" not in {each.rule for each in done.bad}
    assert "from where torch 2.6.0+debian came" in done.first.remedy


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize(("is_there", "rules"), [(False, ["TL604"]), (True, [])])
def test_an_editable_source_in_an_image(is_there: bool, rules: list[str], ground: Ground) -> None:
    """A volume may bring it when the image runs, so that it is no error."""
    site = ground.linux()
    ground.image()
    ground.wheel(site, "torchaudio==2.8.0+cpu")
    ground.torch(site, "2.8.0+cpu", made_for=["torchaudio==2.8.0"], recorded="2.8.0+cpu")
    source = site.root / "src" / "audio"
    source.mkdir(parents=True)
    shutil.move(site.path / "torchaudio", source / "torchaudio" if is_there else ground.folder / "gone")
    write(site.path / "__editable__.torchaudio.pth", "/src/audio\n")
    info = record_of(site, "torchaudio")
    assert info is not None
    shutil.rmtree(info)
    install(site.path, "torchaudio", "2.8.0", {"__editable__.torchaudio.pth": "/src/audio\n"})
    origin = json.dumps(
        {"url": "file:///src/audio" if is_there else "file:///gone", "dir_info": {"editable": True}}
    )
    write(site.path / "torchaudio-2.8.0.dist-info" / "direct_url.json", origin)
    assert [(each.rule, each.severity) for each in check(ground, site).bad] == [
        (rule, "warning") for rule in rules
    ]


# What comes first


@pytest.mark.sketched(real=False)
def test_a_library_that_the_system_preloads(ground: Ground) -> None:
    site = whole(ground, "2.8.0+cpu")
    versions = [f"GLIBCXX_3.4.{each}" for each in range(31)]
    write(site.root / "lib64" / "libstdc++.so.6", elf("libstdc++.so.6", defines=versions))
    write(site.root / "opt" / "old" / "libstdc++.so.6", elf("libstdc++.so.6", defines=versions[:23]))
    needs = [("libstdc++.so.6", "GLIBCXX_3.4.30")]
    own = elf("libc10.so", ["libstdc++.so.6"], needs=needs)
    write(site.path / "torch" / "lib" / "libc10.so", own)
    ground.unrecord(site, "torch/lib/libc10.so")
    assert not check(ground, site).bad
    write(site.root / "etc" / "ld.so.preload", "/opt/old/libstdc++.so.6\n")
    done = check(ground, site)
    assert done.first.rule == "TL612"
    assert done.first.remedy == "Remove /opt/old/libstdc++.so.6 from /etc/ld.so.preload."


@pytest.mark.sketched(real=False)
def test_a_folder_that_sitecustomize_puts_first(ground: Ground) -> None:
    site = whole(ground)
    legacy = site._replace(path=site.root / "opt" / "legacy")
    legacy.path.mkdir(parents=True)
    ground.torch(legacy, "2.6.0+cu124", made_for=["torchaudio==2.6.0"])
    write(site.path / "sitecustomize.py", "import sys\nsys.path.insert(0, '/opt/legacy')\n")
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL606", "error")
    assert done.first.remedy.startswith("Remove line 2 of ")
    assert "sitecustomize.py" in done.first.because


@pytest.mark.sketched(real=False)
def test_a_link_of_conda_that_became_a_text(ground: Ground) -> None:
    site = ground.linux(prefix="opt/conda")
    library = site.path.parents[1] / "libstdc++.so.6"
    write(site.path.parents[2] / "conda-meta" / "history")
    whole(ground, "2.8.0+cpu", site)
    write(library, "libstdc++.so.6.0.34")
    write(library.with_name("libstdc++.so.6.0.34"), elf("libstdc++.so.6"))
    write(site.path / "torch/lib/libc10.so", elf("libc10.so", ["libstdc++.so.6"], runpath="$ORIGIN/../../../.."))
    ground.unrecord(site, "torch/lib/libc10.so")
    done = check(ground, site)
    assert done.first.rule == "TL607"
    assert done.command == f"ln -sf libstdc++.so.6.0.34 {library}"


# Projects that do not say which torch they need


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL611")
def test_a_build_of_pyg_for_another_torch(ground: Ground) -> None:
    """Its metadata requires nothing, and its import loads its modules."""
    site = whole(ground)
    module = elf("", ["libtorch_cpu.so"], [], ["_ZN3c1016of_another_torchEv"], runpath="$ORIGIN/../torch/lib")
    install(site.path, "torch_scatter", "2.1.2+pt25cu124", scatter(module))
    done = check(ground, site)
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert done.first.message.startswith("_scatter_cpu.so of torch-scatter 2.1.2")
    assert done.first.because == "its version says that it was built for torch 2.5"
    assert done.first.remedy.startswith("Install the build of torch-scatter for torch 2.8.0")


@pytest.mark.sketched(real=False)
@pytest.mark.leaves_alone("TL611")
def test_a_build_of_pyg_for_this_torch(ground: Ground) -> None:
    site = whole(ground)
    module = elf("", ["libtorch_cpu.so"], runpath="$ORIGIN/../torch/lib")
    install(site.path, "torch_scatter", "2.1.2+pt28cu128", scatter(module))
    assert not check(ground, site).bad


def scatter(module: bytes) -> dict[str, bytes | str]:
    return {"torch_scatter/__init__.py": "", "torch_scatter/_scatter_cpu.so": module}
