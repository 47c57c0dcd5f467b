"""Which project an installer's failure is about, and whose hash it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import bad, run
from support.site_folder import install, write
from torchlock.check.installer_log import read_installation
from torchlock.check.log import read_log

if TYPE_CHECKING:
    from pathlib import Path

COLLECTED = (
    "Collecting torch>=2.5.1\n  Downloading torch-2.8.0-cp310-cp310-manylinux_2_28_x86_64.whl (888.1 MB)\n"
    "Collecting nvidia-cublas-cu12\n  Downloading nvidia_cublas_cu12-12.8-py3-none-any.whl (594 MB)\n"
    "Collecting tqdm>=4.65\n  Downloading tqdm-4.67.1-py3-none-any.whl (78 kB)\n"
)
INSTALLING = "Installing collected packages: tqdm, nvidia-cublas-cu12, torch\n"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    return folder


def summary(site: Path, capsys: pytest.CaptureFixture[str], text: str, rule: str) -> str:
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", write(site.parent / "log", text))
    assert [found for _, found in bad(report)] == [rule]
    return str(report["summary"])


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (f"{COLLECTED}{FULL}\n", "tqdm>=4.65"),
        (
            f"{COLLECTED}{INSTALLING}{FULL}: '/v/lib/python3.10/site-packages/torch/lib/libtorch.so'\n",
            "torch>=2.5.1",
        ),
        (
            f"{COLLECTED}{INSTALLING}{FULL}: '/v/site-packages/nvidia/cublas/lib/libcublas.so'\n",
            "nvidia-cublas-cu12",
        ),
        (
            f"{COLLECTED}{INSTALLING}{FULL}: 'C:\\\\v\\\\Lib\\\\site-packages\\\\torch\\\\lib\\\\c10.dll'\n",
            "torch>=2.5.1",
        ),
        (f"{COLLECTED}{INSTALLING}{FULL}\n", ""),
        (f"{COLLECTED}{INSTALLING}{FULL}: '/tmp/x/site-packages/other/data.bin'\n", ""),
        (f"{COLLECTED}Installing collected packages: torch\n{FULL}\n", "torch>=2.5.1"),
    ],
)
def test_the_path_names_the_project_that_was_written(
    log: str, told: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f" while it installed {told}" if told else ""
    said = f"no space was left on a disk{where}; the packages are not at fault"
    assert summary(site, capsys, log, "TL522") == said


def test_without_memory_while_all_are_installed_no_project_is_named(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = f"$ pip install torch\n{COLLECTED}{INSTALLING}Killed\n"
    assert summary(site, capsys, log, "TL523") == "the installer ran out of memory; the packages are not at fault"


@pytest.mark.parametrize(
    "bar",
    [
        "     ━━━━━━━━━━━━━━━━━━━━━━━━━━╸ 776.3/776.3 MB 124.7 MB/s eta 0:00:01Killed",
        "    99% |████████████████████████████████| 360.3MB 32.1MB/s eta 0:00:01Killed",
        "     |████████████████████████████████| 776.3 MB 12 kB/s Killed",
        "pytorch-2.0.1        | 1.21 GB   | ##########9 |  99%Killed",
        "     ━━━━━━━━━━━━━━━━━━ 1.2/2.0 GB 40 MB/s eta -:--:-- Killed",
    ],
)
def test_the_shell_writes_killed_behind_the_bar(bar: str) -> None:
    """https://github.com/Sanster/IOPaint/issues/77"""
    log = read_log(f"$ pip install torch\nCollecting torch\n  Downloading torch-1.12.1-py3-none-any.whl\n{bar}\n")
    assert log.first is not None and log.first.rules[0] == "TL523"


@pytest.mark.parametrize(
    "line", ["rate 12 MB/s, UnKilled", "processes: 5%, Killed: 0", "eta of the job: Killed jobs"]
)
def test_other_words_are_not_the_shell(line: str) -> None:
    assert read_log(f"{line}\n").first is None


MISMATCH = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package …
    {0} from https://example.org/whl/{1}{2}:
        Expected sha256 8ee0514d2cddf2b615ce0a85415d9c98f99e98cbd185c22d2a23e2d849dce06e
             Got        0bf6ad5fc142196eb0559a44a47b9787e97a7777df9140f74474f262aa17fe9f
"""
NIGHTLY = ("torchvision", "torchvision-0.22.0.dev20250422%2Bcu128-cp310-cp310-manylinux_2_28_x86_64.whl")
CUDNN = ("nvidia-cudnn-cu12", "nvidia_cudnn_cu12-9.1.0.70-py3-none-manylinux2014_x86_64.whl")
SOUNDFILE = ("soundfile", "soundfile-0.99.0-py2.py3-none-any.whl")


@pytest.mark.parametrize(
    ("start", "file", "of", "rule", "said"),
    [
        ("$ pip install --pre torchvision", NIGHTLY, "", "TL520", "or a later file replaced it on the page"),
        ("$ pip install torch", CUDNN, "", "TL520", "did not arrive as the index has it: the download"),
        ("$ pip install soundfile", SOUNDFILE, "", "TL520", "did not arrive as the index has it: the download"),
        ("Collecting soundfile", SOUNDFILE, "", "TL509", "that the requirements or the index state for it"),
        ("$ pip install -r r.txt", SOUNDFILE, "", "TL509", "is not one of those that the requirements list"),
        ("Collecting x", SOUNDFILE, " (from -r r.txt (line 2))", "TL509", "that the requirements list for it"),
        ("$ pip install --require-hashes x", CUDNN, "", "TL509", "that the requirements list for it"),
    ],
)
def test_whose_hash_it_is(
    start: str,
    file: tuple[str, str],
    of: str,
    rule: str,
    said: str,
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """https://github.com/pytorch/pytorch/issues/152009"""
    log = f"{start}\nCollecting {file[0]}\n{MISMATCH.format(*file, of)}"
    assert said in summary(site, capsys, log, rule)


def test_an_archive_is_not_named_while_all_are_installed() -> None:
    text = f"{COLLECTED}{INSTALLING}{FULL}\n"
    assert read_installation(text, text.count("\n")).file == ""
