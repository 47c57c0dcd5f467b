"""Environments of real wheels: healthy ones come out clean, broken ones with their cause first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.real_wheels import Wheels, image, symbols_of, torch
from support.site_folder import install
from torchlock.cli.main import main

pytestmark = pytest.mark.network

LINUX = "manylinux_2_28_x86_64"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return Wheels(tmp_path_factory.mktemp("wheels"))


class Stage(NamedTuple):
    """A torch with its CUDA, the companions installed, and those whose symbols it offers (default: the same)."""

    torch: str
    cuda: str = ""
    companions: Sequence[str] = ()
    made_for: Sequence[str] | None = None
    others: Sequence[tuple[str, str]] = ()
    nvidia: bool = True
    libraries: Sequence[str] = ("libavutil.so.58",)
    python: str = "3.11"


FFMPEG_6 = tuple(
    f"lib{name}"
    for name in (
        "avutil.so.58",
        "avcodec.so.60",
        "avformat.so.60",
        "avfilter.so.9",
        "avdevice.so.60",
        "swscale.so.7",
        "swresample.so.4",
    )
)


def staged(tmp_path: Path, wheels: Wheels, stage: Stage) -> Path:
    site = tmp_path / "env" / "lib" / f"python{stage.python}" / "site-packages"
    site.mkdir(parents=True)
    for requirement in stage.companions:
        wheels.install(site, requirement, python=stage.python)
    measured = site
    if stage.made_for is not None:
        measured = tmp_path / "measured"
        for requirement in stage.made_for:
            wheels.install(measured, requirement)
    symbols, needed = symbols_of(measured)
    module = f"cpython-{stage.python.replace('.', '')}-x86_64-linux-gnu"
    torch(
        site,
        stage.torch,
        stage.cuda,
        offers=sorted(symbols),
        needed=needed,
        nvidia=stage.nvidia,
        module=module,
    )
    for name, version in stage.others:
        install(site, name, version)
    image(site, *stage.libraries)
    return site


def run(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["check", "--path", str(site), "--format", "json", *words])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, report


HEALTHY = {
    # The versions of the note that this project answers; that soundfile does not contain libsndfile.
    "1.13.1": Stage(
        "1.13.1+cu117",
        "11.7",
        ["torchaudio==0.13.1", "soundfile==0.12.0"],
        libraries=("libsndfile.so.1",),
        python="3.10",
    ),
    "2.0.1": Stage("2.0.1+cu117", "11.7", ["torchaudio==2.0.2", "soundfile==0.12.1"]),
    "2.1.2": Stage("2.1.2+cu121", "12.1", ["torchaudio==2.1.2", "soundfile==0.13.1"]),
    "2.2.2": Stage("2.2.2+cu121", "12.1", ["torchaudio==2.2.2", "soundfile==0.13.1"]),
    "2.5.1": Stage("2.5.1+cu124", "12.4", ["torchaudio==2.5.1", "torchvision==0.20.1", "soundfile==0.13.1"]),
    "2.7.1": Stage("2.7.1+cu126", "12.6", ["torchaudio==2.7.1", "soundfile==0.13.1"]),
    "2.8.0": Stage("2.8.0+cu128", "12.8", ["torchaudio==2.8.0", "soundfile==0.13.1"]),
    "2.8.0 without soundfile, with FFmpeg": Stage(
        "2.8.0+cu128", "12.8", ["torchaudio==2.8.0"], libraries=FFMPEG_6
    ),
    "2.9.1": Stage("2.9.1+cu128", "12.8", ["torchaudio==2.9.1"]),
    "2.10.0": Stage("2.10.0+cu128", "12.8", ["torchaudio==2.10.0"]),
    "2.11.0": Stage("2.11.0+cu130", "13.0", ["torchaudio==2.11.0", "torchcodec==0.17.0"], libraries=FFMPEG_6),
    "2.14.1 with torchaudio 2.11.0": Stage("2.14.1+cu130", "13.0", ["torchaudio==2.11.0"]),
    "2.13.0 with torchaudio 2.11.1": Stage("2.13.0+cu130", "13.0", ["torchaudio==2.11.1"]),
}


# Packages of other projects that the import of torch, torchvision or soundfile needs.
WHAT_THEY_IMPORT = [
    ("cffi", "1.17.1"), ("numpy", "1.26.4"), ("pillow", "11.0.0"), ("typing-extensions", "4.12.2")
]  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_wrong(name: str, tmp_path: Path, wheels: Wheels, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, wheels, HEALTHY[name])
    for each, version in WHAT_THEY_IMPORT:
        install(site, each, version)
    code, report = run(site, capsys)
    findings = report["files"][0]["findings"]
    assert [each["message"] for each in findings if each["severity"] != "note"] == []
    assert code == 0
    assert report["summary"].startswith("nothing is wrong")


class Broken(NamedTuple):
    """What is staged, and what must be said of it: the first rule, words of the sentence and of the command."""

    stage: Stage
    rule: str
    words: Sequence[str]
    command: Sequence[str] = ()
    below: Sequence[str] = ()


BROKEN = {
    "stable interface on an older torch": Broken(
        Stage("2.9.1+cu128", "12.8", ["torchaudio==2.11.0"], ["torchaudio==2.9.1"]),
        "TL101",
        ["torchaudio 2.11.0", "torch 2.9.1"],
        ["torchaudio==2.9.1"],
        ["TL610"],
    ),
    "stable interface of torch 2.13 on an older torch": Broken(
        Stage("2.12.1+cu130", "13.0", ["torchaudio==2.11.1"], ["torchaudio==2.11.0", "torchcodec==0.17.0"]),
        "TL101",
        ["torchaudio 2.11.1 (CUDA 13.2) needs torch >=2.13", "uses torch_new_stable_ivalue and "],
        ["torchaudio==2.11.0"],
        ["TL611"],
    ),
    "torchaudio of another release": Broken(
        Stage("2.8.0+cu128", "12.8", ["torchaudio==2.5.1"], ["torchaudio==2.8.0"]),
        "TL101",
        ["torchaudio 2.5.1", "needs torch 2.5"],
        ["torchaudio==2.8.0"],
        ["TL611"],
    ),
    "torchaudio of the release before": Broken(
        Stage("2.8.0+cu128", "12.8", ["torchaudio==2.7.1"], ["torchaudio==2.8.0"]),
        "TL101",
        ["needs torch 2.7, "],
        ["torchaudio==2.8.0"],
    ),
    "torchaudio newer than torch": Broken(
        Stage("2.5.1+cu124", "12.4", ["torchaudio==2.8.0"], ["torchaudio==2.5.1"]),
        "TL101",
        ["needs torch 2.8, "],
        ["torchaudio==2.5.1"],
        ["TL611"],
    ),
    "torchaudio for CUDA 13.0 on torch for 13.2": Broken(
        Stage("2.15.0+cu132", "13.2", ["torchaudio==2.11.0"]),
        "TL201",
        ["torchaudio 2.11.0 was built for CUDA 13.0", "2.15.0+cu132"],
        ["pip install torch"],
    ),
    "torchaudio for CUDA 12.8 on torch for 12.6": Broken(
        Stage("2.8.0+cu126", "12.6", ["torchaudio==2.8.0"]),
        "TL201",
        ["torchaudio 2.8.0 was built for CUDA 12.8", "is for CUDA 12.6"],
        ["2.8.0"],
    ),
    "torchaudio for CUDA on the CPU build": Broken(
        Stage("2.8.0+cpu", "", ["torchaudio==2.8.0"]),
        "TL201",
        ["torchaudio 2.8.0 was built for CUDA 12.8", "is the CPU build", "libtorch_cuda.so"],
        ["2.8.0+cpu"],
        ["TL610"],
    ),
    "torchaudio for CUDA 13 on a CPU build": Broken(
        Stage("2.13.0+cpu", "", ["torchaudio==2.11.0"]),
        "TL201",
        ["torchaudio 2.11.0 was built for CUDA 13.0", "is the CPU build", "libc10_cuda.so"],
        ["torchaudio==2.11.0+cpu"],
        ["TL610"],
    ),
    "the packages of NVIDIA are gone": Broken(
        Stage("2.8.0+cu128", "12.8", ["torchaudio==2.8.0"], nvidia=False),
        "TL610",
        ["libcudart.so.12"],
    ),
    "torchvision of another release": Broken(
        Stage("2.8.0+cu128", "12.8", ["torchaudio==2.8.0", "torchvision==0.20.1"], ["torchaudio==2.8.0"]),
        "TL103",
        ["torchvision 0.20.1", "torch 2.8.0"],
        ["torchvision==0.23.0"],
    ),
    "torchtext after its end": Broken(
        Stage("2.8.0+cu128", "12.8", ["torchaudio==2.8.0", "torchtext==0.18.0"], ["torchaudio==2.8.0"]),
        "TL104",
        ["torchtext 0.18.0"],
        ["uninstall", "torchtext"],
    ),
    "torchcodec of another torch": Broken(
        Stage(
            "2.8.0+cu128",
            "12.8",
            ["torchaudio==2.8.0", "torchcodec==0.9.1"],
            ["torchaudio==2.8.0"],
            libraries=FFMPEG_6,
        ),
        "TL102",
        ["torchcodec 0.9.1", "needs torch 2.9"],
        ["torchcodec==0.7.0"],
    ),
    "a soundfile without libsndfile": Broken(
        Stage("1.13.1+cu117", "11.7", ["torchaudio==0.13.1", "soundfile==0.12.0"], libraries=(), python="3.10"),
        "TL301",
        ["soundfile 0.12.0 does not contain libsndfile, and this machine has none"],
        ["apt-get install -y libsndfile1"],
    ),
    "torchcodec without FFmpeg": Broken(
        Stage(
            "2.8.0+cu128", "12.8", ["torchaudio==2.8.0", "torchcodec==0.7.0", "soundfile==0.13.1"], libraries=()
        ),
        "TL304",
        ["torchcodec 0.7.0", "needs FFmpeg 4 to 7", "this machine has none"],
        ["apt-get install -y ffmpeg"],
    ),
    "torchcodec with an FFmpeg that it does not know": Broken(
        Stage(
            "2.8.0+cu128",
            "12.8",
            ["torchaudio==2.8.0", "torchcodec==0.7.0", "soundfile==0.13.1"],
            libraries=("libavutil.so.61",),
        ),
        "TL304",
        ["this machine has FFmpeg 9"],
    ),
    "NumPy 2 with an old torch": Broken(
        Stage("2.2.2+cu121", "12.1", ["torchaudio==2.2.2", "soundfile==0.13.1"], others=[("numpy", "2.1.0")]),
        "TL105",
        ["torch 2.2.2", "numpy 2.1.0"],
        ["numpy==1.26.4"],
    ),
    "an old dependent of a new torchaudio": Broken(
        Stage("2.9.1+cu128", "12.8", ["torchaudio==2.9.1"], others=[("speechbrain", "1.0.0")]),
        "TL701",
        ["speechbrain 1.0.0"],
    ),
    "the placeholder of torchcodec": Broken(
        Stage(
            "2.8.0+cu128",
            "12.8",
            ["torchaudio==2.8.0", "soundfile==0.13.1"],
            others=[("torchcodec", "0.0.0.dev0")],
        ),
        "TL102",
        ["torchcodec 0.0.0.dev0"],
        ["torchcodec==0.7.0"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_comes_first(
    name: str, tmp_path: Path, wheels: Wheels, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = BROKEN[name]
    _, report = run(staged(tmp_path, wheels, broken.stage), capsys)
    findings = report["files"][0]["findings"]
    assert findings, "nothing was found"
    first = findings[0]
    assert first["rule"] == broken.rule, report["summary"]
    for word in broken.words:
        assert word in report["summary"]
    for word in broken.command:
        assert word in (report["command"] or ""), report["command"]
    for rule in broken.below:
        assert rule in [effect["rule"] for effect in first["consequences"]]
    assert first["because"]
    assert first["sources"]


PLATFORMS = [
    ("win_amd64", "2.13.0+cpu", "torchaudio==2.11.0", None),
    ("win_amd64", "2.8.0+cpu", "torchaudio==2.8.0", None),
    ("win_amd64", "2.8.0+cpu", "torchaudio==2.5.1", "TL101"),
    ("win_amd64", "2.8.0+cu128", "torchaudio==2.8.0", None),  # a CPU build beside a CUDA torch loads
    ("macosx_12_0_arm64", "2.13.0", "torchaudio==2.11.0", None),
    ("macosx_11_0_arm64", "2.8.0", "torchaudio==2.8.0", None),
    ("macosx_11_0_arm64", "2.8.0", "torchaudio==2.5.1", "TL101"),
    ("macosx_11_0_arm64", "2.9.1", "torchaudio==2.10.0", "TL101"),
]


@pytest.mark.parametrize(("platform", "version", "companion", "rule"), PLATFORMS)
def test_trees_of_other_platforms(
    platform: str,
    version: str,
    companion: str,
    rule: str | None,
    tmp_path: Path,
    wheels: Wheels,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = tmp_path / "site-packages"
    wheels.install(site, companion, platform)
    cuda = "'12.8'" if "cu128" in version else "None"
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": f"__version__ = '{version}'\ncuda = {cuda}\nhip = None\n",
    }
    install(site, "torch", version, files, tag=f"cp311-cp311-{platform}")
    code, report = run(site, capsys)
    findings = [each for each in report["files"][0]["findings"] if each["severity"] != "note"]
    assert [each["rule"] for each in findings][:1] == ([rule] if rule else [])
    assert code == (1 if rule else 0)
