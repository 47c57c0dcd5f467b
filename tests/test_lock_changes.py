"""What changed between two locks, and why: the comparison of pins with markers, and the table after ``lock``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.local_index import publish
from torchlock.cli.main import main
from torchlock.lock.changes import changes_between
from torchlock.lock.model import Move
from torchlock.manifests.pin_sets import PinnedPackage, PinSet, pin_set_of_text
from torchlock.report.changes_json import rows
from torchlock.report.changes_text import table, values_of

LINUX = ["--python", "3.12", "--platform", "linux-x86_64", "--offline", "-o", "lock.txt"]
OLD, NEW = "python_version < '3.12'", "python_version >= '3.12'"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def pins(*texts: str) -> PinSet:
    return pin_set_of_text("".join(f"{text}\n" for text in texts), "lock.txt", "requirements")


def kinds(old: PinSet, new: PinSet) -> dict[str, str]:
    return {change.name: change.kind for change in changes_between(old, new)}


# Two sets of pins.


@pytest.mark.parametrize(
    ("old", "new", "kind", "values"),
    [
        (["a==1"], ["a==2"], "updated", "1 → 2"),
        (["a==2"], ["a==1"], "downgraded", "2 → 1"),
        ([], ["a==1"], "added", "1"),
        (["a==1"], [], "removed", "1"),
        (["a==1"], ["a==1+cpu"], "changed", "1 → 1+cpu"),
        (["a>=1"], ["a==1"], "changed", ">=1 → 1"),
        (["a==1"], [f"a==1 ; {NEW}"], "marker", '1: everywhere → python_version >= "3.12"'),
        (
            [f"a==1 ; {OLD}", f"a==2 ; {NEW}"],
            [f"a==1 ; {OLD}", f"a==3 ; {NEW}"],
            "updated",
            '2 → 3 where python_version >= "3.12"',
        ),
        (
            ["a==1"],
            [f"a==1 ; {OLD}", f"a==2 ; {NEW}"],
            "changed",
            '1 → 1 where python_version < "3.12", 2 where python_version >= "3.12"',
        ),
        (
            ["a @ https://example.org/one/a-1-py3-none-any.whl"],
            ["a @ https://example.org/two/a-1-py3-none-any.whl"],
            "source",
            "1: https://example.org/one/a-1-py3-none-any.whl → https://example.org/two/a-1-py3-none-any.whl",
        ),
        (["a==1"], ["a==1 --hash=sha256:" + "0" * 64], "files", "1: 1 hash added, before none"),
        (["a==1 --hash=sha256:" + "0" * 64], ["a==1"], "files", "1: without hashes"),
        (
            ["a==1 --hash=sha256:" + "0" * 64],
            ["a==1 --hash=sha256:" + "0" * 64 + " --hash=sha256:" + "1" * 64],
            "files",
            "1: hashes: 1 added",
        ),
    ],
)
def test_each_kind_of_change(old: list[str], new: list[str], kind: str, values: str) -> None:
    (change,) = changes_between(pins(*old), pins(*new))
    assert (change.kind, values_of(change)) == (kind, values)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a==1"], ["a==1.0"]),
        (["A_b==1"], ["a-b==1"]),
        (["a==1", "b==2"], ["b==2", "a==1"]),
        ([f"a==1 ; {NEW}"], ["a==1 ; python_version>='3.12'"]),
        (["a==1 ; sys_platform == 'linux'"], ["a==1 ; platform_system == 'Linux'"]),
        ([f"a==1 ; {OLD}", f"a==1 ; {NEW}"], ["a==1"]),
    ],
)
def test_another_spelling_is_no_change(old: list[str], new: list[str]) -> None:
    assert not changes_between(pins(*old), pins(*new))


def test_markers_that_may_differ_are_a_change() -> None:
    """The grid of Pythons and platforms does not show where these differ."""
    assert kinds(pins("a==1 ; platform_release == 'x'"), pins("a==1 ; platform_release == 'y'")) == {"a": "marker"}
    assert kinds(pins("a==1 ; python_full_version < '3.12.3'"), pins("a==1 ; python_full_version < '3.12.4'")) == {
        "a": "marker"
    }


def test_the_torch_family_comes_first() -> None:
    changes = changes_between(pins("a==1", "torch==2.8.0", "z==1"), pins("a==2", "torch==2.9.0", "y==1"))
    assert [change.name for change in changes] == ["torch", "a", "y", "z"]


def test_a_reason_about_other_versions_is_not_taken() -> None:
    """The solver may compare with the lock of another tool, and not with the output file."""
    moves = [Move("a", "7", "2", "newer", "newer release"), Move("a", "1", "2", "input", "a>=2 (in.txt:1)")]
    (change,) = changes_between(pins("a==1"), pins("a==2"), moves)
    assert [move.text for move in change.why] == ["a>=2 (in.txt:1)"]


def test_a_long_table_is_cut_short() -> None:
    changes = changes_between(PinSet([]), PinSet(PinnedPackage(f"p{at:02}", "1") for at in range(30)))
    lines = list(table(changes))
    assert len(lines) == 20
    assert lines[-1] == "  and 11 more (-v shows all)"
    assert len(list(table(changes, most=None))) == 30
    assert len(list(table(changes[:20]))) == 20


def test_secrets_and_control_characters_stay_out() -> None:
    old = PinSet([PinnedPackage("a", "1", url="https://user:hunter2@example.org/a-1.whl")])
    new = PinSet([PinnedPackage("a", "1\x1b[31m", url="https://user:hunter2@example.org/b/a-1.whl")])
    text = "\n".join(table(changes_between(old, new)))
    assert "hunter2" not in text
    assert "\x1b" not in text


def test_rows_have_every_key() -> None:
    (row,) = rows(
        changes_between(pins("a==1"), pins("a==2"), [Move("a", "1", "2", "rule", "x", "TL101", "torch")])
    )
    assert row == {
        "name": "a",
        "kind": "updated",
        "old": [{"version": "1", "marker": None, "scope": None, "url": None}],
        "new": [{"version": "2", "marker": None, "scope": None, "url": None}],
        "hashes": {"added": 0, "removed": 0},
        "because": "x (TL101)",
        "reasons": [{"kind": "rule", "rule": "TL101", "package": "torch", "text": "x"}],
    }


# The command.


def locked(*arguments: str, code: int = 0) -> None:
    assert main(["lock", *arguments, *LINUX]) == code


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def replaced(*pairs: tuple[str, str]) -> None:
    """Change the lock as somebody might by hand."""
    path = Path("lock.txt")
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def version_of(name: str) -> str:
    lines = Path("lock.txt").read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2].split()[0] for line in lines if line.startswith(f"{name}=="))


def test_a_new_lock_has_no_changes(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    assert "change" not in said(capsys)
    locked("filelock")
    assert "note: nothing changed in lock.txt" in said(capsys)
    locked("filelock", "-q")
    assert said(capsys) == ""


def test_an_upgrade_says_what_it_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """Case usability-05."""
    locked("filelock", "soundfile")
    new = version_of("filelock")
    replaced((f"filelock=={new}", "filelock==3.13.1"))
    capsys.readouterr()
    locked("filelock", "soundfile", "-U", "--dry-run")
    assert f"1 package would change in lock.txt: updated filelock 3.13.1 → {new} newer release (-U)" in said(
        capsys
    )
    locked("filelock", "soundfile", "-P", "filelock")
    text = said(capsys)
    assert f"1 package changed in lock.txt: updated filelock 3.13.1 → {new} newer release (-P filelock)" in text
    assert version_of("filelock") == new


def test_a_pylock_has_the_same_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("1.0", "2.0"):
        publish(tmp_path / "index", "alpha", version, ["beta"] if version == "2.0" else [])
    publish(tmp_path / "index", "beta", "1.0")
    target = ["--python", "3.12", "--platform", "linux-x86_64"]
    command = ["lock", *target, "--index-url", str(tmp_path / "index"), "-o", "pylock.toml"]
    assert main([*command, "alpha<2"]) == 0
    capsys.readouterr()
    assert main([*command, "alpha", "-U"]) == 0
    text = said(capsys)
    assert "2 packages changed in pylock.toml: updated alpha 1.0 → 2.0 newer release (-U)" in text
    assert "added beta 1.0 needed by alpha" in text
    assert main([*command, "alpha<2", "-U", "--diff"]) == 0
    assert "downgraded alpha 2.0 → 1.0 the command line asks for alpha<2" in said(capsys)
    other = [*command[:3], "--platform", "windows-amd64", *command[5:]]
    assert main([*other, "alpha"]) == 0
    assert "the target changes from Python 3.12, manylinux_2_28_x86_64 to Python 3.12, windows-amd64" in said(
        capsys
    )


MANY = ["--python", "3.11-3.12", "--platform", "linux-x86_64", "--platform", "windows-amd64", "--offline"]


def test_many_targets_have_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["lock", "tqdm", "filelock", *MANY, "-o", "lock.txt"]
    assert main(command) == 0
    assert "changed" not in said(capsys)
    assert main(command) == 0
    assert "note: nothing changed in lock.txt" in said(capsys)
    new = version_of("filelock")
    replaced((f"filelock=={new}", "filelock==3.13.1"))
    assert main([*command, "-P", "filelock"]) == 0
    text = said(capsys)
    assert f"1 package changed in lock.txt: updated filelock 3.13.1 → {new} newer release (-P filelock)" in text
    assert main([*command, "-P", "filelokc"]) == 2
    assert "did you mean filelock?" in said(capsys)
    assert main([*command, "--python", "3.13"]) == 0
    linux = "manylinux_2_28_x86_64, windows-amd64"
    assert f"changes from Python 3.11, 3.12 on {linux} to Python 3.11, 3.12, 3.13 on {linux}" in said(capsys)


@pytest.mark.parametrize("name", ["torchh", "filelokc", "nothing-like-it"])
def test_an_unknown_package_is_not_upgraded(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    before = Path("lock.txt").read_bytes()
    locked("filelock", "-P", name, code=2)
    text = said(capsys)
    assert f"-P {name}: lock.txt and the input do not contain this package" in text
    assert ("did you mean filelock?" in text) == (name == "filelokc")
    assert Path("lock.txt").read_bytes() == before


def test_a_package_that_only_the_new_lock_has_may_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    locked("filelock", "soundfile", "-P", "cffi")
    assert "added cffi" in said(capsys)


def test_the_difference_is_shown_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    new = version_of("filelock")
    replaced((f"filelock=={new}", "filelock==3.13.1"))
    before = Path("lock.txt").read_bytes()
    capsys.readouterr()
    locked("filelock", "-U", "--diff")
    output = capsys.readouterr()
    assert f"-filelock==3.13.1 \\\n+filelock=={new} \\\n" in output.out
    assert "1 package would change in lock.txt:" in output.err
    assert Path("lock.txt").read_bytes() == before
    locked("filelock", "-U", "--diff", "--json", code=2)
    assert main(["lock", "filelock", "--diff", *LINUX[:-2]]) == 2


def test_json_has_the_changes(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock", "--json")
    assert json.loads(capsys.readouterr().out)["changes"] is None
    replaced((f"filelock=={version_of('filelock')}", "filelock==3.13.1"))
    locked("filelock", "--json", "-U")
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["name"], change["kind"], change["because"]) == ("filelock", "updated", "newer release (-U)")


def test_check_shows_the_table_only_if_something_changes(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    capsys.readouterr()
    locked("filelock", "--check")
    assert said(capsys) == ""
    replaced((f"filelock=={version_of('filelock')}", "filelock==3.13.1"))
    locked("filelock>=3.14", "--check", code=1)
    assert "updated filelock 3.13.1 → " in said(capsys)


def test_each_reason_is_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    locked("torch==2.8.0", "torchaudio")
    Path("in.txt").write_text("torch==2.9.1\ntorchaudio\n", encoding="utf-8")
    capsys.readouterr()
    locked("-r", "in.txt")
    text = said(capsys)
    assert "updated torch 2.8.0 → 2.9.1 torch==2.9.1 (in.txt:1)" in text
    assert "updated torchaudio 2.8.0 → 2.9.1 follows torch 2.9.1: torchaudio 2.8.0 needs torch==2.8.0" in text
    assert "updated triton 3.4.0 → 3.5.1 follows torch 2.9.1, which needs triton==3.5.1" in text
    locked("-r", "in.txt", "soundfile", "-v")
    text = said(capsys)
    assert "added soundfile" in text
    assert "required by the command line" in text
    assert "added cffi" in text
    assert "needed by soundfile" in text
    locked("-r", "in.txt", "-v")
    assert "removed soundfile" in (text := said(capsys))
    assert "nothing needs it" in text


def test_an_override_is_the_reason_and_not_what_it_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    locked("torch==2.9.1")
    Path("over.txt").write_text("triton==3.4.0\n", encoding="utf-8")
    locked("torch==2.9.1", "--override", "over.txt")
    text = said(capsys)
    assert "downgraded triton 3.5.1 → 3.4.0 the override triton==3.4.0" in text
    assert "needs triton" not in text


def test_what_an_image_has_is_no_longer_locked(capsys: pytest.CaptureFixture[str]) -> None:
    image = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
    assert main(["lock", "torchaudio", "soundfile", "--python", "3.11", "--offline", "-o", "lock.txt"]) == 0
    assert (
        main(["lock", "torchaudio", "soundfile", "--offline", "--base-image", image, "-o", "lock.txt", "-v"]) == 0
    )
    text = said(capsys)
    assert "it is installed already, and stays" in text
    assert "removed filelock" in text
    assert "nothing needs it" not in text
    assert "nothing that the lock installs needs it" in text


def test_the_driver_is_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    locked("torch", "torchaudio")
    capsys.readouterr()
    locked("torch", "torchaudio", "--system-lib", "cuda-driver=550.54")
    text = said(capsys)
    assert "is built for CUDA 13.2, which needs NVIDIA driver >=580, and the target has 550.54 (TL" in text
    assert "downgraded torchaudio" in text
    assert "follows torch 2." in text


def test_the_build_is_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    locked("torch==2.8.0", "torchaudio")
    locked("torch==2.8.0", "torchaudio", "--accelerator", "cu128")
    assert "changed torch 2.8.0 → 2.8.0+cu128 the build is cu128, and was pypi" in said(capsys)
    locked("torch==2.8.0", "torchaudio", "--accelerator", "cpu", "-v")
    text = said(capsys)
    assert "changed torch 2.8.0+cu128 → 2.8.0+cpu the build is cpu, and was cu128" in text
    assert "removed triton 3.4.0 the build is cpu, and was cu128" in text


def test_another_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    locked("tqdm", "--no-hashes")
    windows = ["--python", "3.12", "--platform", "windows-amd64", "--offline", "-o", "lock.txt"]
    assert main(["lock", "tqdm", "--no-hashes", *windows]) == 0
    assert "added colorama" in (text := said(capsys))
    assert "the target changes from Python 3.12, manylinux_2_28_x86_64 to Python 3.12, windows-amd64" in text
    locked("tqdm", "--no-hashes")
    assert "tqdm 4." in (text := said(capsys))
    assert 'needs it only where platform_system == "Windows"' in text


def test_pins_that_share_a_conflict_are_not_all_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """torch 2.8.0 and torchaudio 2.9.1 conflict: one of them is kept."""
    Path("lock.txt").write_text("torch==2.8.0\ntorchaudio==2.9.1\nfilelock==3.13.1\n", encoding="utf-8")
    locked("torch", "torchaudio", "filelock", "--no-hashes")
    assert version_of("torch") == "2.8.0"
    assert version_of("torchaudio") == "2.8.0"
    assert version_of("filelock") == "3.13.1"
    assert "torchaudio 2.9.1 → 2.8.0" in said(capsys)


def test_a_package_that_is_asked_for_stays_before_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """alpha 1 could "stay" only if zeta went back to a release that does not need it."""
    for name, version, needs in (
        ("tee", "1", []),
        ("tee", "2", []),
        ("alpha", "1", ["tee==1"]),
        ("alpha", "2", ["tee==2"]),
        ("zeta", "1", []),
        ("zeta", "2", ["alpha"]),
    ):
        publish(tmp_path / "index", name, version, needs)
    index = ["--index-url", str(tmp_path / "index"), "--python", "3.12", "--platform", "linux-x86_64"]
    assert main(["lock", "zeta", "tee==1", *index, "-o", "lock.txt"]) == 0
    capsys.readouterr()
    assert main(["lock", "zeta", "tee==2", *index, "-o", "lock.txt"]) == 0
    text = said(capsys)
    assert "2 packages changed in lock.txt:" in text
    assert "updated alpha 1 → 2 follows tee 2: alpha 1 needs tee==1" in text


def test_what_is_asked_for_moves_before_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """A new driver floor moves torch to the newest release that runs, not to one that keeps setuptools."""
    locked("torch", "torchaudio", "--no-hashes")
    locked("torch", "torchaudio", "--no-hashes", "--system-lib", "cuda-driver=550.54")
    kept = version_of("torch")
    locked("torch", "torchaudio", "--no-hashes", "--system-lib", "cuda-driver=550.54", "-U")
    assert version_of("torch") == kept


def test_an_unreadable_lock_is_replaced_without_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    locked("filelock")
    replaced(("# via the command line", "torch=2.1\n    # via the command line"))
    locked("filelock", code=2)
    locked("filelock", "-U")
    assert "change" not in capsys.readouterr().err.splitlines()[-1]


GROUPS = """\
[project]
name = "speech"
version = "1"
dependencies = ["soundfile"]

[dependency-groups]
dev = ["filelock", "six"]
"""


def test_a_group_is_upgraded(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(GROUPS, encoding="utf-8")
    locked("--group", "dev", "--no-hashes")
    new = version_of("filelock")
    replaced((f"filelock=={new}", "filelock==3.13.1"), (f"cffi=={version_of('cffi')}", "cffi==1.17.0"))
    capsys.readouterr()
    locked("--group", "dev", "--no-hashes", "--upgrade-group", "dev")
    text = said(capsys)
    assert f"updated filelock 3.13.1 → {new} newer release (--upgrade-group dev)" in text
    assert "cffi" not in text
    locked("--group", "dev", "--upgrade-group", "dve", code=2)
    assert "unknown dependency group 'dve'; did you mean dev?" in said(capsys)
