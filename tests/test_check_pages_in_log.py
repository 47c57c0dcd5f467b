"""Installations in a log alone: a page without a package, an index without a build, a release without wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from torchlock.finding import Finding

PAGE = "https://download.pytorch.org/whl/cu132"
NONE = """\
ERROR: Could not find a version that satisfies the requirement {0} (from versions: {1})
ERROR: No matching distribution found for {0}
"""


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


def test_the_only_page_has_no_torchaudio() -> None:
    run = f"ERROR conda.cli.main_run: `conda run pip install --index-url {PAGE} torch torchaudio` failed."
    (finding,) = judged(
        f"Looking in indexes: {PAGE}\nCollecting torch\n{NONE.format('torchaudio', 'none')}{run}\n"
    )
    assert finding.rule == "TL205"
    assert f"the page {PAGE} has no torchaudio of the last releases" in finding.message
    assert finding.remedy is not None
    assert "/whl/cu130 torch torchaudio" in finding.remedy.commands[0].line


def test_a_page_that_has_the_package_is_not_blamed() -> None:
    page = PAGE.replace("cu132", "cu130")
    findings = judged(f"Looking in indexes: {page}\nCollecting torch\n{NONE.format('torchaudio', 'none')}")
    assert [each.rule for each in findings] == ["TL528"]


def test_an_index_without_labels_was_asked() -> None:
    (finding,) = judged(NONE.format("torch==1.13.1+cu116", "1.12.0, 1.12.1, 1.13.0, 1.13.1"))
    assert finding.rule == "TL507"
    assert finding.remedy is not None
    assert "https://download.pytorch.org/whl/cu116" in finding.remedy.summary
    assert "macOS" not in finding.message


def test_a_build_with_a_label_is_never_for_macos() -> None:
    (finding,) = judged(NONE.format("torch==1.13.1+cu116", "1.13.0+cpu, 1.13.1+cpu"))
    assert "macOS" not in finding.message


BUILD = """\
Requirement already satisfied: pip in /usr/local/lib/python{}/dist-packages (25.3)
  Using cached numpy-1.25.2.tar.gz (10.8 MB)
  error: subprocess-exited-with-error
  Getting requirements to build wheel ... error
ERROR: Failed to build 'numpy' when getting requirements to build wheel
"""


def test_a_release_without_wheels_for_the_python_of_the_log() -> None:
    (finding,) = judged(BUILD.format("3.12"))
    assert "numpy 1.25.2 has no wheel for Python 3.12" in finding.message
    assert finding.remedy is not None
    assert finding.remedy.summary.startswith("Use Python 3.11; or install numpy 1.26.0")
    (finding,) = judged(BUILD.format("3.11"))
    assert "has no wheel" not in finding.message


def test_pip_left_another_torch_beside_torchvision() -> None:
    (finding,) = judged(
        "torchvision 0.15.2 requires torch==2.0.1, but you have torch 2.0.0 which is incompatible.\n"
    )
    assert finding.rule == "TL609"
    assert finding.remedy is not None
    assert finding.remedy.summary.startswith("Install torchvision 0.15.1, which belongs to this torch; or")


TAKEN = "  Downloading {0}/torch-{1}%2B{2}-cp312-cp312-linux_x86_64.whl (2662.1 MB)\n"


def test_a_page_that_had_torch_for_this_python() -> None:
    page = "https://download.pytorch.org/whl/rocm6.1"
    log = f"Looking in indexes: {page}\nCollecting torch\n{TAKEN.format(page, '2.4.0', 'rocm6.1')}"
    (finding,) = judged(log + NONE.format("torchaudio", "none"))
    assert finding.rule == "TL205"
    assert "it had torch 2.4.0 for them, so neither is the reason" in finding.message
    assert finding.remedy is not None
    assert "torchaudio 2.4.0+rocm6.1" in finding.remedy.summary
    assert "not certain" in finding.remedy.summary  # The table of that page states no Pythons.


def test_torch_of_another_index_shows_nothing() -> None:
    page = "https://download.pytorch.org/whl/rocm6.1"
    log = f"Looking in indexes: {page}\n{TAKEN.format('https://download.pytorch.org/whl/cpu', '2.4.0', 'cpu')}"
    (finding,) = judged(log + NONE.format("torchaudio", "none"))
    assert "neither is the reason" not in finding.message


def of_uv(own: str, tags: str) -> str:
    return (
        "error: Distribution `torch==2.5.1 @ registry+https://download.pytorch.org/whl/cu124` can't be installed "
        "because it doesn't have a source distribution or wheel for the current platform\n\n"
        f"hint: You're on {own}, but `torch` (v2.5.1) only has wheels for the following platform: {tags}\n"
    )


def test_the_wheels_without_a_label_are_for_other_platforms() -> None:
    for own, words in (("Windows (`win_amd64`)", "for Windows"), ("Linux (`manylinux_2_31_x86_64`)", "for Linux")):
        (finding,) = judged(of_uv(own, "`linux_aarch64`"))
        assert finding.rule == "TL212"
        assert "the wheels of torch==2.5.1 without a label are those for linux_aarch64" in finding.message
        assert finding.remedy is not None
        assert f"torch==2.5.1+cu124 {words}" in finding.remedy.summary


def test_a_platform_for_which_the_page_has_no_build() -> None:
    (finding,) = judged(of_uv("macOS (`macosx_14_0_arm64`)", "`linux_aarch64`"))
    assert "torch==2.5.1+cu124" not in finding.message


def test_the_oldest_release_that_pip_lists_shows_the_python() -> None:
    for pin, offered, python, other in (
        ("torch==2.1.2", "2.2.0", "3.12", "3.11"),
        ("torch==2.1.2", "2.2.0, 2.2.1, 2.2.2, 2.3.0", "3.12", "3.11"),
        ("torch==1.13.1", "2.5.0, 2.5.1, 2.6.0", "3.13", "3.11"),
        ("torch==1.13.0", "2.0.0, 2.0.1, 2.1.0", "3.11", "3.10"),
    ):
        (finding,) = judged(NONE.format(pin, offered))
        assert finding.rule == "TL403"
        assert f"{pin} has no wheel for Python {python}" in finding.message
        assert "on which the installer in the log runs" in finding.message
        assert finding.remedy is not None
        assert f"Use Python {other} " in finding.remedy.summary


def test_releases_of_several_pythons_show_none() -> None:
    for offered in ("2.3.1", "2.2.0, 9.9.9"):
        (finding,) = judged(NONE.format("torch==2.1.2", offered))
        assert "on which the installer in the log runs" not in finding.message
