"""Which libraries of NVIDIA's packages torch opens by path: those of its own list, and what these need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.check import bad, first, image, run, torch_files
from support.libraries import elf
from support.site_folder import install, write
from torchlock.inspect.loading.preloads import rescued
from torchlock.knowledge.cuda_libraries import with_cuda

_Spelled = Callable[[dict[str, str]], str]
LISTED = {"cublas": "libcublas.so.12", "cuda_runtime": "libcudart.so.12"}
MORE = [
    ("cusparselt", "libcusparseLt.so.0"),
    ("cufile", "libcufile.so.0"),
    ("nvshmem", "libnvshmem_host.so.3"),
    ("nvjitlink", "libnvJitLink.so.12"),
]


def as_dictionary(rows: dict[str, str]) -> str:
    """The list as torch 2.1 to 2.8 have it."""
    body = "".join(f'            "{folder}": "{pattern}",\n' for folder, pattern in rows.items())
    return f"    except OSError as err:\n        cuda_libs: dict[str, str] = {{\n{body}        }}\n"


def as_pairs(rows: dict[str, str]) -> str:
    """The list as later releases have it, with one library that need not be there."""
    body = "".join(f'        ("{folder}", "{pattern}"),\n' for folder, pattern in rows.items())
    optional = '    _preload_cuda_lib("nvtx", "libnvToolsExt.so.*[0-9]", required=False)\n'
    return f"def _preload_cuda_deps(err=None):\n    cuda_libs: list[tuple[str, str]] = [\n{body}    ]\n{optional}"


def stage(root: Path, source: str, folder: str, library: str) -> Path:
    """torch in lib64 and NVIDIA's packages in lib, where only torch itself finds them."""
    site, pure = (root / each / "python3.11/site-packages" for each in ("lib64", "lib"))
    site.mkdir(parents=True)
    files = torch_files("2.7.0+cu126", cuda="'12.6'")
    own = [*LISTED.values(), "libcublasLt.so.12", library]
    files["torch/lib/libtorch_global_deps.so"] = elf("libtorch_global_deps.so", [*LISTED.values()])
    files["torch/lib/libtorch_cuda.so"] = elf("libtorch_cuda.so", own)
    files["torch/lib/libtorch_python.so"] = elf(
        "libtorch_python.so", ["libtorch_cpu.so", "libtorch_cuda.so"], runpath="$ORIGIN"
    )
    install(site, "torch", "2.7.0+cu126", {**files, "torch/__init__.py": source})
    for name, file in {**LISTED, folder: library}.items():
        content = {f"nvidia/{name}/lib/{file}": elf(file), f"nvidia/{name}/__init__.py": ""}
        install(pure, f"nvidia-{name.replace('_', '-')}-cu12", "12.6", content)
    write(pure / "nvidia/cublas/lib/libcublasLt.so.12", elf("libcublasLt.so.12"))  # beside one of the list
    image(site)
    return site


@pytest.mark.parametrize("spelled", [as_dictionary, as_pairs])
@pytest.mark.parametrize(("folder", "library"), MORE)
def test_a_library_that_is_not_in_the_list(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spelled: _Spelled,
    folder: str,
    library: str,
) -> None:
    """https://github.com/pytorch/pytorch/issues/144433, 148120 and 169330"""
    rows = {name: f"{file.partition('.so')[0]}.so.*[0-9]" for name, file in LISTED.items()}
    site = stage(tmp_path, spelled(rows), folder, library)
    report = run(capsys, "--path", site, "--root", tmp_path, "--ignore", "TL615")
    assert bad(report) == [("error", "TL610")]
    assert first(report)["message"] == f"libtorch_cuda.so of torch needs {with_cuda(library)}, which is not found"
    assert "where torch does not search" in first(report)["because"]
    assert f"nvidia/{folder}/lib" in report["command"]


@pytest.mark.parametrize("spelled", [as_dictionary, as_pairs])
@pytest.mark.parametrize(("folder", "library"), MORE)
def test_a_library_of_the_list(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spelled: _Spelled,
    folder: str,
    library: str,
) -> None:
    files = {**LISTED, folder: library}
    rows = {name: f"{file.partition('.so')[0]}.so.*[0-9]" for name, file in files.items()}
    site = stage(tmp_path, spelled(rows), folder, library)
    assert bad(run(capsys, "--path", site, "--root", tmp_path, "--ignore", "TL615")) == []


def test_a_source_without_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as torch 1.13, or a module that cannot be read: all libraries count."""
    site = stage(tmp_path, "", *MORE[0])
    assert bad(run(capsys, "--path", site, "--root", tmp_path, "--ignore", "TL615")) == []


def test_what_a_build_adds_for_some_versions_of_cuda(tmp_path: Path) -> None:
    more = '            if t_major >= 12:\n                cuda_libs["cufile"] = "libcufile.so.*[0-9]"\n'
    write(tmp_path / "__init__.py", as_dictionary({"cublas": "libcublas.so.*[0-9]"}) + more)
    assert rescued(str(tmp_path)) == ("libcublas.so.*[0-9]", "libcufile.so.*[0-9]")
