"""CUDA libraries beside torch: those of other packages, parts of two cuDNN releases, what torch opens first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, image, run, torch_files
from support.libraries import elf
from support.site_folder import install, write
from torchlock.inspect.loading.preloads import Preloads, read_preloads
from torchlock.inspect.loading.root import Root

PARTS = ("libcudnn.so.9", "libcudnn_graph.so.9", "libcudnn_cnn.so.9")
CUDNN = "$ORIGIN/../../nvidia/cudnn/lib"
OPENS = b"libcudnn_engines_tensor_ir.so"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch 2.5.1 for CUDA 12.4 with its cuDNN, on a machine of its own."""
    folder = tmp_path / "root" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    headers = (
        "Requires-Dist: nvidia-cudnn-cu12==9.1.0.70\nRequires-Dist: triton==3.1.0; platform_system == 'Linux'\n"
    )
    files = torch_files("2.5.1+cu124", cuda="'12.4'")
    files["torch/lib/libtorch_cuda.so"] = elf("libtorch_cuda.so", ["libcudnn.so.9"], rpath=CUDNN)
    below = ["libtorch_cpu.so", "libtorch_cuda.so"]
    files["torch/lib/libtorch_python.so"] = elf("libtorch_python.so", below, runpath="$ORIGIN")
    install(folder, "torch", "2.5.1+cu124", files, headers=headers, tag="cp311-cp311-linux_x86_64")
    parts = {f"nvidia/cudnn/lib/{name}": elf(name, runpath="$ORIGIN") for name in PARTS}
    install(folder, "nvidia-cudnn-cu12", "9.1.0.70", parts)
    image(folder)
    return folder


@pytest.fixture
def inside(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The variables of the test are those of the staged machine; the value is its root folder."""
    real = Root.__init__

    def init(self: Root, folder: str = "/", environ: object = None, machine: str = "x86_64") -> None:
        real(self, folder, os.environ, machine)

    monkeypatch.setattr(Root, "__init__", init)
    return site.parents[2]


def check(capsys: pytest.CaptureFixture[str], site: Path, *words: str | Path) -> dict[str, Any]:
    return run(capsys, "--path", site, "--ignore", "TL615", *words)


def logged(capsys: pytest.CaptureFixture[str], site: Path, text: str) -> dict[str, Any]:
    return check(capsys, site, "--log", write(site.parent / "log", text))


def noted(report: dict[str, Any], rule: str) -> list[str]:
    return [each["message"] for each in report["files"][0]["findings"] if each["rule"] == rule]


def other_cudnn(root: Path, folder: str, version: str, *names: str) -> None:
    """Another release in a folder of the machine, as its packages have it: links to files with the version."""
    for name in names or PARTS:
        write(root / folder / f"{name.removesuffix('.9')}.{version}", elf(name))
        (root / folder / name).symlink_to(f"{name.removesuffix('.9')}.{version}")


@pytest.mark.triggers("TL231")
def test_a_part_of_another_cudnn(
    site: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other_cudnn(inside, "usr/local/cuda/lib64", "9.5.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/lib64")
    report = check(capsys, site)
    assert ("warning", "TL231") in bad(report)
    assert "takes libcudnn_cnn.so.9 from cuDNN 9.5.1, " in first(report)["message"]
    assert report["command"] == "unset LD_LIBRARY_PATH"


@pytest.mark.leaves_alone("TL231")
@pytest.mark.parametrize(("version", "variable"), [("9.1.0", "/usr/local/cuda/lib64"), ("9.5.1", "")])
def test_the_same_cudnn_twice_or_another_that_is_not_searched(
    site: Path,
    inside: Path,
    version: str,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other_cudnn(inside, "usr/local/cuda/lib64", version)
    monkeypatch.setenv("LD_LIBRARY_PATH", variable)
    assert bad(check(capsys, site)) == []


def test_a_torch_that_takes_all_of_cudnn_from_the_other_folder(
    site: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no RPATH, so that the variable comes first for the first library, too."""
    write(site / "torch/lib/libtorch_cuda.so", elf("libtorch_cuda.so", ["libcudnn.so.9"], runpath=CUDNN))
    other_cudnn(inside, "usr/local/cuda/lib64", "9.5.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/lib64")
    assert "TL231" not in {rule for _, rule in bad(check(capsys, site))}


@pytest.mark.parametrize(("content", "is_mixed"), [(OPENS, True), (b"", False)])
def test_an_engine_that_only_the_machine_has(
    site: Path, inside: Path, content: bytes, is_mixed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    other_cudnn(inside, "usr/lib", "9.23.0", "libcudnn_engines_tensor_ir.so.9")
    graph = site / "nvidia/cudnn/lib/libcudnn_graph.so.9"
    (metadata,) = site.glob("nvidia_cudnn*/RECORD")
    metadata.write_text("".join(f"{line.split(',')[0]},,\n" for line in metadata.read_text().splitlines()))
    write(graph, graph.read_bytes() + content)
    assert (("warning", "TL231") in bad(check(capsys, site))) is is_mixed


@pytest.mark.parametrize(("name", "is_incomplete"), [("libcudnn_cnn.so.9", False), ("libcudnn_graph.so.9", True)])
def test_a_cudnn_of_which_a_part_is_elsewhere(
    name: str,
    *,
    is_incomplete: bool,
    site: Path,
    inside: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """torch takes the first library from a folder that does not have all of its parts."""
    write(site / "torch/lib/libtorch_cuda.so", elf("libtorch_cuda.so", ["libcudnn.so.9"], runpath=CUDNN))
    names = ["libcudnn.so.9", name, *([] if is_incomplete else ["libcudnn_graph.so.9"])]
    other_cudnn(inside, "backends/lib", "9.24.0", *names)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/backends/lib")
    report = check(capsys, site)
    assert (("warning", "TL231") in bad(report)) is is_incomplete
    lost = noted(report, "TL231")
    assert not lost or "takes libcudnn.so.9 of cuDNN 9.24.0 from" in lost[0]
    assert not lost or "libcudnn_cnn.so.9 is missing: only nvidia-cudnn-cu12 9.1.0.70 has it" in lost[0]


LACKED = "Error: {user}: undefined symbol: _ZN5cudnn3cnn4callEv, version libcudnn_cnn_infer.so.8"


@pytest.mark.parametrize(
    "user", ["/usr/local/cuda/lib64/libcudnn_cnn_train.so.8", "/opt/x/libcudnn_adv_infer.so.8"]
)
def test_the_other_wording_of_a_library_of_another_release(
    user: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"Could not load library {Path(user).name}. {LACKED.format(user=user)}\n"
    report = logged(capsys, site, line)
    assert ("error", "TL613") in bad(report)
    assert "loaded a libcudnn_cnn_infer.so.8 of another release" in first(report)["message"]
    assert f"Remove the folder {Path(user).parent} from LD_LIBRARY_PATH" in first(report)["remedy"]["summary"]


def test_a_triton_that_is_not_the_one_of_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "TL609" not in str(check(capsys, site)), "torch works without triton"
    install(site, "triton", "3.3.1")
    report = check(capsys, site)
    assert "TL609" not in str(bad(report))
    assert noted(report, "TL609") == ["torch 2.5.1+cu124 asks for triton 3.1.0, and 3.3.1 is installed"]


def test_a_log_of_mixed_cudnn_where_nothing_is_mixed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = logged(capsys, site, "RuntimeError: cuDNN error: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH\n")
    assert first(report)["rule"] == "TL231"
    assert report["command"].startswith("export LD_LIBRARY_PATH=") and "/nvidia/cudnn/lib$" in report["command"]


def bitsandbytes(site: Path, version: str, *libraries: str) -> None:
    files: dict[str, bytes | str] = {f"bitsandbytes/libbitsandbytes_cuda{each}.so": elf() for each in libraries}
    files["bitsandbytes/cextension.py"] = "library_name = cuda_specs.cuda_version_string\n"
    install(site, "bitsandbytes", version, files)


MISSING = "RuntimeError: Configured CUDA binary not found at /x/bitsandbytes/libbitsandbytes_cuda124.so\n"


@pytest.mark.triggers("TL232")
@pytest.mark.parametrize(
    ("version", "command"),
    [("0.46.0", 'python -m pip install "bitsandbytes>=0.48.2"'), ("0.49.0", "export BNB_CUDA_VERSION=126")],
)
def test_a_bitsandbytes_without_the_library(
    site: Path, version: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bitsandbytes(site, version, "118", "126")
    assert bad(check(capsys, site)) == []
    assert len(noted(check(capsys, site), "TL232")) == 1
    report = logged(capsys, site, MISSING)
    assert bad(report) == [("warning", "TL232")]
    assert first(report)["because"] == "it has libraries for CUDA 11.8, 12.6"
    assert report["command"] == command


@pytest.mark.leaves_alone("TL232")
@pytest.mark.parametrize("libraries", [("124", "126"), ()])
def test_a_bitsandbytes_with_the_library(
    site: Path, libraries: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    bitsandbytes(site, "0.48.2", *libraries)
    assert noted(check(capsys, site), "TL232") == []


TRITON = "torch._inductor.exc.TritonMissing: Cannot find a working triton installation.\n"


@pytest.mark.triggers("TL233")
@pytest.mark.parametrize("there", ["", "2.3.1"])
def test_a_triton_that_is_missing_or_of_another_torch(
    site: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if there:
        install(site, "triton", there, {"triton/__init__.py": ""})
    report = logged(capsys, site, TRITON)
    assert first(report)["rule"] == "TL233"
    assert report["command"] == "python -m pip install triton==3.1.0"


@pytest.mark.leaves_alone("TL233")
def test_the_triton_of_this_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "triton", "3.1.0", {"triton/__init__.py": ""})
    assert bad(run(capsys, "--path", site)) == []


def test_a_log_of_another_triton(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "triton", "3.1.0", {"triton/__init__.py": ""})
    assert bad(logged(capsys, site, TRITON)) == []


CUBLAS = "RuntimeError: Library libcublas.so.12 is not found or cannot be loaded\n"


@pytest.mark.triggers("TL230")
def test_a_library_that_another_package_does_not_find(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "ctranslate2", "4.7.1", {"ctranslate2/__init__.py": ""})
    install(site, "nvidia-cublas-cu12", "12.4.5.8", {"nvidia/cublas/lib/libcublas.so.12": elf("libcublas.so.12")})
    report = logged(capsys, site, CUBLAS)
    assert "it is in" in first(report)["message"]
    assert report["command"].startswith("export LD_LIBRARY_PATH=/lib/python3.11/site-packages/nvidia/cublas/lib:")


@pytest.mark.leaves_alone("TL230")
def test_no_package_that_opens_a_library_of_cuda(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert noted(run(capsys, "--path", site), "TL230") == []


def test_a_log_of_a_package_that_is_not_here(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bad(logged(capsys, site, CUBLAS)) == []


BEGIN = "    try:\n        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)\n"
END = "    except OSError as err:\n        pass\n"
ONE = '        if version.cuda not in ["12.4", "12.6"]:\n            return\n'
ONE += '        if "nvidia/cuda_runtime/lib/libcudart.so" not in _maps:\n            return\n'
ONE += '        _preload_cuda_deps("nvjitlink", "libnvJitLink.so.*[0-9]")\n'
ALL = "def _preload_cuda_deps(err=None):\n    cuda_libs: list[tuple[str, str]] = [\n"
ALL += '        ("cublas", "libcublas.so.*[0-9]"),\n'
ALL += '        ("nvjitlink", "libnvJitLink.so.*[0-9]"),\n    ]\n'
CALL = '        if "libcudart.so" not in _maps:\n            return\n        _preload_cuda_deps()\n'
JIT = ("nvjitlink", "libnvJitLink.so.*[0-9]")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", Preloads()),
        (BEGIN + END, Preloads()),
        (BEGIN + ONE + END, Preloads((JIT,), "nvidia/cuda_runtime/lib/libcudart.so", ("12.4", "12.6"))),
        (
            ALL + BEGIN + CALL + END,
            Preloads((("cublas", "libcublas.so.*[0-9]"), JIT), "libcudart.so"),
        ),
    ],
    ids=["nothing", "torch 2.5.0", "torch 2.6", "torch 2.13"],
)
def test_what_torch_opens_first(tmp_path: Path, source: str, expected: Preloads) -> None:
    write(tmp_path / "__init__.py", source)
    assert read_preloads(str(tmp_path)) == expected


UNKNOWN = "_ZN3c1015SmallVectorBaseIjE8grow_podEPKvmm"


@pytest.mark.parametrize(
    ("name", "file", "alone"),
    [
        # Its import is known to load its modules, so that no log is needed.
        ("torch-scatter", "torch_scatter/_scatter_cuda.so", [("warning", "TL611")]),
        ("apex", "amp_C.cpython-311-x86_64-linux-gnu.so", []),
        ("mmcv", "mmcv/_ext.cpython-311-x86_64-linux-gnu.so", []),
    ],
)
def test_a_module_that_a_log_names_in_a_package_that_does_not_declare_torch(
    site: Path, name: str, file: str, alone: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    library = elf("", ["libtorch_cpu.so"], [], [UNKNOWN])
    install(site, name, "2.1.2", {file: library, f"{name.replace('-', '_')}/__init__.py": ""})
    assert bad(check(capsys, site)) == alone
    report = logged(capsys, site, f"ImportError: /env/site-packages/{file}: undefined symbol: {UNKNOWN}\n")
    assert bad(report) == [("warning", "TL611")]
    assert f"of {name} 2.1.2 uses a form of c10::SmallVectorBase" in first(report)["message"]
    # The project apex of the index is another one. Of few projects it is known that an index has the source.
    expected = f"--no-binary {name} {name}==2.1.2" if name != "apex" else None
    assert (report["command"] or "").endswith(expected or "") and bool(report["command"]) is bool(expected)


def test_a_module_that_a_log_names_and_that_loads_here(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = "torch_scatter/_scatter_cuda.so"
    install(site, "torch-scatter", "2.1.2", {file: elf("", ["libtorch_cpu.so"]), "torch_scatter/__init__.py": ""})
    assert (
        bad(logged(capsys, site, f"ImportError: /env/site-packages/{file}: undefined symbol: {UNKNOWN}\n")) == []
    )
