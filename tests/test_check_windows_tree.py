"""Trees of Windows whose machine is not known: DLLs of torch that are gone, and those that Windows may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, run
from support.libraries import pe
from support.site_folder import install, write

OF_VISUAL_CXX = "libomp140.x86_64.dll"
OWN = "libiomp5md.dll"


def staged(folder: Path, version: str, openmp: str = OWN) -> Path:
    """A torch for Windows with the DLLs that import each other as those of its wheels (2.4.0, 2.4.1) do."""
    site = folder / "venv" / "Lib" / "site-packages"
    site.mkdir(parents=True)
    write(folder / "venv" / "pyvenv.cfg", "home = C:\\Python311\nversion = 3.11.9\n")
    needs: dict[str, list[str]] = {
        "torch_python.dll": ["torch_cpu.dll", "c10.dll"],
        "torch_cpu.dll": ["c10.dll", "fbgemm.dll"],
        "fbgemm.dll": ["asmjit.dll", openmp],
        "c10.dll": ["kernel32.dll"],
        "shm.dll": ["c10.dll"],
        "asmjit.dll": [],
    }
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "dlls = glob.glob(os.path.join(th_dll_path, '*.dll'))\n",
        "torch/version.py": f"__version__ = '{version}'\ncuda = None\nhip = None\n",
        "torch/_C.cp311-win_amd64.pyd": pe({"torch_python.dll": []}),
        **{f"torch/lib/{name}": pe({each: [] for each in below}) for name, below in needs.items()},
        f"torch/lib/{OWN}": pe(),
    }
    install(site, "torch", version, files, tag="cp311-cp311-win_amd64")
    return site


def check(capsys: pytest.CaptureFixture[str], site: Path) -> dict[str, Any]:
    return run(capsys, "--path", site, "--ignore", "TL615")


@pytest.mark.parametrize("name", ["fbgemm.dll", "asmjit.dll", "c10.dll", "torch_cpu.dll"])
def test_a_dll_that_an_antivirus_removed(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "2.4.1+cpu")
    (site / "torch" / "lib" / name).unlink()
    report = check(capsys, site)
    assert bad(report) == [("error", "TL601")]
    assert name in first(report)["message"]
    assert "If an antivirus program removed the file" in first(report)["remedy"]["summary"]
    assert "--force-reinstall" in report["command"]


def test_a_dll_that_windows_may_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """conda and other packages have this one, too."""
    site = staged(tmp_path, "2.4.1+cpu")
    (site / "torch" / "lib" / OWN).unlink()
    report = check(capsys, site)
    assert bad(report) == [("warning", "TL601")]
    assert f"Windows may find another {OWN} on the PATH" in first(report)["because"]


def test_a_whole_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bad(check(capsys, staged(tmp_path, "2.4.1+cpu"))) == []


def test_a_source_file_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "2.4.1+cpu")
    (site / "torch" / "__init__.py").unlink()
    assert "antivirus" not in str(check(capsys, site))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.4.0+cpu", "install torch 2.4.1, which does not need this DLL"),
        ("2.5.0+cpu", "install another build of this torch"),
    ],
)
def test_the_openmp_library_that_torch_does_not_have(
    tmp_path: Path, version: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the machine has it is unknown, and the note says what helps if it does not."""
    report = check(capsys, staged(tmp_path, version, OF_VISUAL_CXX))
    assert bad(report) == []
    note = first(report)
    assert f"fbgemm.dll needs {OF_VISUAL_CXX}: the machine was not examined" in note["message"]
    assert note["remedy"]["summary"].startswith("If the machine does not have the OpenMP library of Visual C++: ")
    assert words in note["remedy"]["summary"]
