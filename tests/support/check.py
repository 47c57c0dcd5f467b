"""Runs of ``check`` over a small staged stack: torch, torchaudio and soundfile that go together."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from support.libraries import elf
from support.site_folder import install, write
from torchlock.cli.main import main

CXX = "_ZN5torch3jit17parseSchemaOrNameERKSs"


def torch_files(
    version: str = "2.8.0+cpu", cuda: str = "None", exports: tuple[str, ...] = (CXX,)
) -> dict[str, bytes | str]:
    """A torch as small as can be, whose import the loader can follow."""
    return {
        "torch/__init__.py": "from torch import version\nfrom torch import functional\n",
        "torch/functional.py": "",
        "torch/version.py": f"__version__ = '{version}'\ncuda = {cuda}\nhip = None\n",
        "torch/testing/extra.py": "",
        "torch/_C.so": elf("", ["libtorch_python.so"], runpath="$ORIGIN/lib"),
        "torch/lib/libtorch_python.so": elf("libtorch_python.so", ["libtorch_cpu.so"], runpath="$ORIGIN"),
        "torch/lib/libtorch_cpu.so": elf("libtorch_cpu.so", exports=exports),
        "torch/lib/libtorch_global_deps.so": elf("libtorch_global_deps.so"),
    }


def audio_files(
    version: str = "2.8.0+cpu", needed: tuple[str, ...] = ("libtorch_cpu.so",), uses: tuple[str, ...] = (CXX,)
) -> dict[str, bytes | str]:
    """A torchaudio to go with it."""
    return {
        "torchaudio/__init__.py": "from . import functional\n",
        "torchaudio/functional.py": "",
        "torchaudio/version.py": f"__version__ = '{version}'\n",
        "torchaudio/_extension/__init__.py": "_check_cuda_version()\n",
        "torchaudio/lib/libtorchaudio.so": elf("", needed, [], uses),
    }


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site folder with a torch, a torchaudio and soundfile that go together."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    stage_audio(folder)
    install(folder, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": elf()})
    return folder


def stage_torch(site: Path, version: str = "2.8.0+cpu", **words: Any) -> None:
    install(site, "torch", version, torch_files(version, **words), tag="cp311-cp311-manylinux_2_28_x86_64")


# What the releases of the stable interface declare; each earlier one declares the torch of its own version.
_DECLARED = {"2.11.0": "", "2.11.1": "Requires-Dist: torch (>=2.11)\n"}


def stage_audio(site: Path, version: str = "2.8.0+cpu", **words: Any) -> None:
    public = version.partition("+")[0]
    headers = _DECLARED.get(public, f"Requires-Dist: torch (=={public})\n")
    files = audio_files(version, **words)
    install(site, "torchaudio", version, files, headers=headers, tag="cp311-cp311-manylinux_2_28_x86_64")


def remove(site: Path, name: str) -> None:
    for path in [site / name, *site.glob(f"{name}-*.dist-info")]:
        shutil.rmtree(path)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int | None = None) -> dict[str, Any]:
    """The report as JSON."""
    ended = main(["check", *map(str, words), "--format", "json"])
    out = capsys.readouterr().out
    if code is not None:
        assert ended == code, out
    report: dict[str, Any] = json.loads(out)
    assert_remedies(report)
    return report


def assert_remedies(report: dict[str, Any]) -> None:
    """Every error and every warning has a remedy, or a sentence that says why there is none."""
    for each in report["files"][0]["findings"]:
        assert each["severity"] == "note" or each["remedy"], f"no remedy: {each['rule']} {each['message']}"


def bad(report: dict[str, Any]) -> list[tuple[str, str]]:
    (file,) = report["files"]
    return [(each["severity"], each["rule"]) for each in file["findings"] if each["severity"] != "note"]


def first(report: dict[str, Any]) -> dict[str, Any]:
    finding: dict[str, Any] = report["files"][0]["findings"][0]
    return finding


def rules_below(finding: dict[str, Any]) -> list[str]:
    return [effect["rule"] for effect in finding["consequences"]]


def image(site: Path, *libraries: str) -> Path:
    root = site.parents[2]
    write(root / "etc" / "os-release", "ID=debian\nVERSION_ID=12\n")
    write(root / "lib64" / "libc.so.6", elf("libc.so.6", defines=["GLIBC_2.17", "GLIBC_2.28"]))
    for name in libraries:
        write(root / "usr" / "lib" / name, elf(name))
    return root


def python_over(tmp_path: Path, site: Path, *variables: str) -> Path:
    """A script that starts this Python with folders and variables of its own, as environment modules do."""
    lines = "".join(f"export {each}\n" for each in (f"PYTHONPATH={site}", *variables))
    script = write(tmp_path / "python", f'#!/bin/sh\n{lines}exec {sys.executable} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


TORCH = """
__version__ = "2.8.0"
class cuda:
    is_available = staticmethod(lambda: False)
"""
