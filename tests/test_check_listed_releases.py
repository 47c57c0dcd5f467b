"""What pip lists and takes shows its Python and its machine, where a log may be of another environment."""

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

NONE = """\
ERROR: Could not find a version that satisfies the requirement {0} (from versions: {1})
ERROR: No matching distribution found for {0}
"""
PAGE = "https://download.pytorch.org/whl/cu121"
CONFLICT = """\
ERROR: Cannot install -r requirements.txt (line 7) and fairseq because these package versions have conflicting dependencies.

The conflict is caused by:
    fairseq 0.12.2 depends on {0}
    hydra-core 1.0.7 depends on {0}
"""  # noqa: E501 (as pip prints it)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment of Python 3.11 without torch."""
    folder = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    return folder


def first(site: Path, capsys: pytest.CaptureFixture[str], text: str, *words: str) -> tuple[str, str]:
    """The message and the remedy of the first finding about a log, beside an environment without torch."""
    report = run(capsys, "--path", site, *words, "--log", write(site.parent / "log", text))
    found = report["files"][0]["findings"][0]
    return found["message"], found["remedy"]["summary"]


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


PYTHONS = [
    ("torchaudio==0.8.1", "0.11.0, 0.11.0+cpu, 0.12.0, 0.12.1, 0.13.0, 0.13.1, 2.0.0, 2.0.1+cu118", "3.10", "3.9"),
    ("torch<=2.6", "2.9.0, 2.9.1, 2.10.0, 2.11.0, 2.12.0", "3.14", "3.13"),
    ("torch==1.13.1", "2.5.0, 2.5.1, 2.6.0", "3.13", "3.11"),
]


@pytest.mark.parametrize("words", [[], ["--platform", "linux-x86_64"]], ids=["machine unknown", "linux"])
@pytest.mark.parametrize(("asked", "listed", "python", "use"), PYTHONS, ids=[row[0] for row in PYTHONS])
def test_pip_lists_the_releases_of_another_python(
    asked: str,
    listed: str,
    python: str,
    use: str,
    words: list[str],
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    message, remedy = first(site, capsys, NONE.format(asked, listed), *words)
    assert f"{asked} has no wheel for Python {python}, on which the installer in the log runs" in message
    assert f"Use Python {use} " in remedy


def test_what_pip_lists_is_for_this_python(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = "1.13.0, 1.13.1, 2.0.0, 2.0.1, 2.1.0, 2.1.1, 2.1.2, 2.2.0"
    message, _ = first(site, capsys, NONE.format("torch==1.12.1", listed), "--platform", "linux-x86_64")
    assert "torch==1.12.1 has no wheel for Python 3.11 on Linux (x86_64)" in message


@pytest.mark.parametrize(
    "taken",
    [
        "Downloading torch-1.9.0-cp37-cp37m-manylinux2014_aarch64.whl (49.1 MB)",
        "#0 147.0   Using cached numpy-1.21.6-cp37-cp37m-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
    ],
)
def test_a_wheel_that_pip_took_shows_the_machine(
    taken: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"Collecting torch==1.9.0\n  {taken}\n{NONE.format('torchaudio==0.9.0', '0.10.0, 0.10.1, 0.11.0')}"
    message, remedy = first(site, capsys, text, "--platform", "linux-x86_64")
    assert message == "torchaudio 0.9.0 has no wheel for Linux (aarch64)"
    assert remedy.startswith("Install torchaudio 0.10.0")


def test_a_page_on_which_pip_sees_only_the_wheels_of_other_machines() -> None:
    (finding,) = judged(f"Looking in indexes: {PAGE}\n{NONE.format('torch==2.5.1+cu121', '1.13.1, 2.0.0, 2.0.1')}")
    assert "has wheels for Linux (x86_64) and Windows (amd64) only, and pip runs on another" in finding.message
    assert finding.remedy is not None
    assert "--platform linux/amd64" in finding.remedy.summary
    assert "torch==2.5.1 without the label" in finding.remedy.summary


def test_a_page_on_which_pip_sees_its_own_builds() -> None:
    text = f"Looking in indexes: {PAGE}\n{NONE.format('torch==2.5.1+cu121', '2.1.0+cu121, 2.2.0+cu121')}"
    assert "another machine" not in judged(text)[0].message


@pytest.mark.parametrize("asked", ["omegaconf<2.1", "pytorch-lightning<1.7,>=1.6"])
def test_a_conflict_that_follows_from_refused_metadata(asked: str) -> None:
    (finding,) = judged(CONFLICT.format(asked))
    assert finding.rule == "TL511"
    assert f"each release that it tried needs {asked}" in finding.message
    assert finding.remedy is not None
    assert 'python -m pip install "pip<24.1"' in finding.remedy.commands[0].line


def test_other_requirements_are_not_refused() -> None:
    (finding,) = judged(CONFLICT.format("omegaconf<2.0"))
    assert finding.rule == "TL527"
    assert "pip 24.1" not in finding.message


ARCHIVES = "0.1.2, 0.1.2.post1, 0.1.2.post2"


@pytest.mark.parametrize(
    ("asked", "use"),
    [("torch==1.5.0+cpu", "Use Python 3.6 to 3.8 of 64 bits"), ("torch", "Use a Python of 64 bits")],
)
def test_archives_alone_show_that_no_wheel_is_for_this_python(
    asked: str, use: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message, remedy = first(site, capsys, NONE.format(asked, ARCHIVES))
    assert message.startswith("pip lists no release of torch that has wheels, only archives of 2017 (0.1.2)")
    assert "3.11" not in message
    assert remedy.startswith(use)


def test_what_pip_lists_is_about_the_failure_of_uv_before_it() -> None:
    listed = "2.0.0, 2.0.1, 2.1.0, 2.1.1, 2.1.2, 2.2.0, 2.2.1, 2.2.2"
    text = (
        "error: Distribution `torch==2.5.1 @ registry+https://index.example.org/simple` can't be installed "
        "because it doesn't have a source distribution or wheel for the current platform\n\n"
        f"$ pip install torch==2.5.1\n{NONE.format('torch==2.5.1', listed)}\npython --version: Python 3.11.6\n"
    )
    finding = judged(text)[0]
    assert finding.message.startswith(
        "torch==2.5.1 has no wheel for macOS (x86_64), and 2.2.2, the newest release"
    )
    other = judged(text.replace("requirement torch==2.5.1", "requirement torch==2.6.0"))[0]
    assert "x86_64), and 2.2.2" not in other.message


@pytest.mark.parametrize(
    ("label", "page"), [("cu11", "cu118"), ("cu12", "cu129"), ("cu120", "cu121"), ("cu119", "cu118")]
)
def test_a_page_that_the_index_never_had(label: str, page: str) -> None:
    indexes = f"Looking in indexes: {PAGE.replace('cu121', label)}\n"
    finding = judged(indexes + NONE.format("torch", "none"))[0]
    assert finding.message == f"the PyTorch index has no page {label}, so that the installer saw no file at all"
    assert finding.remedy is not None
    assert f"/whl/{page}" in finding.remedy.summary


@pytest.mark.parametrize(
    "indexes", [PAGE, PAGE.replace("cu121", "cu999"), f"https://index.example.org/simple, {PAGE}1"]
)
def test_a_page_that_the_index_has_or_may_have(indexes: str) -> None:
    found = judged(f"Looking in indexes: {indexes}\n{NONE.format('torch', 'none')}")
    assert not any("has no page" in each.message for each in found)


def test_what_uv_says_of_a_page_that_never_was() -> None:
    said = "Because torch was not found in the package registry and you require torch, we can conclude"
    text = (
        "$ uv pip install torch --index-url https://download.pytorch.org/whl/{0}\n"
        f"  × No solution found when resolving dependencies:\n  ╰─▶ {said} that your "
        "requirements are unsatisfiable.\n"
    )
    assert judged(text.format("cu120"))[0].message.startswith("the PyTorch index has no page cu120, so")
    assert not any("has no page" in each.message for each in judged(text.format("cu121")))


@pytest.mark.parametrize(
    ("asked", "versions", "python"),
    [
        ("torchaudio==2.2.0 (from atrain-core)", "2.6.0", "3.13"),
        ("torch==2.0.1", "2.2.0, 2.2.0+cu118, 2.2.1, 2.2.1+cu118, 2.2.2, 2.2.2+cu118", "3.12"),
        ("torchaudio==2.8.0", "2.9.0, 2.9.1, 2.10.0", "3.14"),
    ],
)
@pytest.mark.parametrize(
    "option", ["--extra-index-url https://download.pytorch.org/whl/cu118", f"-f {PAGE}"], ids=["index", "links"]
)
def test_a_page_beside_the_public_index_does_not_replace_it(
    option: str, asked: str, versions: str, python: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JuergenFleiss/atrain_core issue 30: the releases that pip lists are also those of the public index."""
    text = f"$ pip install {asked.partition(' ')[0]} {option}\n" + NONE.format(asked, versions)
    message, remedy = first(site, capsys, text)
    assert f"has no wheel for Python {python}, on which the installer in the log runs" in message
    assert remedy.startswith("Use Python 3.")


def test_a_page_in_place_of_the_public_index_says_nothing_of_its_python(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"$ pip install torch==2.0.1 --index-url {PAGE}\n" + NONE.format("torch==2.0.1", "2.2.0, 2.2.1, 2.2.2")
    message, _ = first(site, capsys, text)
    assert "on which the installer in the log runs" not in message


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("k2==1.24.4.dev20250208+cuda12.4.torch2.5.1", "https://example.org/k2/cuda.html"),
        ("torch-scatter==2.1.2+pt25cu124", "https://example.org/whl/torch-2.5.0+cu124.html"),
        ("flash-attn==2.7.4+cu12torch2.5", ""),
    ],
)
def test_releases_without_the_label_are_not_offered_for_a_build(
    asked: str, page: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """k2-fsa/ZipVoice issue 15: the wheel was compiled for a torch, and those that pip lists for another one."""
    links = f"Looking in links: {page}\n" if page else ""
    text = f"$ pip install {asked}{' -f ' + page if page else ''}\n{links}" + NONE.format(asked, "1.0, 1.1, 1.2")
    message, remedy = first(site, capsys, text)
    assert message.startswith(f"pip found no file of {asked}")
    assert "newest is" not in remedy
    assert remedy.startswith(f"See on {page or 'the page of'}")
    assert "compile" in remedy
