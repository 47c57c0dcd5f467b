"""Scripts and targets that a command runs, and words that it gets from elsewhere: what is read, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.audit import Auditor, Options
from torchlock.manifests.document import Document
from torchlock.manifests.reader import read_document

FILES = {
    "install.sh": "#!/bin/bash\nset -e\npip install torch==2.5.1\n",
    "scripts/audio.sh": "pip install torchaudio==2.5.1\n",
    "scripts/both.sh": 'bash "$(dirname "$0")/audio.sh"\nsource install.sh\n',
    "scripts/loop.sh": "bash scripts/loop.sh\npip install torchvision==0.20.1\n",
    "scripts/version.sh": 'pip install "torch==$1"\n',
    "scripts/branch.sh": "if $GPU; then\n  pip install torch==2.5.1\nelse\n  pip install torch==2.4.1\nfi\n",
    "env.sh": "VERSION=2.5.1\n",
    "requirements.txt": "# ours\ntorch==2.5.1\n\ntorchaudio==2.5.1\n",
    "more.txt": "torchvision==0.20.1\n",
    "Makefile": (
        "VERSION = 2.5.1\n.PHONY: install audio\n\nhelp:\n\techo help\n\ninstall: audio\n"
        "\tpip install torch==$(VERSION)\n\naudio other:\n\tpip install torchaudio==2.5.1\n"
        "\nscript:\n\tbash install.sh\n"
    ),
    "tools/Makefile": "all:\n\tpip install torchcodec==0.1.1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    (folder / ".git").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def document(path: Path, text: str) -> Document:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_document(str(path))


def specs(found: Document) -> list[str]:
    return sorted(f"{entry.name}{entry.specifier}" for entry in found.entries)


def told(found: Document) -> list[tuple[str, int]]:
    return [(issue.rule, issue.place.line) for issue in found.issues]


TORCH, AUDIO, VISION = "torch==2.5.1", "torchaudio==2.5.1", "torchvision==0.20.1"


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("bash install.sh", [TORCH]),
        ("sh ./install.sh", [TORCH]),
        ("bash -ex install.sh", [TORCH]),
        ("bash -o pipefail install.sh", [TORCH]),
        ("sudo -E bash install.sh", [TORCH]),
        ("sudo -u me bash install.sh", [TORCH]),
        ("timeout -k 5 600 bash install.sh", [TORCH]),
        ("./install.sh --fast", [TORCH]),
        ("source install.sh", [TORCH]),
        (". ./install.sh", [TORCH]),
        ("cd scripts && bash audio.sh", [AUDIO]),
        ("bash scripts/both.sh", [TORCH, AUDIO]),
        ("bash scripts/loop.sh", [VISION]),
        ("bash scripts/version.sh 2.5.1", [TORCH]),
        ("bash install.sh && ./scripts/audio.sh", [TORCH, AUDIO]),
        ("bash -c 'bash install.sh && bash scripts/audio.sh'", [TORCH, AUDIO]),
        ('bash -c "pip install \\"torch==2.5.1\\" && pip install torchaudio==2.5.1"', [TORCH, AUDIO]),
        ("make install", [TORCH, AUDIO]),
        ("make other", [AUDIO]),
        ("make -j4 audio", [AUDIO]),
        ("make install VERSION=2.4.1", ["torch==2.4.1", AUDIO]),
        ("make script", [TORCH]),
        ("make -C tools", ["torchcodec==0.1.1"]),
        ("make", []),
        ("make clean", []),
        ("xargs pip install < requirements.txt", [TORCH, AUDIO]),
        ("xargs -a requirements.txt pip install", [TORCH, AUDIO]),
        ("cat requirements.txt | xargs -n 1 pip install", [TORCH, AUDIO]),
        ("cat requirements.txt more.txt | xargs pip install --no-cache-dir", [TORCH, AUDIO, VISION]),
        ("cat requirements.txt | xargs -I {} python -m pip install {}", [TORCH, AUDIO]),
        ("grep -v '^#' requirements.txt | xargs uv pip install", [TORCH, AUDIO]),
        ("grep -vE '^\\s*(#|$)' requirements.txt | xargs -n1 pip install", [TORCH, AUDIO]),
        ("cat requirements.txt | tr '\\n' ' ' | xargs pip install", [TORCH, AUDIO]),
        ("echo torch==2.5.1 torchaudio==2.5.1 | xargs -n1 pip install", [TORCH, AUDIO]),
        ("echo requirements.txt more.txt | xargs -n1 pip install -r", [TORCH, AUDIO, VISION]),
        ("parallel pip install ::: torch==2.5.1 torchaudio==2.5.1", [TORCH, AUDIO]),
        ("parallel -j 1 pip install :::: requirements.txt", [TORCH, AUDIO]),
        ("parallel pip install {} < requirements.txt", [TORCH, AUDIO]),
        ("pip install $(cat requirements.txt)", [TORCH, AUDIO]),
        ("pip install `cat requirements.txt`", [TORCH, AUDIO]),
        ("pip install $(< requirements.txt) more", [TORCH, AUDIO, "more"]),
        ("pip install $(grep -v '^#' requirements.txt)", [TORCH, AUDIO]),
        ("pip install $(cat requirements.txt | tr '\\n' ' ')", [TORCH, AUDIO]),
    ],
)
def test_what_is_certain_is_followed(project: Path, command: str, wanted: list[str]) -> None:
    for name, text in (
        ("Dockerfile", f"FROM python:3.11\nCOPY . /app\nWORKDIR /app\nRUN {command}\n"),
        ("ci.sh", f"{command}\n"),
    ):
        found = document(project / name, text)
        assert specs(found) == sorted(wanted), name
        assert told(found) == []


@pytest.mark.parametrize(
    "command",
    [
        "sed s/x/y/ requirements.txt | xargs pip install",
        "grep -v torchaudio requirements.txt | xargs pip install",
        "pip freeze | xargs pip install",
        "xargs pip install",
        "find . -name 'requirements*.txt' -exec pip install -r {} \\;",
        "ls requirements*.txt | xargs -n 1 pip install -r",
        "cat list | xargs -n1 pip install -r",
        "parallel pip install ::: a ::: b",
        "curl -s https://example.org/list | parallel pip install",
        "pip install $(grep torch requirements.txt)",
        "pip install $(sed 1d requirements.txt)",
        "pip install $(cat requirements.txt; echo torch==1.0)",
        "while read line; do pip install $line; done < requirements.txt",
        "for each in $(cat requirements.txt); do pip install $each; done",
        "bash scripts/version.sh",
        "bash scripts/version.sh $RELEASE",
    ],
)
def test_what_is_not_certain_is_unknown(project: Path, command: str) -> None:
    found = document(project / "ci.sh", f"{command}\n")
    assert specs(found) == []
    assert told(found) == [("TL902", 1)]


@pytest.mark.parametrize(
    ("command", "rules"),
    [
        ("bash missing.sh", ["TL901"]),
        ("bash /opt/missing.sh", []),
        ("curl -O https://example.org/get.sh && bash get.sh", []),
        ("git clone https://example.org/other && cd other && bash install.sh", []),
        ("source venv/bin/activate", []),
        ("bash $SCRIPT", ["TL902"]),
        ("source $VENV/bin/activate", []),
        ("bash", []),
        ("python install.sh", []),
        ("xargs rm < requirements.txt", []),
        ("pip freeze | xargs pip uninstall -y", []),
        ("find . -name '*.pyc' -exec rm {} +", []),
        ("cat <<EOF > install.txt\npip install torch==1.0\nEOF", []),
        ("echo pip install torch==1.0", []),
    ],
)
def test_what_installs_nothing_known_is_left_alone(project: Path, command: str, rules: list[str]) -> None:
    found = document(project / "ci.sh", f"{command}\n")
    assert specs(found) == []
    assert [rule for rule, _ in told(found)] == rules


def test_a_heredoc_of_a_shell_is_read(project: Path) -> None:
    text = (
        "FROM python:3.11\nRUN --mount=type=cache,target=/c <<EOF\npip install torch==2.5.1\nEOF\n"
        "RUN --mount=type=cache,target=/c bash -e <<'EOF'\npip install torchaudio==2.5.1\nEOF\nRUN echo done\n"
    )
    assert specs(document(project / "Dockerfile", text)) == [TORCH, AUDIO]
    found = document(
        project / "ci.sh", "bash <<EOF\npip install torch==2.5.1\nEOF\npip install torchaudio==2.5.1\n"
    )
    assert specs(found) == [TORCH, AUDIO]


def test_variables_of_an_image_and_of_a_sourced_script_are_known(project: Path) -> None:
    (project / "install.sh").write_text("pip install torch==$VERSION\n")
    image = "FROM python:3.11\nENV VERSION=2.5.1\nCOPY . .\nRUN bash install.sh\n"
    assert specs(document(project / "Dockerfile", image)) == [TORCH]
    assert specs(document(project / "ci.sh", ". ./env.sh\npip install torch==$VERSION\n")) == [TORCH]
    # A variable that is not exported is not that of another process.
    found = document(project / "ci.sh", "VERSION=2.4.1\nbash install.sh\n")
    assert specs(found) == []
    assert told(found) == [("TL902", 2)]


def test_the_folder_and_the_variables_of_another_process_end_with_it(project: Path) -> None:
    (project / "install.sh").write_text("cd scripts\nNAME=torchaudio\n")
    found = document(project / "ci.sh", "NAME=torch\nbash install.sh\npip install -r more.txt $NAME==2.5.1\n")
    assert specs(found) == [TORCH, VISION]


def test_branches_of_a_script_stay_apart(project: Path) -> None:
    found = document(project / "ci.sh", "bash scripts/branch.sh\n")
    assert {(entry.specifier, entry.scope) for entry in found.entries} == {
        ("==2.5.1", "group:branch.sh-line-1"),
        ("==2.4.1", "group:branch.sh-line-3"),
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('add() {\n  pip install "$@"\n}\nadd torch==2.5.1 torchaudio==2.5.1\n', [TORCH, AUDIO]),
        ("function add { pip install $*; }\nadd torch==2.5.1\nadd torchaudio==2.5.1\n", [TORCH, AUDIO]),
        (
            'add() {\n  pip install "torch==$1"\n  shift\n  pip install "${1}"\n}\nadd 2.5.1 torchaudio==2.5.1\n',
            [TORCH, AUDIO],
        ),
        ("add()\n{\n  local name=torch\n  pip install $name==$1\n}\nif true; then add 2.5.1; fi\n", [TORCH]),
        (
            'both() {\n  one torch "$@"\n}\none() {\n  pip install $1==$2\n}\nboth 2.5.1\none torchaudio 2.5.1\n',
            [TORCH, AUDIO],
        ),
        # A function that calls itself ends; one without arguments is taken where it is defined.
        ('add() {\n  pip install $1\n  add "$@"\n}\nadd torch==2.5.1\n', [TORCH]),
        ("add() {\n  pip install torch==2.5.1\n}\nadd\n", [TORCH]),
    ],
)
def test_a_function_is_followed_where_it_is_called(project: Path, text: str, wanted: list[str]) -> None:
    found = document(project / "ci.sh", text)
    assert specs(found) == wanted
    assert told(found) == []
    (project / "install.sh").write_text(text)
    assert specs(document(project / "Dockerfile", "FROM python:3.11\nCOPY . .\nRUN ./install.sh\n")) == wanted


def test_make_runs_other_targets_of_its_file(project: Path) -> None:
    (project / "Makefile").write_text(
        "all:\n\t$(MAKE) deps\n\ndeps: all\n\t${MAKE} all\n\tpip install torch==2.5.1\n"
    )
    assert specs(document(project / "Dockerfile", "FROM python:3.11\nCOPY . .\nRUN make all\n")) == [TORCH]


def test_the_words_of_a_call_can_be_fixed(project: Path) -> None:
    text = 'add() {\n  pip install "$@"\n}\nadd torch==2.5.1\n'
    [entry] = document(project / "ci.sh", text).entries
    assert entry.place.line == 4
    assert entry.version is not None
    assert text[slice(*entry.version)] == "==2.5.1"


def test_functions_of_a_script_are_unknown(project: Path) -> None:
    text = (
        "cpu() {\n  pip install torch==2.4.1\n}\nfunction gpu\n{\n  pip install torch==2.5.1\n}\n"
        "say() { echo pip; }\n  low () {\n    echo a\n  }\npip install torchaudio==2.5.1\n"
    )
    (project / "install.sh").write_text(text)
    found = document(project / "ci.sh", "source install.sh\n")
    assert specs(found) == [AUDIO]
    assert told(found) == [("TL902", 1)]
    (project / "install.sh").write_text(text.replace("pip install torch=", "echo torch=").replace("echo pip", ":"))
    assert told(document(project / "ci.sh", "source install.sh\n")) == []
    (project / "install.sh").write_text("main() {\n  pip install torch==2.4.1\n")  # it has no end
    assert specs(document(project / "ci.sh", "bash install.sh\n")) == []


def test_a_script_that_removes_a_package_removes_it(project: Path) -> None:
    (project / "install.sh").write_text("pip uninstall -y torch\npip install torchaudio==2.5.1\n")
    assert specs(document(project / "ci.sh", "pip install torch==2.1.0\nbash install.sh\n")) == [AUDIO]


def test_documents_show_scripts_and_run_none(project: Path) -> None:
    text = "```bash\npip install torch==2.4.1\nbash scripts/audio.sh\nmake install\n```\n"
    (project / "README.md").write_text(text, encoding="utf-8")
    assert Auditor(Options()).report(str(project / "README.md")).findings == []


def test_very_many_scripts_are_not_all_followed(project: Path) -> None:
    found = document(project / "ci.sh", "bash install.sh\n" * 300)
    assert len(found.entries) == 200
    assert {issue.rule for issue in found.issues} == {"TL902"}


@pytest.mark.parametrize("command", ["bash scripts/audio.sh", "make audio", "cat audio.txt | xargs pip install"])
def test_a_conflict_is_found_across_the_files(project: Path, command: str) -> None:
    (project / "audio.txt").write_text("torchaudio==2.5.1\n")
    path = project / "Dockerfile"
    text = f"FROM python:3.11\nCOPY . .\nRUN pip install torch==2.4.1 && {command}\n"
    path.write_text(text, encoding="utf-8")
    found = Auditor(Options()).report(str(path)).findings
    assert [(each.rule, each.severity) for each in found if each.severity != "note"] != []
    path.write_text(text.replace("2.4.1", "2.5.1"), encoding="utf-8")
    found = Auditor(Options()).report(str(path)).findings
    assert [(each.rule, each.severity) for each in found if each.severity != "note"] == []
