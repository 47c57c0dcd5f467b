"""conda's environment files: specifications, the pip list in them, and YAML as people write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.call_count import calls
from torchlock.errors import InputError
from torchlock.manifests.document import Document, Entry
from torchlock.manifests.formats import conda_environment
from torchlock.manifests.syntax.conda_match_spec import parse as parse_spec
from torchlock.manifests.syntax.yaml import Node
from torchlock.manifests.syntax.yaml import parse as parse_yaml

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"

ENVIRONMENT = """\
# how we work
name: speech
channels:
  - pytorch   # first
  - nvidia
  - nodefaults
dependencies:
  - python=3.10
  - pytorch::pytorch=2.1.0   # keep
  - torchaudio==2.1.0
  - "torchvision>=0.16,<0.17"
  - pytorch-cuda=12.1
  - numpy 1.26.*
  - conda-forge::pysoundfile
  - ffmpeg >=4.4, <7
  - ld_impl_linux-64=2.38=h1181459_1
  - pip
  - pip:
    - --extra-index-url https://download.example.org/whl/cu121
    - torchcodec==0.1.0  # from pip
    - 'librosa>=0.10; python_version >= "3.9"'
prefix: /home/somebody/envs/speech
"""


def found(document: Document) -> dict[str, Entry]:
    return {entry.name: entry for entry in document.entries}


def read(*dependencies: str, path: str = "environment.yml") -> Document:
    return conda_environment.read("dependencies:\n" + "".join(f"  - {line}\n" for line in dependencies), path)


def value(node: Node) -> object:
    if node.mapping:
        return {str(value(key)): value(item) for key, item in node.pairs}
    return node.text if node.text is not None else [value(item) for item in node.items]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_environment_is_read_with_every_place(newline: str) -> None:
    text = ENVIRONMENT.replace("\n", newline)
    document = conda_environment.read(text, "environment.yml")
    assert document.issues == []
    entries = found(document)
    spans = {name: entry.version and text[slice(*entry.version)] for name, entry in entries.items()}
    assert spans == {
        "python": "=3.10",
        "torch": "=2.1.0",
        "torchaudio": "==2.1.0",
        "torchvision": ">=0.16,<0.17",
        "pytorch-cuda": "=12.1",
        "numpy": "1.26.*",
        "soundfile": "",
        "ffmpeg": ">=4.4, <7",
        "ld-impl-linux-64": "=2.38=h1181459_1",
        "pip": "",
        "torchcodec": "==0.1.0",
        "librosa": ">=0.10",
    }
    lines = text.split(newline)
    for entry in entries.values():
        assert lines[entry.place.line - 1][entry.place.column - 1 :].startswith(entry.text.split(";")[0].strip())
    assert {name: entry.specifier for name, entry in entries.items() if entry.channel == "conda"} == {
        "python": "==3.10.*",
        "torch": "==2.1.0.*",
        "torchaudio": "==2.1.0",
        "torchvision": ">=0.16,<0.17",
        "pytorch-cuda": "==12.1.*",
        "numpy": "==1.26.*",
        "soundfile": "",
        "ffmpeg": ">=4.4,<7",
        "ld-impl-linux-64": "==2.38",
        "pip": "",
    }
    assert {entry.style for entry in entries.values() if entry.channel == "conda"} == {"conda"}
    assert {name for name, entry in entries.items() if entry.channel == "pip"} == {"torchcodec", "librosa"}
    assert entries["torch"].index == "pytorch"
    assert entries["librosa"].marker == 'python_version >= "3.9"'
    assert (document.python, document.python_place) == ("==3.10.*", entries["python"].place)
    assert document.platforms == ("linux-x86_64",)
    assert [(line.kind, line.address) for line in document.indexes] == [
        ("extra", "https://download.example.org/whl/cu121")
    ]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_environments_of_the_corpus() -> None:
    labels = json.loads((CORPUS / "labels.json").read_text(encoding="utf-8"))
    records = [record for record in labels if record["kind"] == "conda"]
    for record in records:
        text = (CORPUS / record["file"]).read_bytes().decode()
        document = conda_environment.read(text, str(CORPUS / record["file"]))
        assert [issue for issue in document.issues if issue.severity == "error"] == [], record["id"]
        assert {entry.name for entry in document.entries} & {"torch", "torchaudio"}, record["id"]
        for entry in document.entries:
            assert entry.version is not None or entry.url, (record["id"], entry)
        lines = {entry.place.line for entry in document.entries if entry.name in ("torch", "torchaudio")}
        assert {line for rule in record["rules"] for line in rule["lines"]} <= lines, record["id"]


@pytest.mark.parametrize(
    "text",
    [
        "dependencies: [python=3.8, 'pytorch=1.7', {pip: [torchaudio]}]\n",
        "dependencies:\n- python=3.8\n- pytorch=1.7\n- pip:\n  - torchaudio\n",
        "---\n%TAG ! x\ndependencies:\n    - python=3.8\n    -   pytorch=1.7\n    - pip: [torchaudio]\n...\n",
        "\ufeffdependencies:  # all\n\n  # one\n  - python=3.8\n# two\n  - pytorch=1.7\n\n"
        "  - pip:\n      - torchaudio\n",
        'name: x\n"dependencies":\n  - &p python=3.8\n  - "pytorch=1.7"\n  - pip:\n    - "torchaudio"\n',
        "description: >\n  a text: with - all\n  # of it\ndependencies:\n  -\n    python=3.8\n  - pytorch=1.7\n"
        "  - pip:\n    - torchaudio\n",
    ],
    ids=["flow", "flush", "document", "comments", "quoted", "folded"],
)
def test_yaml_in_its_many_ways(text: str) -> None:
    document = conda_environment.read(text, "environment.yml")
    issues = [issue for issue in document.issues if issue.severity == "error"]
    assert issues == [] or "%TAG" in text
    assert [entry.name for entry in document.entries] == ["python", "torch", "torchaudio"]
    torch = found(document)["torch"]
    assert torch.version is not None and text[slice(*torch.version)] == "=1.7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b # c\n", {"a": "b"}),
        ("a: 'it''s # no comment'\n", {"a": "it's # no comment"}),
        ('a: "x\\"y"\n', {"a": 'x"y'}),
        ("a:\n- b\n- c: d\n  e: f\n", {"a": ["b", {"c": "d", "e": "f"}]}),
        ("- - a\n  - b\n", [["a", "b"]]),
        ("a: [b, c,\n  d]\ne: {f: g}\n", {"a": ["b", "c", "d"], "e": {"f": "g"}}),
        ("a: b\n  c\n", {"a": "b c"}),
        ("a: http://x/y#z\n", {"a": "http://x/y#z"}),
        ("a: &b c\nd: *b\n", {"a": "c", "d": "c"}),
    ],
)
def test_yaml_values(text: str, expected: object) -> None:
    root, wrong = parse_yaml(text)
    assert (value(root), wrong) == (expected, [])


@pytest.mark.parametrize(
    ("spec", "specifier"),
    [
        ("numpy", ""),
        ("numpy=1.7", "==1.7.*"),
        ("numpy=1.7.*", "==1.7.*"),
        ("numpy=1.7*", "==1.7.*"),
        ("numpy==1.7", "==1.7"),
        ("numpy 1.7", "==1.7"),
        ("numpy = 1.7", "==1.7.*"),
        ("numpy>=1.7,<2", ">=1.7,<2"),
        ("numpy >= 1.7 , < 2", ">=1.7,<2"),
        ("numpy>=1.7.*", ">=1.7"),
        ("numpy!=1.7.*", "!=1.7.*"),
        ("numpy~=1.7", "~=1.7"),
        ("numpy=1.7.0=py38_0", "==1.7.0"),
        ("numpy 1.7.0 py38_0", "==1.7.0"),
        ("numpy=*=*cuda*", ""),
        ("numpy=1.7rc1", "==1.7rc1"),
        ("numpy[version='>=1.7,<2',build=py38*]", ">=1.7,<2"),
        ("defaults/linux-64::numpy=1.7", "==1.7.*"),
        ("numpy=1.7|1.8", None),
        ("jpeg=9e=h1", None),
    ],
)
def test_match_specifications(spec: str, specifier: str | None) -> None:
    parsed = parse_spec(spec)
    assert parsed is not None
    assert parsed.specifier == specifier


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("torch=>2.0", "torch>=2.0"),
        ("torch===2.0", "torch==2.0"),
        ("torch>=2.0 <3", "torch>=2.0,<3"),
        ("torch==", None),
        ("-e .", None),
        ("git+https://example.org/x", None),
    ],
)
def test_what_conda_could_not_read_is_told_with_what_was_meant(written: str, meant: str | None) -> None:
    document = read("numpy=1.26", written, "torchaudio=2.0")
    [issue] = document.issues
    assert (issue.rule, issue.severity, issue.place.line) == ("TL501", "error", 3)
    assert [edit.new for edit in issue.edits] == ([meant] if meant else [])
    assert [entry.name for entry in document.entries] == ["numpy", "torchaudio"]


def test_versions_without_words_in_pep_440_are_a_note() -> None:
    document = read("pytorch=1.7|1.8", "jpeg=9e=h1")
    assert [(issue.rule, issue.severity, issue.place.line) for issue in document.issues] == [("TL902", "note", 2)]
    assert found(document)["torch"].specifier == ""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("dependencies:\n\t- numpy\n  - pytorch=1.7\n", 2, "tab"),
        ("dependencies:\n  - numpy\n<<<<<<< HEAD\n  - pytorch=1.7\n=======\n>>>>>>> x\n", 3, "merge conflict"),
        ("dependencies:\n  - numpy\n  pytorch\n  - pytorch=1.7\n", 3, "indented"),
        ("dependencies:\n  - numpy  # why\n     - scipy\n  - pytorch=1.7\n", 3, "indented"),
        ("name: x\nchannels\ndependencies:\n  - numpy\n  - pytorch=1.7\n", 2, "colon"),
        ("name: 'x\ndependencies:\n  - numpy\n  - pytorch=1.7\n", 1, "quote"),
        ("channels: [a, b\ndependencies:\n  - numpy\n  - pytorch=1.7\n", 1, ""),
        ("name: @x\ndependencies:\n  - numpy\n  - pytorch=1.7\n", 1, "quotes"),
        ("name: a: b\ndependencies:\n  - numpy\n  - pytorch=1.7\n", 1, "colon"),
    ],
)
def test_broken_yaml_is_told_on_its_line_and_the_rest_read(text: str, line: int, said: str) -> None:
    document = conda_environment.read(text, "environment.yml")
    issue = document.issues[0]
    assert (issue.rule, issue.severity) == ("TL501", "error")
    assert said in issue.message
    assert issue.place.line == line or not said
    if said:
        assert "torch" in found(document)


def test_a_list_one_step_too_deep_is_no_specification() -> None:
    document = conda_environment.read(
        "dependencies:\n  - numpy\n    - scipy\n  - pytorch=1.7\n", "environment.yml"
    )
    [issue] = document.issues
    assert (issue.rule, issue.severity, issue.place.line) == ("TL501", "error", 2)
    assert "torch" in found(document)


def test_a_key_twice_is_a_warning() -> None:
    text = "dependencies:\n  - numpy\ndependencies:\n  - pytorch\n"
    document = conda_environment.read(text, "environment.yml")
    assert [(issue.severity, issue.place.line) for issue in document.issues] == [("warning", 3)]
    assert [entry.name for entry in document.entries] == ["torch"]


@pytest.mark.parametrize(
    "text", ["", "name: x\n", "dependencies:\n", "- a\n- b\n", "{}\n", "[]\n", "# nothing\n", "just text\n"]
)
def test_what_lists_nothing_is_a_note(text: str) -> None:
    document = conda_environment.read(text, "environment.yml")
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL901", "note")]


def test_a_template_is_a_note_and_its_plain_lines_are_read() -> None:
    text = "dependencies:\n  - numpy={{ numpy }}\n{% if gpu %}\n  - pytorch=1.7\n{% endif %}\n"
    document = conda_environment.read(text, "environment.yml")
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL901", "note")]
    assert found(document)["torch"].place.line == 4


def test_the_pip_list_is_pip_s_format(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("torchaudio==2.1.0\n", encoding="utf-8")
    document = conda_environment.read(
        "dependencies:\n  - pip:\n    - -r more.txt\n    - torch==2.1.0\n    - -e .\n    - numpy==1.0 # x\n",
        str(tmp_path / "environment.yml"),
    )
    entries = found(document)
    assert {"torch", "torchaudio", "numpy"} <= entries.keys()
    assert document.includes == [str(tmp_path / "more.txt")]
    assert entries["torch"].place.line == 4
    assert {entry.channel for entry in document.entries} == {"pip"}


def test_an_explicit_list_is_a_lock() -> None:
    text = (
        "# platform: linux-64\n@EXPLICIT\n"
        "https://conda.example.org/pytorch/linux-64/pytorch-2.1.0-py3.10_cuda12.1_cudnn8.9.2_0.tar.bz2#aa\n"
        "https://conda.example.org/main/linux-64/ld_impl_linux-64-2.38-h1181459_1.conda\n"
    )
    document = conda_environment.read(text, "explicit.yml")
    torch = found(document)["torch"]
    assert (torch.specifier, torch.place.line, torch.channel, torch.style) == ("==2.1.0", 3, "conda", "lock")
    assert document.locked and document.platforms == ("linux-x86_64",)


def test_conda_lock_is_a_lock() -> None:
    text = "version: 1\npackage:\n" + "".join(
        f"- name: {name}\n  version: {version}\n  manager: {manager}\n  platform: {platform}\n  optional: false\n"
        for name, version, manager, platform in [
            ("pytorch", "2.1.0", "conda", "linux-64"),
            ("pytorch", "2.1.0", "conda", "osx-arm64"),
            ("torchaudio", "2.1.0", "pip", "linux-64"),
        ]
    )
    document = conda_environment.read(text, "conda-lock.yml")
    assert [(entry.name, entry.specifier, entry.channel) for entry in document.entries] == [
        ("torch", "==2.1.0", "conda"),
        ("torch", "==2.1.0", "conda"),
        ("torchaudio", "==2.1.0", "pip"),
    ]
    assert "darwin" in document.entries[1].marker
    assert document.locked and document.platforms == ("linux-x86_64", "macos-arm64")


def test_platforms_are_those_listed_or_told_by_packages() -> None:
    assert conda_environment.read("platforms: [win-64, osx-arm64]\ndependencies: [a]\n", "e.yml").platforms == (
        "macos-arm64",
        "windows-amd64",
    )
    assert read("vs2015_runtime=14").platforms == ("windows-amd64",)
    assert read("libgcc-ng", "ld_impl_linux-aarch64").platforms == ("linux-aarch64",)
    assert read("libgcc-ng", "vc=14").platforms == ()
    assert read("numpy").platforms == ()


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(ENVIRONMENT.split("\n")),
        st.sampled_from(["- [", "{", "a: |", "- - -", "&a", "*a", "'", '"', "\t- x", "? x", "- pip:", "{{ x }}"]),
    ),
    max_size=30,
)


@settings(max_examples=500, deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_text_is_read_without_a_crash(lines: list[str], newline: str) -> None:
    text = newline.join(lines)
    try:
        document = conda_environment.read(text, "environment.yml")
    except InputError:
        return
    for entry in document.entries:
        if entry.version is not None and entry.channel == "conda":
            assert 0 <= entry.version.start <= entry.version.end <= len(text)
            assert text[slice(*entry.version)] in entry.text


@pytest.mark.parametrize(
    "text",
    [
        "- " * 20_000,
        "dependencies: " + "[" * 20_000,
        "dependencies: " + "{a: " * 20_000,
        "dependencies:\n" + "  - numpy\n" * 20_000,
        "dependencies:\n  - numpy" + " " * 50_000 + "1\n",
        "dependencies:\n  - " + "numpy>=1," * 10_000 + "\n",
        "\n".join(" " * indent + "a:" for indent in range(500)),
        "a: '" * 20_000,
        "- name: a\n" * 20_000,
        "\n" * 100_000,
        "# '\"" * 30_000,
        "https://" + "/a-b" * 20_000,
        "@EXPLICIT\n" + "https://" + "/a-b" * 5_000,
    ],
    ids=range(13),
)
def test_hostile_texts_are_read_in_linear_work(text: str) -> None:
    assert calls(lambda: conda_environment.read(text, "environment.yml")) < 10 * len(text) + 2000


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("option", ["", '"-i https://h.example.org/simple", '])
def test_a_pip_list_on_one_line_holds_a_line_each(option: str, end: str) -> None:
    text = f'name: x{end}dependencies: [pip, {{pip: [{option}"torch==2.7.1",torchaudio==2.5.1, "six"]}}]{end}'
    document = conda_environment.read(text, "environment.yml")
    found = [entry for entry in document.entries if entry.channel != "conda"]
    assert [entry.name for entry in found] == ["torch", "torchaudio", "six"]
    assert not document.issues
    line = text.splitlines()[1]
    assert [entry.place for entry in found] == [(2, line.index(entry.text) + 1) for entry in found]
    assert {index.place.line for index in document.indexes} <= {2}
    assert [text[entry.version.start : entry.version.end] for entry in found[:2] if entry.version] == [
        "==2.7.1",
        "==2.5.1",
    ]
