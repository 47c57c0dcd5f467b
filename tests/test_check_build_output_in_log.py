"""Builds that fail because torch does not load: the library in their output counts, not the installer's frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, run
from support.check import site as site
from support.site_folder import write
from torchlock.check.log import read_log

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
        report["summary"] == "flash-attn 2.5.8 was compiled here and did not build; its output in the log says why"
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
