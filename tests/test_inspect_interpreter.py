"""An interpreter is asked for its paths and nothing else; a tree tells what it can."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from support.site_folder import elf, install, site_of, tree, write
from torchlock.inspect.interpreter import Interpreter, NoAnswer, ask
from torchlock.inspect.tree_python import find_sites
from torchlock.runtime.files import Tree
from torchlock.target import Platform, PythonVersion

posix = pytest.mark.skipif(os.name != "posix", reason="scripts in an interpreter's place")


def asked(path: str | Path, seconds: float = 10) -> Interpreter:
    answer = ask(str(path), seconds)
    assert isinstance(answer, Interpreter), answer
    return answer


def refused(path: str | Path, seconds: float = 10) -> NoAnswer:
    answer = ask(str(path), seconds)
    assert isinstance(answer, NoAnswer), answer
    return answer


def script(path: Path, text: str) -> Path:
    write(path, f"#!/bin/sh\n{text}\n").chmod(0o755)
    return path


def test_the_running_interpreter_says_what_it_is() -> None:
    answer = asked(sys.executable)
    assert answer.version == ".".join(map(str, sys.version_info[:3]))
    assert answer.platform == sysconfig.get_platform()
    assert answer.prefix == sys.prefix
    assert answer.base_prefix == sys.base_prefix
    assert answer.virtual == (sys.prefix != sys.base_prefix)
    assert answer.python == PythonVersion(*sys.version_info[:3])
    assert answer.target_platform is not None


def test_a_virtual_environment_is_told_from_its_base(tmp_path: Path) -> None:
    venv.create(tmp_path / "v", with_pip=False, symlinks=os.name == "posix")
    answer = asked(tmp_path / "v")
    assert (answer.virtual, answer.system_site) == (True, False)
    assert answer.prefix == str(tmp_path / "v")
    assert all(site.startswith(str(tmp_path / "v")) for site in answer.own_sites)
    assert not any(site.startswith(str(tmp_path / "v")) for site in answer.base_sites)
    venv.create(tmp_path / "w", with_pip=False, system_site_packages=True)
    assert asked(tmp_path / "w").system_site


def test_nothing_of_its_site_is_run_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "v", with_pip=False)
    site = Path(asked(tmp_path / "v").own_sites[-1])
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\n"
    write(site / "evil.pth", f"import os; {code}")
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "torch.py"):
        write(site / name, code)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PYTHONSTARTUP", str(site / "torch.py"))
    monkeypatch.chdir(site)
    before = sorted(tmp_path.rglob("*"))
    asked(tmp_path / "v")
    assert sorted(tmp_path.rglob("*")) == before


@posix
def test_an_interpreter_with_a_pth_of_its_own_is_not_run(tmp_path: Path) -> None:
    # Such a file (of Windows' embeddable Python) overrides both -I and -S.
    script(tmp_path / "python", f"touch {tmp_path}/ran")
    write(tmp_path / "python311._pth", "python311.zip\nimport site\n")
    assert refused(tmp_path / "python").reason == "unsafe"
    assert not (tmp_path / "ran").exists()


def test_the_link_of_a_removed_python_is_said_to_be_dangling(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/opt/gone/bin/python3.11")
    for path in (tmp_path, tmp_path / "bin" / "python"):
        answer = refused(path)
        assert answer.reason == "missing"
        assert "/opt/gone/bin/python3.11" in answer.detail


@posix
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo hello", "garbled"),
        ("echo 'torchlock:{'", "garbled"),
        ("echo 'torchlock:[1]'", "garbled"),
        ("""echo 'torchlock:{"version": 3}'""", "garbled"),
        ("echo broken >&2; exit 3", "failed"),
        ("kill -SEGV $$", "failed"),
        ("yes torchlock", "garbled"),
        ("sleep 60", "slow"),
        ("sleep 60 & sleep 60", "slow"),
    ],
)
def test_what_is_no_interpreter_is_a_value(tmp_path: Path, text: str, reason: str) -> None:
    answer = refused(script(tmp_path / "python", text), seconds=1)
    assert answer.reason == reason
    assert len(answer.detail) <= 500


@posix
def test_what_cannot_be_run_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "python", "no program")).reason == "refused"
    assert refused(tmp_path / "nothing").reason == "missing"
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").reason == "missing"


def test_chatter_around_the_answer_does_no_harm(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("scripts in an interpreter's place")
    path = script(tmp_path / "python", f'echo warning: old; "{sys.executable}" "$@"; echo bye')
    assert asked(path).version == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(
    ("platform", "more", "expected"),
    [
        ("linux-x86_64", {"libc": "glibc 2.31"}, Platform("linux", "x86_64", "glibc", (2, 31))),
        ("linux-aarch64", {"libc": "musl"}, Platform("linux", "aarch64", "musl", (1, 2))),
        ("linux-x86_64", {}, Platform("linux", "x86_64", "glibc", (2, 28))),
        ("macosx-11.0-arm64", {"macos": "14.5"}, Platform("macos", "arm64", "", (14, 5))),
        ("macosx-10.9-x86_64", {"macos": "13"}, Platform("macos", "x86_64", "", (13, 0))),
        ("win-amd64", {}, Platform("windows", "amd64", "", (0, 0))),
        ("win-arm64", {}, Platform("windows", "arm64", "", (0, 0))),
        ("win32", {"bits": 32}, None),
        ("linux-x86_64", {"bits": 32}, None),
        ("linux-s390x", {}, None),
        ("", {}, None),
    ],
)
def test_platforms_in_the_words_of_a_target(
    platform: str, more: dict[str, object], expected: Platform | None
) -> None:
    assert Interpreter(platform=platform)._replace(**more).target_platform == expected


# Trees that nobody can ask.


def test_a_linux_tree_tells_its_python_and_platform(tmp_path: Path) -> None:
    site = site_of(tmp_path, "3.12")
    install(site, "torch", "2.5.1+cu121", tag="cp312-cp312-manylinux_2_28_aarch64")
    found = tree(site).interpreter
    assert (found.version, found.platform, found.prefix) == ("3.12", "linux-aarch64", str(tmp_path))
    assert len(found.evidence) == 2


def test_a_windows_tree_is_told_from_its_wheels(tmp_path: Path) -> None:
    site = tmp_path / "Lib" / "site-packages"
    install(site, "numpy", "2.1.0", tag="cp310-cp310-win_amd64")
    found = tree(site).interpreter
    assert (found.version, found.platform, found.prefix) == ("3.10", "win-amd64", str(tmp_path))


def test_the_stable_abi_does_not_tell_the_python(tmp_path: Path) -> None:
    install(tmp_path, "old", "1", tag="cp37-abi3-win_amd64")
    install(tmp_path, "new", "1", tag="cp313-cp313t-win_amd64")
    found = tree(tmp_path).interpreter
    assert (found.version, found.free_threaded) == ("3.13", True)


def test_pyvenv_cfg_tells_the_patch_release(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    write(
        tmp_path / "pyvenv.cfg",
        "home = /usr/bin\nversion_info = 3.11.9.final.0\ninclude-system-site-packages = false\n",
    )
    found = tree(site).interpreter
    assert (found.version, found.virtual, found.system_site) == ("3.11.9", True, False)


def test_conda_tells_the_patch_release(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    write(tmp_path / "conda-meta" / "python-3.11.5-h955ad1f_0.json", "{}")
    write(tmp_path / "conda-meta" / "python-dateutil-2.8.2-pyhd3eb1b0_0.json", "{}")
    assert tree(site).interpreter.version == "3.11.5"


def test_the_embeddable_python_of_windows(tmp_path: Path) -> None:
    root = tmp_path / "python_embeded"
    write(root / "python311._pth", "python311.zip\n.\nimport site\n")
    write(root / "python.exe", b"MZ")
    install(root / "Lib" / "site-packages", "torch", "2.5.1+cu124", tag="py3-none-any")
    write(root / "Lib" / "site-packages" / "torch" / "_C.cp311-win_amd64.pyd", b"MZ")
    for path in (tmp_path, root, root / "Lib" / "site-packages"):
        found = tree(path).interpreter
        assert (found.version, found.platform) == ("3.11", "win-amd64"), path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("_C.cpython-310-x86_64-linux-gnu.so", b"", ("3.10", "linux-x86_64")),
        ("_C.cpython-311-aarch64-linux-musl.so", b"", ("3.11", "linux-aarch64")),
        ("_C.cpython-312-darwin.so", b"\xcf\xfa\xed\xfe\x0c\0\0\x01", ("3.12", "macosx-11.0-arm64")),
        ("_C.cp39-win_arm64.pyd", b"MZ", ("3.9", "win-arm64")),
        ("lib.so", elf(machine=183), ("", "linux-aarch64")),
        ("lib.dll", b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x64\x86", ("", "win-amd64")),
        ("lib.dylib", b"\xca\xfe\xba\xbe\0\0\0\x02" + b"\1\0\0\7" + bytes(16) + b"\1\0\0\x0c", ("", "")),
        ("lib.so", b"garbage", ("", "")),
    ],
)
def test_libraries_tell_where_wheels_do_not(
    tmp_path: Path, name: str, content: bytes, expected: tuple[str, str]
) -> None:
    write(tmp_path / "torch" / name, content)
    found = tree(tmp_path).interpreter
    assert (found.version, found.platform) == expected


def test_an_image_means_the_python_that_has_torch(tmp_path: Path) -> None:
    debian = tmp_path / "usr" / "lib" / "python3" / "dist-packages"
    install(debian, "six", "1.16.0")
    docker = site_of(tmp_path / "usr" / "local")
    install(docker, "torch", "2.1.0")
    (tmp_path / "usr" / "local" / "lib64").symlink_to("lib")
    (tmp_path / "lib").symlink_to("usr/lib")
    assert find_sites(str(tmp_path), Tree()) == [str(docker)]
    (docker / "torch" / "__init__.py").unlink()
    assert find_sites(str(debian), Tree()) == [str(debian)]


@pytest.mark.parametrize(
    "place",
    [
        "usr/local/lib64/python3.9",
        "usr/lib64/python3.9",
        "opt/miniconda3/lib/python3.9",
        "root/miniconda3/envs/audio/lib/python3.9",
        "opt/conda/envs/audio/lib/python3.9",
        "root/.pyenv/versions/3.9.18/lib/python3.9",
        "app/.venv/lib/python3.9",
        "conda/lib/python3.9",
    ],
)
@pytest.mark.parametrize("has_others", [True, False], ids=["beside the distribution's", "alone"])
def test_places_of_packages_in_an_image(tmp_path: Path, place: str, has_others: bool) -> None:
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    if has_others:
        install(tmp_path / "usr" / "lib" / "python3.9" / "site-packages", "six", "1.16.0")
    site = tmp_path / place / "site-packages"
    install(site, "torch", "2.1.0")
    assert str(site) in find_sites(str(tmp_path), Tree())


def test_the_packages_of_a_user_are_no_environment(tmp_path: Path) -> None:
    docker = site_of(tmp_path / "usr" / "local")
    install(docker, "six", "1.16.0")
    install(tmp_path / "root" / ".local" / "lib" / "python3.12" / "site-packages", "torch", "2.1.0")
    assert find_sites(str(tmp_path), Tree()) == [str(docker)]


def test_a_bare_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_sites(str(tmp_path), Tree()) == [str(tmp_path)]
    found = tree(tmp_path).interpreter
    assert (found.version, found.platform, found.prefix) == ("", "", "")


def test_no_process_is_started_for_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", never)
    install(site_of(tmp_path), "torch", "2.1.0")
    assert tree(tmp_path).path


@pytest.mark.parametrize("named", ["lib64", "lib"])
def test_a_python_with_two_libraries_has_two_sites(named: str, tmp_path: Path) -> None:
    """Fedora and Amazon Linux: torch is in ``lib64``, and the packages without compiled modules are in ``lib``."""
    for side in ("lib64", "lib"):
        (tmp_path / side / "python3.12" / "site-packages").mkdir(parents=True)
    other = "lib" if named == "lib64" else "lib64"
    sites = [str(tmp_path / side / "python3.12" / "site-packages") for side in (named, other)]
    assert find_sites(sites[0], Tree()) == sites


def test_a_link_to_the_other_library_is_no_second_site(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / "lib64").symlink_to("lib")
    assert find_sites(str(site), Tree()) == [str(site)]
