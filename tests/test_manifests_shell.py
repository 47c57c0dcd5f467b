"""Dockerfiles and shell scripts as the audit reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from torchlock.audit import Auditor
from torchlock.manifests.document import Document
from torchlock.manifests.formats.shell_script import read

INDEX = "https://example.org/whl/cu118"


def docker(text: str, path: str = "Dockerfile") -> Document:
    return read(text, path)


def script(text: str, path: str = "install.sh") -> Document:
    return read(text, path)


def asked(document: Document) -> list[tuple[str, str]]:
    return [(entry.name, entry.specifier) for entry in document.entries]


def stretches(document: Document) -> list[str | None]:
    return [document.text[slice(*e.version)] if e.version else None for e in document.entries]


def rules(document: Document) -> list[tuple[str, str, int]]:
    return [(issue.rule, issue.severity, issue.place.line) for issue in document.issues]


# What must be left alone.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# pip install torch\n",
        "echo pip install torch\n",
        "echo 'pip install torch'\n",
        "apt-get install -y python3-torch sox\n",
        "pip install --upgrade pip setuptools > /dev/null 2>&1\npip uninstall -y torch\n",
        "pip --version; pip config list; pip download torch\nconda activate torch; conda env list\n",
        "cat <<EOF > x.sh\npip install torch==1.0\nEOF\n",
        "cat <<'A' <<-B\npip install torch\nA\n\tpip install torch\n\tB\n",
        "python train.py --install torch\n",
    ],
)
def test_commands_that_install_nothing_of_interest(text: str) -> None:
    document = script(text)
    assert not {entry.name for entry in document.entries} - {"pip", "setuptools"}
    assert not document.issues


def test_redirections_are_no_versions() -> None:
    document = script(
        "pip install torch==2.0>log.txt 2>&1\npip install torchaudio >> log 2>/dev/null </dev/null\n"
    )
    assert asked(document) == [("torch", "==2.0"), ("torchaudio", "")]
    assert not document.issues


# Commands.


@pytest.mark.parametrize(
    "command",
    [
        "pip install torch==2.0.1",
        "pip3.10 --no-cache-dir install -q --upgrade 'torch==2.0.1'",
        "/opt/venv/bin/pip install -U torch==2.0.1 --timeout 100 -t /x",
        "sudo -H python3 -m pip install torch==2.0.1",
        "$PYTHON -m pip install torch==2.0.1",
        "PIP_NO_CACHE_DIR=1 uv pip install --system torch==2.0.1",
        "uv add torch==2.0.1",
        "poetry add torch==2.0.1 --group dev",
        "poetry add torch@2.0.1",
        "poetry run pip install torch==2.0.1",
        "conda run -n x pip install torch==2.0.1",
        "mamba install -y -n x -c pytorch pytorch==2.0.1",
        "bash -lc 'cd x && pip install torch==2.0.1'",
        "cd x && (pip install torch==2.0.1)",
        "pip install \\\n  --no-deps \\\n  torch==2.0.1 # torchaudio",
    ],
)
def test_the_ways_to_install(command: str) -> None:
    document = script(f"set -e\r\n{command}\r\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert [text and text.lstrip("=") for text in stretches(document)] == ["2.0.1"]
    assert not document.issues


@pytest.mark.parametrize(
    "command",
    [
        "python -u -m pip install torch==2.0.1",
        "py -3.10 -m pip install torch==2.0.1",
        "python -m uv pip install torch==2.0.1",
        "$PIP install torch==2.0.1",
        "${PIP} install torch==2.0.1",
        "pdm add torch==2.0.1",
        "rye add torch==2.0.1",
        "pipenv install --dev torch==2.0.1",
        "pixi add --pypi torch==2.0.1",
        "pixi add --feature gpu pytorch==2.0.1",
        "micromamba install -y pytorch==2.0.1",
        "pixi run pip install torch==2.0.1",
    ],
)
def test_further_ways_to_install(command: str) -> None:
    document = script(f"{command}\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]
    assert {entry.scope for entry in document.entries} == {""}


@pytest.mark.parametrize(
    ("command", "scope", "wanted"),
    [
        ("srun uv run --with torch==1 --with torchaudio==2 main.py", "alone:line-1", ["torch", "torchaudio"]),
        ("uv run --with torch==1 --with torchaudio==2 main.py", "alone:line-1", ["torch", "torchaudio"]),
        ("uv run --with=torch==1,torchaudio==2 -- python x.py --with y", "alone:line-1", ["torch", "torchaudio"]),
        ("uvx --from demucs==4 --with 'torch<2,>=1' demucs", "alone:line-1", ["demucs", "torch"]),
        ("uvx demucs@4.0.1", "alone:line-1", ["demucs"]),
        ("uv tool run --python 3.10 demucs x.wav", "alone:line-1", ["demucs"]),
        ("uv tool install demucs --with torch==1", "alone:demucs", ["demucs", "torch"]),
        ("pipx install demucs[x]==4 --python 3.10", "alone:demucs", ["demucs"]),
        ("pipx inject demucs torch==1 torchaudio==2", "alone:demucs", ["torch", "torchaudio"]),
        ("pipx runpip demucs install torch==1", "alone:demucs", ["torch"]),
        ("pipx run --spec demucs==4 demucs", "alone:line-1", ["demucs"]),
    ],
)
def test_environments_of_their_own(command: str, scope: str, wanted: list[str]) -> None:
    document = script(f"{command}\npip install numpy\n")
    assert [entry.name for entry in document.entries] == [*wanted, "numpy"]
    assert {entry.scope for entry in document.entries} == {scope, ""}
    assert not document.issues


@pytest.mark.parametrize(
    "command", ["uv run main.py", "uv run torch", "uv tool list", "pipx list", "pipx upgrade torch"]
)
def test_and_commands_that_make_none(command: str) -> None:
    assert not script(f"{command}\n").entries


def test_what_runs_in_such_an_environment_installs_into_its_own() -> None:
    found = script("uv run --with torch==1 pip install numpy==2\n").entries
    assert [(entry.name, entry.scope) for entry in found] == [("torch", "alone:line-1"), ("numpy", "")]


def test_an_environment_of_its_own_is_not_judged_with_the_rest() -> None:
    text = b"pip install torch==2.7.0\nuvx --with torchaudio==2.6.0 --from x y\n"
    assert Auditor().report("a.sh", text).status == "ok"


@pytest.mark.parametrize("word", ["torch=={{ version }}", "torch=={version}", "{{ packages }}", "torch==<% v %>"])
def test_what_something_else_fills_in_is_unknown(word: str) -> None:
    document = script(f"pip install '{word}' numpy\n")
    assert asked(document) == [("numpy", "")]
    assert rules(document) == [("TL902", "note", 1)]


def test_each_command_is_a_step() -> None:
    document = script("pip install torch==1.0 torchaudio\npip install numpy && pip install torch==2.0\n")
    assert [(entry.name, entry.step) for entry in document.entries] == [
        ("torch", 1),
        ("torchaudio", 1),
        ("numpy", 2),
        ("torch", 3),
    ]


def test_what_is_uninstalled_does_not_count() -> None:
    text = "pip install torch==1.0 numpy\npip uninstall -y torch\nconda remove pytorch\npip install torch==2.0\n"
    assert asked(script(text)) == [("numpy", ""), ("torch", "==2.0")]


def test_indexes_go_with_their_command() -> None:
    text = (
        f"pip install torch --index-url {INDEX}\npip install torchaudio -i{INDEX}/\n"
        f"pip install torchvision --extra-index-url={INDEX} -f https://example.org/links\npip install numpy\n"
    )
    document = script(text)
    assert [entry.index for entry in document.entries] == [INDEX, f"{INDEX}/", None, None]
    assert [(line.kind, line.address) for line in document.indexes] == [
        ("extra", INDEX),
        ("find-links", "https://example.org/links"),
    ]


def test_conda_packages_by_the_names_of_the_index() -> None:
    document = script(
        "conda install -c pytorch -c nvidia pytorch=2.0.1 'torchaudio>=2' pytorch-cuda=11.8 python=3.9\n"
    )
    assert [(e.name, e.specifier, e.channel, e.style) for e in document.entries] == [
        ("torch", "==2.0.1.*", "conda", "conda"),
        ("torchaudio", ">=2", "conda", "conda"),
        ("pytorch-cuda", "==11.8.*", "conda", "conda"),
    ]
    assert document.python == "==3.9.*"


def test_wheels_by_address() -> None:
    address = "https://example.org/whl/cu118/torch-2.0.1%2Bcu118-cp310-cp310-linux_x86_64.whl"
    entries = script(f"pip install {address} torchaudio@git+https://example.org/audio\n").entries
    assert [(entry.name, entry.url) for entry in entries] == [
        ("torch", address),
        ("torchaudio", "git+https://example.org/audio"),
    ]


def test_a_requirements_file_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    text = "FROM x\nRUN pip install -r /app/requirements.txt\nRUN pip install -r missing.txt\n"
    document = docker(text, str(tmp_path / "Dockerfile"))
    assert [(e.name, e.specifier, e.step, e.version) for e in document.entries] == [("torch", "==2.0.1", 1, None)]
    assert rules(document) == [("TL901", "note", 3)]


@pytest.mark.parametrize(
    ("word", "severity"), [("torch>=2.0", "warning"), ("torch<2.1", "error"), ("torch<=2.1", "error")]
)
def test_versions_that_the_shell_takes_away(word: str, severity: str) -> None:
    document = script(f"pip install {word} numpy\n")
    assert rules(document) == [("TL501", severity, 1)]
    edit = document.issues[0].edits[0]
    mended = document.text[: edit.span.start] + edit.new + document.text[edit.span.end :]
    assert mended == f'pip install "{word}" numpy\n'
    assert not script(mended).issues
    assert asked(document) == [("torch", ""), ("numpy", "")]


# Variables and branches.


def test_variables() -> None:
    text = (
        'V=2.0.1\nexport CUDA="cu118"\npip install torch==$V+${CUDA} "torchaudio==${A:-2.0.2}" "x>=1"\n'
        "pip install torchvision==${UNKNOWN} numpy\n"
    )
    document = script(text)
    assert asked(document) == [("torch", "==2.0.1+cu118"), ("torchaudio", "==2.0.2"), ("x", ">=1"), ("numpy", "")]
    assert stretches(document) == [None, None, ">=1", ""]
    assert rules(document) == [("TL902", "note", 4)]


def test_a_variable_set_under_a_condition_is_unknown() -> None:
    document = script('V=1\nif [ "$x" ]; then V=2; fi\npip install torch==$V\n')
    assert asked(document) == []
    assert rules(document) == [("TL902", "note", 3)]


def test_branches_are_apart() -> None:
    text = (
        "if a; then\n  pip install torch==1.0\nelse pip install torch==2.0; fi\npip install x || pip install y\n"
    )
    document = script(text)
    scopes = {entry.text: entry.scope for entry in document.entries}
    assert scopes["torch==1.0"] != scopes["torch==2.0"]
    assert all(scopes[text].startswith("group:") for text in ("torch==1.0", "torch==2.0", "y"))
    assert scopes["x"] == ""


# Dockerfiles.


DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG PY=3.11
FROM python:${PY}-slim AS base
ARG TORCH_VERSION=2.1.0
ENV CUDA=cu118 A=b
run --mount=type=cache,target=/var/cache/apt \\
    apt-get update && apt-get install -y ffmpeg \\
    # a comment
    && pip install "torch==${TORCH_VERSION}+$CUDA" torchaudio==2.1.1 \\

       --index-url https://example.org/whl/${CUDA}
RUN ["pip", "install", "torchcodec==0.1"]
RUN <<EOF
pip install numpy==1.26
EOF
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_dockerfile(end: str) -> None:
    document = docker(DOCKERFILE.replace("\n", end))
    assert [(e.name, e.specifier, e.step, e.index) for e in document.entries] == [
        ("torch", "==2.1.0+cu118", 1, INDEX),
        ("torchaudio", "==2.1.1", 1, INDEX),
        ("torchcodec", "==0.1", 2, None),
        ("numpy", "==1.26", 3, None),
    ]
    assert stretches(document) == [None, "==2.1.1", "==0.1", "==1.26"]
    assert (document.python, document.python_place.line) == ("==3.11.*", 3)
    assert document.platforms == ("linux-x86_64", "linux-aarch64")
    assert not document.issues
    assert {entry.scope for entry in document.entries} == {""}


def test_stages_that_build_on_each_other_are_together() -> None:
    text = (
        "FROM a AS build\nRUN pip install torch==2.0\nFROM b AS other\nRUN pip install x\n"
        "FROM c\nCOPY --from=build /opt /opt\nRUN pip install torchaudio==2.0\n"
    )
    assert [(e.name, e.scope) for e in docker(text).entries] == [
        ("torch", "group:stage-2"),
        ("x", "group:stage-1"),
        ("torchaudio", "group:stage-2"),
    ]
    alone = text.replace("FROM b AS other\nRUN pip install x\n", "")
    assert {entry.scope for entry in docker(alone).entries} == {""}


def test_what_images_of_a_common_base_have() -> None:
    text = (
        "FROM a AS base\nRUN pip install numpy\nFROM base AS cpu\nRUN pip install torch==1\n"
        "FROM base\nRUN pip install torch==2\n"
    )
    assert [(e.text, e.scope) for e in docker(text).entries] == [
        ("numpy", ""),
        ("torch==1", "group:stage-1"),
        ("torch==2", "group:stage-2"),
    ]


def test_the_image_of_pytorch_brings_torch() -> None:
    document = docker("FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\nRUN pip install torchaudio==2.2.0\n")
    torch = document.entries[0]
    assert (torch.name, torch.specifier, torch.channel, torch.version, torch.step) == (
        "torch",
        "==2.3.0",
        "conda",
        None,
        0,
    )
    assert len(document.entries) == 2


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.org/nvidia/pytorch:23.10-py3",
        "registry.example.org/nvidia/l4t-pytorch:r35.2.1-pth2.0-py3",
        "rocm/pytorch:latest",
    ],
)
def test_nothing_is_judged_beside_a_vendors_torch(image: str) -> None:
    document = docker(
        f"FROM {image} AS a\nRUN pip install torchaudio==2.0 numpy\nFROM a\nRUN pip install torch==1\n"
    )
    assert asked(document) == [("torchaudio", "==2.0"), ("numpy", ""), ("torch", "==1")]
    assert rules(document) == [("TL903", "note", 1)], "the vendor's torch is replaced"
    document = docker(f"FROM {image} AS a\nRUN pip install torchaudio==2.0 numpy\nFROM a\nRUN pip install torch\n")
    assert asked(document) == [("numpy", "")]
    assert rules(document) == [("TL903", "note", 1), ("TL203", "warning", 2)]


def test_the_platform_of_the_image() -> None:
    assert docker("FROM --platform=linux/amd64 python:3.9.1\n").platforms == ("linux-x86_64",)
    assert docker("FROM --platform=linux/amd64 python:3.9.1\n").python == "==3.9.1"
    assert docker("FROM nvidia/cuda:12.1.0-base-ubuntu22.04\n").python == ""


def test_indexes_in_the_environment() -> None:
    document = docker(f"FROM x\nENV PIP_EXTRA_INDEX_URL {INDEX}\nENV UV_INDEX_URL=https://example.org/simple\n")
    assert [line.kind for line in document.indexes] == ["extra", "index"]


def test_variables_of_one_run_end_with_it() -> None:
    document = docker("FROM x\nRUN V=1 && pip install torch==$V\nRUN pip install torch==$V\n")
    assert asked(document) == [("torch", "==1")]
    assert rules(document) == [("TL902", "note", 3)]


def test_a_file_that_begins_with_from_is_a_dockerfile() -> None:
    assert read("# x\nARG A\nFROM python:3.10\n", "build/image").kind == "dockerfile"
    assert read("pip install x\nFROM y\n", "build/image").kind == "shell"


PIECES = [
    *"\n\t \\'\"$`;&|()<>{}[]=#",
    "\r\n",
    "FROM a AS b\n",
    "FROM b\n",
    "RUN ",
    "ENV A=1\n",
    "ARG A\n",
    "COPY --from=b x y\n",
    "pip install ",
    "conda install ",
    "poetry add ",
    "torch==2.0 ",
    "'torchaudio>=2'",
    "torch@^2.1",
    "torch>=2",
    "-r r.txt ",
    "--index-url ",
    "if a; then ",
    "else ",
    "fi\n",
    "case x in\n",
    "<<EOF",
    "EOF\n",
    "${A:-1}",
    "$(",
    '["pip","install","torch"]',
    "bash -c ",
    "é",
]


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)), st.booleans())
@example("FROM a\nRUN pip install torch@\n", True)
@example("FROM a\nRUN <<EOF <<EOF\nEOF\n", True)
def test_any_text_is_read_and_versions_stand_where_they_are_said_to(text: str, is_docker: bool) -> None:
    document = read(text, "Dockerfile" if is_docker else "x.sh")
    for entry in document.entries:
        if entry.version is not None and entry.style == "pep440":
            assert SpecifierSet(text[slice(*entry.version)]) == SpecifierSet(entry.specifier)
