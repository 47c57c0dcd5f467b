"""Damaged and foreign trees: what the files show of causes that public reports confirm, and what cures them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.libraries import elf, pe
from support.site_folder import digest, install, write
from support.skeletons import MACHINES, Site, dylib

pytestmark = pytest.mark.sketched(real=False)
ELF_OF_ARM = elf("libcudart.so.13", machine=MACHINES["aarch64"])


def silent(done: Checked) -> None:
    assert done.bad == [], done.bad


def record(site: Site, distribution: str, path: str, data: bytes | None = None) -> Path:
    """Add a file to a package and to its record; without ``data`` only to the record."""
    (info,) = site.path.glob(f"{distribution}-*.dist-info")
    rows = re.sub(rf"(?m)^{re.escape(path)},.*\n", "", (info / "RECORD").read_text())
    content = b"x = 1\n" if data is None else data
    (info / "RECORD").write_text(f"{path},{digest(content)},{len(content)}\n{rows}")
    return write(site.path / path, data) if data is not None else site.path / path


# Libraries that a build of a vendor, or from source, takes from the system.


def of_vendor(ground: Ground, version: str, *libraries: str, machine: str = "aarch64") -> Site:
    site = ground.linux("3.10", "dist-packages", machine)
    ground.torch(site, version, cuda="", made_for=[], needs={"libtorch_cpu.so": list(libraries)})
    return site


@pytest.mark.parametrize("version", ["2.5.0a0+872d972e41.nv24.08", "2.3.0", "2.7.0a0+gitabcdef1"])
@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libopenblas.so.0", "libopenblas0"),
        ("libmpi.so.40", "openmpi-bin"),
        ("libnuma.so.1", "libnuma1"),
        ("libgfortran.so.5", "libgfortran5"),
    ],
)
def test_a_system_library_that_a_vendors_torch_needs(
    ground: Ground, version: str, library: str, package: str
) -> None:
    """https://github.com/pytorch/TensorRT/pull/3885: the torch stays, and the system gets its package."""
    site = of_vendor(ground, version, library)
    ground.image(system="ubuntu-22.04", machine="aarch64")
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert library in done.first.message
    assert done.command == f"apt-get install -y {package}"

    def installed() -> None:
        ground.image(library, system="ubuntu-22.04", machine="aarch64")

    ground.cure(done, installed)


def test_a_system_library_on_a_system_without_a_known_package(ground: Ground) -> None:
    site = of_vendor(ground, "2.3.0", "libnuma.so.1", machine="x86_64")
    ground.image(system="fedora-42")
    done = ground.check(site, root=True)
    assert not done.command
    assert done.first.remedy.startswith("Install libnuma1 of Debian and Ubuntu, or numactl-libs.")


def test_a_library_that_the_record_of_torch_has_is_no_system_library(ground: Ground) -> None:
    site = of_vendor(ground, "2.3.0", "libopenblas.so.0")
    record(site, "torch", "torch/lib/libopenblas.so.0")
    ground.image(system="ubuntu-22.04", machine="aarch64")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL601"
    assert "apt-get" not in done.command


# Modules that are missing within torch.


def with_modules(ground: Ground, first: str) -> Site:
    """A torch whose __init__ imports a module, which imports from a package within torch."""
    site = ground.linux()
    ground.image()
    ground.torch(site, "2.8.0+cu128", made_for=[])
    record(site, "torch", "torch/__init__.py", b"from torch._utils_internal import x\n")
    record(site, "torch", "torch/_utils_internal.py", first.encode())
    return site


PROFILER = "from torch._strobelight.compile_time_profiler import Profiler\nx = 1\n"
NO = "ModuleNotFoundError: No module named 'torch._strobelight"


@pytest.mark.parametrize("has_record", [True, False])
@pytest.mark.parametrize(
    ("there", "said"),
    [(None, f"{NO}'"), ([], f"{NO}.compile_time_profiler'"), (["__init__.py"], f"{NO}.compile_time_profiler'")],
)
def test_python_names_the_first_package_that_is_missing(
    ground: Ground, there: list[str] | None, said: str, has_record: bool
) -> None:
    site = with_modules(ground, PROFILER)
    folder = "torch/_strobelight"
    for name in ("compile_time_profiler.py", "__init__.py"):
        record(site, "torch", f"{folder}/{name}", b"Profiler = 1\n")
        if name not in (there or ()):
            (site.path / folder / name).unlink()
    if there is None:
        shutil.rmtree(site.path / folder)
    if not has_record:
        next(site.path.glob("torch-*.dist-info/RECORD")).unlink()
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity, done.first.says) == ("TL601", "error", said)
    assert "torch==2.8.0" in done.command


@pytest.mark.parametrize("has_record", [True, False])
def test_a_name_that_is_imported_from_a_package(ground: Ground, has_record: bool) -> None:
    site = with_modules(ground, "x = 1\n")
    record(site, "torch", "torch/__init__.py", b"from torch import functional\n")
    record(site, "torch", "torch/functional.py")
    if not has_record:
        next(site.path.glob("torch-*.dist-info/RECORD")).unlink()
    done = ground.check(site, root=True)
    assert done.first.rule == "TL601"
    assert done.first.says.startswith("ImportError: cannot import name 'functional' from 'torch' (")


# Path files that Python cannot decode.

OF_MACOS = b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2\0\0\0\x09\0\0\0\x32\0\0\0\xb0\0\0"
DECODED = "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xb0 in position 37: invalid start byte"
START = (
    "Fatal Python error: init_import_site: Failed to import the site module\nPython runtime state: initialized\n"
    'Traceback (most recent call last):\n  File "/opt/venv/lib/python3.10/site.py", line 179, in addpackage\n'
    f"    for n, line in enumerate(f):\n{DECODED}\n"
)


def with_path_file(ground: Ground, version: str, name: str, data: bytes) -> Site:
    site = ground.mac(python=".".join(version.split(".")[:2]))
    ground.torch(site, "2.8.0", made_for=[])
    write(site.path.parents[2] / "pyvenv.cfg", f"home = /usr/local/bin\nversion = {version}\n")
    write(site.path / name, data)
    return site


@pytest.mark.triggers("TL622")
@pytest.mark.parametrize("version", ["3.10.11", "3.11.7", "3.12.1"])
def test_a_file_that_macos_writes_beside_a_path_file(ground: Ground, version: str) -> None:
    """https://github.com/python/cpython/issues/113356, https://github.com/LykosAI/StabilityMatrix/issues/658"""
    site = with_path_file(ground, version, "._distutils-precedence.pth", OF_MACOS)
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity, done.first.says) == ("TL622", "error", DECODED)
    assert done.command == f"rm {site.path / '._distutils-precedence.pth'}"
    ground.cure(done)


@pytest.mark.triggers("TL622")
def test_a_python_whose_release_is_not_known(ground: Ground) -> None:
    site = with_path_file(ground, "3.11", "._a.pth", OF_MACOS)
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL622", "warning")
    assert "before 3.8.19, 3.9.19, 3.10.14, 3.11.8 or 3.12.2" in done.first.message
    with_log = ground.check(site, root=True, log=START.replace("3.10", "3.11"))
    assert (with_log.first.rule, with_log.first.severity) == ("TL622", "error")


@pytest.mark.leaves_alone("TL622")
@pytest.mark.parametrize(
    ("version", "name", "data"),
    [
        ("3.11.8", "._a.pth", OF_MACOS),
        ("3.13.1", "._a.pth", OF_MACOS),
        ("3.10.11", "a.pth", "/opt/Müller\n".encode()),
        ("3.10.11", "._a.pth", b"\0\5\x16\7"),
    ],
)
def test_path_files_that_do_not_end_python(ground: Ground, version: str, name: str, data: bytes) -> None:
    silent(ground.check(with_path_file(ground, version, name, data), root=True))


def test_a_path_file_in_another_encoding(ground: Ground) -> None:
    site = with_path_file(ground, "3.12.4", "editable.pth", "/opt/Müller\n".encode("latin-1"))
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL622", "error")
    assert "write it again in UTF-8" in done.first.remedy and not done.command


@pytest.mark.parametrize("is_there", [True, False])
def test_a_path_file_of_windows_by_its_log(ground: Ground, is_there: bool) -> None:
    """https://github.com/python/cpython/issues/117793: the code page of that machine decides."""
    site = ground.windows()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    write(site.path / "project.pth", "C:\\テスト\\src\n".encode("cp932") if is_there else b"C:\\src\n")
    silent(ground.check(site))
    said = "UnicodeDecodeError: 'cp932' codec can't decode byte 0x86 in position 35: illegal multibyte sequence"
    done = ground.check(site, log=START.replace(DECODED, said).replace("/opt/venv/lib/python3.10", "C:\\Python"))
    assert [each.rule for each in done.bad] == (["TL622"] if is_there else [])


# Libraries for another processor, of other programs.

DLOPEN = "dlopen({0}, 0x0001): tried: '{0}' (mach-o file, but is an incompatible architecture (have 'x86_64'))"


@pytest.mark.parametrize(
    ("log", "is_ours"),
    [
        (DLOPEN.format("/Users/u/.rbenv/gems/ffi-1.15.5/lib/ffi_c.bundle") + " (LoadError)", False),
        ("Error: " + DLOPEN.format("/Users/u/app/node_modules/better-sqlite3/build/better_sqlite3.node"), False),
        ("java.lang.UnsatisfiedLinkError: " + DLOPEN.format("/Users/u/Library/libjffi-1.2.jnilib"), False),
        ("bash: ./tool: cannot execute binary file: Exec format error", False),
        ("./app: error while loading shared libraries: libfoo.so.1: wrong ELF class: ELFCLASS32", False),
        ("ImportError: " + DLOPEN.format("/Users/u/v/site-packages/_cffi_backend.cpython-311-darwin.so"), True),
        ("OSError: [WinError 193] %1 is not a valid Win32 application", True),
    ],
)
def test_a_library_of_another_program_for_another_processor(ground: Ground, log: str, is_ours: bool) -> None:
    site = ground.mac()
    install(site.path, "pip", "24.0")
    done = ground.check(site, log=log)
    assert [each.rule for each in done.bad] == (["TL608"] if is_ours else [])


# Two distributions with one module.

FIRST = {"cv2/__init__.py": "a = 1\n", "cv2/cv2.abi3.so": b"\x7fELF" + b"a" * 400, "cv2/version.py": "v = 1\n"}
LATER: dict[str, bytes | str] = {
    "cv2/__init__.py": "b = 12\n",
    "cv2/cv2.abi3.so": b"\x7fELF" + b"b" * 500,
    "cv2/version.py": "v = 22\n",
    "cv2/mat_wrapper/__init__.py": "x = 1\n",
}
LACKING = "AttributeError: partially initialized module 'cv2' has no attribute '_registerMatType'\n"
ABSENT = "ModuleNotFoundError: No module named 'cv2'\n"


def with_opencv(ground: Ground, first: str = "4.5.1.48", later: str = "4.10.0.84") -> Site:
    site = ground.linux()
    ground.image()
    ground.torch(site, "2.8.0+cu128", made_for=[])
    install(site.path, "opencv-python", first, dict(FIRST))
    install(site.path, "opencv-python-headless", later, LATER)
    return site


@pytest.mark.parametrize("versions", [("4.5.1.48", "4.10.0.84"), ("4.10.0.84", "4.10.0.84")])
def test_two_of_opencv_work_where_the_later_one_wrote_all_files(ground: Ground, versions: tuple[str, str]) -> None:
    site = with_opencv(ground, *versions)
    silent(ground.check(site, root=True))
    silent(ground.check(site, root=True, log=ABSENT))
    done = ground.check(site, root=True, log=LACKING)
    assert (done.first.rule, done.first.severity, done.first.says) == ("TL620", "warning", LACKING.strip())
    assert done.first.message.endswith("it belongs to opencv-python-headless 4.10.0.84")


@pytest.mark.triggers("TL620")
def test_the_files_of_two_releases_of_opencv_are_mixed(ground: Ground) -> None:
    """https://github.com/opencv/opencv-python/issues/591"""
    site = with_opencv(ground)
    write(site.path / "cv2/cv2.abi3.so", FIRST["cv2/cv2.abi3.so"])
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL620", "warning")
    assert done.first.message.endswith("and the files of both are mixed")
    assert "uninstall -y opencv-python opencv-python-headless && " in done.command
    assert done.command.endswith("opencv-python-headless==4.10.0.84")


def test_two_builds_of_one_release_of_opencv_are_mixed(ground: Ground) -> None:
    site = with_opencv(ground, "4.10.0.84")
    write(site.path / "cv2/cv2.abi3.so", FIRST["cv2/cv2.abi3.so"])
    silent(ground.check(site, root=True))


@pytest.mark.parametrize("log", [LACKING, ABSENT])
def test_one_of_two_was_uninstalled_and_took_the_files_along(ground: Ground, log: str) -> None:
    site = with_opencv(ground)
    assert ground.uninstall(site, "opencv-python")
    shutil.rmtree(site.path / "cv2")
    silent(ground.check(site, root=True))
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.first.severity, done.first.says) == ("TL604", "warning", log.strip())
    assert "--force-reinstall --no-deps --no-cache-dir opencv-python-headless==4.10.0.84" in done.command


def test_any_module_of_two_distributions(ground: Ground) -> None:
    site = with_opencv(ground)
    install(site.path, "python-jose", "3.3.0", {"jose/__init__.py": "a = 1\n", "jose/jwt.py": "x = 1\n"})
    install(site.path, "jose", "1.0.0", {"jose/__init__.py": "print 'x'\n"})
    silent(ground.check(site, root=True))
    log = "ImportError: cannot import name 'jwt' from 'jose' (/opt/venv/site-packages/jose/__init__.py)\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL620"
    assert done.first.message.startswith("jose 1.0.0 overwrote python-jose 3.3.0")


# DLLs of torch and of FFmpeg on Windows.

LOADING = (
    'OSError: [WinError 126] The specified module could not be found. Error loading "C:\\venv\\Lib\\'
    'site-packages\\torch\\lib\\torch_cuda.dll" or one of its dependencies.\n'
)


def of_windows(ground: Ground) -> Site:
    site = ground.windows()
    libraries = ["cudart64_12.dll", "cudnn64_9.dll", "cublas64_12.dll"]
    ground.torch(site, "2.8.0+cu128", made_for=[], needs={"torch_cuda.dll": libraries})
    for name in [*libraries, "cudnn_ops64_9.dll"]:
        record(site, "torch", f"torch/lib/{name}", pe())
    return site


@pytest.mark.parametrize("log", ["", LOADING])
def test_a_dll_of_cudnn_was_deleted(ground: Ground, log: str) -> None:
    site = of_windows(ground)
    silent(ground.check(site))
    (site.path / "torch/lib/cudnn64_9.dll").unlink()
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL601", "error" if log else "warning")
    assert ("TL610" in done.first.consequences) is bool(log)
    assert "cudnn64_9.dll" in done.first.message and "torch_cuda.dll" in done.first.message
    assert "torch==2.8.0+cu128" in done.command

    def installed() -> None:
        record(site, "torch", "torch/lib/cudnn64_9.dll", pe())

    ground.cure(done, installed)


def test_a_dll_that_cudnn_opens_later_was_deleted(ground: Ground) -> None:
    site = of_windows(ground)
    (site.path / "torch/lib/cudnn_ops64_9.dll").unlink()
    log = "Could not locate cudnn_ops64_9.dll. Please make sure it is in your library path!\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL601"
    assert "TL230" not in [each.rule for each in done.findings]


def with_codec(ground: Ground, folder: str, major: int, *without: str) -> tuple[Site, Path]:
    """torchcodec beside an FFmpeg: in a folder of conda, or copied into the folder of torchcodec."""
    is_conda = folder == "Library/bin"
    site = ground.windows("3.12", "env" if is_conda else "venv")
    for each in ("torchcodec==0.9.1", "torchaudio==2.9.1"):
        ground.wheel(site, each)
    ground.torch(site, "2.9.1+cpu")
    if is_conda:
        write(site.path.parents[1] / "conda-meta/python-3.12.1-0.json", "{}")
    place = (site.path.parents[1] if is_conda else site.path) / folder
    for name in ffmpeg(major, "windows"):
        if not name.startswith(without or "-"):
            write(place / name, pe())
    return site, place


def codecs() -> str:
    place = "C:\\venv\\Lib\\site-packages\\torchcodec\\libtorchcodec_core"
    lines = [
        f"FFmpeg version {each}: Could not find module '{place}{each}.dll' (or one of its dependencies)."
        for each in (8, 7, 6, 5, 4)
    ]
    head = "RuntimeError: Could not load libtorchcodec. Likely causes:\n[start of libtorchcodec loading traceback]"
    return "\n".join([head, *lines, "[end of libtorchcodec loading traceback]."])


@pytest.mark.parametrize("folder", ["Library/bin", "torchcodec"])
def test_a_dll_that_the_ffmpeg_of_torchcodec_needs(ground: Ground, folder: str) -> None:
    site, place = with_codec(ground, folder, 7)
    silent(ground.check(site))
    write(place / "avcodec-61.dll", pe({"libx264-164.dll": ["x"]}))
    alone = ground.check(site)
    silent(alone)
    assert "avcodec-61.dll needs libx264-164.dll" in alone.text
    done = ground.check(site, log=codecs())
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert done.first.message == "avcodec-61.dll of FFmpeg needs libx264-164.dll, which is not found"
    is_conda = folder != "torchcodec"
    assert ("--force-reinstall ffmpeg" if is_conda else "Gyan.FFmpeg.Shared") in done.command


@pytest.mark.parametrize(
    ("major", "without", "shown"),
    [
        (9, (), "the folder of torchcodec has FFmpeg 9"),
        (
            7,
            ("avformat", "avdevice"),
            "the folder of torchcodec has FFmpeg 7 without avformat-61.dll, avdevice-61.dll",
        ),
    ],
)
def test_an_ffmpeg_in_the_folder_of_torchcodec(
    ground: Ground, major: int, without: tuple[str, ...], shown: str
) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/1108"""
    site, _ = with_codec(ground, "torchcodec", major, *without)
    silent(ground.check(site))
    done = ground.check(site, log=codecs())
    assert done.first.rule == "TL304"
    assert done.first.message.endswith(shown)


# Libraries and folders that the system refuses, by a log.

UNMAPPED = "ImportError: {}: failed to map segment from shared object"
OF_TORCH = "/usr/local/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so"


@pytest.mark.parametrize(
    ("line", "because", "remedy"),
    [
        (f"{UNMAPPED.format(OF_TORCH)}: Operation not permitted", "noexec", "Mount it with exec"),
        (f"{UNMAPPED.format(OF_TORCH)}: Cannot allocate memory", "RLIMIT_AS", "Raise the limit"),
        (UNMAPPED.format("libtorch_cuda.so"), "noexec, or the memory", "If the volume"),
    ],
)
def test_a_library_that_the_kernel_does_not_map(ground: Ground, line: str, because: str, remedy: str) -> None:
    """https://github.com/pytorch/pytorch/issues/16558, https://github.com/marcominetti/node-memwatch/issues/11"""
    site = ground.linux()
    ground.image()
    ground.torch(site, "2.8.0+cu128", made_for=[])
    done = ground.check(site, root=True, log=f"{line}\n")
    assert (done.first.rule, done.first.severity) == ("TL621", "error")
    assert because in done.first.because and done.first.remedy.startswith(remedy)
    assert not done.command


def test_a_module_of_node_that_the_kernel_does_not_map(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(site, "2.8.0+cu128", made_for=[])
    log = "Error: /home/u/app/memwatch.node: failed to map segment from shared object: Operation not permitted\n"
    silent(ground.check(site, log=log))


REFUSED = (
    'File "C:\\ComfyUI\\python_embeded\\Lib\\site-packages\\torchcodec\\_core\\ops.py", line 105, in {}\n'
    "OSError: [WinError 87] {}\n"
)


@pytest.mark.triggers("TL623")
@pytest.mark.parametrize("said", ["The parameter is incorrect: '.'", "参数错误。: '.\\\\bin'"])
def test_a_relative_folder_with_ffmpeg(ground: Ground, said: str) -> None:
    """https://github.com/yuvraj108c/ComfyUI-Whisper/issues/40"""
    site, _ = with_codec(ground, "torchcodec", 8)
    done = ground.check(site, log=REFUSED.format("expose_ffmpeg_dlls", said))
    assert (done.first.rule, done.first.severity) == ("TL623", "warning")
    assert "from the PATH" in done.first.remedy


@pytest.mark.leaves_alone("TL623")
@pytest.mark.parametrize(
    ("function", "said"),
    [("load", "The parameter is incorrect"), ("listdir", "The parameter is incorrect: '.'")],
)
def test_another_parameter_that_windows_refuses(ground: Ground, function: str, said: str) -> None:
    site, _ = with_codec(ground, "torchcodec", 8)
    silent(ground.check(site, log=REFUSED.format(function, said)))


# Builds of vendors that take CUDA from the machine.


@pytest.mark.parametrize(
    ("version", "library", "there", "words"),
    [
        ("2.8.0", "libcudss.so.0", "libcudnn.so.9", "apt-get install cudss"),
        ("2.5.0a0+872d972e41.nv24.08", "libcusparseLt.so.0", "libcudnn.so.9", "Install cuSPARSELt"),
        ("2.3.0a0+6ddf5cf85e.nv24.4", "libcudnn.so.8", "libcudnn.so.9", "the machine has libcudnn.so.9"),
        ("2.8.0", "libcudart.so.12", "libcudnn.so.9", "--runtime nvidia"),
        ("2.8.0", "libnvpl_lapack_lp64_gomp.so.0", "libcudnn.so.9", "NVPL"),
    ],
)
def test_a_cuda_library_of_a_jetson(ground: Ground, version: str, library: str, there: str, words: str) -> None:
    """https://github.com/NVIDIA/Isaac-GR00T/issues/343: the torch of the vendor stays."""
    site = ground.linux("3.10", "dist-packages", "aarch64")
    ground.torch(site, version, cuda="12.6", made_for=[], needs={"libtorch_cuda.so": [library]}, nvidia=False)
    ground.image(system="ubuntu-22.04", machine="aarch64")
    ground.library(f"usr/lib/aarch64-linux-gnu/{there}", machine=MACHINES["aarch64"])
    if library != "libcudart.so.12":
        ground.library("usr/lib/aarch64-linux-gnu/libcudart.so.12", machine=MACHINES["aarch64"])
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert library in done.first.message and words in done.first.remedy
    assert not done.command


def test_a_wheel_of_the_index_for_arm_requires_the_packages_of_nvidia(ground: Ground) -> None:
    site = ground.linux("3.12", machine="aarch64")
    requires = ["nvidia-cudnn-cu13 (==9.13.0.50)"]
    needs = {"libtorch_cuda.so": ["libcudnn.so.9"]}
    ground.torch(site, "2.9.1+cu130", made_for=[], needs=needs, nvidia=False, requires=requires, recorded="2.9.1")
    ground.image(machine="aarch64")
    install(site.path, "nvidia-cuda-runtime", "13.0.96", {"nvidia/cu13/lib/libcudart.so.13": ELF_OF_ARM})
    done = ground.check(site, root=True)
    assert done.first.rule == "TL610"
    assert "nvidia-cudnn-cu13==9.13.0.50" in done.command


# A damaged DLL that Windows refuses.


def test_an_empty_dll_is_no_copy_of_another_program(ground: Ground) -> None:
    site = ground.windows()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    (site.path / "torch/lib/c10.dll").write_bytes(b"")
    log = LOADING.replace(
        "126] The specified module could not be found", "193] %1 is not a valid Win32 application"
    )
    done = ground.check(site, log=log.replace("torch_cuda.dll", "c10.dll"))
    assert [each.rule for each in done.bad] == ["TL607"]
    assert "torch==2.8.0" in done.command


def test_a_dll_below_the_one_that_a_log_names(ground: Ground) -> None:
    site = ground.windows()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    record(site, "torch", "torch/lib/fbgemm.dll", pe({"asmjit.dll": ["x"]}))
    record(site, "torch", "torch/lib/asmjit.dll")
    done = ground.check(site, log=LOADING.replace("torch_cuda.dll", "fbgemm.dll"))
    assert (done.first.rule, done.first.severity) == ("TL601", "error")
    assert "torch/lib/asmjit.dll" in done.first.message and "fbgemm.dll needs it" in done.first.message
    assert "TL610" in done.first.consequences
    assert "torch==2.8.0" in done.command


def test_wheels_on_nixos(ground: Ground) -> None:
    site = ground.linux(prefix="home/u/venv")
    root = ground.image()
    write(root / "etc/os-release", "ID=nixos\nVERSION_ID=25.05\n")
    ground.torch(site, "2.8.0+cu128", made_for=[], needs={"libc10.so": ["libstdc++.so.6"]}, recorded="2.8.0")
    (root / "lib64/libstdc++.so.6").unlink()
    done = ground.check(site, root=True)
    assert "programs.nix-ld.enable" in done.first.remedy


# Builds from a folder, of another Python, and of conda.


def test_an_editable_torchaudio_that_was_compiled_for_another_torch(ground: Ground) -> None:
    """Its sources stay: they are compiled again, and no wheel takes their place."""
    site = ground.linux()
    ground.image()
    ground.torch(site, "2.8.0+cu128", made_for=[], recorded="2.8.0")
    source = site.root / "src/audio"
    write(source / "src/torchaudio/__init__.py", "from torchaudio import _extension\n")
    write(source / "src/torchaudio/version.py", "__version__ = '2.7.0a0+abc1234'\n")
    write(source / "src/torchaudio/_extension/__init__.py")
    uses = ["_ZN2at4_ops7gone_of_270Ev"]
    library = write(source / "src/torchaudio/lib/libtorchaudio.so", elf("", ["libtorch_cpu.so"], [], uses))
    info = install(site.path, "torchaudio", "2.7.0a0+abc1234", {"__editable__.torchaudio.pth": f"{source}/src\n"})
    write(info / "direct_url.json", json.dumps({"url": f"file://{source}", "dir_info": {"editable": True}}))
    done = ground.check(site, root=True)
    assert done.first.rule == "TL611"
    assert done.command == f"python -m pip install --no-deps --no-build-isolation -e {source}"
    ground.cure(done, lambda: write(library, elf("", ["libtorch_cpu.so"])))


def test_packages_of_another_python_that_a_variable_names(ground: Ground) -> None:
    site = ground.linux("3.6", prefix="apps/pytorch/1.10")
    ground.torch(site, "1.10.0+cu113", made_for=[], recorded="1.10.0")
    done = ground.check(site, live=True)
    assert done.first.rule == "TL608"
    assert done.first.because.startswith("PYTHONPATH names ")
    assert all(each.startswith("unset PYTHONPATH && ") for each in done.commands)


def test_a_numpy_of_conda_without_its_blas(ground: Ground) -> None:
    site = ground.mac("opt/miniconda3/envs/tts", "3.10")
    prefix = site.path.parents[2]
    write(prefix / "conda-meta/python-3.10.13-0.json", "{}")
    row = {"name": "numpy", "version": "1.26.4", "build": "py310h", "channel": "conda-forge", "files": []}
    write(prefix / "conda-meta/numpy-1.26.4-py310h.json", json.dumps(row))
    ground.torch(site, "2.2.2", made_for=[])
    module = "numpy/core/_multiarray_umath.cpython-310-darwin.so"
    library = dylib("", ["@rpath/libcblas.3.dylib"], [], ["@loader_path/../../../../"])
    files = {"numpy/__init__.py": "from . import core\n", "numpy/core/__init__.py": "", module: library}
    install(site.path, "numpy", "1.26.4", files, installer="conda")
    place = "/opt/miniconda3/envs/tts/lib/python3.10/site-packages/"
    log = f"ImportError: dlopen({place}{module}, 0x0002): Library not loaded: @rpath/libcblas.3.dylib\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL610"
    assert done.command.endswith("--force-reinstall numpy libblas libcblas liblapack")
