"""``lock --accelerator`` with the bundled tables: what is written, kept, refused and explained."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.build_tables import use_tables
from support.call_count import calls
from support.wheel_index import WheelIndex
from torchlock.cli.main import main
from torchlock.index.sources import Sources
from torchlock.knowledge.build_files import triton_catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, Lock, Options, lock
from torchlock.lock.explain import explain
from torchlock.manifests.lock_comments import LockComments, read_lock_comments
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = "https://download.pytorch.org/whl"
TAGS = "cp311-cp311-manylinux_2_28_x86_64"
LINUX = ("--python", "3.11", "--platform", "linux-x86_64", "--offline")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "TORCHLOCK_B"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    with WheelIndex(dated=False) as started:
        monkeypatch.setenv("PIP_INDEX_URL", started.public_url)
        yield started


def run(*arguments: str, code: int = 0) -> None:
    assert main(["lock", *arguments]) == code


def entry(text: str, name: str) -> str:
    """The lines of one package in a lock, with its comments."""
    found = re.search(rf"^{name}[ =@\[].*(?:\n    .*)*", text, re.MULTILINE)
    assert found, text
    return found[0]


def solved(
    *lines: str,
    label: str,
    python: str = "3.11",
    platform: str = "linux-x86_64",
    options: dict[str, Any] | None = None,
    **words: Any,
) -> Any:
    """What ``lock`` makes of these lines, with the bundled tables."""
    target = Target(PythonVersion.parse(python), Platform.parse(platform), label, **words)
    inputs = Inputs(requirements=[parse_requirement(line, Origin(None, None, line)) for line in lines])
    return lock(inputs, target, Options(**options or {}), Matrix(), Sources(accelerator=label, offline=True))


def reasons(conflict: Lock | Conflict) -> str:
    assert isinstance(conflict, Conflict)
    return "\n".join(explain(conflict).steps)


# What is written.


def test_a_lock_names_the_very_files_of_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", "torchaudio", "--accelerator", "cu128", *LINUX)
    text = capsys.readouterr().out
    assert f"\n# builds: cu128 of {ROOT}\n" in text
    assert "index-url" not in text
    wheel = "torch-2.8.0%2Bcu128-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert entry(text, "torch").startswith(
        f"torch @ {ROOT}/cu128/{wheel} \\\n"
        "    --hash=sha256:039b9dcdd6bdbaa10a8a5cd6be22c4cb3e3589a341e5f904cbb571ca28f55bed\n"
    )
    assert f"{ROOT}/cu128/torchaudio-2.8.0%2Bcu128-cp311" in entry(text, "torchaudio")
    assert entry(text, "nvidia-cublas-cu12").startswith("nvidia-cublas-cu12==12.8.4.1 \\\n    --hash=")
    assert entry(text, "triton").startswith("triton==3.4.0 \\\n")


def test_by_index_a_lock_names_versions_and_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", "torchaudio", "--accelerator", "cu128", "--builds-by", "index", *LINUX)
    text = capsys.readouterr().out
    assert f"# only from this index: torch, torchaudio\n--extra-index-url {ROOT}/cu128\n" in text
    assert entry(text, "torch").startswith("torch==2.8.0+cu128 \\\n    --hash=sha256:039b9dcd")
    assert " @ " not in text


def test_an_unlabelled_wheel_is_named_by_its_file_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """Trap 1: no version says which of five files torchaudio 2.9.1 for aarch64 is."""
    where = ("--python", "3.12", "--platform", "linux-aarch64", "--offline")
    run("torchaudio==2.9.1", "--accelerator", "cu130", "--builds-by", "index", *where)
    text = capsys.readouterr().out
    assert f"torchaudio @ {ROOT}/cu130/torchaudio-2.9.1-cp312-" in text
    assert f"# only from this index: torch\n--extra-index-url {ROOT}/cu130\n" in text
    assert "torch==2.9.1+cu130 \\" in text


def test_extras_and_markers_stay(capsys: pytest.CaptureFixture[str]) -> None:
    run('torch[opt-einsum]==2.8.0 ; python_version >= "3.9"', "--accelerator", "cpu", "--no-hashes", *LINUX)
    line = entry(capsys.readouterr().out, "torch").splitlines()[0]
    assert line == (
        f"torch[opt-einsum] @ {ROOT}/cpu/torch-2.8.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl"
        ' ; python_version >= "3.9"'
    )


def test_json_has_the_file_its_index_and_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", "--accelerator", "cpu", "--json", *LINUX)
    found = json.loads(capsys.readouterr().out)
    (torch,) = (package for package in found["packages"] if package["name"] == "torch")
    assert torch["index"] == f"{ROOT}/cpu"
    assert torch["files"][0]["url"].startswith(f"{ROOT}/cpu/torch-2.8.0%2Bcpu-")
    assert len(torch["files"][0]["hashes"]["sha256"]) == 64
    assert found["target"]["accelerator"] == "cpu"
    assert "the cpu folder of the PyTorch index (bundled table)" in found["indexes"]


def test_pylock_has_the_file_its_index_and_its_hash(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cpu", "torch", "2.8.0+cpu")
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [torch]})
    run("torch", "--accelerator", "cpu", "--builds-url", index.url, "-o", "pylock.toml", *LINUX[:-1])
    text = Path("pylock.toml").read_text(encoding="utf-8")
    (package,) = tomllib.loads(text)["packages"]
    assert package["index"] == f"{index.url}/cpu"
    assert package["version"] == "2.8.0+cpu"
    assert package["wheels"] == [
        {"name": torch.filename, "url": index.link(torch), "hashes": {"sha256": torch.sha256}}
    ]
    assert read_lock_comments(text) == LockComments("cpu", index.url)
    capsys.readouterr()
    run("torch", "--accelerator", "cpu", "--builds-url", index.url, "-o", "pylock.toml", "--check", *LINUX[:-1])


def test_plain_wheels_of_macos_are_those_of_the_cpu_folder(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", "--accelerator", "cpu", "--python", "3.11", "--platform", "macos-arm64", "--offline")
    text = capsys.readouterr().out
    assert f"torch @ {ROOT}/cpu/torch-2.8.0-cp311-none-macosx_11_0_arm64.whl" in text


def test_public_builds_say_nothing_of_builds(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", *LINUX)
    text = capsys.readouterr().out
    assert "builds:" not in text
    assert "torch==2.8.0 \\" in text


# Hashes.


def test_a_file_without_a_hash_is_marked_and_the_way_to_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--python", "3.11", "--platform", "windows-amd64", "--offline")
    run("torch==2.9.0", "--accelerator", "cu129", *where)
    out, err = capsys.readouterr()
    lines = entry(out, "torch").splitlines()
    assert lines[0] == f"torch @ {ROOT}/cu129/torch-2.9.0%2Bcu129-cp311-cp311-win_amd64.whl"
    assert lines[1] == "    # no hash is known: torch-2.9.0+cu129-cp311-cp311-win_amd64.whl"
    assert lines[2].startswith("    # only its name is known (source: ")
    assert "# Without a hash: torch 2.9.0+cu129.\n# pip refuses this file, also without --require-hashes" in out
    assert "pip hash FILE" in out
    assert "warning: torch: no hash is available; pip refuses the lock, because other lines have one" in err
    assert "hint: run without --offline" in err
    run("torch==2.9.0", "--accelerator", "cu129", "--no-hashes", *where)
    out, err = capsys.readouterr()
    assert "no hash is known" not in out
    assert "warning" not in err
    run("torch==2.9.0", "--accelerator", "cu129", *where, "--format", "pylock", code=2)


def test_a_release_without_a_hash_is_taken_last(capsys: pytest.CaptureFixture[str]) -> None:
    """pip refuses a lock in which one line has no hash."""
    where = ("--python", "3.12", "--platform", "linux-x86_64", "--offline")
    run("torch<2.14", "torchaudio", "--accelerator", "rocm7.2", *where)
    out, err = capsys.readouterr()
    assert "torch-2.12.1%2Brocm7.2-" in entry(out, "torch")
    assert "--hash=sha256:" in entry(out, "torch")
    assert (
        "note: torch 2.13.0+rocm7.2 was left out: no hash of its wheel is known; use a pin or --no-hashes" in err
    )
    for asked in (["torch==2.13.0"], ["torch<2.14", "--no-hashes"]):
        run(*asked, "torchaudio", "--accelerator", "rocm7.2", *where)
        out, err = capsys.readouterr()
        assert "torch-2.13.0%2Brocm7.2-" in entry(out, "torch")
        assert "left out: no hash" not in err


def test_a_row_of_an_excerpt_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--python", "3.11", "--platform", "windows-amd64", "--offline")
    run("torchaudio==2.1.2", "--accelerator", "cu118", *where)
    text = capsys.readouterr().out
    said = "    # its hash is from a public text, and no lock file confirms it; if it is wrong, installers refuse"
    assert said in entry(text, "torchaudio")
    assert "excerpt" not in text
    assert "public text" not in entry(text, "torch")
    run("torchaudio==2.1.2", "--accelerator", "cu118", "--no-hashes", *where)
    assert "public text" not in capsys.readouterr().out


def test_a_lock_without_any_hash_is_not_refused_by_pip(capsys: pytest.CaptureFixture[str]) -> None:
    run("pytorch-triton-rocm==3.5.1", "--accelerator", "rocm6.4", "--python", "3.12", *LINUX[2:])
    out, err = capsys.readouterr()
    assert "--hash" not in out
    assert "# Installers do not verify what has no hash." in out
    assert "pip refuses" not in out + err


def test_quiet_hides_the_hint_of_a_hidden_warning(capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--python", "3.11", "--platform", "windows-amd64", "--offline")
    run("torch==2.9.0", "--accelerator", "cu129", *where, "-q")
    assert capsys.readouterr().err == ""


def test_page_and_table_that_contradict_each_other_are_refused_by_name(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lie = "e" * 64
    torch = index.add("cpu", "torch", "2.8.0+cpu", stated=lie)
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [torch]})
    run("torch", "--accelerator", "cpu", "--builds-url", index.url, *LINUX[:-1], code=2)
    said = capsys.readouterr().err
    assert torch.filename in said
    assert lie in said
    assert torch.sha256 in said
    assert "torch!=2.8.0" in said


def test_a_contradiction_of_a_file_that_is_not_locked_does_not_matter(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = index.add("cpu", "torch", "2.7.0+cpu", stated="e" * 64)
    new = index.add("cpu", "torch", "2.8.0+cpu")
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [old, new]})
    run("torch", "--accelerator", "cpu", "--builds-url", index.url, *LINUX[:-1])
    assert new.sha256 in capsys.readouterr().out


# An existing lock.


def test_an_existing_lock_keeps_its_pins(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.7.0", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt")
    text = Path("lock.txt").read_text(encoding="utf-8")
    run("torch", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt", "--check")
    run("torch", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt")
    assert Path("lock.txt").read_text(encoding="utf-8").splitlines()[2:] == text.splitlines()[2:]
    assert "updated" not in capsys.readouterr().err
    run("torch", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt", "-P", "torchaudio==2.8.0")
    assert "torchaudio-2.8.0%2Bcpu" in Path("lock.txt").read_text(encoding="utf-8")
    said = " ".join(capsys.readouterr().err.split())
    assert "updated torch 2.7.0+cpu → 2.8.0+cpu follows torchaudio 2.8.0+cpu, which needs torch==2.8.0" in said
    run("torch", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt", "-U", "--check", code=1)
    assert "torchaudio-2.8.0%2Bcpu" in capsys.readouterr().out


def test_the_pins_of_unlabelled_files_are_kept() -> None:
    where = ("--python", "3.12", "--platform", "linux-aarch64", "--offline")
    run("torchaudio==2.9.1", "torch<2.10", "--accelerator", "cu130", *where, "-o", "lock.txt")
    run("torchaudio", "torch<2.10", "--accelerator", "cu130", *where, "-o", "lock.txt", "--check")


def test_another_build_keeps_the_releases_and_says_that_it_changed(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.7.0", "--accelerator", "cu128", *LINUX, "-o", "lock.txt")
    run("torch", "--accelerator", "cu126", *LINUX, "-o", "lock.txt")
    text, said = Path("lock.txt").read_text(encoding="utf-8"), capsys.readouterr().err
    assert "torch-2.7.0%2Bcu126" in text
    assert "nvidia-cublas-cu12==12.6." in text
    assert "the build changes from cu128 to cu126" in said
    run("torch", *LINUX, "-o", "lock.txt")
    assert "torch==2.7.0 \\" in Path("lock.txt").read_text(encoding="utf-8")
    assert "the build changes from cu126 to pypi" in capsys.readouterr().err
    run("torch", "--accelerator", "cu118", *LINUX, "-o", "lock.txt")
    assert "torch-2.7.0%2Bcu118" in Path("lock.txt").read_text(encoding="utf-8")
    assert "the build changes from pypi to cu118" in capsys.readouterr().err


def test_a_lock_of_the_build_may_be_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.7.0", "torchaudio", "--accelerator", "cpu", *LINUX, "-o", "lock.txt")
    for option in ("-r", "-c"):
        run("torchaudio", option, "lock.txt", "--accelerator", "cpu", *LINUX)
        assert f"{ROOT}/cpu/torch-2.7.0%2Bcpu-" in capsys.readouterr().out


@pytest.mark.parametrize("form", [(), ("--builds-by", "index")])
def test_audit_finds_nothing_in_our_own_lock(form: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==2.8.0", "torchaudio", "soundfile", "--accelerator", "cu128", *form, *LINUX, "-o", "lock.txt")
    capsys.readouterr()
    assert main(["audit", "lock.txt", "--strict"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


# What is refused.

CONTRADICTIONS = [
    pytest.param("torch==2.8.0+cu126", "asks for the build +cu126", id="another label"),
    pytest.param(f"torch @ https://example.org/torch-2.8.0-{TAGS}.whl", "not known", id="a file"),
    pytest.param(
        f"torch @ {ROOT}/cu126/torch-2.8.0%2Bcu126-cp311-cp311-manylinux_2_28_x86_64.whl",
        "not known",
        id="folder",
    ),
    pytest.param("--no-index\ntorch", "--no-index", id="no index"),
]


@pytest.mark.parametrize(("line", "says"), CONTRADICTIONS)
def test_a_line_that_asks_for_another_build_is_refused(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requirements.in").write_text(f"{line}\n", encoding="utf-8")
    for label in ("cpu", "cu128"):
        run("-r", "requirements.in", "--accelerator", label, *LINUX, code=2)
        said = capsys.readouterr().err
        assert says in said
        assert f"the lock is for {label}" in said or f"--accelerator {label}" in said
        assert "--no-index" in line or "requirements.in:1" in said


def test_lines_that_name_the_build_itself_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    wheel = f"{ROOT}/cpu/torchaudio-2.8.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    run("torch==2.8.0+cpu", f"torchaudio @ {wheel}", "--accelerator", "cpu", *LINUX)
    assert wheel in capsys.readouterr().out
    run('torch==2.8.0+cu126 ; sys_platform == "win32"', "torchaudio", "--accelerator", "cpu", *LINUX)


@pytest.mark.parametrize("url", ["ftp://example.org/whl", "http://", "./mirror", "file:///mirror"])
def test_a_mirror_is_the_address_of_a_server(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("torch", "--accelerator", "cpu", "--builds-url", url, *LINUX, code=2)
    assert "--builds-url" in capsys.readouterr().err


INDEX_LINES = [
    pytest.param(f"--extra-index-url {ROOT}/cu128", "", id="its own page"),
    pytest.param(f"--extra-index-url {ROOT}/cu126", "cu126 is ignored", id="another page"),
    pytest.param(f"--index-url {ROOT}/cu128", "from the public index", id="main index"),
    pytest.param(f"--find-links {ROOT}/torch_stable.html", "", id="the old page"),
]


@pytest.mark.parametrize(("line", "says"), INDEX_LINES)
def test_pages_of_the_pytorch_index_in_the_input_are_not_asked_for_other_packages(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requirements.in").write_text(f"{line}\ntorch==2.8.0\nnumpy\n", encoding="utf-8")
    run("-r", "requirements.in", "--accelerator", "cu128", *LINUX)
    out, err = capsys.readouterr()
    assert "index-url" not in out
    assert "find-links" not in out
    assert says in err if says else "index" not in err


def test_the_command_line_wins_over_the_sources_of_a_project(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\ndependencies = ["torch==2.8.0"]\n'
        '[tool.uv.sources]\ntorch = { index = "pytorch" }\n'
        f'[[tool.uv.index]]\nname = "pytorch"\nurl = "{ROOT}/cu128"\nexplicit = true\n',
        encoding="utf-8",
    )
    run("--accelerator", "cpu", *LINUX)
    out, err = capsys.readouterr()
    assert f"torch @ {ROOT}/cpu/" in out
    assert f"the index {ROOT}/cu128 that the input names for torch is ignored: the lock is for cpu" in err
    run("--accelerator", "cu128", *LINUX)
    assert "ignored" not in capsys.readouterr().err


def test_a_project_may_not_name_a_mirror_and_a_user_may(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cpu", "torch", "2.8.0+cpu")
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [torch]})
    project = Path("pyproject.toml")
    project.write_text(f'[tool.torchlock]\nbuilds-url = "{index.url}"\n', encoding="utf-8")
    run("torch", "--accelerator", "cpu", *LINUX, code=2)
    assert "it says where torch comes from" in capsys.readouterr().err
    project.unlink()
    monkeypatch.setenv("TORCHLOCK_BUILDS_URL", f"{index.url}/")
    run("torch", "--accelerator", "cpu", *LINUX[:-1])
    assert f"torch @ {index.link(torch)} \\" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["file", "index"])
@pytest.mark.parametrize("offline", [(), ("--offline",)])
def test_credentials_of_a_mirror_are_not_shown(
    index: WheelIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
    offline: tuple[str, ...],
) -> None:
    torch = index.add("cpu", "torch", "2.8.0+cpu")
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [torch]})
    secret = index.url.replace("://", "://user:hunter2@")
    words = ("--builds-url", secret, "--builds-by", form)
    run("torch", "--accelerator", "cpu", *words, *LINUX[:-1], *offline)
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert index.url in out


# What is explained.


def test_one_release_has_one_reason() -> None:
    """A wheel for another machine, with or without the label, is no reason beside that of the release."""
    said = reasons(solved("torch==2.8.0", "torchaudio==2.7.1", label="cu128"))
    assert "torchaudio 2.7.1+cu128 declares that it needs torch==2.7.1" in said
    assert "no wheel" not in said


@pytest.mark.parametrize("build", [(), ("--accelerator", "cu126")])
def test_an_override_that_a_rule_contradicts_is_explained(
    build: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("override.txt").write_text("torch==2.6.0\n", encoding="utf-8")
    run("torchaudio==2.8.0", "--override", "override.txt", *build, *LINUX, code=1)
    said = capsys.readouterr().err
    assert re.search(
        r"torchaudio 2\.8\.0\S* needs torch==2\.8\.\*, because .* \(TL101, (?:declared|measured)\)", said
    )
    assert "an override replaces what others declare about torch: torch==2.6.0" in said
    assert "no wheel for" not in said


def test_wheels_of_the_family_need_glibc(capsys: pytest.CaptureFixture[str]) -> None:
    """Old wheels have the tag ``linux``, which installers take on musl, too."""
    where = ("--python", "3.12", "--platform", "musllinux_1_2_x86_64", "--offline")
    run("torch", "--accelerator", "cu124", *where, code=1)
    said = capsys.readouterr().err
    assert "no wheel for Python 3.12, musllinux_1_2_x86_64" in said
    assert "the nearest build that works" not in said
    run("torch==2.6.0", "--accelerator", "cu124", "--python", "3.12", *LINUX[2:])
    assert "cp312-linux_x86_64.whl" in capsys.readouterr().out


def test_what_is_newer_than_a_limit_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """The time of one upload says nothing of other releases."""
    run("torch", "--accelerator", "cu128", "--exclude-newer", "2020-01-01", *LINUX, code=1)
    said = capsys.readouterr().err
    assert re.search(r"\d releases of torch from .*: uploaded after --exclude-newer \(2\.11\.0\+cu128 on 20", said)


def test_builds_with_one_reason_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==9.9", "--accelerator", "cu128", *LINUX, code=1)
    listed = capsys.readouterr().err.partition("builds, newest first\n")[2]
    assert (
        listed == "  cu132, cu130, cu129, cu128, cu126, cu124, cu121, cu118, cu117, cpu: no torch==9.9 is known\n"
    )


def test_the_newest_release_that_installs_has_files(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch==9.9", "--accelerator", "cu130", "--python", "3.12", *LINUX[2:], code=1)
    assert (
        "the newest that installs on Python 3.12, manylinux_2_28_x86_64 is 2.14.0+cu130" in capsys.readouterr().err
    )


def test_options_without_effect_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch", "--builds-by", "index", "--builds-url", "https://example.org/whl", *LINUX)
    said = capsys.readouterr().err
    assert "note: --builds-by has no effect without --accelerator" in said
    assert "note: --builds-url has no effect without --accelerator" in said
    run("librosa", "--accelerator", "cu128", *LINUX)
    said = capsys.readouterr().err
    assert "no package of the torch family is locked, so --accelerator cu128 has no effect" in said
    run("torch", "--accelerator", "cu128", "--builds-by", "index", *LINUX)
    assert "no effect" not in capsys.readouterr().err


def test_a_mirror_needs_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch", "--accelerator", "cu128", "--builds-url", "mirror", *LINUX, code=2)
    assert "--builds-url: mirror is not the address of a server" in capsys.readouterr().err


def test_a_label_in_the_lock_of_another_tool_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text("torch==2.8.0+cu128\n", encoding="utf-8")
    run("torch", "-o", "requirements.txt", *LINUX)
    assert "--accelerator cu128 keeps that build" in capsys.readouterr().err


def test_a_folder_without_the_release_is_named() -> None:
    said = reasons(solved("torch==2.9.0", label="cu124"))
    assert said.startswith("the cu124 folder of the PyTorch index has no torch==2.9.0")
    said = reasons(solved("torchaudio", label="cu132"))
    assert said.startswith("no torchaudio is known in the cu132 folder of the PyTorch index as of ")
    assert said.endswith("; torchaudio 2.11.0 has no such build")


def test_what_the_table_does_not_cover_is_not_denied() -> None:
    said = reasons(solved("torch==2.14.0", label="cu132", python="3.10"))
    assert "run without --offline" in said or " is known" in said


@pytest.mark.parametrize(
    ("label", "platform", "said"),
    [
        ("xpu", "linux-aarch64", "no XPU builds for Linux on aarch64"),
        ("xpu", "windows-arm64", "no XPU builds for Windows on ARM"),
        ("rocm6.4", "linux-aarch64", "no ROCm builds for Linux on aarch64"),
        ("rocm6.4", "windows-amd64", "no ROCm builds for Windows"),
        ("cu128", "windows-arm64", "no CUDA builds for Windows on ARM"),
    ],
)
@pytest.mark.parametrize("line", ["torch", "torch==2.8.0", "torchaudio==2.14.0"])
def test_a_platform_without_any_such_build_is_one_sentence(
    label: str, platform: str, said: str, line: str
) -> None:
    found = solved(line, label=label, platform=platform)
    assert explain(found).steps == [f"the PyTorch index has {said} as of {triton_catalogue().date}"]


def test_a_platform_with_such_builds_is_explained_by_its_wheels() -> None:
    said = reasons(solved("torch==2.14.1", label="cu126", platform="windows-amd64", python="3.9"))
    assert "has wheels" in said
    assert "macos" not in said
    said = reasons(solved("torch==2.7.1", label="cu118", platform="linux-aarch64"))
    assert "2.7.1+cu118 has wheels only for linux-x86_64, windows-amd64" in said


def test_a_driver_that_is_too_old_is_refused_with_its_floor() -> None:
    said = reasons(solved("torch", label="cu128", libraries={"cuda-driver": "470.57"}))
    assert "CUDA 12.8 needs NVIDIA driver 525.60.13 or newer" in said
    assert "the target has NVIDIA driver 470.57" in said
    assert isinstance(solved("torch", label="cu128", libraries={"cuda-driver": "535.104"}), Lock)


def test_a_gpu_without_code_is_refused_and_one_with_code_is_not() -> None:
    said = reasons(solved("torch", label="cu128", gpu="sm_61"))
    assert "it has no code for sm_61, only for" in said
    found = solved("torch", label="cu126", gpu="sm_61")
    assert isinstance(found, Lock)
    assert isinstance(solved("torch", label="cpu", gpu="sm_61"), Lock)
    assert isinstance(solved("torch", label="cu128", gpu="none"), Lock)


def test_a_gpu_holds_torch_back_to_the_last_release_with_code_for_it() -> None:
    """Trap 5 of accelerators: cu128 has code for sm_70 in 2.8 to 2.10 only."""
    found = solved("torch", label="cu128", gpu="sm_70")
    assert isinstance(found, Lock)
    (torch,) = (pin for pin in found.pins if pin.name == "torch")
    assert torch.version == "2.10.0+cu128"


def test_a_build_that_only_documents_name_is_left_out_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    run("torch<2.15", "--accelerator", "cu126", *LINUX)
    said = capsys.readouterr().err
    assert re.search(r"torch 2\.14\.1\+cu126 .* was left out: it exists for linux-x86_64 according to http", said)
    run("torch==2.14.1", "--accelerator", "cu126", *LINUX, code=1)
    assert "run without --offline" in capsys.readouterr().err


def test_a_companion_that_only_documents_name_is_locked_if_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("torch", "torchaudio==2.11.0", "--accelerator", "cu130", *LINUX)
    out, err = capsys.readouterr()
    assert f"# only from this index: torchaudio\n--extra-index-url {ROOT}/cu130\n" in out
    lines = entry(out, "torchaudio").splitlines()
    assert lines[0] == "torchaudio==2.11.0+cu130"
    assert lines[1].startswith("    # unproven: it exists for linux-x86_64")
    assert lines[2] == "    # no hash is known: none of its files is known"
    assert "torchaudio 2.11.0+cu130 (2026-03-23) is unproven" in err


def test_explain_takes_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--accelerator", "cu124", *LINUX)
    assert main(["explain", "torch==2.9.0", *words]) == 1
    assert "cu124 folder" in capsys.readouterr().out
    assert main(["explain", "torch==2.6.0", "torchaudio", *words]) == 0
    assert "2.6.0+cu124" in capsys.readouterr().out


def test_a_build_costs_hardly_more_than_the_public_builds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ("torch", "torchaudio", "torchcodec", "soundfile")
    for words in ((), ("--accelerator", "cpu")):  # everything is imported, and remembered, that is so once
        run(*lines, *LINUX, *words)
    public = calls(lambda: run(*lines, *LINUX))
    assert calls(lambda: run(*lines, *LINUX, "--accelerator", "cpu")) <= public * 1.2


def test_a_file_without_a_time_of_upload_is_not_said_to_be_late() -> None:
    early = {"exclude_newer": "2026-01-01T00:00:00Z"}
    said = reasons(solved("torch==2.9.0", label="cu129", platform="windows-amd64", options=early))
    assert "its time of upload is not known, and --exclude-newer needs it" in said
    said = reasons(solved("torch==2.10.0", label="cpu", options=early))
    assert re.search(r"uploaded on 2026-\d\d-\d\d, after --exclude-newer", said)


def test_a_folder_that_the_data_do_not_have_is_not_said_to_be_empty() -> None:
    assert reasons(solved("torch", label="cu999")).startswith("no torch is known in the cu999 folder")


# Comments.


def test_comments_are_read_back() -> None:
    for comments in (LockComments("cu128", ROOT, "NVIDIA driver 535.104, GTX 1080 Ti (sm_61)"), LockComments()):
        assert read_lock_comments("# header\n" + "\n".join(comments.lines()) + "\n\ntorch==2\n") == comments
    assert read_lock_comments("# builds: a b c\r\n# machine:\r\n") == LockComments()
