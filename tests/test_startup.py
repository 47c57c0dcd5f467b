"""What a run imports and parses: only what its input needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
LOCK = ["lock", "torch==2.3.1", "torchaudio==2.3.1", "--python", "3.11", "--platform", "linux-x86_64", "--offline"]
PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.3.1", "torchaudio==2.3.1"]\n'
TELL = """
import json, sys
parsed, loads = [], json.loads
json.loads = lambda text, **options: parsed.append(len(text)) or loads(text, **options)
from torchlock.cli.main import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
print(*parsed, file=sys.stderr)
sys.exit(code)
"""


def traced(folder: Path, *arguments: str) -> tuple[set[str], list[str]]:
    """The modules that a run imports, and the sizes of the JSON documents that it parses."""
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.run(
        [sys.executable, "-c", TELL, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environ,
        check=True,
    )
    *_, modules, parsed = process.stderr.splitlines()
    return set(modules.split()), parsed.split()


def test_a_lock_of_named_packages_imports_no_reader_and_one_writer(tmp_path: Path) -> None:
    modules, _ = traced(tmp_path, *LOCK)
    unused = ("manifests.document", "manifests.decoding", "knowledge.builds", "knowledge.registry")
    assert not {f"torchlock.{name}" for name in unused} & modules
    assert "difflib" not in modules
    writers = {"requirements_txt", "pylock_toml", "lock_json"}
    assert {name for name in writers if f"torchlock.report.{name}" in modules} == {"requirements_txt"}


def test_a_lock_of_plain_lines_imports_no_parser_of_packaging(tmp_path: Path) -> None:
    modules, _ = traced(tmp_path, *LOCK)
    parsers = ("packaging.requirements", "packaging.markers", "packaging.tags", "packaging.utils")
    libraries = ("dataclasses", "inspect", "logging", "subprocess", "hashlib", "tomllib")
    assert not {*parsers, *libraries} & modules


def test_a_lock_without_a_conflict_imports_no_resolver_and_no_library_for_types(tmp_path: Path) -> None:
    modules, _ = traced(tmp_path, *LOCK)
    unused = ("typing", "pathlib", "urllib.parse", "gettext", "locale", "fnmatch", "shlex", "copy")
    assert not {"resolvelib", "torchlock.solve.learning", "torchlock.index.live_releases", *unused} & modules


def test_a_lock_of_a_file_imports_no_parser_of_packaging(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("# why\ntorch==2.3.1\ntorchaudio\n")
    modules, _ = traced(tmp_path, "lock", "-r", "requirements.in", "-o", "requirements.txt", *LOCK[3:])
    assert not {"packaging.specifiers", "packaging.version", "typing", "dataclasses", "resolvelib"} & modules
    assert not {"pathlib", "urllib.parse", "ipaddress", "shlex", "fnmatch"} & modules
    unasked = ("jobs.lock_upgrades", "jobs.named_targets", "lock.named_build", "cli.wrong_use")
    assert not {f"torchlock.{name}" for name in unasked} & modules
    assert sum(name.startswith("torchlock") for name in modules) < 140


def test_an_audit_imports_no_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.3.1\ntorchaudio==2.3.1\n")
    modules, _ = traced(tmp_path, "audit", "requirements.txt")
    assert not {"dataclasses", "inspect", "gettext", "pathlib", "urllib.parse", "packaging.specifiers"} & modules
    assert "torchlock.audit.fix.fixer" not in modules  # nothing has to be fixed


def test_a_lock_parses_no_whole_table_of_releases(tmp_path: Path) -> None:
    _, parsed = traced(tmp_path, *LOCK)
    whole = {
        (SOURCE.parent / "compat_data" / "releases" / f"{name}.json").stat().st_size for name in ("torch", "numpy")
    }
    assert max(map(int, parsed)) < min(whole)


def test_a_lock_that_is_made_again_imports_no_parser_of_packaging(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("torch==2.3.1\ntorchaudio\n")
    again = ["lock", "-r", "requirements.in", "-o", "requirements.txt", *LOCK[3:]]
    traced(tmp_path, *again)
    modules, _ = traced(tmp_path, *again)
    parsers = ("packaging.requirements", "packaging.markers", "packaging.tags", "packaging.utils", "logging")
    assert not {*parsers} & modules


def test_a_project_imports_the_readers_of_the_tables_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"{PROJECT}[tool.rye]\n")
    modules, _ = traced(tmp_path, "audit", "pyproject.toml")
    tools = {"rye", "poetry", "pdm", "hatch", "pixi"}
    assert {tool for tool in tools if f"torchlock.manifests.formats.pyproject_{tool}" in modules} == {"rye"}


def test_no_table_is_parsed_twice(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.3.1\ntorchaudio==2.3.1\n")
    for arguments in (["audit", "requirements.txt"], LOCK):
        _, parsed = traced(tmp_path, *arguments)
        large = [size for size in parsed if int(size) > 10_000]
        assert len(large) == len(set(large))


def test_a_check_without_a_log_imports_no_reader_of_logs() -> None:
    tell = "import sys; from torchlock.check import prepare; prepare(); print(*sys.modules)"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, env=environ, check=True)
    modules = set(process.stdout.split())
    assert not {f"torchlock.check.{name}" for name in ("log", "log_handled", "log_facts", "tracebacks")} & modules
