"""Pipfile and Pipfile.lock: what pipenv would install, from where, on which line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.call_count import calls
from torchlock.errors import InputError
from torchlock.manifests.document import Document, Entry
from torchlock.manifests.formats import pipfile

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"

PIPFILE = """\
[[source]]
url = "https://index.example.org/simple"
verify_ssl = true
name = "public"

[[source]]
url = "https://download.example.org/whl/cu121/"
name = "cuda"

[packages]
numpy = "*"
torch = {index="cuda", version="==2.1.0+cu121"}
"TorchAudio" = {version = "~=2.1.0", markers = "sys_platform == 'linux'", python_version = ">= '3.9'"}
librosa = "0.10.1"
demucs = {git = "git+https://example.org/demucs#egg=demucs", ref = "main"}
here = {path = ".", editable = true, extras = ["b", "a"]}

[packages.torchvision]
version = ">=0.16"

[dev-packages]
pytest = ">=8"

[docs]
sphinx = "*"

[scripts]
test = "pytest"

[requires]
python_version = "3.10"

[pipenv]
allow_prereleases = true
"""

LOCK = """\
{
    "_meta": {
        "hash": {
            "sha256": "aa"
        },
        "pipfile-spec": 6,
        "requires": {
            "python_version": "3.10"
        },
        "sources": [
            {
                "name": "pypi",
                "url": "https://index.example.org/simple",
                "verify_ssl": true
            },
            {
                "name": "cuda",
                "url": "https://download.example.org/whl/cu121/",
                "verify_ssl": true
            }
        ]
    },
    "default": {
        "numpy": {
            "hashes": [
                "sha256:bb",
                "sha256:cc"
            ],
            "index": "pypi",
            "markers": "python_version >= '3.9'",
            "version": "==1.26.4"
        },
        "torch": {
            "hashes": [],
            "index": "cuda",
            "version": "==2.1.0+cu121"
        },
        "demucs": {
            "git": "https://example.org/demucs",
            "ref": "abc"
        }
    },
    "develop": {
        "torchaudio": {
            "version": "==2.1.0"
        }
    }
}
"""


def found(document: Document) -> dict[str, Entry]:
    return {entry.name: entry for entry in document.entries}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_pipfile_has_no_problem_and_spans_its_versions(newline: str) -> None:
    text = PIPFILE.replace("\n", newline)
    document = pipfile.read(text, "Pipfile")
    assert document.issues == []
    spans = {entry.name: entry.version and text[slice(*entry.version)] for entry in document.entries}
    assert spans == {
        "numpy": "*",
        "torch": "==2.1.0+cu121",
        "torchaudio": "~=2.1.0",
        "librosa": "0.10.1",
        "demucs": None,
        "here": None,
        "torchvision": ">=0.16",
        "pytest": ">=8",
        "sphinx": "*",
    }
    for entry in document.entries:
        assert entry.name in text.split(newline)[entry.place.line - 1].lower()


def test_what_a_pipfile_asks_for() -> None:
    document = pipfile.read(PIPFILE, "Pipfile")
    entries = found(document)
    assert {name: entry.specifier for name, entry in entries.items()} == {
        "numpy": "",
        "torch": "==2.1.0+cu121",
        "torchaudio": "~=2.1.0",
        "librosa": "==0.10.1",
        "demucs": "",
        "here": "",
        "torchvision": ">=0.16",
        "pytest": ">=8",
        "sphinx": "",
    }
    assert entries["torch"].index == "https://download.example.org/whl/cu121/"
    assert entries["numpy"].index == "https://index.example.org/simple"
    assert entries["torchaudio"].marker == '(sys_platform == "linux") and (python_version >= "3.9")'
    assert entries["demucs"].url == "git+https://example.org/demucs@main#egg=demucs"
    assert (entries["here"].url, entries["here"].extras) == (".", ("a", "b"))
    assert (entries["pytest"].scope, entries["sphinx"].scope) == ("group:dev-packages", "group:docs")
    assert [(index.kind, index.place.line) for index in document.indexes] == [("index", 2), ("extra", 7)]
    assert (document.python, document.pre) == ("==3.10.*", True)
    assert document.python_place.line == PIPFILE.split("\n").index('python_version = "3.10"') + 1


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_pipfiles_of_the_corpus() -> None:
    labels = json.loads((CORPUS / "labels.json").read_text(encoding="utf-8"))
    for record in (record for record in labels if record["kind"] == "pipfile"):
        document = pipfile.read((CORPUS / record["file"]).read_bytes().decode(), "Pipfile")
        assert document.issues == [], record["id"]
        assert {"torch", "torchaudio"} <= found(document).keys()


def test_a_broken_version_is_told_on_its_line() -> None:
    text = PIPFILE.replace("~=2.1.0", "^2.1")
    document = pipfile.read(text, "Pipfile")
    [issue] = document.issues
    assert (issue.rule, issue.severity) == ("TL501", "error")
    assert "TorchAudio" in text.split("\n")[issue.place.line - 1]
    assert "torch" in found(document)


def test_a_broken_pipfile_is_told_and_the_rest_read() -> None:
    text = PIPFILE.replace('librosa = "0.10.1"', "librosa = 0.10.1")
    document = pipfile.read(text, "Pipfile")
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL501", "error")]
    assert text.split("\n")[document.issues[0].place.line - 1].startswith("librosa")
    assert {"torch", "torchaudio"} <= found(document).keys()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_a_lock_pins(newline: str) -> None:
    text = LOCK.replace("\n", newline)
    document = pipfile.read_lock(text, "Pipfile.lock")
    assert document.issues == []
    entries = found(document)
    assert list(entries) == ["numpy", "torch", "demucs", "torchaudio"]
    assert (entries["numpy"].hashes, entries["numpy"].index) == (("sha256:bb", "sha256:cc"), None)
    assert entries["numpy"].marker == "python_version >= '3.9'"
    assert entries["torch"].index == "https://download.example.org/whl/cu121/"
    assert entries["torch"].specifier == "==2.1.0+cu121"
    assert entries["torchaudio"].scope == "group:dev-packages"
    assert entries["demucs"].url == "git+https://example.org/demucs"
    for name in ("numpy", "torch", "torchaudio"):
        line = text.split(newline)[entries[name].place.line - 1]
        assert line.strip() == f'"version": "{entries[name].specifier}"'
    assert document.python == "==3.10.*"
    assert document.locked
    assert [index.address for index in document.indexes] == ["https://index.example.org/simple"]


def test_a_merge_conflict_in_a_lock_is_told_and_the_rest_read() -> None:
    old = '            "version": "==2.1.0+cu121"\n'
    text = LOCK.replace(old, f"<<<<<<< HEAD\n{old}=======\n{old.replace('2.1.0', '2.2.0')}>>>>>>> other\n")
    document = pipfile.read_lock(text, "Pipfile.lock")
    [issue] = document.issues
    assert (issue.rule, issue.severity) == ("TL501", "error")
    assert text.split("\n")[issue.place.line - 1] == "<<<<<<< HEAD"
    assert {"numpy", "torch", "torchaudio"} <= found(document).keys()


def test_broken_json_is_told_on_its_line() -> None:
    text = LOCK.replace('"index": "cuda",', '"index": "cuda"')
    document = pipfile.read_lock(text, "Pipfile.lock")
    [issue] = document.issues
    assert (issue.rule, issue.severity) == ("TL501", "error")
    assert "version" in text.split("\n")[issue.place.line - 1]
    assert {"numpy", "torchaudio"} <= found(document).keys()


LINES = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from([line for text in (PIPFILE, LOCK) for line in text.split("\n")]),
        st.sampled_from(["{", "}", '"', "[packages]", "torch = {version = 1}", "[[", "<<<<<<< x", "[requires]"]),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(LINES, st.booleans())
def test_any_text_is_read_without_a_crash(lines: list[str], lock: bool) -> None:
    text = "\n".join(lines)
    try:
        document = (pipfile.read_lock if lock else pipfile.read)(text, "Pipfile")
    except InputError:
        return
    for entry in document.entries:
        assert 0 <= entry.place.line <= len(text) + 1
        if entry.version is not None:
            assert 0 <= entry.version.start <= entry.version.end <= len(text)


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 20_000, '"' * 50_000, '{"a": {"' * 5_000, "{" * 50_000, '"a": {' + "\\" * 50_000, "9" * 50_000],
)
def test_hostile_texts_are_read_in_linear_work(text: str) -> None:
    assert calls(lambda: pipfile.read_lock(text, "Pipfile.lock")) < 10 * len(text) + 2000
    assert calls(lambda: pipfile.read(text, "Pipfile")) < 10 * len(text) + 2000
