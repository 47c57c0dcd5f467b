"""``--base-image`` and ``--constraint-from``: what is installed stays, in the lock and when it is installed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from support.installers import INSTALLERS, install
from support.small_wheels import metadata, version_py
from support.wheel_index import LINUX, WheelIndex
from torchlock.cli.main import main

IMAGE = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
NVIDIA = "nvcr.io/nvidia/pytorch:25.08-py3"
BESIDE = ["--base-image", IMAGE, "--offline"]
TAGS = max((str(tag) for tag in sys_tags()), key=lambda tag: tag.endswith(LINUX))
EITHER = pytest.mark.parametrize("installer", INSTALLERS)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, no settings of whoever runs the tests, and a machine with x86-64."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path


def lock(*arguments: str) -> int:
    return main(["lock", *arguments])


def names(text: str) -> set[str]:
    """The packages that a lock installs."""
    lines = [line for line in text.splitlines() if line and line[0] not in "# -"]
    return {line.partition("==")[0].partition(" @ ")[0].partition("[")[0] for line in lines}


def environment(folder: Path, *packages: tuple[str, str, list[str], str]) -> Path:
    """A site-packages folder: name, version, requirements and build of each package."""
    site = folder / "lib" / "python3.11" / "site-packages"
    for name, version, requires, build in packages:
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(metadata(name, version, requires), encoding="utf-8")
        (info / "RECORD").write_text("", encoding="utf-8")
        (site / name).mkdir()
        (site / name / "version.py").write_text(version_py(version, build), encoding="utf-8")
    return folder


TORCH = ("torch", "2.8.0+cu128", ["sympy>=1.13.3", "numpy>=1.20"], "cu128")


# What the lock contains.


def test_the_lock_has_what_the_image_lacks_and_names_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", "soundfile", *BESIDE) == 0
    output = capsys.readouterr()
    assert not names(output.out) & {"torch", "torchaudio", "torchvision", "sympy", "triton"}
    assert "soundfile" in names(output.out)
    header = output.out.split("\n\n")[0].splitlines()
    assert header[2].startswith("# for Python 3.11, manylinux_2_35_x86_64, ")
    assert f"# base image: {IMAGE}" in header
    kept = "# already installed: torch 2.8.0+cu128, torchaudio 2.8.0+cu128, torchvision 0.23.0+cu128"
    assert kept in header
    assert header[-1].endswith("pip install -r FILE, or uv pip install --no-deps -r FILE")
    assert f"base image {IMAGE} has numpy, typing-extensions too, in an unknown version" in output.err


def test_without_a_base_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio==2.8.0", "--offline", "--python", "3.11", "--platform", "linux-x86_64") == 0
    text = capsys.readouterr().out
    assert {"torch", "torchaudio"} <= names(text)
    assert "base image" not in text
    assert "already installed" not in text


@pytest.mark.parametrize("asked", ["torch", "torch>=2.1", "torch==2.8.0", "torch==2.8.0+cu128", "torchaudio<2.9"])
def test_what_is_there_satisfies_a_requirement(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(asked, *BESIDE) == 0
    assert names(capsys.readouterr().out) == set()


def test_options_of_the_target_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("soundfile", *BESIDE, "--python", "3.12", "--platform", "manylinux_2_31_x86_64") == 0
    assert "for Python 3.12, manylinux_2_31_x86_64," in capsys.readouterr().out


def test_the_image_of_another_machine_is_another_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", *BESIDE, "--platform", "linux-aarch64") == 0
    assert "torch 2.8.0+cpu" in capsys.readouterr().out


def test_the_lock_survives_a_check_and_an_upgrade(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["torchaudio", "soundfile", *BESIDE, "-o", "requirements.txt"]
    assert lock(*command) == 0
    first = Path("requirements.txt").read_text(encoding="utf-8")
    assert lock(*command, "--check") == 0
    assert lock(*command, "--upgrade") == 0
    assert Path("requirements.txt").read_text(encoding="utf-8") == first
    capsys.readouterr()
    assert lock("soundfile", "--offline", "-o", "requirements.txt") == 0
    said = capsys.readouterr().err
    assert f"requirements.txt was for base image {IMAGE}, and this lock is not" in said
    assert f"--base-image {IMAGE}" in said
    assert lock("soundfile", "--offline", "-o", "requirements.txt") == 0
    assert "was for" not in capsys.readouterr().err


def test_the_json_says_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", *BESIDE, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert table["base"] == {"kind": "base image", "name": IMAGE}
    assert {"name": "torch", "version": "2.8.0+cu128"} in table["installed"]
    assert table["packages"] == []
    assert table["target"]["accelerator"] == "cu128"
    assert lock("soundfile", "--offline", "--json") == 0
    assert "installed" not in json.loads(capsys.readouterr().out)


# Refusals.


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("torch==2.9.0", "torch==2.8.0+cu128 instead of torch==2.9.0"),
        ("torch>=2.9", "torch==2.8.0+cu128 instead of torch>=2.9"),
        ("torchaudio==2.9.0", "torchaudio==2.8.0+cu128 instead of torchaudio==2.9.0"),
    ],
)
def test_a_requirement_that_would_replace_it_is_refused(
    asked: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock(asked, *BESIDE) == 1
    said = capsys.readouterr().err
    name = asked.partition("=")[0].partition(">")[0]
    assert f"base image {IMAGE} has {name} 2.8.0+cu128, which is not replaced" in said
    assert near in said
    assert "declared 2026-11-29: https://github.com/pytorch/pytorch/" in said


def test_what_torch_requires_limits_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("sympy<1.10", *BESIDE) == 1
    said = capsys.readouterr().err
    assert f"base image {IMAGE}: torch 2.8.0+cu128 declares sympy>=1.13.3" in said
    assert "instead of sympy<1.10" in said
    assert lock("sympy", *BESIDE) == 0
    assert names(capsys.readouterr().out) == {"sympy", "mpmath"}


def test_an_extra_of_what_is_there_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch[opt-einsum]", *BESIDE) == 0
    output = capsys.readouterr()
    assert names(output.out) == {"opt-einsum", "numpy"} or names(output.out) == {"opt-einsum"}
    assert "requires nothing for" not in output.err


def test_other_options_of_the_choice_spare_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", *BESIDE, "--exclude-newer", "2025-01-01") == 0
    assert lock("torchaudio", *BESIDE, "--prefer", "lowest") == 0
    assert "torch 2.8.0+cu128" in capsys.readouterr().out


def test_a_driver_that_is_too_old_for_the_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch", *BESIDE, "--system-lib", "cuda-driver=470.82") == 1
    assert "CUDA 12.8 needs NVIDIA driver 525.60.13 or newer" in capsys.readouterr().err
    assert lock("torch", *BESIDE, "--system-lib", "cuda-driver=535.104") == 0


def test_a_gpu_that_the_torch_of_the_image_has_no_code_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch", *BESIDE, "--gpu", "sm_61") == 1
    said = capsys.readouterr().err
    assert "torch 2.8.0+cu128: it has no code for sm_61" in said
    assert f"base image {IMAGE} has it, and it is not replaced" in said
    assert lock("torch", *BESIDE, "--gpu", "sm_86") == 0


def test_auto_has_nothing_to_choose_where_torch_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", *BESIDE, "--accelerator", "auto", "--gpu", "sm_86") == 0
    output = capsys.readouterr()
    assert "# builds: cu128 of " in output.out
    assert "auto chooses" not in output.err


def test_an_image_that_conda_made(capsys: pytest.CaptureFixture[str]) -> None:
    image = ["--base-image", "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "--offline"]
    assert lock("torchaudio", *image) == 0
    assert "# already installed: torch 2.5.1, torchaudio 2.5.1, torchvision 0.20.1" in capsys.readouterr().out
    assert lock("sympy==1.12", *image) == 1
    assert "torch 2.5.1 declares sympy==1.13.1" in capsys.readouterr().err


def test_colab_keeps_its_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    colab = ["--base-image", "colab:2026.01-gpu", "--offline"]
    assert lock("librosa", *colab) == 0
    assert names(capsys.readouterr().out) == set()
    assert lock("numpy>=2.1", *colab) == 1
    said = capsys.readouterr().err
    assert "base image colab:2026.01-gpu has numpy 2.0.2, which is not replaced" in said
    assert "measured 2026-11-29: https://github.com/googlecolab/backend-info/" in said


def test_another_build_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch==2.8.0+cu126", *BESIDE) == 2
    assert f"the lock uses the build of base image {IMAGE}, which has torch 2.8.0+cu128" in capsys.readouterr().err
    assert lock("soundfile", *BESIDE, "--accelerator", "cu126") == 2
    assert f"--accelerator cu126 contradicts base image {IMAGE}" in capsys.readouterr().err
    assert lock("soundfile", *BESIDE, "--accelerator", "cu128") == 0


@pytest.mark.parametrize("asked", ["torchaudio", "torchcodec", "torchvision==0.23.0"])
def test_nothing_is_built_for_a_vendors_torch(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(asked, "--base-image", NVIDIA, "--offline") == 1
    said = capsys.readouterr().err
    assert "is built for the torch (2.8.0a0+34c6371d24.nv25.08) that NVIDIA built" in said
    assert "--no-build-isolation" in said


def test_a_vendors_torch_satisfies_what_needs_no_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch>=2.5", "soundfile", "--base-image", NVIDIA, "--offline") == 0
    output = capsys.readouterr()
    assert "torch" not in names(output.out)
    assert "# already installed: torch 2.8.0a0+34c6371d24.nv25.08" in output.out
    assert f"whether base image {NVIDIA} has torchvision is unknown" in output.err
    # A tag without a row: some torch of the vendor.
    assert lock("torch", "--base-image", "nvcr.io/nvidia/pytorch:24.04-py3", "--offline") == 0
    assert "# already installed: torch\n" in capsys.readouterr().out


@pytest.mark.parametrize("image", ["team/base:1", "pytorch/pytorch:latest", "kaggle/python:v157", "colab"])
def test_an_unknown_image_is_unknown_and_not_wrong(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("soundfile", "--base-image", image, "--offline") == 0
    output = capsys.readouterr()
    assert f"note: the packages of base image {image} are unknown: " in output.err
    assert "already installed" not in output.out
    assert lock("torchaudio", "--base-image", image, "--offline") == 2
    said = capsys.readouterr().err
    assert f"the contents of base image {image} are unknown" in said
    assert "--constraint-from" in said


def test_the_contents_of_a_tag_that_never_was_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("soundfile", "--base-image", "pytorch/pytorch:2.8.0-cuda11.8-cudnn9-runtime", "--offline") == 0
    assert "are unknown: torch 2.8.0 was never built as cu118" in capsys.readouterr().err
    assert lock("soundfile", *BESIDE) == 0
    assert "never built" not in capsys.readouterr().err


def test_an_image_without_torch_sets_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torch==2.8.0", "--base-image", "python:3.12-slim-bookworm", "--offline") == 0
    text = capsys.readouterr().out
    assert "torch" in names(text)
    assert "for Python 3.12, manylinux_2_36_x86_64," in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--base-image", "a b"], "is not the name of an image"),
        (["--base-image", ""], "is not the name of an image"),
        (["--base-image", IMAGE, "--platform", "macos-arm64"], "a base image runs on Linux"),
        (["--constraint-from", "nowhere"], "there is no environment 'nowhere'"),
        (["--constraint-from", "."], "contains no Python packages"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("soundfile", "--offline", *arguments) == 2
    assert says in capsys.readouterr().err


def test_only_one_base(capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("soundfile", "--base-image", IMAGE, "--constraint-from", ".") == 2
    assert "exclude each other" in capsys.readouterr().err


# An environment.


def test_an_environment_is_read_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment(tmp_path / "env", TORCH, ("numpy", "2.1.0", [], ""), ("sympy", "1.13.3", [], ""))
    beside = ["--constraint-from", "env", "--offline"]
    assert lock("soundfile", "torchaudio", "torch", *beside) == 0
    text = capsys.readouterr().out
    assert not names(text) & {"torch", "numpy", "sympy"}
    assert {"soundfile", "torchaudio"} <= names(text)
    assert "torchaudio-2.8.0%2Bcu128-cp311" in text
    assert "# environment: env\n# already installed: torch 2.8.0+cu128, numpy 2.1.0\n" in text
    assert lock("numpy>=2.2", *beside) == 1
    assert "environment env has numpy 2.1.0, which is not replaced" in capsys.readouterr().err
    assert lock("torchaudio==2.9.0", *beside) == 1
    assert "environment env has torch 2.8.0+cu128, which is not replaced" in capsys.readouterr().err


def test_what_the_environment_lacks_is_limited_by_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(tmp_path / "env", TORCH)
    assert lock("sympy<1.13", "--constraint-from", "env", "--offline") == 1
    assert "environment env: torch 2.8.0+cu128 declares sympy>=1.13.3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "build", "label"),
    [("2.8.0", "cu128", "cu128"), ("2.8.0", "cpu", "cpu"), ("2.8.0+cu126", "cu126", "cu126")],
)
def test_the_build_of_an_unlabelled_torch_is_that_of_its_version_file(
    version: str, build: str, label: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(tmp_path / "env", ("torch", version, [], build))
    assert lock("torchaudio", "--constraint-from", "env", "--offline", "--platform", "linux-x86_64") == 0
    assert f"torchaudio-2.8.0%2B{label}-cp311" in capsys.readouterr().out


@pytest.mark.parametrize("version", ["2.8.0a0+git1234567", "2.8.0+nv25.8", "2.9.0.dev20250901+cu128"])
def test_a_torch_that_no_index_has(version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment(tmp_path / "env", ("torch", version, [], "cu128"))
    assert lock("torchaudio", "--constraint-from", "env", "--offline") == 1
    assert f"is built for the torch ({version})" in capsys.readouterr().err


def test_an_environment_without_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment(tmp_path / "env", ("numpy", "2.1.0", [], ""))
    assert lock("torch==2.8.0", "--constraint-from", "env", "--offline", "--platform", "linux-x86_64") == 0
    text = capsys.readouterr().out
    assert "torch==2.8.0 " in text
    assert "numpy" not in names(text)


def test_explain_says_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torchaudio", "torch", *BESIDE]) == 0
    text = capsys.readouterr().out
    assert "torch 2.8.0+cu128" in text
    assert f"base image {IMAGE} has torchaudio 2.8.0+cu128, which stays." in text
    assert "is newer" not in text
    assert main(["explain", "torchaudio==2.9.0", *BESIDE]) == 1
    assert "which is not replaced" in capsys.readouterr().out


# Real installers, into an environment that has a torch.


@pytest.fixture
def index() -> Iterator[WheelIndex]:
    with WheelIndex() as started:
        yield started


def serve(index: WheelIndex) -> None:
    """A torch with another build on the public index, and newer releases of what is installed.

    The release is one that the data do not have, because they know the hashes of the real files.
    """
    for label in ("cpu", "cu128"):
        index.add(label, "torch", f"2.8.7+{label}", TAGS, ["sympy>=1.13"])
        index.add(label, "torchaudio", f"2.8.7+{label}", TAGS, ["torch==2.8.7"])
    for version in ("2.8.7", "2.9.7"):
        index.add_public("torch", version, ["sympy>=1.13"], tags=TAGS)
        index.add_public("torchaudio", version, [f"torch=={version}"], tags=TAGS)
    for version in ("1.13.3", "1.14.0"):
        index.add_public("sympy", version, python=">=3.8")
    index.add_public("soundfile", "0.13.1", python=">=3.8")


@EITHER
@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "no hashes"])
def test_the_lock_installs_beside_a_torch_that_is_not_touched(
    installer: str, hashes: bool, index: WheelIndex, tmp_path: Path
) -> None:
    serve(index)
    image = tmp_path / "image.txt"
    image.write_text(f"--extra-index-url {index.url}/cu128\ntorch==2.8.7+cu128\nsympy==1.13.3\n", encoding="utf-8")
    before = install(installer, image, index.public_url)
    assert before.code == 0, before.said
    # A folder is read; an interpreter is asked for its paths.
    there = before.environment if installer == "uv" else next(before.environment.glob("[bS]*/python*"))
    asked = ["torchaudio", "soundfile", "--constraint-from", str(there)]
    where = ["--builds-url", index.url, "-i", index.public_url, "--refresh", "--unproven"]
    assert lock(*asked, *where, "-o", "lock.txt", *([] if hashes else ["--no-hashes"])) == 0
    written = Path("lock.txt").read_text(encoding="utf-8")
    assert names(written) == {"torchaudio", "soundfile"}
    assert ("--hash=sha256:" in written) is hashes
    options = ["--no-deps"] if installer == "uv" else []
    after = install(installer, tmp_path / "lock.txt", index.public_url, *options, environment=before.environment)
    assert after.code == 0, after.said
    assert after.versions == {
        "torch": "2.8.7+cu128",
        "sympy": "1.13.3",
        "torchaudio": "2.8.7+cu128",
        "soundfile": "0.13.1",
    }
    assert after.folder_of("torch") == after.folder_of("torchaudio") == "cu128"


@EITHER
def test_where_torch_is_missing_the_lock_is_refused(installer: str, index: WheelIndex, tmp_path: Path) -> None:
    """In hash mode neither installer takes a torch that the lock does not name."""
    serve(index)
    torchaudio = next(file for file in index.published if (file.folder, file.project) == ("cu128", "torchaudio"))
    path = tmp_path / "lock.txt"
    path.write_text(f"torchaudio @ {index.link(torchaudio)} --hash=sha256:{torchaudio.sha256}\n", encoding="utf-8")
    outcome = install(installer, path, index.public_url, "--require-hashes")
    assert outcome.code != 0
    assert "torch" in outcome.said


# Many targets, each with its own base.

TABLES = f"""\
[project]
name = "own"
version = "1"
dependencies = ["torchaudio", "soundfile"]

[[tool.torchlock.target]]
name = "server"
base-image = "{IMAGE}"
platform = "linux-x86_64"

[[tool.torchlock.target]]
name = "laptops"
python = "3.11"
platform = "macos-arm64"

[[tool.torchlock.target]]
name = "image"
python = "3.12"
platform = "linux-x86_64"
system = "debian-12"
"""


def test_each_named_target_has_its_own_base_and_system(elsewhere: Path) -> None:
    Path("pyproject.toml").write_text(TABLES, encoding="utf-8")
    assert lock("--offline", "-o", "requirements-{target}.txt") == 0
    found = {name: Path(f"requirements-{name}.txt").read_text() for name in ("server", "laptops", "image")}
    assert {name: "torch" in names(text) for name, text in found.items()} == {
        "server": False,
        "laptops": True,
        "image": True,
    }
    assert f"installed into base image {IMAGE}\n#     already installed: torch 2.8.0+cu128\n" in found["server"]
    assert "already installed" not in found["laptops"] + found["image"]
    assert "manylinux_2_36_x86_64 (debian-12)" in found["image"]
    assert lock("--offline", "-o", "requirements-{target}.txt", "--check") == 0


def test_one_file_has_what_each_target_lacks(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock("torchaudio", *BESIDE, "--platform", "linux-x86_64", "--platform", "macos-arm64") == 0
    said = capsys.readouterr()
    assert "torch==2.15.0 ; sys_platform == 'darwin'" in said.out or "torch==2.15.0 ; " in said.out
    assert f"note: --base-image {IMAGE} is not for Python 3.11, macosx_14_0_arm64" in said.err


def test_an_environment_is_for_the_targets_like_it(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = environment(elsewhere / "own", TORCH)
    platforms = ["--platform", "linux-x86_64", "--platform", "linux-aarch64"]
    words = ["soundfile", "--offline", "--python", "3.11", *platforms]
    assert lock(*words, "--constraint-from", str(site)) == 0
    assert f"installed into environment {site}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--base-image", IMAGE, "--platform", "macos-arm64", "--platform", "windows-amd64"],
            "fits none of the targets",
        ),
        (
            ["--system", "debian-12", "--platform", "macos-arm64", "--platform", "windows-amd64"],
            "fits none of the",
        ),
        (["--base-image", IMAGE, "--python", "3.11-3.12"], f"{IMAGE} has Python 3.11, and the target Python 3.12"),
    ],
)
def test_an_option_for_one_machine_that_fits_no_target(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock("soundfile", "--offline", *options) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "[[tool.torchlock.target]]" in errors


def test_a_system_is_for_the_targets_of_its_platform(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["soundfile", "--offline", "--python", "3.12", "--system", "debian-12", "--platform", "linux-x86_64"]
    assert lock(*words, "--platform", "macos-arm64") == 0
    said = capsys.readouterr()
    assert "manylinux_2_36_x86_64 (debian-12), macosx_14_0_arm64" in said.out
    assert "--system debian-12 is not for Python 3.12, macosx_14_0_arm64" in said.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('base-image = "a b"', "is not the name of an image"),
        ('base-image = ["a"]', "is not a string"),
        ('constraint-from = ".venv"', "use --constraint-from on the command line"),
        ('base-image = "python:3.12"\nconstraint-from = ".venv"', "exclude each other"),
    ],
)
def test_a_wrong_base_of_a_named_target_is_blamed_on_its_table(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = '[project]\nname = "own"\nversion = "1"\ndependencies = ["soundfile"]\n'
    Path("pyproject.toml").write_text(
        f'{project}[[tool.torchlock.target]]\nname = "a"\n{line}\n', encoding="utf-8"
    )
    assert lock("--offline") == 2
    errors = capsys.readouterr().err
    assert "pyproject.toml:7" in errors or "pyproject.toml:5" in errors
    assert said in errors
