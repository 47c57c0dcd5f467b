"""pip's requirements format for the audit: what is in order is left alone, what is not is told on its line."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from support.call_count import calls
from torchlock.errors import InputError
from torchlock.manifests import read_document

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry, ParseIssue

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


def read(text: str, path: str = "requirements.txt") -> Document:
    return read_document(path, raw=text.encode())


def only(document: Document) -> Entry:
    (entry,) = document.entries
    return entry


def span_text(document: Document, entry: Entry) -> str:
    assert entry.version is not None
    return document.text[entry.version.start : entry.version.end]


def errors(document: Document) -> list[ParseIssue]:
    return [issue for issue in document.issues if issue.severity == "error"]


def mended(document: Document) -> str:
    text = document.text
    edits = sorted({edit for issue in document.issues for edit in issue.edits}, reverse=True)
    for span, new in edits:
        text = text[: span.start] + new + text[span.end :]
    return text


# What is in order.


@pytest.mark.parametrize(
    ("line", "name", "specifier", "span"),
    [
        ("torch==2.0.1+cu118", "torch", "==2.0.1+cu118", "==2.0.1+cu118"),
        ("  torch >= 2.0 , < 2.5  # why", "torch", ">=2.0,<2.5", ">= 2.0 , < 2.5"),
        ("torch~=2.1", "torch", "~=2.1", "~=2.1"),
        ("torch==2.1.*", "torch", "==2.1.*", "==2.1.*"),
        ("torch", "torch", "", ""),
        ("Torch_Audio", "torch-audio", "", ""),
        ("torch (>=2.0)", "torch", ">=2.0", ">=2.0"),
        ("torch==2.0.1 --hash=sha256:" + "a" * 64, "torch", "==2.0.1", "==2.0.1"),
        ("transformers[audio,torch]>=4 ; python_version < '3.12'", "transformers", ">=4", ">=4"),
        ("torch==2.0.dev20230101", "torch", "==2.0.dev20230101", "==2.0.dev20230101"),
        ("torch==2.0.1;", "torch", "==2.0.1", "==2.0.1"),
        ("torch>=2.0,", "torch", ">=2.0", ">=2.0,"),
        ("torch!=2.0.1,==2.0.*", "torch", "!=2.0.1,==2.0.*", "!=2.0.1,==2.0.*"),
    ],
)
def test_a_requirement_is_read_with_the_stretch_of_its_versions(
    line: str, name: str, specifier: str, span: str
) -> None:
    document = read(f"# first\r\n{line}\r\n")
    entry = only(document)
    assert document.issues == []
    assert (entry.name, SpecifierSet(entry.specifier)) == (name, SpecifierSet(specifier))
    assert span_text(document, entry) == span
    assert (entry.place.line, entry.place.column) == (2, 1 + len(line) - len(line.lstrip()))


def test_a_bare_name_has_an_empty_stretch_behind_its_extras() -> None:
    document = read("uvicorn[standard] ; python_version>'3.8'\n")
    entry = only(document)
    assert entry.version == (17, 17)
    assert entry.extras == ("standard",)
    assert entry.marker


def test_a_continued_line_is_one_requirement() -> None:
    document = read("numpy\ntorch>=2.0,\\\n  <2.5 \\\n  --hash=sha256:" + "0" * 64 + "\n")
    entry = document.entries[1]
    assert document.issues == []
    assert SpecifierSet(entry.specifier) == SpecifierSet(">=2.0,<2.5")
    assert span_text(document, entry) == ">=2.0,\\\n  <2.5"
    assert entry.place == (2, 1)
    assert entry.hashes == ("sha256:" + "0" * 64,)


def test_addresses_name_their_version_by_their_wheel() -> None:
    document = read(
        "torch @ https://example.org/torch-2.0.1%2Bcu118-cp310-cp310-linux_x86_64.whl\n"
        "https://example.org/torchaudio-2.0.2-cp310-cp310-linux_x86_64.whl\n"
        "-e git+https://example.org/x.git#egg=torchvision\n"
        "git+https://example.org/nameless.git\n"
    )
    assert document.issues == []
    assert [(entry.name, entry.specifier, entry.version) for entry in document.entries] == [
        ("torch", "==2.0.1+cu118", None),
        ("torchaudio", "==2.0.2", None),
        ("torchvision", "", None),
    ]
    assert all(entry.url for entry in document.entries)


def test_options_on_indexes_are_kept_as_written() -> None:
    document = read(
        "-i https://example.org/whl/cu118\n--extra-index-url=https://example.org/simple\n"
        "--find-links https://example.org/torch_stable.html\n--no-index\n--pre\n"
        "--trusted-host example.org\n--no-binary :all:\n"
    )
    assert [(line.kind, line.address) for line in document.indexes] == [
        ("index", "https://example.org/whl/cu118"),
        ("extra", "https://example.org/simple"),
        ("find-links", "https://example.org/torch_stable.html"),
        ("no-index", ""),
    ]
    assert document.pre
    assert document.issues == []


def test_included_files_are_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.txt").write_text("torch==2.0.1\n-c sub/pins.txt\n-r sub/../main.txt\n")
    (tmp_path / "sub" / "pins.txt").write_text("\ntorchaudio==2.0.2\n")
    main = tmp_path / "main.txt"
    main.write_text("-r base.txt\nnumpy\n")
    document = read_document(str(main))
    rows = [(entry.name, Path(entry.path).name, entry.place.line, entry.constraint) for entry in document.entries]
    assert rows == [
        ("torch", "base.txt", 1, False),
        ("torchaudio", "pins.txt", 2, True),
        ("numpy", "main.txt", 2, False),
    ]
    assert [Path(path).name for path in document.includes] == ["base.txt", "pins.txt"]
    assert errors(document) == []


def test_a_missing_included_file_is_told_and_nothing_else() -> None:
    document = read("-r nowhere/to-be-found.txt\ntorch==2.0.1\n")
    (issue,) = document.issues
    assert (issue.rule, issue.severity, issue.place) == ("TL901", "note", (1, 1))
    assert "does not exist, so its requirements are not judged" in issue.message
    assert only(document).name == "torch"


def test_constraints_install_nothing() -> None:
    document = read("torch==2.0.1\n", "constraints.txt")
    assert document.kind == "constraints"
    assert only(document).constraint


def test_the_same_package_under_disjoint_markers_is_two_entries() -> None:
    document = read('torch==2.0.1 ; sys_platform=="linux"\ntorch==2.1.0 ; sys_platform!="linux"\n')
    assert [entry.specifier for entry in document.entries] == ["==2.0.1", "==2.1.0"]
    assert document.issues == []


def test_a_file_of_conda_is_read_as_conda_reads_it() -> None:
    document = read(
        "# This file may be used to create an environment using:\n"
        "# $ conda create --name <env> --file <this file>\n# platform: linux-64\n"
        "python=3.8.13=h1_0\npytorch=1.7.1=py3.8_cuda10.2_0\nnumpy=1.19\n"
    )
    assert document.kind == "requirements"
    assert document.issues == []
    assert [(entry.name, entry.specifier, entry.channel, entry.style) for entry in document.entries] == [
        ("torch", "==1.7.1", "conda", "conda"),
        ("numpy", "==1.19.*", "conda", "conda"),
    ]
    assert document.platforms == ("linux-x86_64",)
    assert SpecifierSet(document.python).contains("3.8.13")


def test_variables_leave_the_rest_of_the_line_readable() -> None:
    document = read(
        "--extra-index-url https://user:${TOKEN}@example.org/simple\n"
        "torch==2.0.1+${CUDA_TAG}\ntorchaudio==$VERSION\n"
    )
    assert [(issue.rule, issue.severity, issue.place.line) for issue in document.issues] == [
        ("TL902", "note", 2),
        ("TL902", "note", 3),
    ]
    entry = only(document)
    assert (entry.name, entry.specifier, entry.version) == ("torch", "==2.0.1", None)


def test_a_template_is_not_judged() -> None:
    document = read("{% if cuda %}\ntorch=={{ version }}\n{% endif %}\nnumpy\n")
    assert {issue.severity for issue in document.issues} == {"note"}
    assert only(document).name == "numpy"


# What a file declares beside its lines.


@pytest.mark.parametrize(
    ("name", "content", "python"),
    [
        (".python-version", "3.11.4\n", "==3.11.*"),
        (".python-version", "cpython-3.10\n", "==3.10.*"),
        (".python-version", "my-env\n", ""),
        ("runtime.txt", "python-3.9.18\n", "==3.9.*"),
    ],
)
def test_the_python_of_the_folder_is_that_of_the_file(
    tmp_path: Path, name: str, content: str, python: str
) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    document = read_document(str(tmp_path / "requirements.txt"))
    assert (document.python, document.python_place) == (python, (0, 0))


@pytest.mark.parametrize(
    ("header", "python", "platforms"),
    [
        (
            "# This file is autogenerated by pip-compile with Python 3.10\n# by the following command:\n",
            "==3.10.*",
            (),
        ),
        (
            "# This file was autogenerated by uv via the following command:\n"
            "#    uv pip compile requirements.in --python-version 3.11 --python-platform linux\n",
            "==3.11.*",
            ("linux-x86_64",),
        ),
        (
            "# This file was autogenerated by uv via the following command:\n"
            "#    uv pip compile requirements.in --universal --python-version 3.11 -o requirements.txt\n",
            ">=3.11",
            (),
        ),
        (
            "# This file was made by torchlock 1.0 with the command\n#     torchlock lock\n"
            "# for Python 3.12, macosx_14_0_arm64, from compatibility data of 2026-01-01.\n",
            "==3.12.*",
            ("macos-arm64",),
        ),
    ],
)
def test_the_header_of_a_compiler_declares(header: str, python: str, platforms: tuple[str, ...]) -> None:
    document = read(f"{header}torch==2.0.1\n    # via -r requirements.in\nnumpy==1.26.4\n")
    assert (document.python, document.platforms, document.locked) == (python, platforms, True)


def test_a_compiled_file_with_a_loose_line_is_no_lock() -> None:
    assert not read("# This file is autogenerated by pip-compile with Python 3.10\ntorch>=2.0\n").locked
    assert not read("torch==2.0.1\n").locked


# What no installer can read.


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("torch~=2.1.2+cu118", "torch==2.1.2+cu118"),
        ("torch>=2.1.0+cu118 ; python_version > '3'", "torch==2.1.0+cu118 ; python_version > '3'"),
        ("torch==2.0.*+cu118", "torch==2.0+cu118"),
        ("numpy=2.3.3", "numpy==2.3.3"),
        ("numpy 1.26.4", "numpy ==1.26.4"),
        ("numpy=>1.20", "numpy>=1.20"),
        ("numpy >=0.8,<0.9.", "numpy >=0.8,<0.9"),
        ("numpy>=1.0 <2.0", "numpy>=1.0,<2.0"),
        ("numpy>=1.*", "numpy>=1"),
        ("numpy^1.24", "numpy>=1.24,<2"),
        ("numpy==1.24#pin", "numpy==1.24  #pin"),
        ('"numpy==1.24",', "numpy==1.24"),
        ("numpy\u2265", None),
        ("numpy==1.24 \u2013hash", None),
        ("numpy==\u200b1.24", "numpy==1.24"),
        ("numpy==1.24==py38_0", None),
        ("conda-forge::numpy==1.24", "numpy==1.24"),
        (
            'torch==1.0 ; sys_platform in ("linux", "darwin")',
            'torch==1.0 ; (sys_platform == "linux" or sys_platform == "darwin")',
        ),
        ("[dev]", None),
        ("<<<<<<< HEAD", None),
        ("Looking in indexes: simple", None),
        ("2024-01-01 12:00:00 INFO started", None),
        ("numpy==", None),
        ("torch==2.0.1 --frobnicate", None),
        ("torch==2.0.1 --hash=sha256:xyz", None),
        ("--frobnicate", None),
    ],
)
def test_a_line_that_no_installer_reads_is_told_and_mended_where_it_is_plain(line: str, meant: str | None) -> None:
    document = read(f"scipy\n{line}\nlibrosa\n")
    (issue,) = errors(document)
    assert (issue.rule, issue.place.line) == ("TL501", 2)
    assert {"scipy", "librosa"} <= {entry.name for entry in document.entries}
    assert mended(document) == (f"scipy\n{meant or line}\nlibrosa\n")
    assert bool(issue.remedy) == (meant is not None)
    if meant:
        assert read(mended(document)).issues == []
        assert len(document.entries) == 3  # What was meant is judged.


def test_several_requirements_on_a_line_get_a_line_each() -> None:
    document = read(
        "torch==1.7.1+cu110 torchvision==0.8.2+cu110 torchaudio==0.7.2 -f https://example.org/x.html\r\nnumpy"
    )
    assert [issue.rule for issue in errors(document)] == ["TL501"]
    assert [entry.name for entry in document.entries] == ["torch", "torchvision", "torchaudio", "numpy"]
    assert mended(document).split("\r\n") == [
        "torch==1.7.1+cu110",
        "torchvision==0.8.2+cu110",
        "torchaudio==0.7.2",
        "-f https://example.org/x.html",
        "numpy",
    ]
    assert span_text(document, document.entries[1]) == "==0.8.2+cu110"


@pytest.mark.parametrize(
    "command", ["pip install", "!pip3 install -U", "python -m pip install", "$ uv pip install"]
)
def test_a_command_is_no_requirement_but_what_it_names_is_judged(command: str) -> None:
    document = read(f"{command} torch==2.0.1 'torchaudio' --index-url https://example.org/whl/cu118\n")
    assert [issue.rule for issue in errors(document)] == ["TL501"]
    assert [(entry.name, entry.specifier) for entry in document.entries] == [
        ("torch", "==2.0.1"),
        ("torchaudio", ""),
    ]
    assert [line.kind for line in document.indexes] == ["index"]
    again = read(mended(document))
    assert again.issues == []
    assert [entry.name for entry in again.entries] == ["torch", "torchaudio"]


def test_both_sides_of_a_merge_conflict_are_read() -> None:
    document = read("<<<<<<< HEAD\ntorch==2.0.1\n=======\ntorch==2.1.0\n>>>>>>> branch\n")
    assert [issue.place.line for issue in errors(document)] == [1, 3, 5]
    assert [entry.specifier for entry in document.entries] == ["==2.0.1", "==2.1.0"]


def test_prose_is_not_taken_for_several_requirements() -> None:
    document = read("install torch and torchaudio first\n")
    assert len(errors(document)) == 1
    assert document.entries == []


def test_pip_packages_in_a_list_of_conda_are_one_error() -> None:
    document = read("absl-py=1.4.0=pypi_0\nnumpy=1.24=py38_0\ntorch=1.13.1=pypi_0\n")
    (issue,) = document.issues
    assert (issue.rule, issue.severity, issue.place.line) == ("TL505", "error", 3)
    assert "this and 1 more" in issue.message
    assert [(entry.name, entry.channel) for entry in document.entries] == [
        ("absl-py", "pip"),
        ("numpy", "conda"),
        ("torch", "pip"),
    ]


# What pip passes over.


def test_an_option_behind_a_requirement_is_passed_over() -> None:
    document = read(
        "torch==2.0.1+cu118 --index-url https://example.org/whl/cu118\n"
        "torchaudio==2.0.2+cu118 --index-url https://example.org/whl/cu118\nnumpy\n"
    )
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL504", "warning")] * 2
    assert document.indexes == []
    assert {entry.index for entry in document.entries} == {None}
    assert mended(document) == (
        "torch==2.0.1+cu118\n--extra-index-url https://example.org/whl/cu118\ntorchaudio==2.0.2+cu118\nnumpy\n"
    )
    assert read(mended(document)).issues == []


def test_an_option_swallows_the_requirement_behind_it() -> None:
    document = read("-f https://example.org/torch_stable.html torchaudio==0.9.0\ntorch==1.9.0\n")
    (issue,) = document.issues
    assert (issue.rule, issue.severity) == ("TL504", "warning")
    assert only(document).name == "torch"
    assert mended(document) == "-f https://example.org/torch_stable.html\ntorchaudio==0.9.0\ntorch==1.9.0\n"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (
            "--extra-index-url https://example.org/a https://example.org/b",
            "--extra-index-url https://example.org/a\n--extra-index-url https://example.org/b",
        ),
        ("--find-links --find-links https://example.org/b", "--find-links https://example.org/b"),
        (
            "--extra-index-url=https://example.org/a ; sys_platform != 'x'",
            "--extra-index-url=https://example.org/a",
        ),
        ("- torch==2.0.1", "torch==2.0.1"),
    ],
)
def test_words_that_belong_to_no_option_are_passed_over(line: str, meant: str) -> None:
    document = read(f"{line}\n")
    assert {(issue.rule, issue.severity) for issue in document.issues} == {("TL504", "warning")}
    assert mended(document) == f"{meant}\n"
    assert read(mended(document)).issues == []


def test_only_the_last_index_url_counts() -> None:
    document = read("-i https://example.org/a\n-i https://example.org/b\n")
    assert [line.address for line in document.indexes] == ["https://example.org/b"]
    assert [(issue.rule, issue.severity) for issue in document.issues] == [("TL504", "note")]


# Any text at all.

FRAGMENTS = st.sampled_from(
    [
        *(
            "torch",
            "torchaudio",
            "numpy",
            "[x]",
            "==",
            ">=",
            "~=",
            "=",
            "<",
            "2.0.1",
            "+cu118",
            ".*",
            ",",
            ";",
            "@",
        ),
        *("\n", "\r\n", "\r", "\t", "\\\n", "\\", "\x0c", "\x85", "\u200b", "\xe9", '"', "'", "(", ")", "#", " "),
        *(
            "python_version < '3.9'",
            "sys_platform == 'linux'",
            "${X}",
            "{{ x }}",
            "^1.2",
            "1.0",
            " and ",
            "in",
            "./",
        ),
        *(
            "https://example.org/whl/cu118",
            "git+https://example.org/x",
            "../x.whl",
            "--pre",
            "--",
            "-",
            "--no-index",
        ),
        *(
            "-r ",
            "-c ",
            "-e ",
            "-f ",
            "-i ",
            "--extra-index-url ",
            "--hash=sha256:ab",
            "pip install ",
            "- ",
            "[dev]",
        ),
        *("<<<<<<< HEAD", "=======", "=py38_0", "=pypi_0", "# platform: linux-64"),
        "# This file is autogenerated by pip-compile with Python 3.10\n",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=25).map("".join))


def judged(raw: bytes, path: str) -> Document | None:
    try:
        return read_document(path, raw=raw)
    except InputError:
        return None


@settings(max_examples=400, deadline=None)
@given(raw=st.one_of(st.binary(), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_read_and_come_back(raw: bytes) -> None:
    document = judged(raw, "requirements.txt")
    if document is not None:
        assert document.bom + document.text.encode(document.encoding) == raw


@settings(max_examples=600, deadline=None)
@given(text=TEXTS)
def test_every_stretch_lies_in_the_text_and_says_what_the_entry_says(text: str) -> None:
    document = judged(text.encode("utf-8", "ignore"), "requirements.txt")
    if document is None:
        return
    wrong = {issue.place.line for issue in document.issues}
    lines = document.text.count("\n") + document.text.count("\r") + 1
    for entry in document.entries:
        assert 1 <= entry.place.line <= lines
        if entry.version is None:
            continue
        assert 0 <= entry.version.start <= entry.version.end <= len(document.text)
        if entry.place.line not in wrong and entry.style == "pep440":
            written = re.sub(r"\\*[\r\n\x0c\x85]+\\*", " ", span_text(document, entry))
            assert same_specifier("".join(written.split()), entry.specifier), (written, entry)


def same_specifier(one: str, other: str) -> bool:
    try:
        return SpecifierSet(one) == SpecifierSet(other)
    except InvalidSpecifier:
        return False


@settings(max_examples=400, deadline=None)
@given(text=TEXTS)
def test_edits_do_not_overlap_and_mends_come_to_an_end(text: str) -> None:
    document = judged(text.encode("utf-8", "ignore"), "requirements.txt")
    for _ in range(8):
        if document is None:
            return
        edits = sorted({edit for issue in document.issues for edit in issue.edits})
        for left, right in pairwise(edits):
            assert left.span.end <= right.span.start
        if not edits:
            return
        document = read(mended(document))
    raise AssertionError("mended again and again")


# Real files.

LABELS: list[dict[str, Any]] = (
    json.loads((CORPUS / "labels.json").read_text(encoding="utf-8")) if CORPUS.is_dir() else []
)


@pytest.mark.parametrize(
    "record", [record for record in LABELS if record["kind"] == "requirements"], ids=lambda record: record["id"]
)
def test_real_files(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / record["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CORPUS / record["file"], path)
    document = read_document(str(path))
    assert document.bom + document.text.encode(document.encoding) == path.read_bytes()
    wrong = {line for rule in record["rules"] if rule["rule"] == "syntax" for line in rule["lines"]}
    conda = any(rule["rule"] == "pypi_0_in_conda_list" for rule in record["rules"])
    assert {issue.place.line for issue in errors(document) if issue.rule == "TL501"} == wrong
    assert any(issue.rule == "TL505" for issue in errors(document)) == conda
    assert document.entries


def test_the_work_of_many_files_is_bounded() -> None:
    text = "# a comment\n" + "".join(f"package-{number}>={number}.1,<{number}.9  # why\n" for number in range(49))
    raws = [text.replace(">=", f">={number % 7}.").encode() for number in range(300)]

    def read_all() -> None:
        for number, raw in enumerate(raws):
            read_document(f"nowhere-{number}/requirements.txt", raw=raw)

    assert calls(read_all) < 100 * 50 * len(raws)  # a hundred for each line
