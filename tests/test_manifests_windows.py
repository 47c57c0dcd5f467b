"""Batch files and PowerShell scripts as the audit reads them."""

from __future__ import annotations

import pytest

from support.formats import asked, read, rules, scopes, stretches

INDEX = "https://example.org/whl/cu118"


# What must be left alone.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rem pip install torch\r\n:: pip install torch\r\n",
        "echo pip install torch\r\n@echo pip install torch\r\n",
        "pip uninstall -y torch\r\npip --version & pip list\r\n",
        "set X=pip install torch\r\n",
        'echo "pip install torch" > x.bat\r\n',
        "start pip-install-torch.html\r\n",
    ],
)
def test_a_batch_file_that_installs_nothing(text: str) -> None:
    document = read("a.bat", text)
    assert not document.entries
    assert not document.issues


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# pip install torch\n<# pip install torch\npip install torch\n#>\n",
        'Write-Host "pip install torch"\nWrite-Host pip install torch\n',
        "$command = 'pip install torch'\n$list = @('torch')\n",
        "pip uninstall -y torch; pip list | Select-String torch\n",
    ],
)
def test_a_powershell_script_that_installs_nothing(text: str) -> None:
    document = read("a.ps1", text)
    assert not document.entries
    assert not document.issues


# Commands.


@pytest.mark.parametrize(
    "command",
    [
        "pip install torch==2.0.1",
        "@pip install torch==2.0.1",
        "call pip install torch==2.0.1",
        "PIP3.EXE install torch==2.0.1".lower(),
        'pip install "torch==2.0.1" 2>&1',
        "py -3.10 -m pip install -U torch==2.0.1",
        "python -u -m pip install torch==2.0.1 >nul 2>nul",
        '"%~dp0venv\\Scripts\\python.exe" -m pip install torch==2.0.1',
        ".\\venv\\Scripts\\pip.exe install torch==2.0.1",
        "%PYTHON% -m pip install torch==2.0.1",
        "%PIP% install torch==2.0.1",
        "cd x && pip install torch==2.0.1 || exit /b 1",
        "pip install ^\r\n  torch==2.0.1",
        "for %%i in (1 2) do pip install torch==2.0.1",
        "if not exist venv (\r\n  python -m venv venv\r\n)\r\npip install torch==2.0.1",
        "uv pip install torch==2.0.1",
    ],
)
def test_the_ways_to_install_in_a_batch_file(command: str) -> None:
    document = read("a.bat", f"@echo off\r\n{command}\r\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]
    assert scopes(document) == {"": ["torch"]}
    assert document.platforms == ("windows-amd64",)


@pytest.mark.parametrize(
    "command",
    [
        "pip install torch==2.0.1",
        "& pip install 'torch==2.0.1'",
        '& "$env:VENV\\Scripts\\python.exe" -m pip install "torch==2.0.1"',
        "& $python -m pip install torch==2.0.1",
        ".\\venv\\Scripts\\pip.exe install torch==2.0.1 *> log.txt",
        "cd x; pip install torch==2.0.1 | Out-Null",
        "pip install `\r\n  torch==2.0.1",
        "try { pip install torch==2.0.1 } catch { exit 1 }",
        "function Install-It {\n  pip install torch==2.0.1\n}",
        "foreach ($x in $y) { pip install torch==2.0.1 }",
        "$done = $true\npip install torch==2.0.1 # torchaudio",
    ],
)
def test_the_ways_to_install_in_powershell(command: str) -> None:
    document = read("a.ps1", f"Set-StrictMode -Version 3\n{command}\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]
    assert scopes(document) == {"": ["torch"]}


def test_variables_of_a_batch_file() -> None:
    text = (
        f'set V=2.0.1\r\nset "PAGE={INDEX}"\r\nset /p W=which?\r\n'
        "pip install torch==%V% torchaudio==%W% --index-url %PAGE%\r\npip install numpy==%1\r\n"
    )
    document = read("a.bat", text)
    assert asked(document) == [("torch", "==2.0.1")]
    assert [entry.index for entry in document.entries] == [INDEX]
    assert stretches(document) == [None]
    assert rules(document) == [("TL902", "note", 4), ("TL902", "note", 5)]


def test_variables_of_powershell() -> None:
    text = (
        f"$v = \"2.0.1\"\n$env:PIP_EXTRA_INDEX_URL = '{INDEX}'\n$w = Get-Version\n"
        'pip install "torch==$v" torchaudio==$w "numpy==$(Get-Version)"\n'
    )
    document = read("a.ps1", text)
    assert asked(document) == [("torch", "==2.0.1")]
    assert [(line.kind, line.address) for line in document.indexes] == [("extra", INDEX)]
    assert rules(document) == [("TL902", "note", 4), ("TL902", "note", 4)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.bat", 'if "%1"=="cpu" (\r\n pip install torch==1\r\n) else (\r\n pip install torch==2\r\n)\r\n'),
        ("a.bat", "if exist x pip install torch==1\r\nif /i not %2==y pip install torch==2\r\n"),
        ("a.bat", "goto %1\r\n:cpu\r\npip install torch==1\r\nexit /b\r\n:gpu\r\npip install torch==2\r\n"),
        ("a.ps1", "if ($cpu) { pip install torch==1 } else { pip install torch==2 }\n"),
        ("a.ps1", "switch ($kind) {\n 'cpu' { pip install torch==1 }\n default { pip install torch==2 }\n}\n"),
    ],
)
def test_branches_are_apart(path: str, text: str) -> None:
    found = scopes(read(path, text))
    assert len(found) == 2
    assert "" not in found


def test_versions_that_the_shell_takes_away() -> None:
    for path in ("a.bat", "a.ps1"):
        document = read(path, "pip install torch>=2.0\n")
        assert rules(document) == [("TL501", "warning", 1)]
        assert [edit.new for edit in document.issues[0].edits] == ['"torch>=2.0"']
        assert asked(document) == [("torch", "")]


def test_an_empty_variable_is_unknown() -> None:
    """A loop or a called label may have set it. https://github.com/meizhong986/WhisperJAV, install_windows.bat"""
    text = 'set "URL="\nfor /f "tokens=1,* delims==" %%a in (a.txt) do set "%%a=%%b"\npip install "!URL!"\n'
    document = read("install.bat", text)
    assert [issue.rule for issue in document.issues if issue.severity != "note"] == []
    assert any("!URL!" in issue.message for issue in document.issues)
