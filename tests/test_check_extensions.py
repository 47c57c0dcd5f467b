"""Extension modules of others, linked against one torch: what must be left alone first."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import CXX, bad, first, run, stage_audio, stage_torch
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write

OLD = "_ZN3c105ErrorC2ENS_14SourceLocationESs"
NEW = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
CUDA = "flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so"


def flash_attention(
    site: Path,
    *,
    uses: tuple[str, ...] = (CXX,),
    needed: tuple[str, ...] = ("libtorch_cpu.so",),
    name: str = CUDA,
    headers: str = "Requires-Dist: torch\n",
) -> None:
    files: dict[str, bytes | str] = {"flash_attn/__init__.py": "", name: elf("", needed, [], uses)}
    install(site, "flash-attn", "2.7.4.post1", files, headers=headers, tag="cp311-cp311-linux_x86_64")


# What must be left alone.


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"uses": (CXX, "_ZN4mine4codeEv", "ncclCommInit")},  # of a library that the package loads before
        {"needed": ("libtorch_cpu.so", "libmine.so")},
        {"uses": (NEW,), "headers": 'Requires-Dist: torch; extra == "test"\n'},
        {"uses": (NEW,), "name": "flash_attn/libflash_cuda118.so"},  # one of several that it chooses from
    ],
)
def test_an_extension_that_torch_is_not_to_blame_for(
    site: Path, words: dict[str, tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    flash_attention(site, **words)  # type: ignore[arg-type]
    report = run(capsys, "--path", site, code=0)
    assert [each["rule"] for each in report["files"][0]["findings"] if "flash" in each["message"]] == []


def test_a_module_that_its_package_may_do_without_is_a_note(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flash_attention(site, uses=(NEW,), name="flash_attn/_C.abi3.so")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert "_C.abi3.so uses a form of c10::Error::Error, which this torch does not have" in str(report)


# What is wrong.


@pytest.mark.triggers("TL611")
def test_an_extension_for_another_abi(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """flash-attention's issue 1783: built before torch went over to the C++ ABI of GCC 5."""
    write(site / "torch" / "lib" / "libc10.so", elf("libc10.so", exports=[NEW]))
    flash_attention(site, uses=(OLD,))
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL611")]
    finding = first(report)
    old = "flash-attn 2.7.4.post1 was compiled with the old C++ string ABI (_GLIBCXX_USE_CXX11_ABI=0), "
    assert finding["message"].startswith(
        f"{old}torch 2.8.0 (CPU build) with the new one (=1): {CUDA} uses a form of c10::Error"
    )
    assert finding["says"].endswith(f"{CUDA}: undefined symbol: {OLD}")
    assert "--no-build-isolation" in report["command"]
    assert report["command"].endswith("flash-attn==2.7.4.post1")


@pytest.mark.triggers("TL610")
def test_an_extension_for_a_torch_with_cuda(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flash_attention(site, needed=("libtorch_cuda.so", "libtorch_cpu.so"))
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL610")]
    assert "needs libtorch_cuda.so, which torch 2.8.0 (CPU build) does not have" in first(report)["message"]


def test_a_torchaudio_for_another_abi(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A torch of conda's own channel under a torchaudio from the index (audio's issue 3335)."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    write(folder / "torch" / "lib" / "libc10.so", elf("libc10.so", exports=[OLD]))
    stage_audio(folder, uses=("_ZNK5torch8autograd4Node4nameB5cxx11Ev",))
    finding = first(run(capsys, "--path", folder, code=1))
    assert finding["rule"] == "TL611"
    assert (
        "with the new C++ string ABI (_GLIBCXX_USE_CXX11_ABI=1), torch 2.8.0 (CPU build) with the old"
        in finding["message"]
    )


def test_who_asks_for_a_torchaudio_that_is_not_there_is_told_which_one_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    install(folder, "torch-audiomentations", "0.12.0", headers="Requires-Dist: torchaudio>=0.9.0\n")
    report = run(capsys, "--path", folder, code=0)
    assert bad(report) == [("warning", "TL609")]
    assert "torchaudio==2.8.0" in report["command"]


def test_a_torch_of_conda_over_a_later_mkl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torch's issue 123097; the same torch over MKL 2024.0, which has the symbol, is left alone."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    stage_audio(folder)
    library, prefix = "libmkl_intel_thread.so.2", tmp_path / "env"
    content = elf(
        "libtorch_cpu.so", [library], [CXX], ["iJIT_NotifyEvent", "ncclInit"], rpath="$ORIGIN/../../../.."
    )
    path = folder / "torch" / "lib" / "libtorch_cpu.so"
    path.unlink()
    write(path, content)
    (folder / "torch-2.8.0+cpu.dist-info" / "RECORD").unlink()
    write(prefix / "conda-meta" / "mkl-2024.1.0-ha957f24_693.json", "{}")
    write(prefix / "lib" / library, elf(library, exports=["iJIT_NotifyEvent"]))
    assert bad(run(capsys, "--path", folder, "--ignore", "TL604", code=0)) == []
    write(prefix / "lib" / library, elf(library))
    report = run(capsys, "--path", folder, "--ignore", "TL604", code=1)
    assert (
        first(report)["message"]
        == "libtorch_cpu.so of torch uses iJIT_NotifyEvent, which MKL 2024.1.0 does not have"
    )
    assert report["command"] == f'conda install -y -p {prefix} "mkl<2024.1"'
    line = f"ImportError: {path}: undefined symbol: iJIT_NotifyEvent"
    log = write(tmp_path / "log", f"Traceback (most recent call last):\n{line}\n")
    assert run(capsys, "--path", folder, "--log", log, "--ignore", "TL604", code=1)["command"] == report["command"]


@pytest.mark.parametrize(
    ("version", "says"),
    [("0.15.2", None), ("0.16.2", None), ("0.17.0", "RuntimeError: operator torchvision::nms does not exist")],
)
def test_what_python_says_of_a_torchvision_whose_library_does_not_load(
    version: str, says: str | None, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.15.2 and 0.16.2 were imported beside torch 2.14.1, 0.17.0 beside 2.13.0: it raises."""
    files: dict[str, bytes | str] = {
        "torchvision/__init__.py": "",
        "torchvision/_C.so": elf("", ("libtorch_cpu.so",), [], (OLD,)),
    }
    files |= {"torchvision/_meta_registrations.py": ""} if version != "0.15.2" else {}
    install(site, "torchvision", version, files)
    report = run(capsys, "--path", site, code=1)
    told = [*report["files"][0]["findings"], *first(report)["consequences"]]
    found = next(each for each in told if each["rule"] == "TL611")
    assert found["says"] == says
    assert ("its operators do not work" in (found["because"] or "")) == (says is None)
