"""Files that led to public failures: the cause that audit names, the remedy, and that the fixed file is clean.

Each address is the report whose file or versions stand here. The others were staged after one of the same kind.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

BOTH = ("error", "warning")


class Failure(NamedTuple):
    """A file, and what audit owes it: the rule on a line, a part of its message, and the text after ``--fix``.

    ``after`` is None if the remedy is words: ``remedy`` is a part of them, ``by_hand`` the text that follows them.
    """

    name: str
    before: str
    rule: str
    line: int
    says: str
    after: str | None
    remedy: str = ""
    by_hand: str = ""


@cache
def auditor() -> Auditor:
    return Auditor()


def faults(path: Path) -> list[Finding]:
    report = auditor().report(str(path))
    assert report.error is None
    return [finding for finding in report.findings if finding.severity in BOTH]


FAILURES = {
    "speechbrain brings a torchaudio that is too new": Failure(
        "requirements.txt",
        "torch==2.7.1\nspeechbrain==1.0.3\n",
        "TL101",
        2,
        "speechbrain 1.0.3 declares torchaudio: an installer takes torch 2.7.1 and torchaudio 2.11",
        "torch==2.7.1\ntorchaudio==2.7.1\nspeechbrain==1.0.3\n",
    ),
    "silero-vad, in a script, with Windows line ends and a marker": Failure(
        "requirements.txt",
        'torch==2.7.1 ; python_version > "3.9"  # fixed\r\nsilero-vad==6.2.0\r\n',
        "TL101",
        2,
        "silero-vad 6.2.0 declares torchaudio>=0.12.0",
        'torch==2.7.1 ; python_version > "3.9"  # fixed\r\ntorchaudio==2.7.1 ; python_version > "3.9"\r\n'
        "silero-vad==6.2.0\r\n",
    ),
    "a command of a shell": Failure(
        "install.sh",
        "pip install torch==2.7.1 speechbrain==1.0.3\n",
        "TL101",
        1,
        "speechbrain 1.0.3 declares torchaudio",
        "pip install torch==2.7.1 torchaudio==2.7.1 speechbrain==1.0.3\n",
    ),
    "https://github.com/m-bain/whisperX/issues/940: a package of a package brings it": Failure(
        "requirements.txt",
        "whisperx==3.3.1\ntorch==2.5.1\n",
        "TL101",
        1,
        "whisperx 3.3.1 declares torchaudio>=2",
        "whisperx==3.3.1\ntorch==2.5.1\ntorchaudio==2.5.1\n",
        # With torch 2.5.1, the cuDNN of its ctranslate2 is another one (TL207).
        by_hand="whisperx==3.3.1\ntorch==2.3.1\ntorchaudio==2.3.1\nnumpy<2\n",
    ),
    "xformers pins torch, and torchaudio has no bound": Failure(
        "requirements.txt",
        "xformers==0.0.29.post3\ntorchaudio\n",
        "TL101",
        2,
        "xformers 0.0.29.post3 declares torch==2.6.0",
        "xformers==0.0.29.post3\ntorchaudio==2.6.0\n",
    ),
    "a project: words, because no line of it is certain": Failure(
        "pyproject.toml",
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10,<3.11"\n'
        'dependencies = ["torch==2.7.1", "speechbrain==1.0.3"]\n',
        "TL101",
        5,
        "speechbrain 1.0.3 declares torchaudio",
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10,<3.11"\n'
        # This removes the other warning, TL701.
        'dependencies = ["torch==2.7.1", "speechbrain==1.1.0"]\n',
        "Add torchaudio==2.7.1.",
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10,<3.11"\n'
        'dependencies = ["torch==2.7.1", "torchaudio==2.7.1", "speechbrain==1.0.3"]\n',
    ),
    "https://github.com/sinhat98/adapter-wavlm/issues/5": Failure(
        "requirements.txt",
        "torch==1.12.0\ntorchaudio==0.12.0\nspeechbrain==0.5.11\nnumpy<2\n",
        "TL530",
        3,
        "speechbrain 0.5.11 declares torch>=1.7,<=1.11, and this file asks for torch 1.12.0",
        "torch==1.12.0\ntorchaudio==0.12.0\nspeechbrain==0.5.13\nnumpy<2\n",
    ),
    "https://github.com/joonaskalda/PixIT/issues/3": Failure(
        "requirements.txt",
        "whisperx==3.1.5\npyannote.audio==3.3.0\ntorch==2.3.1\ntorchaudio==2.3.1\nnumpy==1.26.4\n",
        "TL530",
        2,
        "whisperx 3.1.5 declares pyannote-audio==3.1.1",
        "whisperx==3.1.5\npyannote.audio==3.1.1\ntorch==2.3.1\ntorchaudio==2.3.1\nnumpy==1.26.4\n",
    ),
    "cuDNN of another torch": Failure(
        "requirements.txt",
        "torch==2.6.0\nnvidia-cudnn-cu12==8.9.2.26\n",
        "TL530",
        2,
        "torch 2.6.0 declares nvidia-cudnn-cu12==9.1.0.70",
        "torch==2.6.0\nnvidia-cudnn-cu12==9.1.0.70\n",
    ),
    "triton of another torch": Failure(
        "requirements.txt",
        "torch==2.6.0\ntriton==2.1.0\n",
        "TL530",
        2,
        "torch 2.6.0 declares triton==3.2.0",
        "torch==2.6.0\ntriton==3.2.0\n",
    ),
    "sympy that torch does not accept": Failure(
        "requirements.txt",
        "torch==2.6.0\nsympy==1.12\n",
        "TL530",
        2,
        "torch 2.6.0 declares sympy==1.13.1",
        "torch==2.6.0\nsympy==1.13.1\n",
    ),
    "a build of the PyTorch index has other CUDA libraries": Failure(
        "requirements.txt",
        "--extra-index-url https://download.pytorch.org/whl/cu124\ntorch==2.5.1+cu124\nnvidia-cudnn-cu12==8.9.7.29\n",
        "TL530",
        3,
        "torch 2.5.1+cu124 declares nvidia-cudnn-cu12==9.1.0.70",
        "--extra-index-url https://download.pytorch.org/whl/cu124\ntorch==2.5.1+cu124\nnvidia-cudnn-cu12==9.1.0.70\n",
    ),
    "numba and llvmlite": Failure(
        "requirements.txt",
        "librosa==0.10.2\nnumba==0.60.0\nllvmlite==0.40.0\nnumpy==1.26.4\n",
        "TL530",
        3,
        "numba 0.60.0 declares llvmlite>=0.43.0dev0,<0.44",
        "librosa==0.10.2\nnumba==0.60.0\nllvmlite==0.43.0\nnumpy==1.26.4\n",
    ),
    "https://github.com/mbzuai-oryx/Video-LLaVA/issues/9: two packages declare different tritons": Failure(
        "requirements.txt",
        "torch==2.1.0\ntorchaudio==2.1.0\nopenai-whisper==20230314\nnumpy<2\n",
        "TL530",
        3,
        "torch 2.1.0 declares triton==2.1.0, and openai-whisper 20230314 declares triton==2.0.0",
        "torch==2.1.0\ntorchaudio==2.1.0\nopenai-whisper==20231117\nnumpy<2\n",
    ),
    "two packages pin different torches": Failure(
        "requirements.txt",
        "xformers==0.0.28.post1\nchatterbox-tts==0.1.2\ntorchaudio==2.6.0\n",
        "TL530",
        2,
        "xformers 0.0.28.post1 declares torch==2.4.1, and chatterbox-tts 0.1.2 declares torch==2.6.0",
        "xformers==0.0.29.post2\nchatterbox-tts==0.1.2\ntorchaudio==2.6.0\n",
    ),
    "https://github.com/neonbjb/tortoise-tts: setup.py of the newest commit": Failure(
        "setup.py",
        "from setuptools import setup\nsetup(name='a', version='1', install_requires=[\n"
        "    'transformers==4.31.0',\n    'tokenizers==0.14.0',\n    'torch',\n])\n",
        "TL530",
        4,
        "transformers 4.31.0 declares tokenizers>=0.11.1,!=0.11.3,<0.14",
        "from setuptools import setup\nsetup(name='a', version='1', install_requires=[\n"
        "    'transformers==4.34.0',\n    'tokenizers==0.14.0',\n    'torch',\n])\n",
    ),
    "every release of a range excludes the pinned torch": Failure(
        "requirements.txt",
        "pyannote.audio>=4\ntorch==2.6.0\ntorchaudio==2.6.0\n",
        "TL530",
        1,
        "every release that pyannote-audio>=4 allows (as of ",
        "pyannote.audio==3.4.0\ntorch==2.6.0\ntorchaudio==2.6.0\n",
    ),
    "https://github.com/pytorch/pytorch/issues/42353": Failure(
        "requirements.txt",
        "pytorch==2.1.0\ntorchaudio==2.1.0\nnumpy<2\n",
        "TL531",
        1,
        "pytorch cannot be installed: the name is torch",
        "torch==2.1.0\ntorchaudio==2.1.0\nnumpy<2\n",
    ),
    "https://github.com/chrisfreilich/virtuoso-nodes/issues/11": Failure(
        "requirements.txt",
        "torch\ncv2\n",
        "TL531",
        2,
        "cv2 cannot be installed: the name is opencv-python",
        "torch\nopencv-python\n",
    ),
    "https://github.com/lllyasviel/ControlNet/issues/147": Failure(
        "requirements.txt",
        "torch\ncudatoolkit==11.3\n",
        "TL531",
        2,
        "cudatoolkit cannot be installed by pip",
        None,
        "Remove cudatoolkit.",
        "torch\n",
    ),
    "https://github.com/graphite-project/whisper/issues/324": Failure(
        "requirements.txt",
        "torch\nwhisper\n",
        "TL532",
        2,
        "whisper is another project: the name is openai-whisper",
        "torch\nopenai-whisper\n",
    ),
    "https://github.com/scikit-learn/sklearn-pypi-package/issues/12": Failure(
        "requirements.txt",
        "torch\nsklearn\n",
        "TL532",
        2,
        "sklearn is another project: the name is scikit-learn",
        "torch\nscikit-learn\n",
    ),
    "https://github.com/kkroening/ffmpeg-python/issues/174": Failure(
        "requirements.txt",
        "torch\nffmpeg\nffmpeg-python\n",
        "TL532",
        2,
        "ffmpeg and ffmpeg-python install the same module",
        None,
        "Remove ffmpeg.",
        "torch\nffmpeg-python\n",
    ),
    "https://github.com/pytorch/audio/issues/545": Failure(
        "requirements.txt",
        "torch==2.8.0\ntorchaudio_nightly\n",
        "TL532",
        2,
        "torchaudio-nightly is another project: the name is torchaudio",
        "torch==2.8.0\ntorchaudio<2.9\n",
    ),
    "https://github.com/kuleshov-group/bd3lms/issues/11": Failure(
        "environment.yml",
        "channels:\n  - pytorch\n  - nvidia\ndependencies:\n  - python=3.10\n  - pytorch=2.6\n",
        "TL240",
        6,
        "the channel pytorch has no torch 2.6: its last release is 2.5.1",
        None,
        "Add the channel conda-forge, or use torch 2.5.1.",
        "channels:\n  - conda-forge\n  - nvidia\ndependencies:\n  - python=3.10\n  - pytorch=2.6\n",
    ),
    "https://github.com/mhpi/hydroDL/issues/24": Failure(
        "environment.yml",
        "channels:\n  - pytorch\n  - nvidia\ndependencies:\n  - pytorch=2.0.1\n  - torchaudio=2.0.2\n"
        "  - pytorch-cuda=12.1\n",
        "TL204",
        7,
        "the channel pytorch has torch 2.0.1 for CUDA 11.7 and 11.8, not for pytorch-cuda=12.1",
        "channels:\n  - pytorch\n  - nvidia\ndependencies:\n  - pytorch=2.0.1\n  - torchaudio=2.0.2\n"
        "  - pytorch-cuda=11.8\n",
    ),
    "pip takes the newest torchaudio beside the torch of conda": Failure(
        "environment.yml",
        "channels:\n  - pytorch\ndependencies:\n  - python=3.10\n  - pytorch=2.5.1\n  - pip:\n    - torchaudio\n",
        "TL101",
        7,
        "pip takes torchaudio 2.11",
        None,
        "List torchaudio among the conda packages",
        "channels:\n  - pytorch\ndependencies:\n  - python=3.10\n  - pytorch=2.5.1\n  - torchaudio=2.5.1\n",
    ),
    "https://github.com/pytorch/audio/issues/3335: torch of conda-forge, torchaudio of pip": Failure(
        "environment.yml",
        "channels:\n  - conda-forge\ndependencies:\n  - python=3.10\n  - pytorch=2.4.1\n  - pip:\n"
        "    - torchaudio==2.4.1\n",
        "TL203",
        7,
        "torchaudio 2.4.1 of pip is not built for torch 2.4.1 of conda-forge",
        None,
        "List torchaudio among the conda packages",
        "channels:\n  - conda-forge\ndependencies:\n  - python=3.10\n  - pytorch=2.4.1\n  - torchaudio=2.4.1\n",
    ),
    "https://github.com/pytorch/audio/issues/3269": Failure(
        "environment.yml",
        "channels:\n  - conda-forge\n  - pytorch\ndependencies:\n  - python=3.10\n  - pytorch=2.0.0\n"
        "  - torchaudio=2.0.1\n  - ffmpeg>5\n",
        "TL203",
        7,
        "conda takes torch 2.0.0 from conda-forge, and torchaudio 2.0.1 from the channel pytorch",
        None,
        "List the channel pytorch before conda-forge",
        "channels:\n  - pytorch\n  - conda-forge\ndependencies:\n  - python=3.10\n  - pytorch=2.0.0\n"
        "  - torchaudio=2.0.1\n  - ffmpeg>5\n",
    ),
    "conda-forge builds torchaudio since 2.4.1": Failure(
        "environment.yml",
        "channels:\n  - conda-forge\ndependencies:\n  - pytorch=2.1.0\n  - torchaudio=2.1.0\n",
        "TL240",
        5,
        "the channel conda-forge has no torchaudio 2.1.0: as of 2026-11-29 it has 2.4.1, 2.5.1",
        None,
        "Use torch and torchaudio from the channel pytorch",
        "channels:\n  - pytorch\n  - conda-forge\ndependencies:\n  - pytorch=2.1.0\n  - torchaudio=2.1.0\n",
    ),
    "the first channel of pixi": Failure(
        "pixi.toml",
        '[workspace]\nchannels = ["conda-forge", "pytorch"]\nplatforms = ["linux-64"]\n[dependencies]\n'
        'pytorch = "==2.1.0"\ntorchaudio = "==2.1.0"\n',
        "TL240",
        6,
        "the channel conda-forge has no torchaudio 2.1.0",
        None,
        "Use torch and torchaudio from the channel pytorch",
        '[workspace]\nchannels = ["conda-forge", "pytorch"]\nplatforms = ["linux-64"]\n[dependencies]\n'
        'pytorch = { version = "==2.1.0", channel = "pytorch" }\n'
        'torchaudio = { version = "==2.1.0", channel = "pytorch" }\n',
    ),
    "a command with strict channels": Failure(
        "install.sh",
        "conda config --set channel_priority strict\n"
        "conda create -n a -c conda-forge -c pytorch pytorch==2.1.0 torchaudio==2.1.0\n",
        "TL240",
        2,
        "the channel conda-forge has no torchaudio 2.1.0",
        None,
        "Use torch and torchaudio from the channel pytorch",
        "conda config --set channel_priority strict\n"
        "conda create -n a -c pytorch -c conda-forge pytorch==2.1.0 torchaudio==2.1.0\n",
    ),
    "conda-forge has one torchaudio for Windows": Failure(
        "pixi.toml",
        '[workspace]\nchannels = ["conda-forge"]\nplatforms = ["win-64"]\n[dependencies]\n'
        'pytorch = "==2.8.0"\ntorchaudio = "==2.8.0"\n',
        "TL240",
        6,
        "the channel conda-forge has no torchaudio 2.8.0 for windows-amd64",
        None,
        "Install torch and torchaudio with pip there",
        '[workspace]\nchannels = ["conda-forge"]\nplatforms = ["win-64"]\n[dependencies]\n'
        'pytorch = "==2.9.1"\ntorchaudio = "==2.9.1"\n',
    ),
    "a command of conda, and the last release of its channel": Failure(
        "install.sh",
        "conda install pytorch==2.6.0 -c pytorch -c nvidia\n",
        "TL240",
        1,
        "the channel pytorch has no torch 2.6.0",
        None,
        "Add the channel conda-forge",
        "conda install pytorch==2.6.0 -c conda-forge\n",
    ),
    "conda-forge builds torchaudio 2.7 for CUDA 12": Failure(
        "pixi.toml",
        '[workspace]\nchannels = ["conda-forge"]\nplatforms = ["linux-64"]\n[dependencies]\n'
        'torchaudio = "==2.7.1"\n[dependencies.pytorch]\nversion = "==2.7.1"\nbuild = "*cuda118*"\n',
        "TL204",
        5,
        "the channel conda-forge builds torchaudio 2.7.1 for CUDA 12.6",
        None,
        "Use one of these CUDA versions",
        '[workspace]\nchannels = ["conda-forge"]\nplatforms = ["linux-64"]\n[dependencies]\n'
        'torchaudio = "==2.7.1"\n[dependencies.pytorch]\nversion = "==2.7.1"\nbuild = "*cuda126*"\n',
    ),
    "one pin and two bare names": Failure(
        "install.sh",
        "pip install torchaudio torch==2.8.0 torchcodec --extra-index-url=https://download.pytorch.org/whl/cu128\n",
        "TL101",
        1,
        "an installer takes torch 2.8.0 and torchaudio 2.11",
        'pip install "torchaudio<2.9" torch==2.8.0 "torchcodec<0.8" '
        "--extra-index-url=https://download.pytorch.org/whl/cu128\n",
    ),
}


def of(rule: str) -> list[object]:
    """The failures of one rule."""
    return [pytest.param(failure, id=name) for name, failure in FAILURES.items() if failure.rule == rule]


@pytest.mark.triggers("TL101")
@pytest.mark.parametrize("failure", of("TL101"))
def test_a_companion_that_a_package_brings(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


@pytest.mark.triggers("TL530")
@pytest.mark.parametrize("failure", of("TL530"))
def test_pins_that_a_package_excludes(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


@pytest.mark.triggers("TL531")
@pytest.mark.parametrize("failure", of("TL531"))
def test_names_that_cannot_be_installed(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


@pytest.mark.triggers("TL532")
@pytest.mark.parametrize("failure", of("TL532"))
def test_names_of_another_project(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


@pytest.mark.triggers("TL240")
@pytest.mark.parametrize("failure", of("TL240"))
def test_releases_that_a_channel_of_conda_does_not_have(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


@pytest.mark.parametrize("failure", [*of("TL204"), *of("TL203")])
def test_builds_of_conda(failure: Failure, tmp_path: Path) -> None:
    prove(failure, tmp_path)


def prove(failure: Failure, tmp_path: Path) -> None:
    """The finding is there, its remedy is right, and nothing is left after it."""
    path = tmp_path / failure.name
    path.write_bytes(failure.before.encode())
    found = [finding for finding in faults(path) if finding.rule == failure.rule]
    assert failure.line in {finding.place.line for finding in found}
    first = next(finding for finding in found if finding.place.line == failure.line)
    assert failure.says in first.message
    assert first.remedy is not None
    assert failure.remedy in first.remedy.summary
    after = auditor().fixed(str(path), BOTH)
    assert (after and after.decode()) == failure.after
    path.write_bytes((failure.by_hand or failure.after or "").encode())
    assert faults(path) == []


LEFT_ALONE = {
    "a dependent with a bound that fits": ("requirements.txt", "torch==2.8.0\nwhisperx==3.7.4\n"),
    "the newest release of a dependent does not declare torchaudio": (
        "requirements.txt",
        "torch==2.7.1\nsilero-vad\n",
    ),
    "the file bounds what the dependent brings": (
        "requirements.txt",
        "torch==2.7.1\ntorchaudio==2.7.1\nspeechbrain==1.0.3\n",
    ),
    "a torch that the newest torchaudio loads with": ("requirements.txt", "torch==2.13.0\nspeechbrain==1.1.0\n"),
    "dependencies are not installed": (
        "install.sh",
        "pip install torch==2.6.0 torchaudio==2.6.0\npip install --no-deps whisperx==3.7.4\n",
    ),
    "another command installs what the first one asked for": (
        "install.sh",
        "pip install sympy==1.12\npip install torch==2.6.0 torchaudio==2.6.0\n",
    ),
    "a release whose requirements are not known": ("requirements.txt", "torch==2.7.1\ns3prl==0.3.1\n"),
    "pins that fit": (
        "requirements.txt",
        "torch==2.6.0\nsympy==1.13.1\ntriton==3.2.0\nnvidia-cudnn-cu12==9.1.0.70\n",
    ),
    "a marker keeps them apart": (
        "requirements.txt",
        'torch==2.6.0 ; sys_platform == "win32"\nnvidia-cudnn-cu12==8.9.7.29 ; sys_platform == "linux"\n',
    ),
    "an override": (
        "pyproject.toml",
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10,<3.11"\n'
        'dependencies = ["torch==2.6.0", "torchaudio==2.6.0", "sympy==1.12"]\n'
        '[tool.uv]\noverride-dependencies = ["sympy==1.13.1"]\n',
    ),
    "conda has pytorch under this name": (
        "environment.yml",
        "channels: [conda-forge]\ndependencies:\n  - pytorch=2.4.0\n  - cudatoolkit=11.8\n  - ffmpeg\n",
    ),
    "conda-forge has later releases": (
        "environment.yml",
        "channels: [pytorch, conda-forge]\ndependencies:\n  - pytorch=2.7\n  - torchaudio=2.7\n",
    ),
    "the last release of the channel, with a build that it has": (
        "environment.yml",
        "channels: [pytorch, nvidia]\ndependencies:\n  - pytorch=2.5.1\n  - torchaudio=2.5.1\n"
        "  - pytorch-cuda=12.4\n",
    ),
    "conda-forge has both": (
        "environment.yml",
        "channels: [conda-forge, pytorch]\ndependencies:\n  - pytorch=2.4.1\n  - torchaudio=2.4.1\n",
    ),
    "the channel pytorch comes first": (
        "environment.yml",
        "channels: [pytorch, nvidia, conda-forge]\ndependencies:\n  - pytorch=2.1.0\n  - torchaudio=2.1.0\n",
    ),
    "a channel of its own": (
        "environment.yml",
        "channels: [conda-forge]\ndependencies:\n  - pytorch::pytorch=2.1.0\n  - pytorch::torchaudio=2.1.0\n",
    ),
    "a build string of the channel pytorch": (
        "environment.yml",
        "channels: [conda-forge, pytorch]\ndependencies:\n  - pytorch=2.0.1=py3.10_cuda11.7_cudnn8.5.0_0\n"
        "  - torchaudio=2.0.2\n",
    ),
    "a channel that no table knows comes first": (
        "environment.yml",
        "channels: [anaconda, conda-forge]\ndependencies:\n  - pytorch=2.1.0\n  - torchaudio=2.1.0\n",
    ),
    "pixi without strict priority": (
        "pixi.toml",
        '[workspace]\nchannels = ["pytorch", "conda-forge"]\nchannel-priority = "disabled"\n'
        'platforms = ["linux-64"]\n[dependencies]\npytorch = "==2.1.0"\ntorchaudio = "==2.1.0"\n',
    ),
    "whisper from its repository": (
        "requirements.txt",
        "torch\nwhisper @ git+https://github.com/openai/whisper.git\n",
    ),
    "whisper of Graphite": ("requirements.txt", "whisper==1.1.10\ncarbon==1.1.10\n"),
    "an old sklearn that installs": ("requirements.txt", "torch\nsklearn==0.0\n"),
    "ffmpeg alone": ("requirements.txt", "torch\nffmpeg==1.4\n"),
}


@pytest.mark.triggers("TL530")
@pytest.mark.parametrize("other", ["pip install --no-deps -e .", "uv pip install --no-deps nemo_toolkit"])
def test_an_option_concerns_only_its_own_command(other: str, tmp_path: Path) -> None:
    path = tmp_path / "install.sh"
    path.write_text(f"{other}\npip install torch==2.6.0 whisperx==3.7.4\n", encoding="utf-8")
    assert [(each.rule, each.place.line) for each in faults(path)] == [("TL530", 2)]


@pytest.mark.leaves_alone("TL530", "TL531", "TL532", "TL101", "TL240")
@pytest.mark.parametrize(("name", "text"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_works_is_left_alone(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert faults(path) == []
