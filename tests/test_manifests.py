"""The format of a file, its bytes as text, and the files of a folder."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from subprocess import run

import pytest

from torchlock.audit import Auditor
from torchlock.errors import InputError
from torchlock.manifests import find_files, kind_of, read_document, search
from torchlock.manifests.detection import _INSTEAD, _what_instead, fits
from torchlock.manifests.formats import FORMATS

CORPUS = Path(__file__).parent / "corpus"
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
        ("setup.fish", "shell"),
        ("install.bat", "batch"),
        ("INSTALL.CMD", "batch"),
        ("install.ps1", "powershell"),
        ("Makefile", "make"),
        ("build/rules.mk", "make"),
        ("justfile", "make"),
        ("tox.ini", "tox"),
        ("noxfile.py", "python"),
        ("train.py", "python"),
        ("pixi.toml", "pixi"),
        ("pixi.lock", "pixi.lock"),
        ("cog.yaml", "cog"),
        ("colab.ipynb", "notebook"),
        (".github/workflows/ci.yml", "workflow"),
        (".gitlab-ci.yml", "workflow"),
        ("azure-pipelines-gpu.yml", "workflow"),
        ("ci/Taskfile.yml", "workflow"),
        ("env.yaml", "conda"),
        ("conda-lock.yml", "conda"),
        ("conda-linux-64.lock", "conda"),
        ("requirements", "requirements"),
        ("requirements.gpu", "requirements"),
        ("pre-requirements.txt", "requirements"),
        ("docker/requirements.txt.tmpl", "requirements"),
        ("Dockerfile-gpu", "dockerfile"),
    ],
)
def test_the_name_tells_the_format(path: str, kind: str) -> None:
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
        ("requirements.txt", "torch 1.9.0\naudio: none\nno requirement at all\n", "requirements"),
        ("packages.txt", "torch==1.9.0\nffmpeg\n", "requirements"),
        ("list.txt", "@EXPLICIT\nhttps://example.org/linux-64/pytorch-2.5.1-py3.11_0.conda\n", "conda"),
        ("install", "#!/usr/bin/env bash\npip install torch\n", "shell"),
        ("prepare", "#!/usr/bin/env python3\nimport os\n", "python"),
        ("setup_gpu.py", "from setuptools import setup\nsetup(name='x')\n", "setup.py"),
        ("gpu.toml", "[dependencies]\n[pypi-dependencies]\ntorch = '*'\n", "pixi"),
        ("ci.yml", "jobs:\n  a:\n    steps:\n      - run: make\n", "workflow"),
        ("sky.yaml", "setup: |\n  pip install torch\n", "workflow"),
        ("model.yml", "build:\n  gpu: true\n  python_packages: [torch]\n", "cog"),
        ("-", "@EXPLICIT\n", "conda"),
        ("/dev/fd/63", "torch==2.0.1\n", "requirements"),
    ],
)
def test_where_the_name_says_nothing_the_content_does(path: str, head: str, kind: str) -> None:
    assert kind_of(path, head) == kind


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("requirements.txt", b"\x7fELF\x02\x01\x00\x00\x00\x01 not a text"),
        ("model.whl", b"PK\x03\x04"),
        ("package.json", b"{}"),
    ],
)
def test_what_is_clearly_something_else_is_refused(path: str, raw: bytes) -> None:
    with pytest.raises(InputError):
        read_document(path, raw=raw)


LISTS = "torch==2.0.1\ntorchaudio==2.0.2\n"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "README.md",
            "main.c",
            "a.R",
            "index.html",
            "data.csv",
            "model.pt",
            "x.pyc",
            "noextension",
            "a.ini",
            "a.cfg",
        ),
        *("Vagrantfile", "flake.nix", "BUILD.bazel", "buildout.cfg"),
        *(".readthedocs.yaml", "cloudbuild.yaml", "uv.toml", "poetry.toml", "pip.conf", "runtime.txt"),
        *("MANIFEST.in", "CMakeLists.txt", "playbook.yml", "values.yaml", "image.def"),
        *(
            "ruff.toml",
            "Cargo.toml",
            "cond.json",
            "requirements.md",
            "requirements.yml",
            "Dockerfile.dockerignore",
        ),
    ],
)
def test_a_file_of_another_kind_has_no_reader(path: str) -> None:
    """Whatever stands in it: the format of requirements is taken by name only."""
    for raw in (LISTS.encode(), b"pip install torch==2.0.1\n", b""):
        with pytest.raises(InputError, match="no reader for this kind of file"):
            read_document(path, raw=raw)
        with pytest.raises(InputError, match="no reader for this kind of file"):
            Auditor().fixed(path, raw=raw)


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        ("notes.txt", "Install torch 2.0 first.\nThen run the demo.\n", "most of its lines"),
        ("LICENSE.txt", "MIT License\n\nCopyright (c) 2020 X\nPermission is hereby granted\n", "license"),
        ("list.txt", "Package    Version\n---------- -------\ntorch      2.0.1\n", "pip list"),
        ("requirements.txt", "Package    Version\n---------- -------\ntorch      2.0.1\n", "pip list"),
        ("requirements.txt", "<!DOCTYPE html>\n<html><body>404</body></html>\n", "web page"),
        ("requirements.txt", '{\n  "torch": "2.0.1"\n}\n', "JSON"),
        ("list.txt", "# packages in environment at /x:\n#\npytorch   2.5.1   py311_0\n", "conda list"),
        ("log.txt", "Collecting torch==2.0.1\n  Downloading torch.whl (1 MB)\nSaved x\n", "output of pip"),
        ("deps.txt", "name: x\nversions:\n  - a: b\n", "YAML"),
        ("apt.txt", "ffmpeg\nlibsndfile1\n", "system packages"),
        ("packages.txt", "ffmpeg\n", "system packages"),
        ("config.h.in", "#define X @X@\nint y = 1;\nvoid f();\n", "most of its lines"),
    ],
)
def test_a_list_by_its_name_that_is_evidently_none(path: str, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_document(path, raw=text.encode())


@pytest.mark.parametrize(
    ("path", "text", "guessed"),
    [
        ("requirements.txt", LISTS, False),
        ("cpu.txt", LISTS, False),
        ("environment.yml", ENVIRONMENT, False),
        ("install", "#!/bin/sh\npip install torch==2.0.1 torchaudio==2.6.0\n", False),
        ("a.txt", "@EXPLICIT\n", False),
        ("deps.yml", ENVIRONMENT.replace("2.0.1", "2.0.1\n  - torchaudio=2.1.0"), True),
        ("install.txt", "cd x\npip install torch==2.0.1 torchaudio==2.1.0\n", True),
        ("image.txt", "FROM python:3.10\nRUN pip install torch==2.0.1 torchaudio==2.1.0\n", True),
        ("ci.yml", "jobs:\n  a:\n    steps:\n      - run: pip install torch==2.0.1 torchaudio==2.1.0\n", True),
    ],
)
def test_a_guessed_format_is_judged_and_never_edited(path: str, text: str, guessed: bool) -> None:
    assert read_document(path, raw=text.encode()).guessed is guessed
    if guessed:
        assert Auditor().report(path, text.encode()).status == "error"
        assert Auditor().fixed(path, raw=text.encode()) is None


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(InputError):
        read_document(str(tmp_path / "loop.txt"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "requirements.txt")
        with pytest.raises(InputError, match="is not a regular file"):
            read_document(str(tmp_path / "requirements.txt"))
    found = search(str(tmp_path), recursive=True)
    assert found == ([], [])


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
    assert (document.text, document.encoding, document.bom) == (TEXT, encoding, mark)
    assert document.issues == []
    assert [entry.name for entry in document.entries] == ["torch", "numpy"]


def test_a_coding_line_is_heeded() -> None:
    raw = f"# -*- coding: cp1252 -*-\n{TEXT}".encode("cp1252")
    document = read_document("requirements.txt", raw=raw)
    assert (document.encoding, document.issues) == ("cp1252", [])
    assert "caf\u00e9" in document.text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read_though_pip_cannot(encoding: str) -> None:
    document = read_document("requirements.txt", raw=TEXT.encode(encoding))
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL503", "error")]
    assert [entry.name for entry in document.entries] == ["torch", "numpy"]


def test_bytes_of_an_unknown_encoding_are_read_all_the_same() -> None:
    raw = TEXT.encode("latin-1")
    document = read_document("requirements.txt", raw=raw)
    (issue,) = document.issues
    assert (issue.rule, issue.severity, issue.place.line) == ("TL503", "warning", 1)
    assert document.text.encode(document.encoding) == raw
    assert document.entries[0].specifier == "==2.0.1"


@pytest.mark.leaves_alone("TL503")
@pytest.mark.parametrize("name", ["a.bat", "a.cmd", "a.ps1", "a.sh", "Dockerfile", "Makefile"])
def test_scripts_may_be_in_any_encoding(name: str) -> None:
    """cmd reads the code page of the machine, in which its text must be; sh and docker take any bytes."""
    raw = "echo \u6b63\u5728\npip install torch==2.0.1\n".encode("gbk")
    raw = b"FROM python:3.11\nRUN " + raw.replace(b"\n", b" && ", 1) if name == "Dockerfile" else raw
    raw = b"all:\n\t" + raw.replace(b"\n", b"\n\t", 1) if name == "Makefile" else raw
    document = read_document(name, raw=raw)
    assert document.issues == []
    assert [entry.specifier for entry in document.entries] == ["==2.0.1"]
    assert document.text.encode(document.encoding) == raw


def test_a_folder_gives_the_files_that_list_dependencies(tmp_path: Path) -> None:
    wanted = {
        "requirements.txt": "torch\n",
        "audio.txt": "torchaudio==2.0.2\n",
        "Dockerfile": "FROM x\n",
        "environment.yml": ENVIRONMENT,
        "install.sh": "pip install torch\n",
        "sub/pyproject.toml": "",
        "sub/requirements/gpu.txt": "torch\n",
        "Makefile": "install:\n\t$(PIP) install torch\n",
        "setup.bat": "pip install torch\r\n",
        "install.ps1": "pip install torch\r\n",
        "tox.ini": "[testenv]\ndeps = torch\n",
        "noxfile.py": "",
        "run.py": "#!/usr/bin/env python\n# /// script\n# dependencies = []\n# ///\n",
        "list.txt": "@EXPLICIT\n",
        "pixi.toml": "",
        "cog.yaml": "build: {}\n",
        "demo.ipynb": '{"cells": [{"source": ["!pip install torch"]}]}',
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: uv pip install torch\n",
    }
    others = {
        "README.md": "pip install torch\n",
        "notes.txt": "torch is needed\n",
        "words.txt": "apple\npear\n",
        "build.sh": "make\n",
        "tool.py": "import torch\n",
        "docker-compose.yml": "services: {}\n",
        "make.bat": "sphinx-build\r\n",
        "sub/Makefile": "all:\n\tcc x.c\n",
        "plot.ipynb": '{"cells": []}',
        ".github/workflows/lint.yml": "jobs: {}\n",
        "Jenkinsfile": "sh 'make'\n",
        "apt.txt": "ffmpeg\n",
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


def test_files_that_name_packages_in_other_formats_are_found_as_such(tmp_path: Path) -> None:
    (tmp_path / "Vagrantfile").write_text("sh 'pip install torch==2.0.1'\n")
    (tmp_path / "meta.yaml").write_text("requirements:\n  run:\n    - pytorch\n")
    (tmp_path / "flake.nix").write_text("{ hello }\n")
    (tmp_path / "README.md").write_text("pip install torch\n")
    assert search(str(tmp_path), recursive=False) == (
        [str(tmp_path / "meta.yaml")],
        [str(tmp_path / "Vagrantfile")],
    )


def test_the_current_folder_is_named_without_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("torch\n")
    monkeypatch.chdir(tmp_path)
    assert find_files(".", recursive=True) == ["requirements.txt"]


def test_only_the_reader_that_is_needed_is_imported() -> None:
    code = (
        "import sys; from torchlock.manifests import read_document;"
        "read_document('requirements.txt', raw=b'torch==2.0.1 ; python_version < \"3.9\"\\n');"
        "print([name for name in ('packaging', 'yaml', 'tomllib') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Texts that a pattern of a format matches, for what the corpus does not have.
OF_FORMATS = (
    *('{ "_meta": {}', '{"cells": []', "#!/usr/bin/env bash\n", "#!/usr/bin/python\n", "content-hash = 1"),
    *("# This file is automatically @generated by Poetry 2", "# This file is @generated by PDM\n[[package]]\n"),
    *("lock-version = 1", "[[package]]\n", "[[source]]\n", "[dev-packages]\n", "[packages]\n", "[project]\n"),
    *("[build-system]\n", "[tool.x]\n", "[dependency-groups]\n", "[workspace]\n", "[pypi-dependencies]\n"),
    *("[feature.a]\n", "[options]\n", "install_requires =\n", "version: 6\nenvironments:\n"),
    *("build:\n  python_packages:\n", "@EXPLICIT\n", " manager: pip\n", "dependencies:\n", "jobs:\n  - run:\n"),
    *("script: |\n", "install:\n  - x", "RUN x", "COPY x", "WORKDIR x", "ENTRYPOINT x", "import setuptools"),
    *("from setuptools import x", "setup(\n", "# /// script\n"),
    *("<!DOCTYPE", "<html", "<?xml", '{"', "{}", '["', "[{", "[]", "Package Version\n---- ----", "x: 1\ny: 2\n"),
    *("# packages in environment at x", "Collecting x", "Requirement already satisfied: x", "Downloading x"),
    *("Successfully installed x", "Metadata-Version: 2", "COPYRIGHT", "a license", "Licence"),
)


def test_the_words_of_a_format_are_in_each_text_that_its_pattern_matches() -> None:
    """The words are looked for first, so that few patterns are compiled."""
    texts = [*OF_FORMATS, *(path.read_text(errors="replace") for path in CORPUS.rglob("*") if path.is_file())]
    contents = [content for row in FORMATS for content in row.contents]
    matched, instead = set(), set()
    for text in texts:
        for content in contents:
            found = all(re.search(each, text, re.M) for each in (content.pattern, content.too) if each)
            assert fits(content, text) == found, (content, text[:200])
            matched |= {content.pattern} if found else set()
        shown = [what for _, sign, what in _INSTEAD if re.search(sign, text, re.M | re.I)]
        assert _what_instead(text) == (shown[0] if shown else ""), text[:200]
        instead.update(shown)
    assert {content.pattern for content in contents} == matched
    assert {what for _, _, what in _INSTEAD} == instead
