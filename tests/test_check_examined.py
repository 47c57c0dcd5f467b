"""What a check says of what it looked at, and of what it did not: "loads" is for what was examined alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.check import CXX, audio_files, bad, first, image, remove, run, stage_audio, stage_torch
from support.libraries import elf, pe
from support.site_folder import install, tree, write
from torchlock.check import CheckContext, examine, healthy
from torchlock.check.probe_results import compared
from torchlock.cli.main import main
from torchlock.inspect import binaries
from torchlock.inspect.binaries import Binary
from torchlock.inspect.probe import Probe, Step
from torchlock.runtime.files import Unreadable

LINUX = "cp311-cp311-manylinux_2_28_x86_64"
FFMPEG_6 = ["libavutil.so.58", "libavcodec.so.60", "libavformat.so.60", "libswscale.so.7"]
OTHER = "_ZN2at4_ops3addEv"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A torch, and a soundfile with its library."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    install(folder, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": elf()})
    return folder


def notes(report: dict[str, Any], rule: str = "TL907") -> list[str]:
    (file,) = report["files"]
    return [each["message"] for each in file["findings"] if each["rule"] == rule]


def all_rules(report: dict[str, Any]) -> set[str]:
    """Those of what is wrong, and of what follows from it."""
    told = [each for each in report["files"][0]["findings"] if each["severity"] != "note"]
    return {part["rule"] for each in told for part in (each, *each["consequences"])}


# Libraries by the names that each release gave them.

CODECS = {
    "0.1.1": ["libtorchcodec{}"],
    "0.3.0": ["libtorchcodec_decoder{}", "libtorchcodec_custom_ops{}", "libtorchcodec_pybind_ops{}"],
    "0.7.0": ["libtorchcodec_core{}", "libtorchcodec_custom_ops{}", "libtorchcodec_pybind_ops{}"],
    "0.17.0": ["libtorchcodec_core{}", "libtorchcodec_custom_ops{}"],
}


def stage_codec(site: Path, version: str, needed: Sequence[str] = (), **others: bytes) -> None:
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": f"__version__ = '{version}'\n",
        **{f"torchcodec/{name}.so": content for name, content in others.items()},
    }
    for name in CODECS[version.partition("+")[0]]:
        files |= {f"torchcodec/{name.format(n)}.so": elf("", [*FFMPEG_6, *needed]) for n in (6,)}
    install(site, "torchcodec", version, files, tag=LINUX)


@pytest.mark.parametrize("version", CODECS)
def test_no_ffmpeg_is_never_silence(version: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_codec(site, version)
    image(site)
    assert ("warning", "TL304") in bad(run(capsys, "--path", site))
    image(site, *FFMPEG_6, "libavdevice.so.60", "libavfilter.so.9", "libswresample.so.4")
    report = run(capsys, "--path", site)
    assert "TL304" not in {rule for _, rule in bad(report)}
    assert notes(report) == []


def test_a_log_shows_that_a_machine_nobody_looked_at_has_no_ffmpeg(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torch")
    stage_torch(site, "2.5.1+cpu")
    stage_codec(site, "0.1.1")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert "libtorchcodec6.so needs libavutil.so.58" in report["summary"]
    said = (
        "RuntimeError: Could not load libtorchcodec.\nOSError: libavutil.so.58: cannot open shared object file\n"
    )
    log = write(site.parents[3] / "log", said)
    report = run(capsys, "--path", site, "--log", log, code=0)
    assert bad(report) == [("warning", "TL304")]
    assert "needs FFmpeg 6 as shared libraries, and the log shows" in report["summary"]


@pytest.mark.parametrize("name", ["libtorchcodec_image", "libtorchcodec_pybind_ops"])
def test_what_a_torchcodec_opens_without_ffmpeg(name: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_codec(site, "0.17.0", **{name: elf("", ["libtorch_cpu.so", "libjpeg.so.9"])})
    image(site, *FFMPEG_6)
    assert "TL610" in all_rules(run(capsys, "--path", site))
    image(site, *FFMPEG_6, "libjpeg.so.9")
    assert "TL610" not in all_rules(run(capsys, "--path", site))


LAYOUTS = {
    ("torchaudio", "2.8.0"): "torchaudio/lib/libtorchaudio.so",
    ("torchaudio", "0.13.1"): "torchaudio/_torchaudio.so",
    ("torchaudio", "0.7.2"): "torchaudio/_torchaudio.so",
    ("torchaudio", "0.5.1"): "_torch_sox.cpython-311-x86_64-linux-gnu.so",
    ("torchaudio", "2.12.0"): "_torchaudio_new.cpython-311-x86_64-linux-gnu.so",
    ("torchvision", "0.3.0"): "torchvision/_C.cpython-311-x86_64-linux-gnu.so",
    ("torchvision", "0.23.0"): "torchvision/_C.so",
    ("torchvision", "0.29.0"): "torchvision/_C_stable.so",
    ("torchtext", "0.9.0"): "torchtext/_torchtext.so",
    ("torchtext", "0.18.0"): "torchtext/lib/libtorchtext.so",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_symbol_that_torch_has_not_is_seen_in_every_layout(
    layout: tuple[str, str], site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (name, version), path = layout, LAYOUTS[layout]
    for uses in (CXX, OTHER):
        files: dict[str, bytes | str] = {
            f"{name}/__init__.py": "",
            f"{name}/version.py": f"__version__ = '{version}'\n",
            path: elf("", ["libtorch_cpu.so"], [], [uses]),
        }
        install(site, name, version, files, tag=LINUX)
        image(site)
        report = run(capsys, "--path", site)
        assert ("TL611" in all_rules(report)) == (uses == OTHER), report["summary"]
        assert notes(report) == []


@pytest.mark.parametrize(("version", "loads"), [("1.4.0", True), ("1.5.0", False)])
def test_a_torch_before_1_5_offers_its_symbols_to_all(
    version: str, loads: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torch")
    stage_torch(site, version)
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": "__version__ = '0.4.0'\n",
        "_torch_sox.cpython-311-x86_64-linux-gnu.so": elf("", ["libc.so.6"], [], [CXX]),
    }
    install(site, "torchaudio", "0.4.0", files, tag=LINUX)
    image(site)
    report = run(capsys, "--path", site)
    assert ("TL611" in all_rules(report)) is not loads, report["summary"]


# What was not examined.


@pytest.mark.triggers("TL907")
def test_a_torch_without_its_extension(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove(site, "torch")
    install(site, "torch", "2.8.0", {"torch/__init__.py": "", "torch/version.py": "__version__ = '2.8.0'\n"})
    stage_audio(site)
    image(site)
    report = run(capsys, "--path", site, code=0)
    assert " load" not in report["summary"]
    assert "torch 2.8.0 and torchaudio 2.8.0 (CPU build) can be imported was not examined" in report["summary"]
    assert "torch._C was not found" in report["summary"]
    assert len(notes(report)) == 1


@pytest.mark.parametrize(
    ("version", "tag", "platform", "is_told"),
    [
        ("2.8.0", LINUX, "linux-x86_64", True),
        ("2.8.0", "py3-none-any", "linux-x86_64", False),
        ("0.9.0", "cp38-cp38-win_amd64", "windows-amd64", True),
        ("0.8.1", "cp38-cp38-win_amd64", "windows-amd64", False),
    ],
)
def test_a_torchaudio_without_libraries(
    version: str, tag: str, platform: str, is_told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "env" / "lib" / "python3.8" / "site-packages"
    files = dict(WINDOWS) if platform == "windows-amd64" else {}
    site.mkdir(parents=True)
    if files:
        module = files.pop("torch/_C.cp311-win_amd64.pyd")
        install(site, "torch", "1.8.1", {**files, "torch/_C.cp38-win_amd64.pyd": module}, tag=tag)
    else:
        stage_torch(site)
    install(
        site, "torchaudio", version, {"torchaudio/__init__.py": "", **_version("torchaudio", version)}, tag=tag
    )
    report = run(capsys, "--path", site, "--platform", platform)
    assert any("torchaudio" in note for note in notes(report)) is is_told, report["summary"]


def _version(name: str, version: str) -> dict[str, bytes | str]:
    return {f"{name}/version.py": f"__version__ = '{version}'\ncuda = None\n"}


def test_a_library_that_may_not_be_read(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_audio(site)
    image(site)
    real, access = binaries.read_binary, os.access

    def read(path: str, machine: str = "") -> Binary | Unreadable:
        return Unreadable(path, "Permission denied") if _is_closed(path) else real(path, machine)

    monkeypatch.setattr("torchlock.inspect.loading.process.read_binary", read)
    monkeypatch.setattr("os.access", lambda path, mode: not _is_closed(path) and access(path, mode))
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert "libtorchaudio.so: there is no permission to read it" in report["summary"]
    assert "torch 2.8.0 (CPU build) and soundfile 0.13.1 load" in report["summary"]


def _is_closed(path: object) -> bool:
    return str(path).endswith("libtorchaudio.so")


def test_symbols_that_cannot_be_read(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_audio(site)
    image(site)
    real = binaries.read_binary

    def read(path: str, machine: str = "") -> Binary | Unreadable:
        found = real(path, machine)
        if isinstance(found, Binary) and path.endswith("libtorch_cpu.so"):
            found.read_symbols = lambda: Unreadable(path, "the table is of no known kind")
        return found

    monkeypatch.setattr("torchlock.inspect.loading.process.read_binary", read)
    report = run(capsys, "--path", site, code=0)
    assert "torchaudio 2.8.0 (CPU build) can be imported was not examined" in report["summary"]
    assert "its symbols cannot be read: the table is of no known kind" in report["summary"]


def test_a_machine_that_was_not_looked_at(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_audio(site, needed=("libtorch_cpu.so", "libopenblas.so.0", "libc.so.6"))
    report = run(capsys, "--path", site, code=0)
    assert "libtorchaudio.so needs libopenblas.so.0: the machine was not examined" in report["summary"]
    image(site)
    assert ("error", "TL610") in bad(run(capsys, "--path", site))
    image(site, "libopenblas.so.0")
    assert run(capsys, "--path", site, code=0)["summary"].startswith("nothing is wrong: torch 2.8.0 (CPU build)")


def test_an_egg_that_is_an_archive(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "torchaudio-2.8.0-py3.11-linux-x86_64.egg", b"PK\x03\x04")
    image(site)
    report = run(capsys, "--path", site, code=0)
    assert "torchaudio-2.8.0-py3.11-linux-x86_64.egg is an archive" in report["summary"]


def test_an_editable_checkout_that_was_not_built(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = site.parents[3] / "audio" / "src"
    write(source / "torchaudio" / "__init__.py", "")
    write(source / "torchaudio" / "version.py", "__version__ = '2.8.0a0+abc123'\n")
    write(site / "__editable__.torchaudio.pth", f"{source}\n")
    install(site, "torchaudio", "2.8.0a0+abc123", {}, headers="Requires-Dist: torch\n")
    image(site)
    assert any("torchaudio" in note for note in notes(run(capsys, "--path", site)))


@pytest.mark.parametrize("form", ["text", "sarif", "json"])
def test_every_report_says_so(form: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_audio(site, needed=("libtorch_cpu.so", "libopenblas.so.0"))
    assert main(["check", "--path", str(site), "--format", form, "-v"]) == 0
    out = capsys.readouterr().out
    assert "TL907" in out
    assert "libopenblas.so.0" in out
    if form == "text":
        assert not out.startswith("ok:")
    else:
        json.loads(out)


@pytest.mark.leaves_alone("TL614")
def test_what_ran_needs_no_look(site: Path) -> None:
    stage_audio(site, needed=("libtorch_cpu.so", "libopenblas.so.0"))
    context = CheckContext(tree(site))
    found = examine(context)
    assert [each.packages[0][0] for each in found if each.rule == "TL907"] == ["torchaudio"]
    steps = tuple(Step(f"import {name}", "ok") for name in ("torch", "torchaudio"))
    assert [each for each in compared(context, found, Probe(steps)) if each.rule == "TL907"] == []
    assert healthy(context).startswith("nothing is wrong")


# Windows, from another system.

WINDOWS: dict[str, bytes | str] = {
    "torch/__init__.py": "",
    "torch/version.py": "__version__ = '2.4.0+cpu'\ncuda = None\nhip = None\n",
    "torch/_C.cp311-win_amd64.pyd": pe({"torch_python.dll": ["p"], "python311.dll": ["PyX"]}, ["PyInit__C"]),
    "torch/lib/torch_python.dll": pe({"torch_cpu.dll": ["t"], "VCRUNTIME140_1.dll": ["f"]}, ["p"]),
    "torch/lib/torch_cpu.dll": pe(
        {"KERNEL32.dll": ["x"], "api-ms-win-crt-heap-l1-1-0.dll": ["malloc"], "IMAGEHLP.DLL": ["i"]}, ["t"]
    ),
}


def windows(tmp_path: Path, **needed: Sequence[str]) -> Path:
    """A torch 2.4.0 whose torch_cpu.dll needs these DLLs besides: each with what it needs itself."""
    site = tmp_path / "venv" / "Lib" / "site-packages"
    site.mkdir(parents=True)
    files = dict(WINDOWS)
    if needed:
        files["torch/lib/torch_cpu.dll"] = pe({f"{name}.dll": ["f"] for name in needed}, ["t"])
    for name, others in needed.items():
        files[f"torch/lib/{name}.dll"] = pe({other: ["g"] for other in others}, ["f"])
    install(site, "torch", "2.4.0+cpu", files, tag="cp311-cp311-win_amd64")
    return site


@pytest.mark.leaves_alone("TL610", "TL907")
def test_a_tree_of_windows_all_of_which_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--path", windows(tmp_path), "--platform", "windows-amd64", code=0)
    assert report["summary"].startswith("nothing is wrong: torch 2.4.0 (CPU build) loads")


@pytest.mark.parametrize("name", ["MSVCP140.dll", "libomp140.x86_64.dll", "vcomp140.dll", "nvcuda.dll"])
def test_a_dll_that_windows_need_not_have(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = windows(tmp_path, fbgemm=[name])
    report = run(capsys, "--path", site, "--platform", "windows-amd64", code=0)
    assert " load" not in report["summary"]
    assert f"fbgemm.dll needs {name.lower()}: the machine was not examined" in report["summary"]
    # Beside the Python of the environment, as conda has them.
    write(site.parents[1] / name, pe({}, ["g"]))
    report = run(capsys, "--path", site, "--platform", "windows-amd64", code=0)
    assert report["summary"].startswith("nothing is wrong")


LOG = (
    'OSError: [WinError 126] The specified module could not be found. Error loading "C:\\venv\\Lib\\site-packages'
)


@pytest.mark.parametrize(
    ("needs", "lost", "command"),
    [
        (["libomp140.x86_64.dll", "MSVCP140.dll"], "libomp140.x86_64.dll", "torch==2.4.1"),
        (["MSVCP140.dll"], "msvcp140.dll", "winget install"),
    ],
)
def test_a_log_that_names_a_dll_shows_what_it_lacks(
    needs: Sequence[str], lost: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = windows(tmp_path, fbgemm=needs)
    log = write(tmp_path / "log", f'{LOG}\\torch\\lib\\fbgemm.dll" or one of its dependencies.\n')
    report = run(capsys, "--path", site, "--platform", "windows-amd64", "--log", log, code=1)
    assert first(report)["rule"] == "TL610"
    assert report["summary"].startswith(f"fbgemm.dll of torch needs {lost}")
    assert command in report["command"]


def test_a_log_that_names_a_module_shows_what_its_import_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows says which module it cannot load, and not for want of which DLL."""
    words = ["--path", windows(tmp_path, fbgemm=["MSVCP140.dll"]), "--platform", "windows-amd64"]
    for module, rules in (("_C", [("error", "TL610")]), ("_imaging", [])):
        said = f"ImportError: DLL load failed while importing {module}: The specified module could not be found.\n"
        log = write(tmp_path / "log", said)
        assert bad(run(capsys, *words, "--log", log)) == rules


def test_a_log_that_names_a_dll_which_lacks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = windows(tmp_path, fbgemm=["libomp140.x86_64.dll"], asmjit=[])
    log = write(tmp_path / "log", f'{LOG}\\torch\\lib\\asmjit.dll" or one of its dependencies.\n')
    assert bad(run(capsys, "--path", site, "--platform", "windows-amd64", "--log", log)) == []


def test_a_torch_for_windows_opens_every_dll_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = windows(tmp_path)
    write(site / "torch" / "lib" / "alone.dll", pe({"libomp140.x86_64.dll": ["g"]}))
    assert notes(run(capsys, "--path", site, "--platform", "windows-amd64")) == []
    write(site / "torch" / "__init__.py", "for dll in glob.glob(os.path.join(th_dll_path, '*.dll')): load(dll)\n")
    (note,) = notes(run(capsys, "--path", site, "--platform", "windows-amd64"))
    assert "alone.dll needs libomp140.x86_64.dll" in note


# soundfile without a library.


def soundfile(tmp_path: Path, version: str, platform: str, *libraries: str) -> list[str]:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    install(site, "soundfile", version, {"soundfile.py": f"__version__ = '{version}'\n", "_soundfile.py": ""})
    for name in libraries:
        write(site.parents[2] / name, "")
    return ["--path", str(site), "--platform", platform, "--ignore", "TL615"]


@pytest.mark.parametrize("platform", ["windows-amd64", "macos-arm64", "macos-x86_64"])
def test_a_soundfile_from_source_takes_the_wheel_that_brings_the_library(
    platform: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, *soundfile(tmp_path, "0.13.1", platform), code=0)
    assert bad(report) == [("warning", "TL301")]
    wanted = "pip install --force-reinstall --no-deps --only-binary soundfile soundfile==0.13.1"
    assert report["command"].endswith(wanted)


@pytest.mark.parametrize(
    ("version", "platform", "conda"),
    [("0.10.3.post1", "macos-arm64", False), ("0.13.1", "windows-amd64", True), ("0.13.1", "linux-x86_64", False)],
)
def test_a_soundfile_that_has_the_library_of_a_machine_perhaps(
    version: str, platform: str, conda: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = ["conda-meta/libsndfile-1.2.2-h1_0.json"] if conda else []
    words = soundfile(tmp_path, version, platform, *marks)
    assert bad(run(capsys, *words, code=0)) == []
    log = write(tmp_path / "log", "OSError: sndfile library not found\n")
    assert bad(run(capsys, *words, "--log", str(log), code=0)) == [("warning", "TL301")]


def test_a_libsndfile_that_is_none(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Encrypted, or a text: whether it can be loaded nobody knows, and a check does not say so."""
    image(site)
    (site / "_soundfile_data" / "libsndfile_x86_64.so").write_bytes(b"no library" * 400)
    report = run(capsys, "--path", site)
    assert "soundfile 0.13.1 can be imported was not examined" in report["summary"]


def test_a_record_whose_module_is_elsewhere(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An editable install whose checkout is not in this image: nothing is said of how it loads files."""
    info = install(site, "torchaudio", "2.8.0", {})
    write(info / "RECORD", "")
    shutil.rmtree(site / "soundfile-0.13.1.dist-info")
    (site / "soundfile.py").unlink()
    image(site)
    report = run(capsys, "--path", site)
    assert "TL306" not in all_rules(report)
    assert "torchaudio 2.8.0 can be imported was not examined" in report["summary"]


# Rules, and a loader that was asked.


@pytest.mark.parametrize(("version", "name"), [("0.11.0", "npp"), ("0.11.1", "npp"), ("0.12.0", "npp")])
def test_a_rule_gives_way_to_a_machine_that_has_the_library(
    version: str, name: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torch")
    stage_torch(site, "2.11.0+cu130", cuda="'13.0'")
    CODECS.setdefault(version, CODECS["0.7.0"])
    stage_codec(site, f"{version}+cu130", ["libnppicc.so.13"])
    image(site, *FFMPEG_6)
    told = bad(run(capsys, "--path", site))
    assert {rule for _, rule in told} & {"TL102", "TL610"}
    image(site, *FFMPEG_6, "libnppicc.so.13")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert report["summary"].startswith("nothing is wrong")


def test_a_library_that_is_missing_counts_where_no_rule_speaks(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_codec(site, "0.7.0", ["libnew.so.1"])
    image(site, *FFMPEG_6)
    assert ("warning", "TL610") in bad(run(capsys, "--path", site))


def decoding_refused(site: Path, capsys: pytest.CaptureFixture[str], *needed: str) -> dict[str, Any]:
    """The check of a torchcodec with a log in which it refused a GPU; ``needed`` are libraries that it links."""
    stage_codec(site, "0.7.0", needed)
    image(site, *FFMPEG_6, *needed)
    text = "RuntimeError: Unsupported device: cuda. Did you install a CPU-only build of torchcodec?\n"
    return run(capsys, "--path", site, "--log", write(site.parents[3] / "log", text), code=0)


@pytest.mark.triggers("TL210")
def test_a_torchcodec_without_cuda_decodes_on_no_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = decoding_refused(site, capsys)
    assert bad(report) == [("warning", "TL210")]
    assert report["summary"] == "torchcodec 0.7.0 is a CPU build and cannot decode on a GPU"


@pytest.mark.leaves_alone("TL210")
def test_nobody_asked_a_torchcodec_for_a_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_codec(site, "0.7.0", [])
    image(site, *FFMPEG_6)
    assert bad(run(capsys, "--path", site)) == []


def test_a_torchcodec_with_cuda_is_not_called_a_cpu_build(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bad(decoding_refused(site, capsys, "libnppicc.so.12")) == []


def test_a_codec_for_another_cuda_whose_libraries_are_all_there(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torch")
    stage_torch(site, "2.8.0+cu126", cuda="'12.6'")
    stage_codec(site, "0.7.0+cu130", ["libcudart.so.13"])
    image(site, *FFMPEG_6)
    assert "TL201" in {rule for _, rule in bad(run(capsys, "--path", site))}
    image(site, *FFMPEG_6, "libcudart.so.13")
    assert bad(run(capsys, "--path", site, code=0)) == []


# Nightlies, and builds of one's own.

CHECKS = """
def _check_cuda_version():
    if ta_version != t_version:
        raise RuntimeError("Detected that PyTorch and TorchAudio were compiled with different CUDA versions. ")

_check_cuda_version()
"""
TRAINS = [
    ("2.8.0", "2.8.0"),
    ("2.8.0.dev20250601", "2.8.0.dev20250601"),
    ("2.8.0rc1", "2.8.0rc1"),
    ("2.9.0a0", "2.8.0.dev20250601"),
    ("1.14.0.dev20220925", "0.13.0.dev20220925"),
]


def stage_pair(site: Path, torch: str, audio: str, *, cuda: str = "None") -> None:
    remove(site, "torch")
    stage_torch(site, torch, cuda=cuda)
    files = audio_files(audio)
    files["torchaudio/_extension/__init__.py"] = CHECKS
    install(site, "torchaudio", audio, files, tag=LINUX)
    image(site)


@pytest.mark.parametrize(("torch", "audio"), TRAINS)
@pytest.mark.parametrize("label", ["cu126", "cu128"])
def test_builds_of_two_cuda_versions(
    torch: str, audio: str, label: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_pair(site, f"{torch}+cu128", f"{audio}+{label}", cuda="'12.8'")
    report = run(capsys, "--path", site)
    assert (("error", "TL201") in bad(report)) == (label == "cu126"), report["summary"]
    early = torch != "2.8.0"
    assert bool(notes(report, "TL903")) == early
    if label == "cu128":
        assert ("no rule says whether these pre-releases work together" in report["summary"]) == early


@pytest.mark.parametrize(
    ("torch", "audio", "fits"),
    [
        ("2.7.1+rocm7.9.0rc20250923", "2.8.0a0+rocm7.0.0rc20250903", False),
        ("2.7.1+rocm7.9.0rc20250923", "2.7.1a0+rocm7.9.0rc20250923", True),
        # Companions of a nightly build keep the number of the last release for weeks.
        ("2.7.0.dev20250307+rocm6.3", "2.6.0.dev20250307+rocm6.3", True),
        ("2.6.0a0+ecf3bae40a.nv25.1", "2.5.0a0", True),
    ],
)
def test_a_pre_release_of_another_release_and_build(
    torch: str, audio: str, fits: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/Comfy-Org/ComfyUI/issues/9604: all symbols are found, and the process dies"""
    stage_pair(site, torch, audio)
    report = run(capsys, "--path", site)
    assert bad(report) == []
    assert ("belongs to another release of torch" in report["summary"]) is not fits
    log = write(site.parent / "log", "terminate called after throwing an instance of 'std::bad_alloc'\n")
    report = run(capsys, "--path", site, "--log", log)
    assert bad(report) == ([] if fits else [("warning", "TL101")])


def test_a_torch_of_ones_own_says_its_cuda_in_its_version_file(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_pair(site, "2.8.0a0+gitabc1234", "2.8.0+cu126", cuda="'12.8'")
    report = run(capsys, "--path", site)
    assert ("error", "TL201") in bad(report)
    assert "this torch (2.8.0a0+gitabc1234) is for CUDA 12.8" in report["summary"]


def test_a_build_that_nobody_tells_passes_no_rule(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_pair(site, "2.8.0+cu128", "2.8.0a0+abc1234", cuda="'12.8'")
    # Its libraries are those of a CPU build: nothing is compared.
    assert notes(run(capsys, "--path", site)) == []
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libtorch_cpu.so", "libcudart.so.12"]))
    image(site, "libcudart.so.12")
    report = run(capsys, "--path", site, code=0)
    (note,) = notes(report)
    assert "the CUDA version of torchaudio 2.8.0a0" in note
    assert "torchaudio 2.8.0a0 (build abc1234) can be imported was not examined" in report["summary"]


@pytest.mark.parametrize(
    ("runtime", "told"), [("libcudart.so.10.2", []), ("libcudart-80664282.so.10.1", ["TL201"])]
)
def test_a_build_is_told_by_the_runtime_that_it_links(
    runtime: str, told: list[str], site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torch")
    stage_torch(site, "1.5.1", cuda="'10.2'")
    files: dict[str, bytes | str] = {
        "torchvision/__init__.py": "",
        "torchvision/version.py": "__version__ = '0.6.1'\n",
        "torchvision/extension.py": CHECKS,
        "torchvision/_C.so": elf("", ["libtorch_cpu.so", runtime]),
    }
    install(site, "torchvision", "0.6.1", files, tag=LINUX)
    image(site, runtime)
    report = run(capsys, "--path", site)
    assert [rule for _, rule in bad(report)] == told
    assert notes(report) == []
