"""Packages that ``import torch`` imports by their entry point: one that does not load ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, first, run
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write

NPU = "_ZN5torch3npu9undefinedEv"
OF_TORCH = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
ENTRY = "[torch.backends]\n{entry} = {module}:_autoload\n"


def backend(
    site: Path, name: str, library: str, needed: tuple[str, ...], uses: tuple[str, ...] = (), entry: str = "own"
) -> None:
    """Install a package of a vendor with one library; no entry point for ``entry=""``."""
    module = name.replace("-", "_")
    files: dict[str, bytes | str] = {f"{module}/__init__.py": "", f"{module}/{library}": elf("", needed, [], uses)}
    install(site, name, "2.6.10", files, tag="cp311-cp311-linux_x86_64")
    if entry:
        (info,) = site.glob(f"{module}-*.dist-info")
        text = f"[console_scripts]\nipexrun = x:y\n\n{ENTRY.format(entry=entry, module=module)}"
        write(info / "entry_points.txt", text)


@pytest.mark.parametrize(
    ("name", "library", "needed", "uses", "rule"),
    [
        ("intel-extension-for-pytorch", "lib/libintel-ext-pt-gpu.so", ("libc10_xpu.so",), (), "TL610"),
        ("torch-npu", "_C.cpython-311-x86_64-linux-gnu.so", ("libtorch_cpu.so",), (OF_TORCH,), "TL611"),
        ("torch-xla", "_XLAC.cpython-311-x86_64-linux-gnu.so", ("libtorch_cuda.so",), (), "TL610"),
    ],
)
def test_a_package_that_torch_imports_by_itself(
    site: Path,
    name: str,
    library: str,
    needed: tuple[str, ...],
    uses: tuple[str, ...],
    rule: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """https://github.com/intel/intel-extension-for-pytorch/issues/804"""
    backend(site, name, library, needed, uses)
    report = run(capsys, "--path", site, code=1)
    assert bad(report) == [("error", rule)]
    assert first(report)["message"].endswith("does not have: import torch ends with it")
    assert first(report)["says"].startswith("RuntimeError: Failed to load the backend extension: own.")
    assert "TORCH_DEVICE_BACKEND_AUTOLOAD=0" in first(report)["remedy"]["summary"]
    assert report["command"].endswith(f"uninstall -y {name}")


@pytest.mark.parametrize(
    "words",
    [
        {"entry": ""},  # torch does not import it
        {"library": "_other.cpython-311-x86_64-linux-gnu.so"},  # the package may do without it
        {"needed": ("libtorch_cpu.so",)},  # it loads
    ],
)
def test_a_package_that_does_not_end_the_import(
    site: Path, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {"library": "_C.cpython-311-x86_64-linux-gnu.so", "needed": ("libtorch_cuda.so",), **words}
    backend(site, "torch-npu", **wanted)  # type: ignore[arg-type]
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_a_torch_that_imports_no_packages(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Releases before 2.5 do not know the entry point."""
    write(site / "torch" / "version.py", "__version__ = '2.4.1+cpu'\ncuda = None\n")
    backend(site, "torch-npu", "_C.cpython-311-x86_64-linux-gnu.so", ("libtorch_cuda.so",))
    report = run(capsys, "--path", site, code=1)
    assert "import torch ends with it" not in str(report)
