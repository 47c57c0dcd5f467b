"""Real environments with a real torch, imported for real: what the check says, and what the interpreter says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.installers import environment
from support.real_wheels import Wheels, cpu_wheel
from support.site_folder import install, write
from torchlock.cli.main import main

pytestmark = [pytest.mark.network, pytest.mark.skipif(sys.platform != "linux", reason="wheels of Linux")]
PYTHON = f"3.{sys.version_info.minor}"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the CPU build of torch 2.13.0, NumPy and soundfile, as uv makes it."""
    folder = tmp_path_factory.mktemp("real")
    wheel = cpu_wheel()
    if wheel is None:
        pytest.skip("no CPU build of torch 2.13.0 on disk")
    environment(folder / "env", str(wheel), "numpy", "soundfile")
    # The code that an import needs is compiled once: the tests link it, and import without writing.
    subprocess.run([str(folder / "env" / "bin" / "python"), "-c", "import torch, soundfile"], check=True)
    return folder / "env"


@pytest.fixture
def copy(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment again, its files linked: a test may delete and replace, and must not write into them."""
    shutil.copytree(base, tmp_path / "env", symlinks=True, copy_function=os.link)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "env"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return Wheels(tmp_path_factory.mktemp("wheels"))


def site_of(env: Path) -> Path:
    return env / "lib" / f"python{PYTHON}" / "site-packages"


def check(env: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["check", "--python", str(env / "bin" / "python"), "--format", "json", *words])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, report


def imports(env: Path, module: str = "torch", folder: Path | None = None) -> bool:
    command = [str(env / "bin" / "python"), "-B", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, cwd=folder).returncode == 0


def unpack(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


def as_it_is(env: Path, wheels: Wheels) -> None:
    pass


def with_torchcodec(env: Path, wheels: Wheels) -> None:
    unpack(wheels.get("torchcodec==0.13.0", python=PYTHON), site_of(env))


def with_an_earlier_torchcodec(env: Path, wheels: Wheels) -> None:
    unpack(wheels.get("torchcodec==0.12.0", python=PYTHON), site_of(env))


def without_tests_and_headers(env: Path, wheels: Wheels) -> None:
    for name in ("include", "share", "bin/protoc"):
        path = site_of(env) / "torch" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def without_type_stubs(env: Path, wheels: Wheels) -> None:
    for path in (site_of(env) / "torch").rglob("*.pyi"):
        path.unlink()


def without_numpy(env: Path, wheels: Wheels) -> None:
    for path in [*site_of(env).glob("numpy*"), *site_of(env).glob("*soundfile*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def without_records(env: Path, wheels: Wheels) -> None:
    for path in site_of(env).glob("torch-*.dist-info"):
        shutil.rmtree(path)


def with_a_leftover_of_pip(env: Path, wheels: Wheels) -> None:
    write(site_of(env) / "~orch" / "__init__.py", "")


def with_an_editable_project(env: Path, wheels: Wheels) -> None:
    write(env / "project" / "speechtool.py", "import torch\n")
    write(site_of(env) / "__editable__.speechtool.pth", str(env / "project") + "\n")
    install(site_of(env), "speechtool", "1.0", {}, headers="Requires-Dist: torch>=2\n")


def with_a_patched_source(env: Path, wheels: Wheels) -> None:
    path = site_of(env) / "torch" / "functional.py"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    path.write_text(text + "\n# patched\n", encoding="utf-8")


def moved(env: Path, wheels: Wheels) -> None:
    write(env / "pyvenv.cfg.old", "")
    shutil.rmtree(env / "bin" / "__pycache__", ignore_errors=True)


def with_a_folder_called_torch(env: Path, wheels: Wheels) -> None:
    """A namespace of one's own in the current folder, which the package in the site folder wins over."""
    write(env.parent / "torch" / "notes.txt", "mine")


HEALTHY: list[Callable[[Path, Wheels], None]] = [
    as_it_is,
    with_torchcodec,
    with_an_earlier_torchcodec,
    without_tests_and_headers,
    without_type_stubs,
    without_numpy,
    without_records,
    with_a_leftover_of_pip,
    with_an_editable_project,
    with_a_patched_source,
    moved,
    with_a_folder_called_torch,
]


@pytest.mark.parametrize("change", HEALTHY, ids=lambda change: str(change.__name__))
def test_what_imports_is_called_fine(
    change: Callable[[Path, Wheels], None], copy: Path, wheels: Wheels, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether torchcodec is, depends on the FFmpeg of the machine that runs the test."""
    change(copy, wheels)
    assert imports(copy, folder=copy.parent)
    has_codec = (site_of(copy) / "torchcodec").is_dir()
    expected = ["TL304"] if has_codec and not imports(copy, "torchcodec") else []
    for words in ([], ["--probe"]):
        code, report = check(copy, capsys, *words)
        found = report["files"][0]["findings"]
        assert [each["rule"] for each in found if each["severity"] != "note"] == expected
        assert code == 0


def with_the_public_torchaudio(env: Path, wheels: Wheels) -> None:
    unpack(wheels.get("torchaudio==2.11.0", python=PYTHON), site_of(env))


def with_an_older_torchaudio(env: Path, wheels: Wheels) -> None:
    unpack(wheels.get("torchaudio==2.9.1", python=PYTHON), site_of(env))


def without(path: str) -> Callable[[Path, Wheels], None]:
    def change(env: Path, wheels: Wheels) -> None:
        found = list(site_of(env).glob(path))
        assert found
        for each in found:
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    change.__name__ = f"without_{path}"
    return change


def emptied(path: str) -> Callable[[Path, Wheels], None]:
    def change(env: Path, wheels: Wheels) -> None:
        (found,) = site_of(env).glob(path)
        found.unlink()
        found.touch()

    change.__name__ = f"emptied_{path}"
    return change


def halved(path: str) -> Callable[[Path, Wheels], None]:
    def change(env: Path, wheels: Wheels) -> None:
        (found,) = site_of(env).glob(path)
        content = found.read_bytes()
        found.unlink()
        found.write_bytes(content[: len(content) // 2])

    change.__name__ = f"halved_{path}"
    return change


def with_a_script_called_torch(env: Path, wheels: Wheels) -> None:
    write(env.parent / "torch.py", "x = torch.ones\n")


def with_a_library_of_another_machine(env: Path, wheels: Wheels) -> None:
    from support.libraries import elf

    path = site_of(env) / "torch" / "lib" / "libc10.so"
    path.unlink()
    path.write_bytes(elf("libc10.so", machine=183))


BROKEN: list[tuple[Callable[[Path, Wheels], None], str, str]] = [
    (with_the_public_torchaudio, "torchaudio", "TL201"),
    (with_an_older_torchaudio, "torchaudio", "TL101"),
    (without("torch/functional.py"), "torch", "TL601"),
    (without("torch/nn/modules/linear.py"), "torch", "TL601"),
    (without("torch/lib/libtorch_cpu.so"), "torch", "TL601"),
    (without("torch/lib/libtorch_global_deps.so"), "torch", "TL601"),
    (without("torch/_C.*.so"), "torch", "TL601"),
    (without("torch/bin/torch_shm_manager"), "torch", "TL601"),
    (without("torch/version.py"), "torch", "TL601"),
    (without("torch"), "torch", "TL601"),
    (without("typing_extensions*"), "torch", "TL609"),
    (emptied("torch/_C.*.so"), "torch", "TL607"),
    (emptied("torch/lib/libc10.so"), "torch", "TL607"),
    (halved("torch/lib/libtorch_python.so"), "torch", "TL607"),
    (halved("torch/functional.py"), "torch", "TL602"),
    (with_a_script_called_torch, "torch", "TL606"),
    (with_a_library_of_another_machine, "torch", "TL608"),
]


@pytest.mark.parametrize(
    ("change", "module", "rule"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_what_does_not_import_is_explained(
    change: Callable[[Path, Wheels], None],
    module: str,
    rule: str,
    copy: Path,
    wheels: Wheels,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(copy, wheels)
    assert not imports(copy, module, copy.parent)
    code, report = check(copy, capsys)
    first = report["files"][0]["findings"][0]
    assert (code, first["severity"], first["rule"]) == (1, "error", rule), report["summary"]
    assert report["command"]
    code, report = check(copy, capsys, "--probe")
    assert report["files"][0]["findings"][0]["rule"] == rule
    assert not [
        each for each in report["files"][0]["findings"] if each["rule"] == "TL614" and each["severity"] == "error"
    ]
