"""The door to every dialect: which one a file is in, its bytes as text, and what a folder holds."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

import pytest

from torchlock.dialects import find_files, kind_of, read_document
from torchlock.errors import InputError

ENVIRONMENT = "name: x\nchannels:\n  - pytorch\ndependencies:\n  - python=3.10\n  - pytorch=2.0.1\n"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("requirements/audio.txt", "requirements"),
        ("cpu.txt", "requirements"),
        ("requirements.in", "requirements"),
        ("requirements.lock", "requirements"),
        ("constraints.txt", "constraints"),
        ("pyproject.toml", "pyproject"),
        ("setup.cfg", "setup.cfg"),
        ("setup.py", "setup.py"),
        ("Pipfile", "pipfile"),
        ("Pipfile.lock", "pipfile.lock"),
        ("environment-gpu.yml", "conda"),
        ("mae_env.yml", "conda"),
        ("conda.yaml", "conda"),
        ("poetry.lock", "poetry.lock"),
        ("uv.lock", "uv.lock"),
        ("pdm.lock", "pdm.lock"),
        ("pylock.toml", "pylock"),
        ("pylock.cpu.toml", "pylock"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.gpu", "dockerfile"),
        ("train.dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"),
        ("install.sh", "shell"),
    ],
)
def test_the_name_tells_the_dialect(path: str, kind: str) -> None:
    assert kind_of(path, None) == kind


@pytest.mark.parametrize(
    ("path", "head", "kind"),
    [
        ("-", "torch==2.0.1\n", "requirements"),
        ("-", "", "requirements"),
        ("-", '[project]\nname = "x"\n', "pyproject"),
        ("-", ENVIRONMENT, "conda"),
        ("-", "FROM python:3.11\nRUN pip install torch\n", "dockerfile"),
        ("-", "#!/usr/bin/env bash\npip install torch\n", "shell"),
        ("-", '[[source]]\nurl = "https://example.org/simple"\n', "pipfile"),
        ("-", "from setuptools import setup\nsetup(name='x')\n", "setup.py"),
        ("deps.yml", ENVIRONMENT, "conda"),
        ("requirements.txt", ENVIRONMENT, "conda"),
        ("install.txt", "conda create -n x python=3.9\npip install torch==1.9.0\n", "shell"),
        ("requirements.txt", "pip install torch==1.9.0\n", "requirements"),
        ("requirements.txt", "[dev]\ntorch==1.9.0\n", "requirements"),
    ],
)
def test_where_the_name_says_nothing_the_content_does(path: str, head: str, kind: str) -> None:
    assert kind_of(path, head) == kind


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("requirements.txt", b"\x7fELF\x02\x01\x00\x00\x00\x01 not a text"),
        ("model.whl", b"PK\x03\x04"),
        ("docker-compose.yml", b"services:\n  web:\n    image: x\n"),
        ("package.json", b"{}"),
    ],
)
def test_what_is_clearly_something_else_is_refused(path: str, raw: bytes) -> None:
    with pytest.raises(InputError):
        read_document(path, raw=raw)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_document(str(tmp_path / "requirements.txt"))


TEXT = "torch==2.0.1 # caf\u00e9\r\nnumpy\r\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")],
)
def test_what_pip_decodes_is_decoded(mark: bytes, encoding: str) -> None:
    document = read_document("requirements.txt", raw=mark + TEXT.encode(encoding))
    assert (document.text, document.encoding, document.mark) == (TEXT, encoding, mark)
    assert document.problems == []
    assert [entry.name for entry in document.entries] == ["torch", "numpy"]


def test_a_coding_line_is_heeded() -> None:
    raw = f"# -*- coding: cp1252 -*-\n{TEXT}".encode("cp1252")
    document = read_document("requirements.txt", raw=raw)
    assert (document.encoding, document.problems) == ("cp1252", [])
    assert "caf\u00e9" in document.text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read_though_pip_cannot(encoding: str) -> None:
    document = read_document("requirements.txt", raw=TEXT.encode(encoding))
    assert [(problem.rule, problem.severity) for problem in document.problems] == [("TL503", "error")]
    assert [entry.name for entry in document.entries] == ["torch", "numpy"]


def test_bytes_of_an_unknown_encoding_are_read_all_the_same() -> None:
    raw = TEXT.encode("latin-1")
    document = read_document("requirements.txt", raw=raw)
    (problem,) = document.problems
    assert (problem.rule, problem.severity, problem.place.line) == ("TL503", "warning", 1)
    assert document.text.encode(document.encoding) == raw
    assert document.entries[0].specifier == "==2.0.1"


def test_a_folder_gives_the_files_that_list_dependencies(tmp_path: Path) -> None:
    wanted = {
        "requirements.txt": "torch\n",
        "audio.txt": "torchaudio==2.0.2\n",
        "Dockerfile": "FROM x\n",
        "environment.yml": ENVIRONMENT,
        "install.sh": "pip install torch\n",
        "sub/pyproject.toml": "",
        "sub/requirements/gpu.txt": "torch\n",
    }
    others = {
        "README.md": "pip install torch\n",
        "notes.txt": "torch is needed\n",
        "words.txt": "apple\npear\n",
        "build.sh": "make\n",
        "tool.py": "import torch\n",
        "docker-compose.yml": "services: {}\n",
        ".git/requirements.txt": "torch\n",
        "env/pyvenv.cfg": "",
        "env/requirements.txt": "torch\n",
        "node_modules/x/setup.py": "",
        "env2/lib/site-packages/requirements.txt": "torch\n",
    }
    for name, text in {**wanted, **others}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert find_files(str(tmp_path), recursive=True) == sorted(str(tmp_path / name) for name in wanted)
    assert find_files(str(tmp_path), recursive=False) == sorted(
        str(tmp_path / name) for name in wanted if "/" not in name
    )


def test_the_current_folder_is_named_without_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("torch\n")
    monkeypatch.chdir(tmp_path)
    assert find_files(".", recursive=True) == ["requirements.txt"]


def test_only_the_reader_that_is_needed_is_imported() -> None:
    code = (
        "import sys; from torchlock.dialects import read_document;"
        "read_document('requirements.txt', raw=b'torch==2.0.1 ; python_version < \"3.9\"\\n');"
        "print([name for name in ('packaging', 'yaml', 'tomllib') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
