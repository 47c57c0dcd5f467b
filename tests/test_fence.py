"""One file, rule or candidate never ends the run; and no content of a file makes torchlock fail."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.site_folder import install, site_of
from torchlock.audit import Auditor
from torchlock.cli import crash
from torchlock.cli.main import main
from torchlock.errors import InputError
from torchlock.finding import FileReport
from torchlock.index import source
from torchlock.index.pages import parse_page
from torchlock.jobs import audit as audit_job
from torchlock.knowledge import registry
from torchlock.manifests import read_document
from torchlock.runtime.fence import Breakage, breakage
from torchlock.standards import core_metadata
from torchlock.standards.markers import fault_of
from torchlock.standards.versions import fault_of_specifier, version_of
from torchlock.target import Platform, PythonVersion, Target

ROOT = Path(__file__).parents[1]
TARGET = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]
LONG = "9" * 5000
PAIR = "torch==2.0.0\ntorchaudio==2.1.0\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, spare = tmp_path / "work", tmp_path / "spare"
    work.mkdir()
    spare.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(spare))


def reports(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "spare").iterdir())


# What no content of a file may do.

VERSIONS = (
    *(LONG, f"2.{LONG}", f"{LONG}!2.0", f"2.0+{LONG}", f"2.0.post{LONG}", f"2.0.dev{LONG}", f"2.0a{LONG}"),
    *(
        "\uff10.\uff11",
        "\u0662.\u0660",
        "2.0\u00b2",
        "\u2461",
        "2.0+cu\uff11\uff11\uff18",
        "1e999",
        "-1",
        "nan",
        "",
    ),
    *("2." * 50 + "0", "2.0\0", "2.0\ud800", "\ufeff2.0", "2.0\u2028", ""),
)
MARKERS = (
    *("'a' == 'b'", "os_name ~= 'x'", "'a' in extras", "extras == 'a'", "'a' in dependency_groups", "nope == 'a'"),
    *(
        "extra > 'a'",
        "extra in 'a b'",
        "python_version in '3.8'",
        "'3' in python_version",
        "python_version ~= '3'",
    ),
    *(
        f"python_version >= '{LONG}'",
        "python_version >= '\uff13.\uff18'",
        "platform_version ~= 'a'",
        "==",
        "'",
        "python_version ~= '3'",
    ),
    *(f"{'(' * number}os_name == 'a'{')' * number}" for number in (60, 150, 3000)),
    "os_name == '\ud800'",
)
FILES = {
    "requirements.txt": "torch=={v} ; {m}\ntorchaudio~={v}\n",
    "constraints.txt": "torch>={v} ; {m}\n",
    "pyproject.toml": """[project]
name = "x"
version = "{v}"
requires-python = ">={v}"
dependencies = ["torch=={v} ; {m}"]
[tool.poetry.dependencies]
torchaudio = "^{v}"
numpy = {{version = "{v}", markers = "{m}"}}
[tool.uv]
environments = ["{m}"]
[tool.uv.sources]
torch = {{index = "a", marker = "{m}"}}
[tool.pdm.resolution.overrides]
torch = "{v}"
[tool.pixi.dependencies]
pytorch = "{v}"
""",
    "setup.cfg": "[options]\npython_requires = >={v}\ninstall_requires =\n    torch=={v} ; {m}\n"
    "[options.extras_require]\na:{m} =\n    torch=={v}\n",
    "setup.py": "from setuptools import setup\nsetup(python_requires='>={v}', "
    'install_requires=["torch=={v}; {m}"], extras_require={{"a:{m}": ["torch=={v}"]}})\n',
    "Pipfile": '[packages]\ntorch = "=={v}"\nnumpy = {{version = "=={v}", markers = "{m}"}}\n'
    '[requires]\npython_version = "{v}"\n',
    "Pipfile.lock": '{{"default": {{"torch": {{"version": "=={v}", "markers": "{m}"}}}}}}',
    "environment.yml": "dependencies:\n  - python={v}\n  - pytorch={v}\n  - torchaudio=={v}=cuda{v}_0\n"
    "  - pip:\n    - torch=={v} ; {m}\n",
    "poetry.lock": '[[package]]\nname = "torch"\nversion = "{v}"\nmarkers = "{m}"\n',
    "uv.lock": 'version = 1\nrequires-python = ">={v}"\nresolution-markers = ["{m}"]\n'
    '[[package]]\nname = "torch"\nversion = "{v}"\nresolution-markers = ["{m}"]\n',
    "pdm.lock": '[[package]]\nname = "torch"\nversion = "{v}"\nmarker = "{m}"\n',
    "pylock.toml": 'lock-version = "1.0"\ncreated-by = "x"\nrequires-python = ">={v}"\nenvironments = ["{m}"]\n'
    '[[packages]]\nname = "torch"\nversion = "{v}"\nmarker = "{m}"\n',
    "pixi.toml": '[workspace]\nchannels = []\nplatforms = ["linux-64"]\n[dependencies]\npytorch = "{v}"\n'
    'python = ">={v}"\n[pypi-dependencies]\ntorch = "=={v}"\n',
    "pixi.lock": "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n"
    "      - pypi: https://example.org/torch-{v}-cp311-cp311-linux_x86_64.whl\npackages:\n"
    "- pypi: https://example.org/torch-{v}-cp311-cp311-linux_x86_64.whl\n  name: torch\n  version: {v}\n",
    "tox.ini": "[tox]\nenvlist = py{v}\n[testenv]\ndeps =\n    torch=={v} ; {m}\n    py{v}: torchaudio=={v}\n",
    "noxfile.py": "import nox\n@nox.session(python='{v}')\ndef t(session):\n"
    '    session.install("torch=={v} ; {m}")\n',
    "nb.ipynb": '{{"cells": [{{"cell_type": "code", "source": ["!pip install torch=={v}\\n"]}}], "nbformat": 4}}',
    ".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n"
    "        torch: ['{v}']\n    steps:\n    - run: pip install torch=={v} \"torchaudio=={v} ; {m}\"\n"
    "    - run: pip install torch==${{{{ matrix.torch }}}}\n",
    "Makefile": 'a:\n\tpip install torch=={v} "torchaudio=={v} ; {m}"\n',
    "i.bat": 'pip install torch=={v} "torchaudio=={v} ; {m}"\r\n',
    "i.ps1": 'pip install torch=={v} "torchaudio=={v} ; {m}"\n',
    "Dockerfile": 'FROM python:{v}.{v}\nRUN pip install torch=={v} "torchaudio=={v} ; {m}"\n'
    "FROM pytorch/pytorch:{v}.{v}.{v}-cuda{v}.{v}-cudnn8-runtime\nRUN pip install torchaudio=={v}\n",
    "i.sh": 'pip install torch=={v} "torchaudio=={v} ; {m}" --index-url https://example.org/whl/cu{v}\n'
    "uvx --python {v} --with torch@{v} x\nconda install pytorch={v} cudatoolkit={v}.{v}\n",
    "cog.yaml": 'build:\n  python_version: "{v}"\n  cuda: "{v}"\n  python_packages:\n    - "torch=={v}"\n',
    "s.py": '# /// script\n# requires-python = ">={v}"\n# dependencies = ["torch=={v} ; {m}"]\n# ///\n',
}
SHAPES = {
    "brackets": "[" * 3000,
    "braces": "{" * 300,
    "nested arrays": f"a = {'[' * 3000}{']' * 3000}",
    "nested tables": f"a = {'{a=' * 3000}1{'}' * 3000}",
    "a header of many parts": f"[{'a.' * 3000}a]\n",
    "a key of many parts": f"{'a.' * 3000}a = 1\n",
    "nested JSON": f"{'[' * 9000}{']' * 9000}",
    "nested YAML": f"a: {'[' * 3000}{']' * 3000}\n",
    "YAML that multiplies": "a: &a [b]\n"
    + "".join(f"k{i}: &k{i} [*a, *a]\na: &a [*k{i}, *k{i}]\n" for i in range(20)),
    "nested Python": f"x = {'(' * 150}1{')' * 150}",
    "a long sum": f"x = {'1+' * 9000}1",
    "a long chain of names": "".join(f"a{i} = a{i + 1}\n" for i in range(900)),
    "a long integer": f"a = {LONG}\n",
    "an integer of JSON": f'{{"a": {LONG}}}',
    "a date out of range": "a = 9999-99-99\n",
    "nested shell": f"pip install {'$(' * 200}{')' * 200}\n",
}


@pytest.mark.parametrize("name", FILES)
def test_no_version_and_no_marker_is_a_bug(name: str) -> None:
    auditor, template = Auditor(), FILES[name]
    texts = [template.format(v=version, m="os_name == 'posix'") for version in VERSIONS]
    texts += [template.format(v="2.0.1", m=marker) for marker in MARKERS]
    for text in texts:
        found = auditor.report(name, raw=text.encode("utf-8", "surrogatepass"))
        assert found.broken is None, f"{text[:300]!r}\n{found.broken and found.broken.trace}"


@pytest.mark.parametrize("name", FILES)
def test_no_shape_is_a_bug(name: str) -> None:
    auditor = Auditor()
    for shape, text in SHAPES.items():
        found = auditor.report(name, raw=text.encode())
        assert found.broken is None, f"{shape}\n{found.broken and found.broken.trace}"


@pytest.mark.parametrize("version", ["\uff10.\uff11", LONG])
@pytest.mark.parametrize(
    "name", ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "setup.cfg"]
)
def test_what_is_no_version_has_its_line(name: str, version: str) -> None:
    found = Auditor().report(name, raw=FILES[name].format(v=version, m="").encode())
    assert [finding.severity for finding in found.findings if finding.rule == "TL501" and finding.place.line]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("requirements.txt", "six\ntorch==2.0; 'a'=='b'\n", 2),
        ("uv.lock", 'version = 1\n[[package]]\nname = "torch"\nversion = "\uff10.\uff11"\n', 4),
        ("setup.cfg", f"[options]\ninstall_requires =\n    torch=={LONG}\n", 3),
        (
            "pyproject.toml",
            "[dependency-groups]\n" + "".join(f'g{i} = [{{include-group = "g{i + 1}"}}]\n' for i in range(300)),
            101,
        ),
        ("pyproject.toml", f"[buildTORCH_audio!= 2.1.0+{'a.' * 500}-system]\n", 1),
        ("pyproject.toml", f"[project]\nname = 'x'\n\n[{'a.' * 500}b]\n", 4),
    ],
    ids=["a marker", "digits", "a number", "groups", "a header", "a valid header"],
)
def test_known_inputs(name: str, text: str, line: int, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text(text, encoding="utf-8")
    assert main(["audit", name, "--format", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert (findings[0]["rule"], findings[0]["line"]) == ("TL501", line)
    if not name.endswith(".lock"):
        assert main(["lock", "-r", name, *TARGET]) == 2
        assert "bug" not in capsys.readouterr().err


def test_extras_that_name_one_another() -> None:
    extras = "".join(f"e{i} = ['x[e{i + 1}]; os_name != \"{i}\"']\n" for i in range(300))
    text = f"[project]\nname = 'x'\nversion = '1'\n[project.optional-dependencies]\n{extras}e300 = ['six']\n"
    Path("pyproject.toml").write_text(text)
    found = Auditor().report("pyproject.toml")
    assert [finding.rule for finding in found.findings] == ["TL501"]
    assert found.findings[0].place.line > 100
    assert main(["lock", "-r", "pyproject.toml", "--extra", "e0", *TARGET]) == 2


def test_files_that_include_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(400):
        Path(f"r{number}.txt").write_text(f"-r r{number + 1}.txt\n")
    Path("r400.txt").write_text(PAIR)
    found = Auditor().report("r0.txt")
    assert [finding.rule for finding in found.findings] == ["TL901"]
    assert "r31.txt is not judged" in found.findings[0].message
    assert main(["lock", "-r", "r0.txt", *TARGET]) == 2
    assert "bug" not in capsys.readouterr().err


def test_aliases_that_multiply() -> None:
    names = [f"k{number}" for number in range(30)]
    rows = [f"{name}: &{name} [*{before}, *{before}]" for before, name in pairwise(names)]
    text = "\n".join(["k0: &k0 [torch]", *rows, "dependencies: *k29", ""])
    found = Auditor().report("environment.yml", raw=text.encode())
    assert "the value of this alias is too large" in found.findings[0].message


# The gates.


@pytest.mark.parametrize("text", ["", "==2.0.1", ">=2,<3", "==2.0.1+cu118", "==2.0.*", "~=2.1", "===odd", "!=2"])
def test_specifiers(text: str) -> None:
    assert not fault_of_specifier(text)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version])
def test_what_no_index_publishes(version: str) -> None:
    if version not in ("\ufeff2.0", "2.0\u2028", "2." * 50 + "0"):  # packaging strips space, and reads any length
        assert fault_of_specifier(f">={version}")
        assert version_of(version) is None


@pytest.mark.parametrize(
    ("marker", "sound"),
    [
        ("os_name == 'nt'", True),
        ("python_version in '3.8 3.9' and extra == 'x'", True),
        ("(os_name == 'nt' or 'linux' == sys_platform)", True),
        ("'a' == 'b'", False),
        ("os_name ~= 'x'", False),
        (f"python_version < '{LONG}'", False),
        (f"{'(' * 150}os_name == 'a'{')' * 150}", False),
    ],
)
def test_markers(marker: str, sound: bool) -> None:
    target = Target(PythonVersion(3, 11, 0), Platform.parse("linux-x86_64"))
    assert (not fault_of(marker)) is sound
    if sound:
        assert target.holds(marker) in (True, False)
    else:
        with pytest.raises(InputError, match="has no value"):
            target.holds(marker)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--platform", f"manylinux_2_{LONG}_x86_64"],
        ["--platform", "manylinux_2_999999999_x86_64"],
        ["--system-lib", f"glibc={LONG}"],
        ["--system-lib", "glibc=2.999999999"],
        ["--python", f"3.{LONG}"],
        ["--python", "\uff13.11"],
    ],
)
def test_numbers_on_the_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "six", "--offline", *arguments]) == 2
    assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "value",
    [
        f"torch>={LONG}",
        f"torch; python_version >= '{LONG}'",
        "torch; 'a' == 'b'",
        "torch; os_name ~= 'x'",
        "torch; 'a' in extras",
    ],
)
def test_metadata_that_cannot_be_compared_is_refused(value: str) -> None:
    assert core_metadata.dependency_of(value) is None
    assert len(core_metadata.refusal(value)) < 700


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'<a href="http://[">y</a><a href="six-1-py3-none-any.whl">x</a>', "text/html"),
        (b'<a href="six-1-py3-none-any.whl">x</a>', "text/html; charset=undefined"),
        (
            b'{"files": [{"filename": "six-1-py3-none-any.whl", "url": "x", "size": %s}]}' % (b"9" * 99),
            "application/json",
        ),
    ],
)
def test_odd_pages(body: bytes, media: str) -> None:
    assert [file.size for file in parse_page(body, media, "https://example.org/six/")] == [None]


ADDRESSES = (
    "https://example.org:99999/a",
    "https://example.org:x/a",
    "https://[::1/a",
    "file://[/a",
    "http://\uff11[/",
)
VCS = ("git+https://example.org:99999/a", "git+ssh://git@example.org:someone/a.git", "git+https://[::1/a")


@pytest.mark.parametrize(
    "line", ["demo @ {}/demo-1.0-py3-none-any.whl", "{}/demo-1.0-py3-none-any.whl", "-e {}#egg=demo"]
)
def test_no_address_is_a_bug(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    for address in (*ADDRESSES, *VCS):
        Path("a.txt").write_text(f"six\n{line.format(address)}\n", encoding="utf-8")
        for command in ("lock", "audit"):
            files = ["-r", "a.txt", *TARGET] if command == "lock" else ["a.txt"]
            assert main([command, *files]) < 3, address
        if address in ADDRESSES:
            assert "a.txt:2: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "requirements",
    [
        ["demo @ https://example.org/demo-1.0-py3-none-any.whl;'' <= implementation_version"],
        ["git+https://example.org/a"],
        ["."],
        ["six; python_version < '3'"],
        [f"six>={LONG},<3"],
        ["https://example.org:99999/demo-1.0-py3-none-any.whl"],
    ],
)
def test_no_requirement_to_explain_is_a_bug(requirements: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'demo'\nversion = '1'\n")
    assert main(["explain", *TARGET, "--", *requirements]) < 3
    assert "go together on Python 3.11, manylinux_2_28_x86_64: \n" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-10:00", "\uff12024-01-01", ""]
)
def test_no_moment_is_a_bug(moment: str) -> None:
    assert main(["lock", "six", *TARGET, "--exclude-newer", moment]) == 2


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("six", "six>=1"),
        ("six", LONG),
        ("six", ""),
        ("six", "1.*"),
        ("../six", "1.0"),
        ("", "1.0"),
        ("six", "\uff11"),
    ],
)
def test_no_pin_of_an_old_pylock_is_a_bug(name: str, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    package = f"[[packages]]\nname = '{name}'\nversion = '{version}'\n"
    Path("pylock.toml").write_text(f"lock-version = '1.0'\ncreated-by = 'x'\n{package}", encoding="utf-8")
    assert main(["lock", "six", *TARGET, "-o", "pylock.toml"]) == 2
    said = capsys.readouterr().err
    assert "error: pylock.toml:" in said
    assert "hint: use --upgrade to write a new lock" in said
    assert len(said) < 500


# A bug of ours.


def register(monkeypatch: pytest.MonkeyPatch, module: str, function: Callable[..., Iterator[Any]]) -> None:
    """Add a rule to those of a job, for one test."""
    function.__module__ = module
    monkeypatch.setattr(registry, "_registered", list(registry._registered))
    registry.rule("TL101")(function)


def planted(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A rule that breaks on every file with "bad" in its name."""

    def rule(case: Any, scene: Any) -> Iterator[Any]:
        if "bad" in case.document.path:
            raise error
        yield from ()

    register(monkeypatch, "torchlock.audit.rules.planted", rule)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(
    "error", [ValueError("x"), RecursionError("x"), MemoryError()], ids=lambda each: type(each).__name__
)
def test_a_bug_costs_its_own_file(
    error: Exception,
    pool: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if pool:
        if multiprocessing.get_start_method() != "fork":
            pytest.skip("other processes know nothing of the planted bug")
        monkeypatch.setattr(audit_job, "_MANY", 1)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
    planted(monkeypatch, error)
    for name in ("a.txt", "bad.txt", "c.txt"):
        Path(name).write_text(PAIR)
    assert main(["audit", "a.txt", "bad.txt", "c.txt", "--format", "json"]) == 3
    files = json.loads(capsys.readouterr().out)["files"]
    assert [file["status"] for file in files] == ["error", "unreadable", "error"]
    (finding,) = files[1]["findings"]
    assert (finding["rule"], finding["severity"]) == ("TL908", "error")
    (report,) = reports(tmp_path)
    assert str(report) in finding["remedy"]["summary"]
    assert type(error).__name__ in report.read_text()


@pytest.mark.parametrize("style", ["text", "sarif", "github", "gitlab", "junit", "markdown"])
def test_every_format_tells_a_bug(
    style: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(monkeypatch, ValueError("x"))
    Path("bad.txt").write_text("torch==2.0.0\n")
    assert main(["audit", "bad.txt", "--format", style]) == 3
    out = capsys.readouterr().out
    assert "TL908" in out
    assert "nothing is wrong" not in out
    if style == "sarif":
        (invocation,) = json.loads(out)["runs"][0]["invocations"]
        assert invocation["executionSuccessful"] is False
        assert invocation["exitCode"] == 3
        assert invocation["toolExecutionNotifications"]


@pytest.mark.parametrize(
    ("style", "writer"),
    [
        ("text", "audit_text._file"),
        ("json", "audit_json._file"),
        ("sarif", "sarif._results"),
        ("github", "github._file"),
        ("gitlab", "gitlab._rows"),
        ("junit", "junit._cases"),
        ("markdown", "markdown._rows"),
    ],
)
def test_a_bug_of_the_writer_costs_its_own_file(
    style: str, writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _, name = writer.partition(".")
    wrapped = getattr(importlib.import_module(f"torchlock.report.{module}"), name)

    def broken(file: FileReport, *arguments: Any, **further: Any) -> Any:
        if any("2.5.1" in finding.message for finding in file.findings):
            raise ValueError("x")
        return wrapped(file, *arguments, **further)

    monkeypatch.setattr(f"torchlock.report.{writer}", broken)
    Path("a.txt").write_text(PAIR)
    Path("b.txt").write_text("torch==2.4.1\ntorchaudio==2.5.1\n")
    assert main(["audit", "a.txt", "b.txt", "--format", style]) == 3
    out = capsys.readouterr().out
    assert "TL908" in out
    assert "TL101" in out
    assert "2.5.1" not in out
    if style in ("json", "sarif"):
        json.loads(out)
    assert len(reports(tmp_path)) == 1


def test_too_little_memory_is_not_called_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("torchlock.cli.parser.parse", broken)
    assert main(["audit", "a.txt"]) == 3
    said = capsys.readouterr().err
    assert "torchlock ran out of memory; sorry; nothing was changed" in said
    assert "this is a bug" not in said


def test_a_bug_of_the_explanation_keeps_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("x")

    monkeypatch.setattr("torchlock.lock.explain.explain", broken)
    assert main(["lock", "torch==2.0.0", "torchaudio==2.1.0", *TARGET]) == 3
    said = capsys.readouterr().err
    assert "error: no solution for Python 3.11" in said
    assert "this is a bug in torchlock" in said


def test_a_bug_counts_more_than_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, ValueError("x"))
    Path("bad.txt").write_text(PAIR)
    assert main(["audit", "bad.txt", "missing.txt"]) == 3
    assert main(["audit", "missing.txt"]) == 2


def test_a_bug_of_the_mender_leaves_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ValueError("x")

    Path("a.txt").write_text(PAIR)
    monkeypatch.setattr(Auditor, "fixed", broken)
    assert main(["audit", "--fix", "a.txt"]) == 3
    assert Path("a.txt").read_text() == PAIR


@pytest.mark.triggers("TL908")
def test_a_bug_of_a_rule_does_not_end_the_diagnosis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rule(scene: Any) -> Iterator[Any]:
        raise KeyError("x")
        yield scene

    site = site_of(tmp_path / "env")
    install(site, "torch", "2.0.0", headers="Requires-Dist: absent")
    arguments = ["check", "--path", str(site), "--platform", "linux-x86_64", "--format", "json"]
    without = main(arguments), json.loads(capsys.readouterr().out)
    register(monkeypatch, "torchlock.check.rules.planted", rule)
    assert main(arguments) == 3
    found = json.loads(capsys.readouterr().out)
    rules = {finding["rule"] for finding in found["files"][0]["findings"]}
    assert rules == {"TL908"} | {finding["rule"] for finding in without[1]["files"][0]["findings"]}
    assert "TL908" in rules
    assert len(reports(tmp_path)) == 1


@pytest.mark.parametrize(
    "place",
    [
        "torchlock.check.rules.import_path.blame_second_copies",
        "torchlock.check.log.read_log",
        "torchlock.check.log_order.promote",
        "torchlock.check.log_order.remarks",
    ],
)
@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError()])
def test_a_bug_behind_the_rules_does_not_end_the_diagnosis(
    place: str,
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise error

    site = site_of(tmp_path / "env")
    install(site, "torch", "2.0.0", headers="Requires-Dist: absent")
    Path("log").write_text("OSError: libtorch.so: cannot open shared object file\n")
    arguments = ["check", "--path", str(site), "--platform", "linux-x86_64", "--log", "log", "--format", "json"]
    main(arguments[:5] + arguments[7:])
    without = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(place, broken)
    assert main(arguments) == 3
    found = json.loads(capsys.readouterr().out)
    rules = {finding["rule"] for finding in found["files"][0]["findings"]}
    of_log = {"TL610"} if place.endswith("copies") else set()
    assert rules == {"TL908"} | of_log | {finding["rule"] for finding in without["files"][0]["findings"]}
    assert len(reports(tmp_path)) == 1


@pytest.mark.parametrize(
    "place", ["torchlock.cli.streams.masked", "torchlock.cli.streams.one_line", "torchlock.cli.main.os"]
)
def test_a_bug_of_what_tells_bugs_is_one_too(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(place, None)
    assert main(["audit", "missing.txt"]) == 3
    assert "this is a bug in torchlock" in capsys.readouterr().err


def test_what_breaks_before_the_run_is_no_finding() -> None:
    code = "import sys; sys.modules['torchlock.cli.main'] = None; from torchlock.cli import entry; entry()"
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ, check=False)
    assert process.returncode == 3
    assert b"Error" in process.stderr


def test_a_bug_passes_over_one_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise ZeroDivisionError(text)

    monkeypatch.setattr(source, "parse_metadata", broken)
    found = source._parsed("Name: x")
    assert "torchlock failed to read its metadata" in getattr(found, "because", "")


# The report.


def caught(error: Exception) -> Breakage:
    try:
        raise error
    except Exception as raised:
        return breakage(raised)


def test_a_report_is_for_its_owner_and_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://me:t0ken@example.org/simple"
    monkeypatch.setattr(sys, "argv", ["torchlock", "lock", f"--index-url={address}", "x" * 100_000])
    path = crash.write_crash_report([caught(ValueError(f"{address} {'y' * 100_000}\na second line"))])
    assert path is not None
    text = Path(path).read_text()
    assert "t0ken" not in text
    assert "second line" not in text
    assert len(text) < 50_000
    if os.name == "posix":
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_one_bug_is_described_once() -> None:
    same = [caught(ValueError("x")) for _ in range(1000)]
    path = crash.write_crash_report(same)
    assert path is not None
    assert Path(path).read_text().count("ValueError: x") == 1
    many = [Breakage("ValueError", f"a.py:{number}", "trace\n") for number in range(1000)]
    path = crash.write_crash_report(many)
    assert path is not None
    assert "995 more bugs" in Path(path).read_text()


def test_no_place_for_a_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    planted(monkeypatch, ValueError("x"))
    Path("bad.txt").write_text(PAIR)
    assert main(["audit", "bad.txt"]) == 3
    assert "the file with its traceback could not be written" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
@pytest.mark.parametrize("style", ["text", "json", "sarif", "github", "gitlab", "junit", "markdown"])
def test_names_of_files_that_are_no_text(style: str) -> None:
    name = b"requirements-\xff\xed\xa0\x80.txt"
    Path(os.fsdecode(name)).write_text(PAIR)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"}
    process = subprocess.run(
        [sys.executable.encode(), b"-m", b"torchlock", b"audit", name, b"--format", style.encode()],
        capture_output=True,
        env=environ,
        check=False,
    )
    assert process.returncode == 1, process.stderr
    out = process.stdout.decode()
    if style in ("json", "sarif"):
        json.loads(out)


@pytest.mark.parametrize("version", ["2.２.0", "٢.٠", "²", "2." + "9" * 5000, "2.0+cu²"])
def test_the_address_of_a_wheel_with_digits_of_any_script_is_read(version: str) -> None:
    line = f"torch @ https://example.org/torch-{version}-cp310-cp310-linux_x86_64.whl\n"
    report = Auditor().report("requirements.txt", raw=line.encode())
    assert report.broken is None
    assert report.findings, "what was not judged is told"


@pytest.mark.parametrize("marker", ["'a' == 'b'", "colour == 'red'", "python_version ~= 'x'"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", "[tool.poetry.dependencies]\ntorch = {{version = '2.1.0', markers = \"{}\"}}\n"),
        ("Pipfile", "[packages]\ntorch = {{version = '==2.1.0', markers = \"{}\"}}\n"),
    ],
)
def test_a_marker_of_another_tool_without_a_value_is_told(path: str, text: str, marker: str) -> None:
    document = read_document(path, raw=text.format(marker).encode())
    (problem,) = document.issues
    assert (problem.rule, problem.place.line) == ("TL501", 2)
    assert document.entries == []
