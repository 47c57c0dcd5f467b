"""What the machine lacks for the audio stack, over staged machines: what must be left alone first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import audio_files, bad, first, image, run, stage_audio, stage_torch
from support.ffmpeg import codec, ffmpeg
from support.libraries import elf
from support.nvidia import environment as environment
from support.nvidia import needs_sh, smi
from support.nvidia import rules as found
from support.site_folder import install, tree, write
from torchlock.answers import Unknown
from torchlock.check import CheckContext
from torchlock.check.fix.remedies import add_remedies
from torchlock.check.rules.ffmpeg import codec as codecs
from torchlock.cli.main import main
from torchlock.inspect.loading.search_path import of_macos, of_windows
from torchlock.knowledge.systems import identified
from torchlock.target import Platform


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch and torchaudio 2.8, whose FFmpeg extension comes for two releases; nothing else."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    stage(folder)
    return folder


def stage(folder: Path) -> None:
    folder.mkdir(parents=True)
    stage_torch(folder)
    files = audio_files()
    for major in (5, 6):
        names = [name for name in ffmpeg(major) if "sw" not in name]
        library = f"libtorio_ffmpeg{major}.so"
        files[f"torio/lib/{library}"] = elf(library, [name for name in names if "device" not in name])
        files[f"torio/lib/_torio_ffmpeg{major}.so"] = elf("", [library, *names], runpath="$ORIGIN")
    headers = "Requires-Dist: torch (==2.8.0)\n"
    install(folder, "torchaudio", "2.8.0+cpu", files, headers=headers, tag="cp311-cp311-manylinux_2_28_x86_64")


def noted(report: dict[str, Any], rule: str) -> bool:
    """Whether a report has a note of a rule."""
    return any((each["severity"], each["rule"]) == ("note", rule) for each in report["files"][0]["findings"])


def conda(site: Path, *libraries: str) -> None:
    """The environment of the site folder as one of conda's, with these libraries in it."""
    prefix = site.parents[2]
    write(prefix / "conda-meta" / "ffmpeg-6.1.2-gpl_0.json", "{}")
    for name in libraries:
        write(prefix / "lib" / name, elf(name))


# What must be left alone.


@pytest.mark.parametrize("major", [5, 6])
def test_one_whole_ffmpeg_serves_torchaudio(site: Path, major: int, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *ffmpeg(major))
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.leaves_alone("TL303")
def test_the_ffmpeg_of_a_conda_environment_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "image" / "opt" / "conda" / "lib" / "python3.11" / "site-packages"
    stage(site)
    image(site.parents[2])
    codec(site)
    conda(site, *ffmpeg(6))
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.triggers("TL302")
def test_soundfile_over_the_library_of_the_machine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, "libsndfile.so.1")
    install(site, "soundfile", "0.13.1", {"soundfile.py": ""})
    assert bad(run(capsys, "--path", site, code=0)) == []


# What is missing.


def test_half_an_ffmpeg_serves_nobody(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *(name for name in ffmpeg(6) if "device" not in name and "filter" not in name))
    assert noted(run(capsys, "--path", site, code=0), "TL306")


@pytest.mark.triggers("TL303")
def test_what_an_ffmpeg_lacks_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *(name for name in ffmpeg(6) if "device" not in name))
    codec(site)
    install(site, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": elf()})
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL304")]
    assert "this machine has FFmpeg 6 without libavdevice.so.60" in report["summary"]
    assert report["command"] == "apt-get install -y ffmpeg"


def test_a_slim_image_knows_of_no_package_yet(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = image(site)
    codec(site)
    lists = root / "var" / "lib" / "apt" / "lists"
    write(lists / "lock")
    told = run(capsys, "--path", site, "--ignore", "TL306")["command"]
    assert told == "apt-get update && apt-get install -y ffmpeg"
    write(lists / "deb.example.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4")
    assert run(capsys, "--path", site, "--ignore", "TL306")["command"] == "apt-get install -y ffmpeg"


def test_a_conda_environment_gets_the_release_that_serves(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site)
    codec(site)
    conda(site, *ffmpeg(9))
    report = run(capsys, "--path", site, "--ignore", "TL306", code=0)
    assert bad(report) == [("warning", "TL304")]
    assert report["command"] == f'conda install -y -p {site.parents[2]} -c conda-forge "ffmpeg<7"'


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.13.1", "OSError: cannot load library 'libsndfile.so': libsndfile.so: cannot open shared object file"),
        ("0.10.3.post1", "OSError: sndfile library not found"),
    ],
)
def test_soundfile_without_a_library(
    site: Path, version: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image(site)
    install(site, "soundfile", version, {"soundfile.py": f"__version__ = '{version}'\n"})
    finding = first(run(capsys, "--path", site, "--ignore", "TL306", code=0))
    assert finding["rule"] == "TL301"
    assert finding["says"].startswith(says)


def test_the_run_time_library_of_the_compiler(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, "ld-linux-x86-64.so.2", *ffmpeg(6))
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libstdc++.so.6", "libtorch_cpu.so"]))
    finding = first(run(capsys, "--path", site, code=1))
    assert finding["rule"] == "TL610"
    assert finding["remedy"]["commands"][0]["line"] == "apt-get install -y libstdc++6"


def test_a_part_of_a_machine_is_no_machine_that_lacks_the_rest(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image(site, *ffmpeg(6))
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libstdc++.so.6", "libm.so.6"], [], ["cos"]))
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.parametrize(("major", "told"), [(5, True), (4, False)])
def test_streams_of_the_time_of_ffmpeg_4(
    tmp_path: Path, major: int, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    stage_torch(site, "2.0.1+cpu")
    stage_audio(site, "2.0.2+cpu")
    image(site, f"libavutil.so.{ {4: 56, 5: 57}[major] }")
    options = ["--path", site, "--ignore", "TL609"]  # its metadata is that of no torchaudio 2.0.2
    report = run(capsys, *options, code=0)
    assert bad(report) == []
    assert ("TL303" in str(report)) is told
    log = write(tmp_path / "log", "ImportError: FFmpeg libraries are not found. Please install FFmpeg.\n")
    assert bad(run(capsys, *options, "--log", log)) == ([("warning", "TL303")] if told else [])


@pytest.mark.parametrize("with_soundfile", [True, False])
def test_windows_had_soundfile_alone(
    tmp_path: Path, with_soundfile: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "Lib" / "site-packages"
    install(site, "torch", "2.0.1", {"torch/__init__.py": ""}, tag="cp311-cp311-win_amd64")
    install(site, "torchaudio", "2.0.2", {"torchaudio/__init__.py": ""}, tag="cp311-cp311-win_amd64")
    if with_soundfile:
        install(site, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x64.dll": ""})
    report = run(capsys, "--path", site, "--platform", "windows-amd64", "--ignore", "TL608,TL607,TL601")
    assert bad(report) == []
    assert noted(report, "TL306") is not with_soundfile


# macOS and Windows.

MACHINES = {"x86_64": 0x01000007, "arm64": 0x0100000C}


def dylib(machine: str) -> bytes:
    return b"\xcf\xfa\xed\xfe" + MACHINES[machine].to_bytes(4, "little") + bytes(24)


def abroad(tmp_path: Path, system: str, **variables: Path) -> CheckContext:
    """A torchcodec for FFmpeg 7 and 8 on a machine of that system, where these variables name folders."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    ending = "dylib" if system == "macos-arm64" else "dll"
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.11.0'\n",
        **{f"torchcodec/libtorchcodec_core{major}.{ending}": "" for major in (7, 8)},
    }
    install(site, "torchcodec", "0.11.0", files)
    environ = {name: str(path) for name, path in variables.items()}
    found = of_windows([], environ) if "win" in system else of_macos("arm64", [], environ, str(tmp_path / "root"))
    return CheckContext(tree(site), platform=Platform.parse(system), search_path=found)


@pytest.mark.parametrize(
    ("system", "variable", "name"),
    [
        ("macos-arm64", "DYLD_FALLBACK_LIBRARY_PATH", "libavutil.60.dylib"),
        ("windows-amd64", "PATH", "avutil-60.dll"),
        ("windows-amd64", "PATH", "AVUTIL-59.DLL"),
    ],
)
def test_an_ffmpeg_that_is_searched_for_is_found(tmp_path: Path, system: str, variable: str, name: str) -> None:
    folder = tmp_path / "root" / "elsewhere"
    write(folder / name)
    assert list(codecs(abroad(tmp_path, system, **{variable: folder}))) == []


def test_the_machine_of_another_is_not_judged_by_this_one(tmp_path: Path) -> None:
    context = abroad(tmp_path, "windows-amd64")
    context.search_path = None
    assert list(codecs(context)) == []


@pytest.mark.parametrize(
    ("system", "name", "command"),
    [
        ("macos-arm64", "libavutil.61.dylib", "pip install torchcodec==0.17.0"),
        ("macos-arm64", "libavutil.58.dylib", "brew install ffmpeg"),
        ("windows-amd64", "avutil-58.dll", "winget install -e --id Gyan.FFmpeg.Shared --version 8.1.2"),
        ("windows-amd64", "ffmpeg.exe", "winget install -e --id Gyan.FFmpeg.Shared --version 8.1.2"),
    ],
)
def test_no_ffmpeg_that_serves(tmp_path: Path, system: str, name: str, command: str) -> None:
    folder = tmp_path / "root" / "elsewhere"
    write(folder / name)
    variable = "PATH" if "win" in system else "DYLD_LIBRARY_PATH"
    context = abroad(tmp_path, system, **{variable: folder})
    (finding,) = codecs(context)
    assert (finding.rule, finding.severity) == ("TL304", "warning")
    add_remedies(context, [finding])
    assert finding.remedy is not None and finding.remedy.commands[0].line.endswith(command)


def mac(tmp_path: Path, version: str, **libraries: str) -> list[str]:
    """A Mac for arm64 with a soundfile that brings no library, and the arguments that have it checked.

    ``libraries`` are the architectures of those that Homebrew installed: ``intel`` and ``arm``.
    """
    root = tmp_path / "root"
    site = root / "env" / "lib" / "python3.11" / "site-packages"
    install(site, "soundfile", version, {"soundfile.py": f"__version__ = '{version}'\n"})
    folders = {"intel": root / "usr" / "local" / "lib", "arm": root / "opt" / "homebrew" / "lib"}
    for prefix, machine in libraries.items():
        write(folders[prefix] / "libsndfile.dylib", dylib(machine))
    ignored = ["--ignore", "TL615"]
    return ["--path", str(site), "--root", str(root), "--platform", "macos-arm64", *ignored]


@pytest.mark.parametrize(
    ("version", "libraries"),
    [
        ("0.10.3.post1", {"intel": "arm64"}),
        ("0.12.1", {"arm": "arm64"}),
        ("0.12.1", {"intel": "x86_64", "arm": "arm64"}),
    ],
)
def test_a_mac_whose_homebrew_has_libsndfile(
    tmp_path: Path, version: str, libraries: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bad(run(capsys, *mac(tmp_path, version, **libraries), code=0)) == []


@pytest.mark.parametrize(
    ("version", "libraries", "rule", "command"),
    [
        ("0.10.3.post1", {"intel": "x86_64"}, "TL608", 'python -m pip install "soundfile>=0.12.1"'),
        (
            "0.10.3.post1",
            {"intel": "x86_64", "arm": "arm64"},
            "TL608",
            'python -m pip install "soundfile>=0.12.1"',
        ),
        ("0.12.1", {"intel": "x86_64"}, "TL608", "brew install libsndfile"),
        (
            "0.12.1",
            {},
            "TL301",
            "python -m pip install --force-reinstall --no-deps --only-binary soundfile soundfile==0.12.1",
        ),
    ],
)
def test_a_mac_whose_libsndfile_is_intels(
    tmp_path: Path,
    version: str,
    libraries: dict[str, str],
    rule: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = run(capsys, *mac(tmp_path, version, **libraries), code=0)
    assert bad(report) == [("warning", rule)]
    assert report["command"] == command


def test_the_root_of_a_windows_machine_tells_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "env" / "Lib" / "site-packages"
    install(site, "soundfile", "0.13.1")
    assert main(["check", "--path", str(site), "--root", str(tmp_path), "--platform", "windows-amd64"]) == 2
    assert "--system-lib" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("system", "takes"), [("windows-amd64", "soundfile or FFmpeg"), ("macos-arm64", "libsox")]
)
def test_nobody_knows_what_a_tree_of_another_system_loads_files_with(
    tmp_path: Path, system: str, takes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a note; a warning where a log shows that somebody met it."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    for name in ("torch", "torchaudio"):
        install(
            site, name, "2.5.1", tag="cp311-cp311-win_amd64" if "win" in system else "cp311-none-macosx_11_0_arm64"
        )
    log = write(tmp_path / "log", "RuntimeError: Couldn't find appropriate backend to handle uri a.wav")
    options = ["--path", site, "--platform", system]
    assert bad(run(capsys, *options, code=0)) == []
    report = run(capsys, *options, "--log", log, code=0)
    assert bad(report) == [("warning", "TL306")]
    assert takes in first(report)["because"]
    assert report["command"] == "python -m pip install soundfile"


# GPUs.


@needs_sh
def test_one_gpu_of_many_that_is_shown_to_torch(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smi(environment, "echo '580.10, 8.6, NVIDIA A10'; echo '580.10, 6.1, NVIDIA GTX 1080'")
    assert [rule for rule, _ in found(capsys)] == ["TL208"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert found(capsys) == []


@needs_sh
@pytest.mark.leaves_alone("TL208")
def test_gpus_that_are_hidden(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smi(environment, "echo '580.10, 6.1, NVIDIA GTX 1080'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert found(capsys) == []


@needs_sh
def test_forward_compatibility_brings_a_later_libcuda(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smi(environment, "echo '470.10.1, 8.6, NVIDIA A10'")
    assert [rule for rule, _ in found(capsys)] == ["TL202"]
    write(environment / "compat" / "libcuda.so.575.57.08", elf("libcuda.so.1"))
    (environment / "compat" / "libcuda.so.1").symlink_to("libcuda.so.575.57.08")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(environment / "compat"))
    assert found(capsys) == []


@needs_sh
def test_eight_of_a_kind_are_told_once(environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smi(environment, "for i in 1 2 3 4 5 6 7 8; do echo '580.10, 6.1, NVIDIA P100'; done")
    assert len(found(capsys)) == 1


# Which distribution release it is.


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "debian-12"),
        (
            {"ID": "linuxmint", "VERSION_ID": "22", "ID_LIKE": "ubuntu debian", "UBUNTU_CODENAME": "noble"},
            "ubuntu-24.04",
        ),
        ({"ID": "linuxmint", "VERSION_ID": "6", "ID_LIKE": "debian", "DEBIAN_CODENAME": "bookworm"}, "debian-12"),
        ({"ID": "rocky", "VERSION_ID": "9.3", "ID_LIKE": "rhel centos fedora"}, "rhel-9"),
        ({"ID": "ol", "VERSION_ID": "9.4", "ID_LIKE": "fedora", "PLATFORM_ID": "platform:el9"}, "rhel-9"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "arch"),
        ({"ID": "nobara", "VERSION_ID": "42", "ID_LIKE": "fedora"}, "fedora-42"),
        ({"ID": "alpine", "VERSION_ID": "3.22.1"}, "alpine-3.22"),
        (
            {"ID": "opensuse-tumbleweed", "VERSION_ID": "20261101", "ID_LIKE": "opensuse suse"},
            "opensuse-tumbleweed",
        ),
        ({"ID": "opensuse-leap", "VERSION_ID": "15.6", "ID_LIKE": "suse opensuse"}, "opensuse-leap-15.6"),
        ({"ID": "centos", "VERSION_ID": "7", "ID_LIKE": "rhel fedora"}, "rhel-7"),
        ({"ID": "amzn", "VERSION_ID": "2", "ID_LIKE": "centos rhel fedora"}, "amzn-2"),
        ({"ID": "amzn", "VERSION_ID": "2023", "ID_LIKE": "fedora", "PLATFORM_ID": "platform:al2023"}, "amzn-2023"),
    ],
)
def test_a_release_is_known_by_what_it_is_made_from(release: dict[str, str], known: str) -> None:
    assert identified(release) == known


@pytest.mark.parametrize(
    "release",
    [
        {},
        {"ID": "opensuse-leap", "VERSION_ID": "16.0", "ID_LIKE": "suse opensuse"},
        {"ID": "kali", "VERSION_ID": "2025.1", "ID_LIKE": "debian", "VERSION_CODENAME": "kali-rolling"},
        {"ID": "buildroot", "VERSION_ID": "2025.02"},
    ],
)
def test_a_release_of_its_own_is_nobody_elses(release: dict[str, str]) -> None:
    assert isinstance(identified(release), Unknown)
