"""Commands that delete: only items of a folder of packages, of the damaged package only, quoted for a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.check import run, stage_torch, torch_files
from support.check import site as site
from support.site_folder import install, write

# Parts of names that a shell reads as code if they are not quoted.
NAMES = [
    "a b",
    "it's",
    'say "hi"',
    "$(touch ran)",
    "`touch ran`",
    "a;touch ran",
    "-rf",
    "*",
    "~",
    "a\\b",
    "$HOME",
    "é",
]


def lines_of(report: dict[str, Any]) -> list[str]:
    """All commands of a report that delete something."""
    remedies = [row["remedy"] for file in report["files"] for row in file["findings"] if row["remedy"]]
    lines = [each["line"] for remedy in remedies for each in remedy["commands"]]
    return [
        line
        for line in [*lines, report["command"] or ""]
        if "rm -rf" in line or "rmdir" in line or "del /q" in line
    ]


def deleted(line: str) -> list[str]:
    """What a POSIX shell deletes when it runs a command."""
    words = shlex.split(line, posix=True)
    assert words[:2] == ["rm", "-rf"]
    return words[2 : words.index("&&") if "&&" in words else None]


def assert_safe(report: dict[str, Any], site: Path) -> list[str]:
    """Each command deletes existing items of the folder of packages and nothing else."""
    paths = [path for line in lines_of(report) for path in deleted(line)]
    for path in paths:
        assert Path(path).parent == site
        assert os.path.lexists(path)
    return paths


def mix(site: Path) -> None:
    """Let torch be recorded as two releases, with files of neither."""
    install(site, "torch", "2.7.0+cpu", torch_files("2.7.0+cpu"))
    write(site / "torch" / "functional.py", "changed = True\n")
    (site / "torch" / "lib" / "libtorch_cpu.so").unlink()


def test_only_its_own_files_are_deleted(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix(site)
    paths = assert_safe(run(capsys, "--path", site, code=1), site)
    assert {Path(path).name for path in paths} == {
        "torch",
        "torch-2.7.0+cpu.dist-info",
        "torch-2.8.0+cpu.dist-info",
    }


def test_a_folder_that_another_package_uses_stays(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix(site)
    install(site, "plugin", "1.0", {"torch/plugin.py": ""})
    report = run(capsys, "--path", site, code=1)
    assert lines_of(report) == []
    assert report["command"]


def test_metadata_that_name_another_package(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix(site)
    info = install(site, "librosa", "0.10.2", {"librosa/__init__.py": ""})
    write(info / "METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n\n")
    report = run(capsys, "--path", site, code=1)
    assert not any("librosa" in line for line in lines_of(report))


@pytest.mark.parametrize(
    "row", ["/etc/passwd", "../../../../../etc/passwd", "..", ".", "", "torch/../..", "torch/"]
)
def test_records_that_name_other_files(row: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix(site)
    for info in site.glob("torch-*.dist-info"):
        write(info / "RECORD", (info / "RECORD").read_text() + f"{row},sha256=abc,3\n")
    assert_safe(run(capsys, "--path", site, code=1), site)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_folders_are_quoted(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / name / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    mix(folder)
    report = run(capsys, "--path", folder, code=1)
    assert assert_safe(report, folder)
    first = lines_of(report)[0].partition(" && ")[0]
    subprocess.run(["/bin/sh", "-c", first], check=True, cwd=tmp_path, timeout=20)
    assert sorted(each.name for each in folder.iterdir()) == []
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["~orch", "~orch$(touch ran)", "~or'ch", "~o\nrch", "~ -rf", "~"])
def test_leftovers_of_any_name(name: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "torch").rename(site / name)
    report = run(capsys, "--path", site, code=1)
    for path in assert_safe(report, site):
        assert "\n" not in path


def test_a_link_is_deleted_and_not_what_it_leads_to(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mix(site)
    (site / "torch").rename(tmp_path / "mine")
    (site / "torch").symlink_to(tmp_path / "mine")
    for line in lines_of(run(capsys, "--path", site, code=1)):
        subprocess.run(["/bin/sh", "-c", line.partition(" && ")[0]], check=True, cwd=tmp_path, timeout=20)
    assert (tmp_path / "mine" / "version.py").is_file()


def test_nothing_of_the_distribution_is_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "usr" / "lib" / "python3" / "dist-packages"
    write(tmp_path / "usr" / "bin" / "python3.11")
    folder.mkdir(parents=True)
    stage_torch(folder)
    mix(folder)
    assert lines_of(run(capsys, "--path", folder, "--platform", "linux-x86_64", code=1)) == []
