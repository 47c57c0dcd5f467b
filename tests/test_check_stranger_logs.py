"""Failures of public threads that no rule had met: tools with their own Python, GPUs of other vendors, twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.check import by_log
from torchlock.check.dependent_wheels import places_in_words
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from support.ground import Ground
    from torchlock.finding import Finding

FRAME = '  File "{}/site-packages/{}/run.py", line 74, in choose_for\n'
POETRY = "  at {}/site-packages/poetry/installation/chooser.py:74 in choose_for\n"


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


# The Python of a tool.


@pytest.mark.parametrize(
    "line",
    [
        POETRY.format("~/.local/pipx/venvs/poetry/lib/python3.13"),
        POETRY.format("/home/dev/.local/share/pypoetry/venv/lib/python3.13"),
        FRAME.format("/home/dev/.local/share/pypoetry/venv/lib/python3.13", "requests"),
        FRAME.format("/home/dev/.local/share/uv/tools/pdm/lib/python3.13", "resolvelib"),
        FRAME.format("/opt/conda/lib/python3.13", "conda"),
        FRAME.format("/usr/lib/python3.13", "tox"),
        FRAME.format("C:\\Users\\u\\pipx\\venvs\\hatch\\Lib\\Python313", "hatch").replace("/", "\\"),
    ],
)
def test_the_python_of_a_tool_is_not_that_of_the_project(line: str) -> None:
    """drmingler/docling-api issue 10: Poetry ran on Python 3.13, of pipx."""
    log = read_log(f"Unable to find installation candidates for torch (2.5.1)\n{line}")
    assert (log.pythons, log.sites, log.prefixes) == ((), (), ())


@pytest.mark.parametrize(
    "folder",
    [
        "/home/u/espnet/tools/venv/lib/python3.13",
        "/home/u/.cache/pypoetry/virtualenvs/app-x-py3.13/lib/python3.13",
        "/home/u/.local/share/pipx/venvs/whisperx/lib/python3.13",
        "/opt/conda/envs/poetry/lib/python3.13",
    ],
)
def test_an_environment_that_only_sounds_like_a_tool(folder: str) -> None:
    log = read_log(FRAME.format(folder, "torchaudio"))
    assert (log.pythons, log.sites) == (("3.13",), (f"{folder}/site-packages",))


# GPUs of another vendor.

NO_DRIVER = "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU\n"
NO_CUDA = "AssertionError: Torch not compiled with CUDA enabled\n"
NO_HIP = "RuntimeError: No HIP GPUs are available\n"


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize(
    ("torch", "log", "gpu", "rule", "build"),
    [
        ("2.4.1+cu121", NO_DRIVER, "gfx1100", "TL223", "torch==2.4.1+rocm6.1"),
        ("2.4.1+cu121", f"AMD Radeon RX 7900 XT\n{NO_DRIVER}", "", "TL223", "torch==2.4.1+rocm6.1"),
        ("2.8.0+cu128", f"Intel(R) Arc(TM) A770 Graphics\n{NO_DRIVER}", "", "TL223", "torch==2.8.0+xpu"),
        ("2.8.0+rocm6.4", f"NVIDIA GeForce RTX 3090\n{NO_HIP}", "", "TL223", "torch==2.8.0+cu129"),
        ("2.4.1+cpu", f"AMD Radeon RX 7900 XT\n{NO_CUDA}", "", "TL209", "torch==2.4.1+rocm6.1"),
        ("2.4.1+cpu", NO_CUDA, "gfx1100", "TL209", "torch==2.4.1+rocm6.1"),
        ("2.4.1+cu121", f"AMD Radeon RX 9999 XT\n{NO_DRIVER}", "", "TL223", ""),
    ],
)
def test_a_build_for_another_vendor(ground: Ground, torch: str, log: str, gpu: str, rule: str, build: str) -> None:
    """LykosAI/StabilityMatrix issue 885: the packages were said not to be at fault."""
    site = ground.linux(python="3.10")
    ground.torch(site, torch, made_for=[], hip="6.4" if "rocm" in torch else "")
    done = ground.check(site, *(["--gpu", gpu] if gpu else []), log=log)
    assert (done.first.rule, done.first.severity) == (rule, "warning")
    assert done.first.says == log.splitlines()[-1]
    assert done.command.endswith(build)
    assert build or "https://download.pytorch.org/whl/rocm" in done.first.remedy


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("beside", ["NVIDIA GeForce RTX 3090", "NVIDIA-SMI 535.183.01", ""])
def test_graphics_beside_a_card_of_nvidia_say_nothing(ground: Ground, beside: str) -> None:
    card = "AMD Radeon RX 7900 XT" if beside else "AMD Ryzen 7 5800H with Radeon Graphics"
    site = ground.linux(python="3.10")
    ground.torch(site, "2.4.1+cu121", made_for=[])
    done = ground.check(site, log=f"{card}\n{beside}\n{NO_DRIVER}")
    assert done.first.rule == "TL227"


def test_a_vendor_that_the_log_alone_shows() -> None:
    finding = judged(f"Device: AMD Radeon RX 6800\n{NO_DRIVER}")[0]
    assert finding.rule == "TL223"
    assert "RX 6800" in finding.message


# What a log lists beside the failure.

NCCL = "ImportError: /e/lib/python3.10/site-packages/torch/lib/libtorch_cuda.so: undefined symbol: ncclMemFree\n"
CUDNN = (
    "Could not load library libcudnn_ops.so.9. Error: /e/libcudnn_ops.so.9: undefined symbol: cudnnGetLastError\n"
)


@pytest.mark.parametrize(
    ("failure", "listed", "command"),
    [
        (
            NCCL,
            "nvidia-nccl-cu11==2.14.3\nnvidia-nccl-cu12==2.27.3\ntorch==2.8.0+cu128",
            "python -m pip uninstall -y nvidia-nccl-cu11 && python -m pip install --force-reinstall --no-deps "
            "nvidia-nccl-cu12==2.27.3",
        ),
        (NCCL, "nvidia-nccl-cu11    2.14.3\nnvidia-nccl-cu12    2.27.3", ""),
        (NCCL, "nvidia-nccl-cu12==2.27.3\nnvidia-nccl-cu13==2.28.9", ""),
    ],
)
def test_two_packages_of_one_library(failure: str, listed: str, command: str) -> None:
    """rwth-i6/returnn issue 1802."""
    finding = judged(f"{failure}{listed}\n")[0]
    assert finding.rule == "TL617"
    assert finding.remedy is not None
    assert [each.line for each in finding.remedy.commands] == ([command] if command else [])
    assert command or "nvidia-nccl-cu12==2.27.3" in finding.remedy.summary


@pytest.mark.parametrize(
    "listed",
    [
        "nvidia-nccl-cu12==2.27.3",
        "nvidia-cublas-cu11==11.10.3.66\nnvidia-cublas-cu12==12.8.4.1",
        "nvidia-cudnn-cu11==8.5.0.96\nnvidia-cudnn-cu12==9.10.2.21",
    ],
)
def test_packages_that_share_no_file(listed: str) -> None:
    for failure in (NCCL, CUDNN):
        assert not any(each.rule == "TL617" for each in judged(f"{failure}{listed}\n"))


PIP = "ERROR: Could not find a version that satisfies the requirement {0} (from versions: none)\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnxruntime-gpu", "Linux (aarch64): Python 3.11 to 3."),
        ("onnxruntime-gpu", "or onnxruntime, which computes on the CPU"),
        ("ctranslate2", "macOS (x86_64): Python 3.6 to 3."),
        ("fairseq2n", "another processor (ARM, a Mac with Intel)"),
    ],
)
def test_an_installer_that_sees_no_file_of_a_known_package(name: str, said: str) -> None:
    """jim60105/docker-whisperX issue 12, on ARM; facebookresearch/fairseq2 issue 269, on a Mac with Intel."""
    finding = judged(PIP.format(name) + f"ERROR: No matching distribution found for {name}\n")[0]
    assert finding.rule == "TL528"
    assert finding.remedy is not None
    assert said in finding.remedy.summary


@pytest.mark.parametrize("name", ["transformers", "no-such-project"])
def test_a_package_for_any_platform_has_no_list_of_places(name: str) -> None:
    assert places_in_words(name) == ""


CONFLICT = """\
ERROR: Cannot install torch and torchaudio==2.2.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested torch
    torchaudio 2.2.0 depends on torch==2.2.0
"""


@pytest.mark.parametrize(
    ("before", "rule", "said"),
    [
        ("Looking in indexes: https://download.pytorch.org/whl/cu124\n", "TL205", "whl/cu124 does not have torch"),
        ("", "TL527", "the installer found no torch==2.2.0"),
    ],
)
def test_a_companion_whose_torch_is_nowhere(before: str, rule: str, said: str) -> None:
    """drmingler/docling-api issue 17: nothing excludes anything, the one torch that is needed is not there."""
    finding = judged(before + CONFLICT)[0]
    assert finding.rule == rule
    assert said in finding.message


# Symbols, and libraries of other systems.


@pytest.mark.parametrize("name", ["_ZNK5torch8autograd4Node4nameEv", "_ZNK3c106Device3strEv"])
def test_a_function_that_returns_a_string_has_an_abi(name: str) -> None:
    """Qengineering/Jetson-Nano-Ubuntu-20-image issue 82: the release of torch was the right one."""
    finding = judged(
        f"OSError: /e/lib/python3.8/site-packages/torchaudio/lib/libtorchaudio.so: undefined symbol: {name}\n"
    )[0]
    assert finding.rule == "TL611"
    assert "old C++ string ABI" in finding.because


@pytest.mark.parametrize("name", ["_ZN2at4_ops5zeros4callEN3c108ArrayRefINS2_6SymIntEEE"])
def test_a_function_without_a_string_has_none(name: str) -> None:
    finding = judged(f"OSError: /e/libtorchaudio.so: undefined symbol: {name}\n")[0]
    assert "string ABI" not in finding.because


@pytest.mark.parametrize("library", ["libstdc++.so.6", "libz.so.1"])
@pytest.mark.parametrize("sign", ["Apr 16 10:02:11 nixos app[4410]: ", "/nix/store/x-python3/bin/python: "])
def test_a_library_that_nixos_has_elsewhere(library: str, sign: str) -> None:
    """kavehtehrani/speech2text-extension issue 20."""
    lost = f"ImportError: {library}: cannot open shared object file: No such file or directory\n"
    finding = judged(f"{sign}import torch\n{sign}{lost}")[0]
    assert finding.rule == "TL610"
    assert finding.remedy is not None
    assert "programs.nix-ld.enable" in finding.remedy.summary
    plain = judged(f"import torch\n{lost}")
    assert not plain or "nix" not in plain[0].remedy.summary  # type: ignore[union-attr]


LINUXBREW = "/home/linuxbrew/.linuxbrew/opt/python@3.10/lib/python3.10/ctypes/__init__.py"


def test_a_python_of_homebrew_on_linux() -> None:
    """pytorch/pytorch issue 85211."""
    lost = "OSError: libstdc++.so.6: cannot open shared object file: No such file or directory\n"
    finding = judged(f'  File "{LINUXBREW}", line 374, in __init__\n    self._handle = x\n{lost}import torch\n')[0]
    assert finding.remedy is not None
    assert "of Homebrew for Linux" in finding.remedy.summary


# Names, and what only hands an error on.


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("from transformers.utils.import_utils import is_torch_fx_available", '"transformers<5.0"'),
        ("from typeguard import check_argument_types", '"typeguard<3.0"'),
    ],
)
def test_a_name_of_a_deep_module_and_of_another_project(line: str, fix: str) -> None:
    """espnet/espnet issue 5033."""
    _, module, _, name = line.split()
    file = f"/e/lib/python3.11/site-packages/{module.replace('.', '/')}.py"
    error = f"ImportError: cannot import name '{name}' from '{module}' ({file})"
    finding = judged(f'  File "/home/u/app.py", line 3, in <module>\n    {line}\n{error}\n')[0]
    assert finding.rule == "TL710"
    assert finding.remedy is not None
    assert [each.line for each in finding.remedy.commands] == [f"python -m pip install {fix}"]


def test_a_line_that_hands_an_error_on_does_not_use_the_name() -> None:
    """TMElyralab/MuseTalk issue 367."""
    finding = judged(
        '  File "/e/lib/python3.10/site-packages/transformers/utils/import_utils.py", line 1474, in _get_module\n'
        "    raise RuntimeError(\n"
        "RuntimeError: Failed to import transformers.models.whisper because of the following error:\n"
        "module 'torch' has no attribute 'uint64'\n"
    )[0]
    assert finding.rule == "TL706"
    assert finding.message.startswith("the code whose error ")
    assert "import_utils.py hands on uses torch.uint64" in finding.message


ISOLATED = """\
  Downloading pkuseg-0.0.25.tar.gz (48.8 MB)
  Installing build dependencies ... done
  Getting requirements to build wheel ... done
  File "/home/u/e/lib/python3.{0}/site-packages/pip/_vendor/pyproject_hooks/_impl.py", line 402, in _call_hook
    raise BackendUnavailable(
pip._vendor.pyproject_hooks._impl.BackendUnavailable: Cannot import 'setuptools.build_meta'
"""


@pytest.mark.parametrize(("minor", "said"), [(13, "old setuptools"), (11, "setuptools is not installed")])
def test_a_build_whose_setuptools_does_not_load(minor: int, said: str) -> None:
    """resemble-ai/chatterbox issue 390: Python 3.13."""
    finding = judged(ISOLATED.format(minor))[0]
    assert finding.rule == "TL524"
    assert said in finding.message


BLAS = """\
LibMambaUnsatisfiableError: Encountered problems while solving:
  - package torchaudio-2.5.1-py312_cu118 requires pytorch 2.5.1, but none of the providers can be installed

The following packages are incompatible
├─ blas ==1.0 openblas is requested and can be installed;
├─ pytorch-cuda ==11.8 h7e8668a_6 is requested and can be installed;
└─ torchaudio ==2.5.1 py312_cu118 is not installable because it requires
   └─ pytorch ==2.5.1 * but there are no viable options
      ├─ pytorch 2.5.1 would require
      │  └─ blas =* mkl, which conflicts with any installable versions previously reported;
      └─ pytorch 2.5.1 would require
         └─ pytorch-cuda >=12.1,<12.2 *, which conflicts with any installable versions previously reported.
"""
SPECIFICATIONS = """\
$ conda install pytorch=1.10.0 torchvision torchaudio=0.9.0 cudatoolkit=11.1 -c pytorch
UnsatisfiableError: The following specifications were found to be incompatible with each other:

Package pytorch conflicts for:
torchaudio=0.9.0 -> pytorch==1.9.0
pytorch=1.10.0
"""


@pytest.mark.parametrize(
    ("log", "message", "fix"),
    [
        (BLAS, "needs blas =* mkl, and blas 1.0 openblas is asked for", "blas without the build openblas"),
        (BLAS.replace("blas", "mkl"), "needs mkl =* mkl", "mkl without the build openmkl"),
        (
            BLAS.replace("├─ blas ==1.0 openblas is requested", "├─ x ==1 y is requested"),
            "requires pytorch 2.5",
            "",
        ),
        (SPECIFICATIONS, "torchaudio 0.9.0 and torch 1.10.0 exclude", "pytorch==1.10.0, torchaudio==0.10.0"),
    ],
)
def test_what_conda_could_not_install_together(log: str, message: str, fix: str) -> None:
    """NJU-RL/SICQL issue 1; wenet-e2e/wenet issue 789."""
    finding = judged(log)[0]
    assert finding.rule == "TL527"
    assert message in finding.message
    assert finding.remedy is not None
    assert fix in finding.remedy.summary
    assert not finding.remedy.commands
