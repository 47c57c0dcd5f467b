"""The real proof: pip and uv take what we write, and what we say of a pair is what its import does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.real_wheels import cpu_wheel
from torchlock.cli.main import main
from torchlock.manifests.pin_sets import read_pin_set
from torchlock.target import Platform, PythonVersion, Target

pytestmark = pytest.mark.network

LOCKS = [
    pytest.param(
        ["torch==2.3.1", "torchaudio", "soundfile", "librosa"], "3.11", "linux-x86_64", id="the common pin"
    ),
    pytest.param(["torchaudio", "torchcodec", "soundfile"], "3.13", "linux-x86_64", id="today, Linux"),
    pytest.param(["torch", "torchaudio"], "3.14", "macos-arm64", id="today, macOS"),
    pytest.param(["torchaudio", "soundfile"], "3.8", "linux-x86_64", id="an old Python"),
    pytest.param(
        ["torch==2.9.1", "torchaudio", "torchvision", "torchcodec"], "3.12", "windows-amd64", id="Windows"
    ),
    pytest.param(["torch==2.8.0", "torchaudio"], "3.10", "linux-aarch64", id="Linux on ARM"),
]
UV_PLATFORM = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-amd64": "x86_64-pc-windows-msvc",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


def python(venv: Path) -> str:
    return str(next(venv.glob("[bS]*/python*")))


@pytest.mark.parametrize(("request_", "version", "platform"), LOCKS)
def test_uv_accepts_the_lock_in_hash_mode(request_: list[str], version: str, platform: str, venv: Path) -> None:
    assert (
        main(["lock", *request_, "--python", version, "--platform", platform, "--offline", "-o", "lock.txt"]) == 0
    )
    result = run(
        *("uv", "pip", "install", "--dry-run", "--require-hashes", "-r", "lock.txt", "--python", python(venv)),
        *("--python-version", version, "--python-platform", UV_PLATFORM[platform], "--only-binary", ":all:"),
        MACOSX_DEPLOYMENT_TARGET="14.0",
    )
    assert result.returncode == 0, result.stderr
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", Path("lock.txt").read_text(), re.M)
    assert f"Would install {len(pins)} packages" in result.stderr


def test_pip_installs_in_hash_mode_and_it_imports(venv: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (
        main(["lock", "soundfile", "numpy", "torchaudio", "--python", version, "--offline", "-o", "lock.txt"]) == 0
    )
    text = Path("lock.txt").read_text()
    small = re.findall(
        r"^(?:soundfile|numpy|cffi|pycparser|typing-extensions|torchaudio)==.*(?:\n    --hash.*)+", text, re.M
    )
    assert len(small) == 6
    Path("small.txt").write_text("\n".join(small) + "\n")
    result = run(python(venv), "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", "small.txt")
    assert result.returncode == 0, result.stderr
    check = "import soundfile, numpy; print(soundfile.__version__, numpy.__version__)"
    result = run(python(venv), "-c", check)
    assert result.returncode == 0, result.stderr


def test_a_cpu_torch_with_the_public_torchaudio_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """That its import fails so is shown in test_check_real.py (with_the_public_torchaudio)."""
    wheel = cpu_wheel()
    if wheel is None:
        pytest.skip("no CPU build of torch 2.13.0 on disk")
    lines = f"torch @ {wheel.as_uri()}\ntorchaudio==2.11.0\n"
    Path("requirements.in").write_text(lines)
    assert main(["lock", "-r", "requirements.in", "--no-hashes"]) == 1
    message = capsys.readouterr().err
    assert "torchaudio 2.11.0 needs a torch built for CUDA 13.0" in message
    assert "torch 2.13.0+cpu is a CPU build" in message


MANY = [
    *("--python", "3.11", "--python", "3.13", "--platform", "linux-x86_64", "--platform", "linux-aarch64"),
    *("--platform", "macos-arm64", "--platform", "windows-amd64"),
]


def dry_run(name: str, version: str, platform: str, venv: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let uv resolve a lock for a platform; nothing is installed."""
    return run(
        *("uv", "pip", "install", "--dry-run", "--reinstall", *options, "-r", name, "--python", python(venv)),
        *("--python-version", version, "--python-platform", UV_PLATFORM[platform], "--only-binary", ":all:"),
        MACOSX_DEPLOYMENT_TARGET="14.0",
    )


def test_uv_takes_one_lock_on_eight_targets(venv: Path) -> None:
    asked = ["torch", "torchaudio", "torchcodec", "soundfile", "librosa"]
    assert main(["lock", *asked, *MANY, "--offline", "-o", "lock.txt"]) == 0
    for version in ("3.11", "3.13"):
        for platform in UV_PLATFORM:
            target = Target(PythonVersion.parse(version), Platform.parse(platform))
            pins = {
                each.name for each in read_pin_set("lock.txt", "requirements").pins if target.holds(each.marker)
            }
            result = dry_run("lock.txt", version, platform, venv, "--require-hashes")
            assert result.returncode == 0, (version, platform, result.stderr)
            assert f"Would install {len(pins)} packages" in result.stderr, (version, platform, result.stderr)


def test_uv_takes_one_pylock_on_eight_targets(venv: Path) -> None:
    assert main(["lock", "torchaudio", "soundfile", *MANY, "-o", "pylock.toml"]) == 0
    for version in ("3.11", "3.13"):
        for platform in UV_PLATFORM:
            result = dry_run("pylock.toml", version, platform, venv)
            assert result.returncode == 0, (version, platform, result.stderr)


def test_pip_takes_its_part_of_a_lock_for_many(venv: Path) -> None:
    """pip evaluates markers for the Python that runs it, so only this target is shown to it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (
        main(["lock", "soundfile", *MANY, "--python", version, "--platform", "host", "--offline", "-o", "a.txt"])
        == 0
    )
    result = run(python(venv), "-m", "pip", "install", "--dry-run", "--require-hashes", "-r", "a.txt")
    assert result.returncode == 0, result.stderr
    assert "numpy" in result.stdout


@pytest.mark.parametrize("name", ["lock.txt", "pylock.toml"])
def test_a_small_lock_for_many_is_installed_for_real(name: str, venv: Path, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    targets = ["--python", version, "--python", "3.14", "--platform", "host", "--platform", "windows-amd64"]
    assert main(["lock", "soundfile", *targets, "-o", name]) == 0
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    interpreter = python(tmp_path / "env")
    result = run("uv", "pip", "sync", name, "--python", interpreter)
    assert result.returncode == 0, result.stderr
    assert run(interpreter, "-c", "import soundfile, numpy").returncode == 0


def test_uv_accepts_the_lock_as_pylock(venv: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert main(["lock", "torchaudio==2.11.0", "soundfile", "--python", version, "-o", "pylock.toml"]) == 0
    result = run("uv", "pip", "install", "--dry-run", "--reinstall", "-r", "pylock.toml", "--python", python(venv))
    assert result.returncode == 0, result.stderr
    pins = Path("pylock.toml").read_text().count("[[packages]]")
    assert f"Would install {pins} packages" in result.stderr
