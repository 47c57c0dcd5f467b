"""TL406: code that its Python does not understand yet, as a log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.site_folder import install, write
from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

FRAME = '  File "/env/lib/python3.7/site-packages/df/logger.py", line 49{0}\n    {1}\n'


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


def of_code(code: str, error: str, python: str = "3.7") -> str:
    mark = "              ^\n" if error.startswith("SyntaxError") else ""
    return FRAME.format("" if mark else ", in <module>", code).replace("3.7", python) + mark + error + "\n"


BAD = "SyntaxError: invalid syntax"
JOINED = "TypeError: unsupported operand type(s) for |: 'type' and 'NoneType'"


@pytest.mark.triggers("TL406")
@pytest.mark.parametrize(
    ("code", "error", "since"),
    [
        (
            'if (jobid := os.getenv("SLURM_JOB_ID")) is not None:',
            BAD,
            "the operator :=, which Python has since 3.8",
        ),
        ("def scale(x, /, y):", BAD, "parameters that are positional only, which Python has since 3.8"),
        ("match mode:", BAD, "the statement match, which Python has since 3.10"),
        ("class Box[T]:", "SyntaxError: expected ':'", "or the statement type, which Python has since 3.12"),
        ("def f(x: int | None): ...", JOINED, "types that are joined with |, which Python has since 3.10"),
        (
            "def f(x: list[int]): ...",
            "TypeError: 'type' object is not subscriptable",
            "list[int], which Python has",
        ),
        (
            "from typing import Literal",
            "ImportError: cannot import name 'Literal' from 'typing' (/a/typing.py)",
            "3.8",
        ),
        (
            "import tomllib",
            "ModuleNotFoundError: No module named 'tomllib'",
            "tomllib, which Python has since 3.11",
        ),
        ("asyncio.timeout(3)", "AttributeError: module 'asyncio' has no attribute 'timeout'", "since 3.11"),
    ],
)
def test_what_came_with_a_later_python(code: str, error: str, since: str) -> None:
    (finding,) = judged(of_code(code, error))
    assert finding.rule == "TL406"
    assert since in finding.message
    assert finding.message.endswith("Python 3.7 does not have it")


@pytest.mark.leaves_alone("TL406")
@pytest.mark.parametrize(
    ("code", "error", "python"),
    [
        ("if (a := 1):", BAD, "3.9"),  # The reason is another one: this Python has it.
        ("print 'a'", BAD, "3.7"),
        ("x = 1 +", BAD, "3.7"),
        ("match = re.match(a, b", BAD, "3.7"),
        ("a = b[0]", "TypeError: 'type' object is not subscriptable", "3.7"),
        ("from enum import Foo", "ImportError: cannot import name 'Foo' from 'enum' (/usr/lib/enum.py)", "3.7"),
    ],
)
def test_what_no_release_explains(code: str, error: str, python: str) -> None:
    assert [each.rule for each in judged(of_code(code, error, python)) if each.severity != "note"] == []


@pytest.mark.parametrize(("python", "rules"), [("3.9", ["TL406"]), ("3.11", [])])
def test_the_python_that_is_checked(
    python: str, rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "venv" / "lib" / f"python{python}" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    log = write(
        tmp_path / "log", f'  File "app/use.py", line 7, in <module>\n    def f(x: int | None): ...\n{JOINED}\n'
    )
    report = run(capsys, "--path", folder, "--log", log)
    found = [each["rule"] for each in report["files"][0]["findings"] if each["severity"] != "note"]
    assert found == rules
