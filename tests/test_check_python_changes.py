"""TL405: what later releases of Python removed or refuse, as a log shows; TL609: modules that nothing here has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, run, stage_audio, stage_torch
from support.site_folder import install, write
from torchlock.knowledge.python_changes import backport, refused, removed, removed_names

READER = '"""Reads AIFF."""\nimport aifc\nimport audioop\nimport struct\n'


@pytest.fixture(params=["3.13"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """An environment of this Python with a torch and packages that read audio files."""
    folder = tmp_path / "env" / "lib" / f"python{request.param}" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    stage_audio(folder)
    install(folder, "audioread", "3.0.1", {"audioread/__init__.py": "", "audioread/rawread.py": READER})
    install(
        folder, "pydub", "0.25.1", {"pydub/__init__.py": "", "pydub/utils.py": "import pyaudioop as audioop\n"}
    )
    install(folder, "fairseq", "0.12.2", {"fairseq/__init__.py": "", "fairseq/configs.py": ""})
    return folder


def logged(capsys: pytest.CaptureFixture[str], site: Path, file: str, code: str, error: str) -> dict[str, Any]:
    frame = f'  File "{site}/{file}", line 2, in <module>\n    {code}\n'
    log = write(site.parent / "log", f"Traceback (most recent call last):\n{frame}{error}\n")
    return run(capsys, "--path", site, "--log", log)


@pytest.mark.triggers("TL405")
def test_a_module_that_python_removed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = "ModuleNotFoundError: No module named 'aifc'"
    report = logged(capsys, site, "audioread/rawread.py", "import aifc", error)
    assert bad(report)[0][1] == "TL405"
    assert first(report)["message"] == "audioread 3.0.1 uses aifc, which Python 3.13 removed"
    assert report["command"].endswith("install standard-aifc audioop-lts")
    assert first(report)["says"] == error


@pytest.mark.parametrize(
    ("file", "code", "error", "name", "command"),
    [
        ("pydub/utils.py", "import pyaudioop as audioop", "No module named 'pyaudioop'", "audioop", "audioop-lts"),
        ("audioread/rawread.py", "import sunau", "No module named 'sunau'", "sunau", "standard-sunau"),
        ("fairseq/configs.py", "import imp", "No module named 'imp'", "imp", "zombie-imp"),
        ("fairseq/configs.py", "import asyncore", "No module named 'asyncore'", "asyncore", "standard-asyncore"),
        ("fairseq/configs.py", "import cgi", "No module named 'cgi'", "cgi", "legacy-cgi"),
        ("fairseq/configs.py", "import distutils", "No module named 'distutils'", "distutils", "setuptools"),
        (
            "fairseq/configs.py",
            "import distutils.util",
            "No module named 'distutils.util'",
            "distutils",
            "setuptools",
        ),
    ],
)
def test_modules_with_a_project_that_brings_them_back(
    site: Path, file: str, code: str, error: str, name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = logged(capsys, site, file, code, f"ModuleNotFoundError: {error}")
    assert bad(report)[0][1] == "TL405"
    assert f"uses {name}, which Python 3.13" in first(report)["message"]
    assert command in report["command"]


@pytest.mark.parametrize("site", ["3.11"], indirect=True)
@pytest.mark.parametrize("path", ["fairseq/configs.py", "dataclasses.py"])
def test_a_default_that_python_refuses(site: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last frame is in Python itself: the package before it is the one that does not work."""
    before = f'  File "{site}/fairseq/configs.py", line 1, in <module>\n    @dataclass\n'
    place = site / path if "/" in path else site.parent / path
    frame = f'  File "{place}", line 815, in _get_field\n    raise ValueError(\n'
    error = "ValueError: mutable default <class 'fairseq.configs.Common'> for field common is not allowed: use x"
    log = write(site.parent / "log", f"Traceback (most recent call last):\n{before}{frame}{error}\n")
    report = run(capsys, "--path", site, "--log", log)
    assert bad(report)[0][1] == "TL405"
    assert first(report)["message"].startswith("fairseq 0.12.2 does not work with Python 3.11, which refuses")
    assert "Python 3.10" in first(report)["remedy"]["summary"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("AttributeError: module 'inspect' has no attribute 'getargspec'", "inspect.getargspec"),
        ("AttributeError: module 'time' has no attribute 'clock'", "time.clock"),
        (
            "ImportError: cannot import name 'Mapping' from 'collections' (collections/__init__.py)",
            "collections.Mapping",
        ),
    ],
)
def test_names_that_python_removed(site: Path, error: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = logged(capsys, site, "fairseq/configs.py", "use(it)", error)
    assert bad(report)[0][1] == "TL405"
    assert f"fairseq 0.12.2 uses {name}, which Python 3.13 does not have: 3." in first(report)["message"]
    assert report["command"] is None


# What must be left alone.


@pytest.mark.leaves_alone("TL405")
@pytest.mark.parametrize("site", ["3.12"], indirect=True)
def test_a_python_that_still_has_the_module(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = "ModuleNotFoundError: No module named 'aifc'"
    assert "TL405" not in [
        rule for _, rule in bad(logged(capsys, site, "audioread/rawread.py", "import aifc", error))
    ]


def test_a_module_that_is_back(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "standard-aifc", "3.13.0", {"aifc/__init__.py": ""})
    error = "ModuleNotFoundError: No module named 'aifc'"
    assert "TL405" not in [
        rule for _, rule in bad(logged(capsys, site, "audioread/rawread.py", "import aifc", error))
    ]


@pytest.mark.parametrize(
    "error", ["No module named 'chunks'", "No module named 'imp_tools'", "No module named 'uuid6'"]
)
def test_modules_with_a_similar_name(site: Path, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = logged(capsys, site, "fairseq/configs.py", "import it", f"ModuleNotFoundError: {error}")
    assert "TL405" not in str(report)


def test_the_table_of_changes() -> None:
    assert removed("aifc") is not None and removed("json") is None
    assert backport("aifc") == "standard-aifc" and backport("nntplib") and not backport("lib2to3")
    assert refused("ValueError: mutable default <class 'a.B'> for field c is not allowed") is not None
    assert refused("ValueError: bad") is None
    assert "audioop" in removed_names()


# Modules that nothing here has.

K2 = "ModuleNotFoundError: No module named 'k2'"


def asking(site: Path, headers: str) -> None:
    install(
        site, "speechbrain", "1.0.3", {"speechbrain/__init__.py": "", "speechbrain/k2.py": ""}, headers=headers
    )


@pytest.mark.parametrize(
    ("headers", "said", "command"),
    [
        ("", "and which its metadata do not require", None),
        ('Requires-Dist: k2>=1.24; extra == "k2"\n', "its extra k2 requires it", '"k2>=1.24"'),
        ("Requires-Dist: k2>=1.24\n", "although its metadata require it", '"k2>=1.24"'),
    ],
)
@pytest.mark.parametrize("file", ["speechbrain/k2.py", "speechbrain/lazy/of_another_release.py"])
def test_a_module_that_an_installed_package_imports(
    site: Path, headers: str, said: str, command: str | None, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asking(site, headers)
    report = logged(capsys, site, file, "import k2", K2)
    assert bad(report)[0][1] == "TL609"
    assert first(report)["message"].startswith("speechbrain 1.0.3 imports k2, which is not installed")
    assert said in first(report)["message"]
    assert (report["command"] or "").endswith(command or "") and bool(report["command"]) is bool(command)


def test_a_module_that_own_code_imports(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(
        site.parent / "log", f'Traceback (most recent call last):\n  File "/app/a.py", line 1\n    x\n{K2}\n'
    )
    assert bad(run(capsys, "--path", site, "--log", log)) == []


def test_a_module_that_is_here(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asking(site, "")
    install(site, "k2", "1.24.4", {"k2/__init__.py": ""})
    assert bad(logged(capsys, site, "speechbrain/k2.py", "import k2", K2)) == []


GUARDED = "try:\n    import audioop\nexcept ImportError:\n    import {0} as audioop\n"


@pytest.mark.triggers("TL405")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        (GUARDED.format("pyaudioop"), "audioop"),
        ("import cgi\n", "cgi"),
        ("from lib2to3 import pytree\n", "lib2to3"),
        ("from collections import Mapping\n", "collections.Mapping"),
    ],
)
def test_an_import_that_fails_without_a_log(
    site: Path, text: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "pydub" / "__init__.py", "from .utils import mediainfo\n")
    write(site / "pydub" / "utils.py", f"{text}mediainfo = None\n")
    report = run(capsys, "--path", site)
    assert bad(report)[0] == ("warning", "TL405")
    assert first(report)["message"].startswith(f"pydub 0.25.1 uses {name}, which Python 3.13 ")


@pytest.mark.leaves_alone("TL405")
@pytest.mark.parametrize(
    "text",
    [
        GUARDED.format("wave"),
        "try:\n    import audioop\nexcept ImportError:\n    audioop = None\n",
        "import sys\nif sys.version_info < (3, 13):\n    import audioop\n",
        "def later():\n    import audioop\n",
        "import distutils\n",  # setuptools brings it
    ],
)
def test_imports_that_work(site: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "setuptools", "80.9.0", {"setuptools/__init__.py": ""})
    write(site / "wave.py", "")
    write(site / "pydub" / "__init__.py", text)
    assert not bad(run(capsys, "--path", site))
