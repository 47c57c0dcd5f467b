"""``torchlock diff``: two locks of any tools compared."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from torchlock.cli.main import main
from torchlock.finding import FileReport, Finding
from torchlock.lock.consequences import consequences_of
from torchlock.manifests.pin_sets import PinSet, pin_set_of_text
from torchlock.report.lock_diff import findings_between

CORPUS = Path(__file__).parent / "corpus"
OLD, NEW = "torch==2.7.1\ntorchaudio==2.7.1\nsix==1.16.0\n", "torch==2.8.0\ntorchaudio==2.8.0\nfilelock==3.13.1\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "old.txt").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.txt").write_text(NEW, encoding="utf-8")
    return tmp_path


def pins(text: str) -> PinSet:
    return pin_set_of_text("\n".join(text.split()), "lock.txt", "requirements")


def said(old: str, new: str, *platforms: str) -> list[str]:
    return [each.text for each in consequences_of(pins(old), pins(new), platforms)]


# Left alone.


def test_equal_locks_do_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old.txt", "old.txt", "--exit-code"]) == 0
    assert capsys.readouterr().out == "old.txt → old.txt: no package differs\n"


def test_the_same_releases_have_no_consequence() -> None:
    assert not said("torch==2.8.0 a==1", "torch==2.8.0 a==2")
    assert not said("torch==2.8.0", "torch==2.8.0.0", "linux-x86_64")


@pytest.mark.parametrize("version", ["99.0", "2.8.0.dev1", "not-a-version"])
def test_an_unknown_release_has_no_consequence(version: str) -> None:
    assert not consequences_of(
        pins("torch==2.8.0"), PinSet([p._replace(version=version) for p in pins("torch==1").pins])
    )


# Found.


def test_the_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old.txt", "new.txt", "--platform", "linux-x86_64"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("old.txt → new.txt: 4 packages differ\n   updated  torch       2.7.1 → 2.8.0\n")
    assert "  2.7.1 → 2.8.0  follows torch 2.8.0: torchaudio 2.7.1 needs torch==2.7.1\n" in out
    assert "\n   removed  six         1.16.0\n" in out
    assert "\nconsequences:\n  linux-x86_64: torch 2.8.0 is built for CUDA 12.8 (before: CUDA 12.6)\n" in out


def test_new_and_fixed_findings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("torch==2.8.0\ntorchaudio==2.7.1\n", encoding="utf-8")
    assert main(["diff", "old.txt", "bad.txt"]) == 0
    out = capsys.readouterr().out
    assert (
        "\nnew in bad.txt:\n  error TL101 torchaudio 2.7.1 works with torch 2.7.1, not with torch 2.8.0\n" in out
    )
    assert "    Fix: " in out
    assert main(["diff", "bad.txt", "new.txt"]) == 0
    out = capsys.readouterr().out
    assert "\nfixed since bad.txt:\n  error TL101 torchaudio 2.7.1 works" in out
    assert "Fix:" not in out
    assert main(["diff", "bad.txt", "bad.txt"]) == 0
    assert "TL101" not in capsys.readouterr().out
    assert main(["diff", "old.txt", "bad.txt", "--ignore", "TL101"]) == 0
    assert "TL101" not in capsys.readouterr().out


def test_reasons_of_the_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked for is unknown; that torchaudio follows torch is not."""
    target = ["--python", "3.12", "--platform", "linux-x86_64", "--offline", "--no-hashes"]
    for name, torch in (("one.txt", "torch==2.8.0"), ("two.txt", "torch==2.12.0")):
        assert main(["lock", torch, "torchaudio", *target, "-o", name]) == 0
    capsys.readouterr()
    assert main(["diff", "one.txt", "two.txt"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "updated torch 2.8.0 → 2.12.0 updated torchaudio" in text
    assert "torchaudio 2.8.0 → 2.11.0 follows torch 2.12.0: torchaudio 2.8.0 needs torch==2.8.0" in text
    assert "triton 3.4.0 → 3.7.0 follows torch 2.12.0, which needs triton==3.7.0" in text
    assert "added nvidia-cuda-cupti 13.0.85 needed by cuda-toolkit" in text
    assert "removed nvidia-cublas-cu12 12.8.4.1 torch 2.12.0 does not need it" in text
    assert main(["diff", "two.txt", "one.txt", "--format", "markdown"]) == 0
    assert "| package | change | versions | why |" in capsys.readouterr().out


def test_what_the_new_lock_violates_too_is_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.txt").write_text("torch==2.8.0\ntorchaudio==2.7.0\n", encoding="utf-8")
    Path("new.txt").write_text("torch==2.9.0\ntorchaudio==2.7.0\n", encoding="utf-8")
    assert main(["diff", "old.txt", "new.txt"]) == 0
    assert "needs torch" not in capsys.readouterr().out


def test_a_finding_that_became_a_note_is_not_fixed() -> None:
    def report(severity: str) -> FileReport:
        finding = Finding("TL101", severity, "they do not load", packages=(("torch", "2.8.0"),))
        return FileReport("lock.txt", "requirements", [finding])

    assert findings_between(report("warning"), report("note")) == ((), ())
    assert [len(each) for each in findings_between(report("note"), report("warning"))] == [1, 0]


def test_another_build_has_no_reason_of_the_public_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The NVIDIA packages of torch+cu126 are not those of the public build."""
    Path("old.txt").write_text("torch==2.8.0+cu126\nnvidia-cublas-cu12==12.6.4.1\n", encoding="utf-8")
    Path("new.txt").write_text("torch==2.9.1+cu126\nnvidia-cublas-cu12==12.6.4.2\n", encoding="utf-8")
    assert main(["diff", "old.txt", "new.txt"]) == 0
    assert "needs nvidia" not in capsys.readouterr().out


def test_the_report_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old.txt", "new.txt", "--json", "--exit-code"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {
        "torchlock", "data", "old", "new", "changes", "consequences", "new_findings", "fixed_findings",
    }  # fmt: skip
    assert [(row["name"], row["kind"]) for row in found["changes"]] == [
        ("torch", "updated"),
        ("torchaudio", "updated"),
        ("filelock", "added"),
        ("six", "removed"),
    ]
    assert {"kind", "package", "platforms", "lost", "gained", "text"} == set(found["consequences"][0])


def test_the_report_for_a_pull_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old.txt", "new.txt", "--format", "markdown", "--platform", "linux-x86_64"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("**`old.txt` → `new.txt`: 4 packages differ**\n\n| package | change | versions | why |")
    assert "\n| `torch` | updated | 2.7.1 → 2.8.0 |  |\n" in out
    assert "\n- linux-x86&#95;64: torch 2.8.0 is built for CUDA 12.8 " in out


def test_markdown_is_not_markup_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A lock of a stranger neither mentions people nor draws links."""
    Path("old.txt").write_text(
        "a @ https://example.org/@team/[x](y)/<img>/a-1-py3-none-any.whl\n", encoding="utf-8"
    )
    Path("new.txt").write_text("a==2\nb|c==1\n" if os.name == "posix" else "a==2\n", encoding="utf-8")
    Path("new.txt").write_text("a==2\n", encoding="utf-8")
    assert main(["diff", "old.txt", "new.txt", "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "@team" not in out
    assert "<img>" not in out
    assert "[x](" not in out


def test_a_long_table_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.txt").write_text("".join(f"p{at}==1\n" for at in range(60)), encoding="utf-8")
    assert main(["diff", "old.txt", "new.txt", "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "<details><summary>38 more</summary>\n\n| package |" in out
    assert out.count("| added |") == 60


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("uv-lock-fits", "uv.lock"),
        ("poetry-lock-fits", "poetry.lock"),
        ("pdm-lock-fits", "pdm.lock"),
        ("pylock-fits", "pylock.toml"),
    ],
)
def test_locks_of_other_tools(folder: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CORPUS / folder / name)
    assert main(["diff", path, "new.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "torch" in {row["name"] for row in found["changes"]}
    assert main(["diff", path, path, "--exit-code"]) == 0


def test_standard_input_has_a_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = (CORPUS / "uv-lock-fits" / "uv.lock").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["diff", "-", "new.txt", "--old-name", "uv.lock"]) == 0
    assert capsys.readouterr().out.startswith("uv.lock → new.txt: ")


def test_two_locks_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old.txt"]) == 2
    assert "nothing to compare: name two locks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("missing.txt", "new.txt", "missing.txt: there is no such file"),
        ("loose.txt", "new.txt", "loose.txt: is not a lock: it pins no version"),
        ("-", "-", "standard input is one of the two locks, and not both"),
        ("broken.txt", "new.txt", "broken.txt:1: "),
    ],
)
def test_input_that_cannot_be_used(old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("loose.txt").write_text("torch>=2\n", encoding="utf-8")
    Path("broken.txt").write_text("torch=2.1\n", encoding="utf-8")
    assert main(["diff", old, new]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "platform", "expected"),
    [
        ("2.7.1", "2.15.0", "linux-x86_64", "torch 2.15.0 needs NVIDIA driver 580 or newer (before: 525"),
        ("2.7.1", "2.15.0", "linux-x86_64", "torch 2.15.0 no longer has code for sm_50 (Maxwell)"),
        ("2.7.1", "2.15.0", "windows-amd64", "torch 2.15.0 no longer has a wheel for Python 3.9, 3.10"),
        ("2.8.0", "2.8.0+cpu", "linux-x86_64", "torch 2.8.0 is a CPU build, and uses no GPU (before: CU"),
        ("2.10.0", "2.11.0", "linux-aarch64", "torch 2.11.0 is built for CUDA 13.0 (before: CPU build)"),
    ],
)
def test_each_consequence(old: str, new: str, platform: str, expected: str) -> None:
    found = said(f"torch=={old}", f"torch=={new}", platform)
    assert any(text.startswith(expected) for text in found), found


@pytest.mark.parametrize(("minor", "expected"), [(9, "no longer has a wheel for Python 3.9"), (12, "")])
def test_only_the_pythons_of_the_options_are_named(minor: int, expected: str) -> None:
    found = consequences_of(pins("torch==2.7.1"), pins("torch==2.15.0"), ["windows-amd64"], [minor])
    told = " ".join(each.text for each in found if each.kind == "pythons")
    assert told.endswith(expected) and bool(told) == bool(expected)


def test_a_build_that_a_platform_does_not_have_says_nothing_about_it() -> None:
    found = consequences_of(pins("torch==2.7.1+cu118"), pins("torch==2.7.1+cu126"))
    assert found
    assert not any(place.startswith("macos") for each in found for place in each.platforms)


def test_markers_decide_where_a_consequence_holds() -> None:
    old = "torch==2.7.1"
    new = "torch==2.7.1;sys_platform!='linux' torch==2.15.0;sys_platform=='linux'"
    places = {place for each in consequences_of(pins(old), pins(new)) for place in each.platforms}
    assert places == {"linux-x86_64", "linux-aarch64"}
