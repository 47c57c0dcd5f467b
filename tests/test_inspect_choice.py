"""Which environment is meant where nobody names one, and of which machine a tree is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.check import audio_files, bad, run, torch_files
from support.libraries import elf, pe
from support.site_folder import install, write
from torchlock.cli.main import main
from torchlock.inspect.environment_choice import active_environment, is_used_here, root_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders of POSIX")


def python_in(folder: Path, *, torch: bool = False) -> Path:
    if torch:
        (folder / "lib" / "python3.11" / "site-packages" / "torch").mkdir(parents=True)
    path = write(folder / "bin" / "python", "#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_activated_environment_comes_first(tmp_path: Path) -> None:
    mine, theirs = python_in(tmp_path / "a"), python_in(tmp_path / "b", torch=True)
    environ = {"VIRTUAL_ENV": str(tmp_path / "a"), "CONDA_PREFIX": str(tmp_path / "b"), "CONDA_DEFAULT_ENV": "x"}
    assert active_environment(environ).python == str(mine)
    del environ["VIRTUAL_ENV"]
    assert active_environment(environ).python == str(theirs)


def test_the_base_of_conda_does_not_hide_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = python_in(tmp_path / ".venv", torch=True)
    python_in(tmp_path / "conda")
    environ = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "base", "PATH": ""}
    assert active_environment(environ).python == str(project)


@pytest.mark.parametrize("where", ["PYTHONPATH", "PYTHONUSERBASE", "HOME"])
def test_torch_outside_of_the_folders_of_python(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pip install --user``, and PYTHONPATH as the environment modules of a cluster set it."""
    python = python_in(tmp_path / "system")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(python.parent))
    monkeypatch.setattr(sys, "executable", str(python_in(tmp_path / "own")))
    (tmp_path / "own" / "pyvenv.cfg").touch()
    inner = {"PYTHONPATH": "", "PYTHONUSERBASE": "lib/python3.11/site-packages"}
    folder = tmp_path / "more" / inner.get(where, ".local/lib/python3.11/site-packages")
    (folder / "torch").mkdir(parents=True)
    found = active_environment({where: str(tmp_path / "more")})
    assert found.python == (sys.executable if where == "PYTHONPATH" else str(python))


def test_without_torch_anywhere_nothing_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No advice for the environment in which torchlock happens to be; it says where it looked."""
    other = python_in(tmp_path / "system")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "executable", str(python_in(tmp_path / "own")))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "gone"))
    found = active_environment({"VIRTUAL_ENV": str(tmp_path / "gone")})
    assert (found.python, found.looked) == ("", (sys.executable, str(other)))
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert main(["check"]) == 2
    said = capsys.readouterr()
    assert f"no environment with torch was found: looked at {sys.executable}, {other}; VIRTUAL_ENV" in said.err
    assert "--python" in said.err
    assert said.out == ""


def test_the_environment_of_the_project_is_checked_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = python_in(tmp_path / ".venv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(python_in(tmp_path / "own")))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own"))
    found = active_environment({})
    assert (found.python, found.looked) == (str(project), ())


@pytest.mark.parametrize(
    "folder",
    [
        "home/.cache/uv/archive-v0/Xy12",
        "home/.cache/uv/environments-v2/torchlock-1234",
        "home/.local/share/uv/tools/torchlock",
        "home/.local/pipx/.cache/1a2b3c4d5e6f",
        "home/.local/share/pipx/venvs/torchlock",
        "home/.cache/pre-commit/repoab12cd/py_env-python3.11",
    ],
)
def test_the_environment_of_a_tool_is_never_meant(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it has torch, is on the PATH, and a variable names it."""
    own = python_in(tmp_path / folder, torch=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setattr(sys, "executable", str(own))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / folder))
    environ = {"VIRTUAL_ENV": str(tmp_path / folder), "CONDA_PREFIX": ""}
    assert active_environment(environ).looked
    write(tmp_path / "system" / "bin" / "python").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}{os.pathsep}{tmp_path / 'system' / 'bin'}")
    assert str(own) not in active_environment(environ).looked
    project = python_in(tmp_path / ".venv")
    assert active_environment(environ).python == str(project)


def test_an_environment_of_uv_run_extends_the_one_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``uv run --with torchlock torchlock check``"""
    mine, base = tmp_path / "uv" / "builds-v0" / "x", tmp_path / "project" / "env"
    own, project = python_in(mine), python_in(base, torch=True)
    write(mine / "pyvenv.cfg", f"home = /usr/bin\nextends-environment = {base}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setattr(sys, "executable", str(own))
    monkeypatch.setattr(sys, "prefix", str(mine))
    assert active_environment({"VIRTUAL_ENV": str(mine)}).python == str(project)
    assert active_environment({}).python == str(project)


@pytest.mark.parametrize("mark", ["pipx_metadata.json", "uv-receipt.toml"])
def test_the_environment_of_this_tool_alone_is_known_by_its_files(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = python_in(tmp_path / "system", torch=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "executable", str(python_in(tmp_path / "tool", torch=True)))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))
    assert active_environment({}).python == sys.executable
    write(tmp_path / "tool" / mark)
    assert active_environment({}).python == str(other)


def test_an_image_is_known_by_its_release(tmp_path: Path) -> None:
    site = tmp_path / "image" / "usr" / "lib" / "python3" / "dist-packages"
    site.mkdir(parents=True)
    assert root_of(str(site)) is None
    write(tmp_path / "image" / "etc" / "os-release", "ID=debian\n")
    assert root_of(str(site)) == str((tmp_path / "image").resolve())


def test_an_environment_whose_python_runs_here_is_of_this_machine(tmp_path: Path) -> None:
    assert not is_used_here("")
    assert not is_used_here(str(tmp_path))
    python_in(tmp_path)
    assert is_used_here(str(tmp_path)) is (sys.platform == "linux")


def test_a_variable_that_names_what_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project, gone = python_in(tmp_path / ".venv", torch=True), tmp_path / "gone"
    found = active_environment({"VIRTUAL_ENV": str(gone), "CONDA_PREFIX": str(tmp_path / "too"), "PATH": ""})
    if found.python == str(project):  # unless this very Python has torch
        assert found.because == "it is .venv in the current folder and has torch"
    assert [name for name, _ in found.gone] == ["VIRTUAL_ENV", "CONDA_PREFIX"]
    monkeypatch.setenv("VIRTUAL_ENV", str(gone))
    main(["check"])
    assert f"VIRTUAL_ENV names {gone}, which is not an environment" in capsys.readouterr().err


def test_an_activated_environment_without_its_python_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its base was uninstalled: nothing else is looked at instead."""
    folder = tmp_path / "mine"
    write(folder / "pyvenv.cfg", "home = /gone/bin\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to("/gone/bin/python3.11")
    monkeypatch.setenv("VIRTUAL_ENV", str(folder))
    assert main(["check"]) == 2
    assert f"{folder} does not answer" in capsys.readouterr().err


# One environment, however it is named.

MACHINE = {"x86_64": 62, "aarch64": 183}.get(os.uname().machine if os.name == "posix" else "", 0)
OTHER = 183 if MACHINE == 62 else 62


def of_machine(machine: int) -> dict[str, bytes | str]:
    """A torch and a torchaudio that go together, whose libraries are for this machine."""
    made = {**torch_files(), **audio_files()}
    for path, content in made.items():
        if isinstance(content, bytes):
            made[path] = content[:18] + machine.to_bytes(2, "little") + content[20:]
    return made


def put(site: Path, torch: str, audio: str, files: dict[str, bytes | str], tag: str = "py3-none-any") -> None:
    for name, version in (("torch", torch), ("torchaudio", audio)):
        own = {path: content for path, content in files.items() if path.startswith(f"{name}/")}
        own[f"{name}/version.py"] = f"__version__ = '{version}'\n"
        install(site, name, version, own, tag=tag)


def records_alone(site: Path) -> None:
    files: dict[str, bytes | str] = {"torch/__init__.py": "", "torchaudio/__init__.py": ""}
    put(site, "2.7.1", "2.5.1", files)


def a_stack_that_goes_together(site: Path) -> None:
    put(site, "2.8.0+cpu", "2.8.0+cpu", of_machine(MACHINE))


def a_stack_with_the_tags_of_another_platform(site: Path) -> None:
    put(site, "2.8.0+cpu", "2.8.0+cpu", of_machine(MACHINE), "cp311-cp311-macosx_11_0_arm64")


def a_stack_of_another_machine(site: Path) -> None:
    put(site, "2.8.0+cpu", "2.8.0+cpu", of_machine(OTHER))


def a_stack_that_lost_a_file(site: Path) -> None:
    a_stack_that_goes_together(site)
    (site / "torch" / "functional.py").unlink()


def a_patch_release_apart(site: Path) -> None:
    put(site, "2.8.1+cpu", "2.8.0+cpu", of_machine(MACHINE))


def nothing(site: Path) -> None:
    pass


WAYS: dict[str, tuple[list[str], str]] = {
    "bare": ([], ""),
    "python": (["--python", ".venv/bin/python"], ""),
    "folder as python": (["--python", ".venv"], ""),
    "folder as path": (["--path", ".venv"], ""),
    "project as path": (["--path", "."], ""),
    "site as path": (["--path", "SITE"], ""),
    "activated": ([], ".venv"),
    "another one activated that is gone": ([], "gone"),
}


@pytest.mark.skipif(sys.platform != "linux" or not MACHINE, reason="libraries of Linux")
@pytest.mark.parametrize(
    ("stage", "code"),
    [
        (records_alone, 1),
        (a_stack_that_goes_together, 0),
        (a_stack_with_the_tags_of_another_platform, 0),
        (a_stack_of_another_machine, 1),
        (a_stack_that_lost_a_file, 1),
        (a_patch_release_apart, 0),
        (nothing, 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_one_environment_has_one_answer_however_it_is_named(
    stage: Callable[[Path], None],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True)
    (site,) = (project / ".venv" / "lib").glob("python*/site-packages")
    stage(site)
    write(tmp_path / "tool" / "pipx_metadata.json")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))  # so that this Python is the last to be asked
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if stage is not nothing else str(project / ".venv" / "bin"))
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.chdir(project)
    found = {}
    for way, (words, activated) in WAYS.items():
        monkeypatch.setenv("VIRTUAL_ENV", str(project / activated) if activated else "")
        report = run(capsys, *(str(site) if word == "SITE" else word for word in words), code=code)
        found[way] = bad(report)
    assert len({tuple(each) for each in found.values()}) == 1, found


@pytest.mark.skipif(os.name != "posix", reason="folders of POSIX")
def test_a_tree_that_nothing_tells_of_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    records_alone(site)
    assert main(["check", "--path", str(site)]) == 2
    assert "its platform is unknown" in capsys.readouterr().err
    assert main(["check", "--path", str(site), "--platform", "linux-x86_64"]) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="links of POSIX")
def test_what_an_environment_includes_is_looked_at_or_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, env = tmp_path / "base", tmp_path / "env"
    python_in(base)
    shutil.rmtree(base / "bin")
    write(base / "bin" / "python3", elf("python", machine=MACHINE))
    stage = base / "lib" / "python3.11" / "site-packages"
    a_stack_that_goes_together(stage)
    site = env / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    settings = f"home = {base}/bin\ninclude-system-site-packages = true\nversion = 3.11.7\n"
    write(env / "pyvenv.cfg", settings)
    (env / "bin").mkdir()
    (env / "bin" / "python").symlink_to(base / "bin" / "python3")
    assert main(["check", "--path", str(env)]) == 2
    assert "it includes the packages of the Python in" in capsys.readouterr().err
    write(env / "pyvenv.cfg", f"{settings}command = {base}/bin/python3 -m venv --system-site-packages {env}\n")
    assert bad(run(capsys, "--path", str(env), code=0)) == []


def of_windows(folder: Path) -> Path:
    """A virtual environment of Windows, whose interpreter is a program of its own."""
    write(folder / "pyvenv.cfg", "home = C:\\Python311\nversion = 3.11.7\n")
    write(folder / "Scripts" / "python.exe", pe())
    return folder / "Lib" / "site-packages"


def of_macos(folder: Path) -> Path:
    """What conda makes on a Mac: the interpreter lies in it."""
    write(folder / "conda-meta" / "python-3.11.7-h1_0.json", "{}")
    write(folder / "bin" / "python3.11", b"\xcf\xfa\xed\xfe" + (0x0100000C).to_bytes(4, "little") + bytes(24))
    return folder / "lib" / "python3.11" / "site-packages"


def of_linux(folder: Path) -> Path:
    """An installation of another machine."""
    write(folder / "bin" / "python3.11", elf("", machine=183))
    return folder / "lib" / "python3.11" / "site-packages"


@pytest.mark.parametrize(
    ("make", "platform"),
    [(of_windows, "windows-amd64"), (of_macos, "macosx_14_0_arm64"), (of_linux, "manylinux_2_28_aarch64")],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_interpreter_in_a_tree_tells_its_platform(
    make: Callable[[Path], Path], platform: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make(tmp_path / "env")
    records_alone(site)
    for path in (tmp_path / "env", site):
        report = run(capsys, "--path", str(path), code=1)
        assert report["target"]["platform"].startswith(platform.partition("_")[0])
        assert report["target"]["platform"].endswith(platform.rpartition("_")[2])
        assert bad(report)[0] == ("error", "TL101")


@pytest.mark.skipif(sys.platform != "linux" or not MACHINE, reason="libraries of Linux")
def test_a_part_of_an_environment_means_it_and_what_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = tmp_path / "env"
    site = env / "lib" / "python3.11" / "site-packages"
    a_stack_that_lost_a_file(site)
    write(env / "bin" / "python3.11", elf("", machine=MACHINE))
    for part in ("", "bin", "lib", "lib/python3.11", "lib/python3.11/site-packages"):
        assert bad(run(capsys, "--path", env / part, code=1))[0] == ("error", "TL601")
    write(tmp_path / "elsewhere" / "notes.txt")
    for folder in (site / "torch", site / "torch-2.8.0+cpu.dist-info", tmp_path / "elsewhere"):
        assert main(["check", "--path", str(folder)]) == 2
        assert "contains no Python packages and no environment" in capsys.readouterr().err
