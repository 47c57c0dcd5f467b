"""Builds that fail because torch does not load: the library in their output counts, not the installer's frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, run
from support.check import site as site
from support.site_folder import write
from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

HEAD = "  error: subprocess-exited-with-error\n  × Getting requirements to build wheel did not run successfully.\n"
SITE = "/home/u/env/lib/python3.11/site-packages"
OVERLAY = "/tmp/pip-build-env-a1b2c3d4/overlay/lib/python3.11/site-packages"
UV = "/home/u/.cache/uv/builds-v0/.tmpAb1/lib/python3.11/site-packages"


def output(folder: str, error: str, module: str = "torch/__init__.py") -> str:
    return (
        f"Collecting flash-attn==2.5.8\n{HEAD}      Traceback (most recent call last):\n"
        f'        File "{folder}/{module}", line 229, in <module>\n          from torch._C import *\n'
        f"      {error}\nerror: subprocess-exited-with-error\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        "ImportError: libcudnn.so.8: cannot open shared object file: No such file or directory",
        f"ImportError: {SITE}/torch/lib/libtorch_cuda.so: undefined symbol: ncclMemFree",
        r'OSError: [WinError 127] The specified procedure could not be found. Error loading "D:\lib\c10.dll"',
        f"ImportError: dlopen({SITE}/torch/_C.so, 2): Library not loaded: @rpath/libomp.dylib",
    ],
)
def test_the_library_in_the_output_is_the_first_failure(error: str) -> None:
    log = read_log(output(SITE, error))
    assert log.first is not None and log.first.text == error
    assert log.start is not None and log.start.rules[0] == "TL524"


@pytest.mark.parametrize(
    ("folder", "error", "module"),
    [
        (SITE, "ModuleNotFoundError: No module named 'torch'", "setuptools/build_meta.py"),
        (SITE, "cc1plus: error while loading shared libraries: libmpfr.so.6: cannot open", "torch/utils/cpp.py"),
        (OVERLAY, "ImportError: libcudnn.so.8: cannot open shared object file: No such file", "torch/__init__.py"),
    ],
)
def test_other_output_is_that_of_the_build(folder: str, error: str, module: str) -> None:
    log = read_log(output(folder, error, module))
    assert log.first == log.start is not None


def test_if_nothing_explains_the_library_the_build_is_reported(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = "ImportError: libfoo.so.3: cannot open shared object file: No such file or directory"
    log = write(site.parent / "log.txt", output(SITE, error))
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)
    assert bad(report) == [("warning", "TL524")]
    assert (
        report["summary"] == f"flash-attn 2.5.8 was compiled here and did not build; its first error is: {error}"
    )


@pytest.mark.parametrize("folder", [OVERLAY, UV])
def test_a_torch_of_the_build_is_another_one(folder: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = f"ImportError: {folder}/torch/lib/libtorch_cuda.so: undefined symbol: ncclMemFree"
    log = write(site.parent / "log.txt", output(folder, error))
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)
    assert report["summary"].endswith(
        "the torch that the installer put into the environment of the build does not load"
    )
    assert "--no-build-isolation flash-attn==2.5.8" in report["command"]


# What a build prints, and a part of what is said about it.
FAILURES = (
    ("error: can't find Rust compiler", "the Rust compiler"),
    ("Compatibility with CMake < 3.5 has been removed from CMake.", "older than CMake 4 accepts"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'llvm-config'", "LLVM (llvm-config)"),
    ("./build_bundled.sh: 21: cmake: Permission denied", "its build needs CMake"),
    ("CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage", "a C compiler"),
    ("src/a.c:9:10: fatal error: 'Python.h' file not found", "the header files of Python"),
    ("src/a.c:9:10: fatal error: portaudio.h: No such file or directory", "the header files of PortAudio"),
    ("a.c:1:10: fatal error: foo/bar.h: No such file or directory", "the header file foo/bar.h"),
    ("a.cpp(3): fatal error C1083: Cannot open include file: 'foo.h': No such file", "the header file foo.h"),
    ("/usr/bin/ld: cannot find -lfoo: No such file or directory", "the library foo"),
    ("LINK : fatal error LNK1181: cannot open input file 'foo.lib'", "the library foo"),
    ("a.c:5: fatal error: numpy/arrayobject.h: No such file or directory", "an isolated build has no NumPy"),
    ("ModuleNotFoundError: No module named 'numpy'", "imports numpy, which an isolated build does not have"),
    ("ModuleNotFoundError: No module named 'torch'", "imports torch, which an isolated build does not have"),
    (
        "the configured Python interpreter version (3.14) is newer than PyO3's maximum supported version (3.13)",
        "does not know Python 3.14",
    ),
    ("a.c:196:12: fatal error: longintrepr.h: No such file or directory", "an interface that this Python"),
    ("error in x setup command: use_2to3 is invalid.", "code for Python 2"),
    ("AttributeError: cython_sources", "for the Cython that the build took"),
    ("UnicodeDecodeError: 'gbk' codec can't decode byte 0xa6 in position 812: illegal", "file of its own as gbk"),
    (
        "ATen.h:4:2: error: #error C++17 or later compatible compiler is required to use ATen.",
        "need, which is C++17",
    ),
    ("nvcc fatal   : Unsupported gpu architecture 'compute_120'", "the GPU architecture sm_120"),
    (
        "The detected CUDA version (12.0) mismatches the version that was used to compile\n      PyTorch (11.6)",
        "is 12.0, and torch was built for CUDA 11.6",
    ),
    ("RuntimeError: PyTorch does not currently provide packages for PyPI (see status)", "took a file of 2017"),
    ('Exception: You tried to install "pytorch". The package named for PyTorch is "torch"', "is called torch"),
    ("error: [Errno 2] No such file or directory: 'mecab-config'", "MeCab with its header files"),
    ("/bin/sh: 1: mecab-config: not found", "MeCab with its header files"),
    ("setup.py:67: RuntimeWarning: NumPy 1.22.0 may not yet support Python 3.13.", "is older than Python 3.13"),
    ("ModuleNotFoundError: No module named 'dskernels'", "for Linux only (deepspeed-kernels, libaio)"),
    ("AssertionError: Unable to pre-compile async_io", "for Linux only (deepspeed-kernels, libaio)"),
    ("ModuleNotFoundError: No module named 'setuptools'", "where setuptools is not installed"),
    ("ModuleNotFoundError: No module named 'setuptools_scm'", "imports setuptools_scm, which an isolated build"),
    ("xcrun: error: invalid active developer path (/Library/Developer/CommandLineTools)", "compiler of Xcode"),
)


@pytest.mark.parametrize(("line", "said"), FAILURES, ids=[said for _, said in FAILURES])
@pytest.mark.parametrize("is_tail", [False, True], ids=["whole", "the end only"])
def test_why_it_did_not_build(line: str, said: str, is_tail: bool) -> None:
    if is_tail and "No module named" in line:
        return  # Only the head says that it is a build.
    head = "" if is_tail else f"Collecting foo==1.0\n{HEAD}"
    text = f"{head}      {line}\n      [end of output]\n  ERROR: Failed building wheel for foo\n"
    log = read_log(text)
    found = by_log(context_of(log), log, [])
    assert [each.rule for each in found] == ["TL524"]
    assert said in found[0].message and "{" not in found[0].message


def test_the_next_build_is_another_one() -> None:
    text = f"Collecting foo==1.0\n{HEAD}      error: x\n      [end of output]\nerror: can't find Rust compiler\n"
    log = read_log(text)
    (finding,) = by_log(context_of(log), log, [])
    assert finding.message.endswith("its output in the log says why")


def test_the_cache_of_uv_names_a_package_whose_head_is_not_pasted() -> None:
    cache = "/Users/u/.cache/uv/built-wheels-v3/pypi/fugashi/1.3.0/DE5_JVo/fugashi-1.3.0.tar.gz"
    log = read_log(
        f'  File "{cache}/fugashi_util.py", line 58, in check_libmecab\n    raise RuntimeError("Could not")\n'
        "RuntimeError: Could not configure working env. Have you installed MeCab?\n"
    )
    (found,) = by_log(context_of(log), log, [])
    assert found.message.startswith("fugashi 1.3.0 was compiled here and did not build: its build needs MeCab")
    assert found.remedy is not None and [each.line for each in found.remedy.commands] == ["brew install mecab"]
