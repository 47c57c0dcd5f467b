"""Environments that look odd and work: none of them may be called broken. Then what is close to them, and is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from support.check import CXX, TORCH, audio_files, bad, first, python_over, remove, run, stage_audio, stage_torch
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write
from torchlock.cli.main import main
from torchlock.inspect.tree_python import find_sites
from torchlock.runtime.files import Tree

NEEDED = "Requires-Dist: typing-extensions (>=4.10)\n"


def needs_typing_extensions(site: Path) -> None:
    path = site / "torch-2.8.0+cpu.dist-info" / "METADATA"
    write(path, path.read_text().replace("\n\n", f"\n{NEEDED}\n", 1))


@pytest.mark.parametrize("left", ["typing_extensions.py", "typing_extensions.pyc"])
def test_a_module_that_another_record_owns(site: Path, left: str, capsys: pytest.CaptureFixture[str]) -> None:
    needs_typing_extensions(site)
    install(site, "typing-extensions", "4.15.0", {"gone.py": ""})
    (site / "gone.py").unlink()
    write(site / left)
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_a_module_that_nobody_owns(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs_typing_extensions(site)
    install(site, "typing-extensions", "4.15.0", {"gone.py": ""})
    (site / "gone.py").unlink()
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL604"
    assert report["command"].endswith("typing-extensions==4.15.0")
    assert "torch==" not in report["command"]


@pytest.mark.parametrize("name", ["torch-2.7.0.dist-info", "torch-2.9.0+cpu.dist-info"])
def test_a_record_that_owns_nothing(site: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    version = name.removeprefix("torch-").removesuffix(".dist-info")
    write(site / name / "METADATA", f"Name: torch\nVersion: {version}\n\n")
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_torchaudio_in_python_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Built without its extension, or slimmed: it imports, and has nothing that is bound to one torch."""
    files = audio_files("2.5.1+cpu")
    files.pop("torchaudio/lib/libtorchaudio.so")
    files["torchaudio/_extension/utils.py"] = ""
    remove(site, "torchaudio")
    install(site, "torchaudio", "2.5.1+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.leaves_alone("TL601")
def test_files_that_are_there_as_bytecode_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("torch/functional.py", "torchaudio/functional.py"):
        (site / path).rename(site / f"{path}c")
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_a_torchcodec_slimmed_to_the_ffmpeg_that_is_there(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.check import image
    from support.ffmpeg import codec, ffmpeg

    image(site, *ffmpeg(6))
    codec(site)
    (site / "torchcodec" / "libtorchcodec_core5.so").unlink()
    assert bad(run(capsys, "--path", site, code=0)) == []
    (site / "torchcodec" / "libtorchcodec_core6.so").unlink()
    assert bad(run(capsys, "--path", site))[0][1] == "TL601"


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux")
@pytest.mark.parametrize(("uses", "broken"), [("elsewhere", False), (CXX, True)])
def test_a_library_in_front_that_is_not_to_blame(
    site: Path, tmp_path: Path, uses: str, broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A libtorch of another release on LD_LIBRARY_PATH is the cause only where something is missed in it."""
    write(tmp_path / "front" / "libtorch_cpu.so", elf("libtorch_cpu.so", exports=("elsewhere",)))
    remove(site, "torchaudio")
    stage_audio(site, uses=(uses,))
    wrapper = python_over(tmp_path, site, f"LD_LIBRARY_PATH={tmp_path / 'front'}")
    files = run(capsys, "--python", wrapper)["files"][0]["findings"]
    told = [(each["severity"], each["rule"]) for each in files if each["rule"] == "TL613"]
    assert told == [("error" if broken else "note", "TL613")]


CHECK = """def _check_cuda_version():
    if ta_version != t_version:
        raise RuntimeError("compiled with different CUDA versions")
"""


@pytest.mark.parametrize(
    ("call", "definition", "is_fine"),
    [
        ("", CHECK, True),
        ("# _check_cuda_version()\n", CHECK, True),
        ("_check_cuda_version()\n", "def _check_cuda_version():\n    pass\n", True),
        ("_check_cuda_version()\n", CHECK, False),
    ],
)
def test_a_torchaudio_whose_comparison_was_taken_out(
    site: Path, call: str, definition: str, is_fine: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """As upstream packs it anew for a later CUDA: the call goes, or what it raises; the names stay."""
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.12.0+cu132", cuda="'13.2'", exports=("torch_library_impl",))
    stage_audio(site, "2.11.0+cu130", uses=("torch_library_impl",))
    imported = f"from .utils import _check_cuda_version\n{call}"
    install(
        site,
        "torchaudio",
        "2.11.0+cu130",
        audio_files("2.11.0+cu130", uses=("torch_library_impl",))
        | {"torchaudio/_extension/__init__.py": imported, "torchaudio/_extension/utils.py": definition},
        tag="cp311-cp311-manylinux_2_28_x86_64",
    )
    report = run(capsys, "--path", site)
    assert (bad(report) == []) is is_fine
    if not is_fine:
        assert "torch==2.12.0+cu130" in report["command"]


@pytest.mark.skipif(os.name != "posix", reason="a script as interpreter")
@pytest.mark.leaves_alone("TL613")
def test_a_script_that_starts_python_with_folders_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "modules"
    write(folder / "torch" / "version.py", "__version__ = '2.8.0'\n")
    write(folder / "torch" / "__init__.py", TORCH)
    wrapper = python_over(tmp_path, folder)
    report = run(capsys, "--python", wrapper, "--probe", code=0)
    assert report["files"][0]["status"] == "ok"
    assert "torch 2.8.0" in report["summary"]


def test_start_up_code_may_know_of_a_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    write(folder / "sitecustomize.py", "import sys; sys.path.append('/opt/torch')\n")
    finding = first(run(capsys, "--path", folder, code=0))
    assert (finding["severity"], finding["rule"]) == ("note", "TL615")
    assert "code that runs when Python starts" in finding["because"]
    (folder / "sitecustomize.py").unlink()
    assert "start" not in first(run(capsys, "--path", folder, code=0))["because"]


def test_a_package_that_needs_torch_makes_its_absence_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    install(folder, "silero-vad", "5.1", headers='Provides-Extra: gpu\nRequires-Dist: torch ; extra == "gpu"\n')
    platform = ["--platform", "linux-x86_64"]
    assert bad(run(capsys, "--path", folder, *platform, code=0)) == []
    install(folder, "openai-whisper", "20240930", headers="Requires-Dist: torch\n")
    assert ("error", "TL615") in bad(run(capsys, "--path", folder, *platform, code=1))


@pytest.mark.parametrize(("text", "told"), [("_libname = 'libsndfile.so'\n", False), ("x = 1\n", True)])
def test_a_soundfile_of_ones_own_folder(
    site: Path, tmp_path: Path, text: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Vendored with a project it is soundfile all the same; a module that never speaks of libsndfile is not."""
    remove_soundfile(site)
    write(tmp_path / "vendored" / "soundfile.py", text)
    write(site / "vendored.pth", f"{tmp_path / 'vendored'}\n")
    report = run(capsys, "--path", site)
    assert ("TL606" in [rule for _, rule in bad(report)]) is told


def remove_soundfile(site: Path) -> None:
    for path in site.glob("soundfile-*.dist-info"):
        shutil.rmtree(path)
    (site / "soundfile.py").unlink()


@pytest.mark.parametrize("place", ["srv/app/.venv", "app/venv", "home/someone/env"])
def test_where_images_have_their_environments(tmp_path: Path, place: str) -> None:
    write(tmp_path / "usr" / "bin" / "env")
    site = tmp_path / place / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site)
    assert find_sites(str(tmp_path), Tree()) == [str(site)]


@pytest.mark.skipif(os.name != "posix", reason="an interpreter of its own")
def test_what_runs_overturns_only_what_was_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch imports, and torchtext is broken all the same."""
    write(tmp_path / "torch" / "version.py", "__version__ = '2.13.0'\n")
    write(tmp_path / "torch" / "__init__.py", TORCH)
    broken = "raise OSError('libtorchtext.so: undefined symbol: _ZN5torch3jit5Graph')\n"
    files: dict[str, bytes | str] = {"torchtext/__init__.py": broken, "torchtext/version.py": ""}
    install(tmp_path, "torchtext", "0.18.0", files)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = run(capsys, "--python", sys.executable, "--probe", code=1)
    assert first(report)["rule"] == "TL104"
    assert "undefined symbol" in first(report)["says"]
    assert "TL614" not in [each["rule"] for each in report["files"][0]["findings"]]


@pytest.mark.skipif(os.name != "posix", reason="an interpreter of its own")
def test_what_runs_refutes_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By rule torchtext 0.18 goes with torch 2.3 alone; one that was imported here is not called broken."""
    write(tmp_path / "torch" / "version.py", "__version__ = '2.13.0'\n")
    write(tmp_path / "torch" / "__init__.py", TORCH)
    install(tmp_path, "torchtext", "0.18.0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ("error", "TL104") in bad(run(capsys, "--python", sys.executable, code=1))
    report = run(capsys, "--python", sys.executable, "--probe", code=0)
    assert [each for each in bad(report) if each[1] == "TL104"] == []


# Close to them, and broken.


def test_a_mend_leaves_alone_what_fits(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A torchcodec of which no page was seen stays where it is while soundfile is installed again."""
    remove(site, "torch")
    stage_torch(site, "2.13.0+cpu", exports=("torch_library_impl",))
    remove(site, "torchaudio")
    files: dict[str, bytes | str] = {
        "torchcodec/version.py": "__version__ = '0.13.0+cpu'\n",
        "torchcodec/libtorchcodec_core6.so": elf("", ["libtorch_cpu.so"]),
    }
    install(site, "torchcodec", "0.13.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    write(site / "_soundfile_data" / "libsndfile_x86_64.so", b"")
    report = run(capsys, "--path", site)
    assert first(report)["rule"] == "TL607"
    assert "torchcodec" not in report["command"]
    assert "--index-url" not in report["command"]


def test_what_the_page_of_a_build_has_not_comes_from_the_index(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """soundfile and torchaudio are both damaged: only one of them lies on the page of the build."""
    (site / "torchaudio" / "functional.py").unlink()
    write(site / "_soundfile_data" / "libsndfile_x86_64.so", b"")
    report = run(capsys, "--path", site, code=1)
    lines = {each["tool"]: each["line"] for each in first(report)["remedy"]["commands"]}
    assert "--torch-backend=cpu" in lines["uv"]
    for part in lines.get("pip", "").split(" && "):
        assert not ("--index-url" in part and "soundfile" in part)


@pytest.mark.leaves_alone("TL602")
def test_a_package_without_its_source(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What ``compileall -b`` leaves: Python imports it."""
    for path in (site / "torchaudio").rglob("*.py"):
        path.rename(path.with_suffix(".pyc"))
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.parametrize("record", ["hello", "torch/__init__.py , sha256=x , 5\n"])
def test_a_record_that_tells_nothing(site: Path, record: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "torch-2.8.0+cpu.dist-info" / "RECORD", record)
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.parametrize("name", ["_C.cpython-310-x86_64-linux-gnu.so", "_C.abi3.so"])
def test_an_extension_that_another_python_imports(
    site: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = site / "torch" / "_C.so"
    mine.rename(mine.with_name("_C.cpython-311-x86_64-linux-gnu.so"))
    record = site / "torch-2.8.0+cpu.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("_C.so", "_C.cpython-311-x86_64-linux-gnu.so"))
    write(site / "torch" / name, "no library")
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.triggers("TL601")
def test_a_folder_that_is_gone_as_a_whole(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its parent takes it by name: ``from torchaudio import compliance``."""
    remove(site, "torchaudio")
    files = audio_files() | {"torchaudio/compliance/__init__.py": "", "torchaudio/other/__init__.py": ""}
    files["torchaudio/__init__.py"] = "from . import compliance, functional\n"
    install(site, "torchaudio", "2.8.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    shutil.rmtree(site / "torchaudio" / "other")
    assert bad(run(capsys, "--path", site, code=0)) == []
    shutil.rmtree(site / "torchaudio" / "compliance")
    assert bad(run(capsys, "--path", site, code=1)) == [("error", "TL601")]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("closed", ["torch/version.py", "torch/lib/libtorch_cpu.so", "torch/testing/extra.py"])
def test_what_this_user_may_not_read(
    site: Path, closed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torch" / "__init__.py", "from .version import __version__\nfrom torch import functional\n")
    (site / closed).chmod(0o600)
    assert bad(run(capsys, "--path", site, code=0)) == []
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith(closed))
    severity = "warning" if "testing" in closed else "error"
    found = [each for each in bad(run(capsys, "--path", site)) if each[1] == "TL601"]
    assert found == [(severity, "TL601")]


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_into_a_cache_that_was_cleaned(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in [each for each in (site / "torch").rglob("*") if each.is_file()]:
        path.unlink()
        path.symlink_to(tmp_path / "cache" / path.name)
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL604"
    for path in (site / "torch-2.8.0+cpu.dist-info").iterdir():
        path.unlink()
        path.symlink_to(tmp_path / "cache" / path.name)
    wrapper = python_over(tmp_path, site)
    assert ("error", "TL604") in bad(run(capsys, "--python", wrapper, code=1))


# What a wheel is called, and what it holds.


def test_a_tag_that_its_libraries_belie(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The libraries say which platform this is; that the tag says another is told, and harms nobody."""
    for info in site.glob("torch*.dist-info"):
        write(info / "WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-macosx_11_0_arm64\n")
    report = run(capsys, "--path", site, code=0)
    assert report["target"]["platform"] == "manylinux_2_28_x86_64"
    assert bad(report) == []
    told = [each["message"] for each in report["files"][0]["findings"] if each["rule"] == "TL608"]
    assert any(
        "is tagged cp311-cp311-macosx_11_0_arm64, but its libraries are for Linux (x86_64)" in each
        for each in told
    )


@pytest.mark.parametrize(
    ("called", "cuda", "library"), [("+cpu", "None", "libtorch_cuda.so"), ("+cpu", "'12.8'", "x.py")]
)
def test_a_label_that_its_files_belie(
    called: str, cuda: str, library: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A torch that is called a CPU build and holds CUDA's libraries is judged as a build for CUDA."""
    remove(site, "torch")
    stage_torch(site, f"2.8.0{called}", cuda=cuda)
    write(site / "torch" / "lib" / library, elf("libtorch_cuda.so"))
    with next(site.glob("torch-*.dist-info/RECORD")).open("a") as record:
        record.write(f"torch/lib/{library},,\n")
    report = run(capsys, "--path", site, code=0 if cuda == "None" else None)
    assert report["target"]["accelerator"] == (None if cuda == "None" else "cu128")
    assert "is labelled 2.8.0+cpu, but its files are from another build" in str(report)


def test_a_library_that_an_earlier_build_left_behind(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in no record: the CPU build that was unpacked over a build for CUDA stays a CPU build."""
    write(site / "torch" / "lib" / "libtorch_cuda.so", elf("libtorch_cuda.so"))
    report = run(capsys, "--path", site, code=0)
    assert report["target"]["accelerator"] == "cpu"
    assert "is labelled" not in str(report)


@pytest.mark.parametrize("folder", ["lib/python3.13t", "lib/python3.13"])
def test_a_wheel_for_any_abi_whose_modules_are_for_one(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch 2.6.0 for macOS is tagged cp313-none: installers give it to Python 3.13t as well."""
    site = tmp_path / folder / "site-packages"
    head = b"\xcf\xfa\xed\xfe" + (0x0100000C).to_bytes(4, "little") + bytes(24)
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": "__version__ = '2.6.0'\n",
        "torch/_C.cpython-313-darwin.so": head,
    }
    install(site, "torch", "2.6.0", files, tag="cp313-none-macosx_11_0_arm64")
    report = run(capsys, "--path", site)
    assert ("TL608" in [rule for _, rule in bad(report)]) is folder.endswith("t")


def test_records_alone_do_not_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tree of an unknown Python that holds records and no modules is not called sound."""
    for name in ("torch", "torchaudio"):
        record = tmp_path / f"{name}-2.8.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.8.0\n")
    assert main(["check", "--path", str(tmp_path), "--platform", "linux-x86_64"]) == 2
    assert "its Python version is unknown" in capsys.readouterr().err
