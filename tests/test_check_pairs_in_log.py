"""A companion and the torch that a log states, with a library that did not load: TL101 to TL104, TL201."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.check.stated_pairs import companion_of

if TYPE_CHECKING:
    from torchlock.finding import Finding

SITE = "/srv/env/lib/python3.11/site-packages"
LOST = f"OSError: {SITE}/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZNK3c105Error4whatEv\n"
BOX = "The procedure entry point {} could not be located in the dynamic link library {}.\n"


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


def listed(*pins: str) -> str:
    return "".join(f"[pip3] {each}\n" for each in pins)


@pytest.mark.triggers("TL101")
def test_both_releases_are_in_a_list_of_pip() -> None:
    (finding,) = judged(LOST + "torch        2.5.1+cu121\ntorchaudio   2.4.1+cu121\ntorchvision  0.20.1+cu121\n")
    assert finding.rule == "TL101"
    assert finding.message.startswith("torchaudio 2.4.1+cu121 does not work with torch 2.5.1+cu121")
    assert finding.remedy is not None
    assert "torchaudio==2.5.1+cu121 --index-url" in finding.remedy.commands[0].line


def test_a_torch_before_its_release() -> None:
    said = "torchaudio 2.0.2+cu118 requires torch==2.0.1, but you have torch 2.1.0.dev20230819+cu118"
    said += " which is incompatible."
    (finding,) = judged(f"{said}\n{LOST}")
    assert finding.rule == "TL101"
    assert (
        finding.because
        == "torchaudio 2.0.2 is compiled for torch 2.0.1, and the log shows torch 2.1.0.dev20230819"
    )
    assert finding.remedy is not None
    assert "of the same day" in finding.remedy.summary
    assert not finding.remedy.commands


def test_releases_with_hyphens() -> None:
    (finding,) = judged(f"{LOST}### Environment\nTTS-0.21.1\ntorch-2.1.1\ntorchaudio-2.0.1\n")
    assert finding.message.startswith("torchaudio 2.0.1 does not work with torch 2.1.1")


@pytest.mark.triggers("TL201")
def test_a_build_for_another_accelerator() -> None:
    lost = (
        f'  File "{SITE}/torchaudio/__init__.py", line 32, in <module>\n    from torchaudio import _torchaudio\n'
    )
    lost += "ImportError: libtorch_hip.so: cannot open shared object file: No such file or directory\n"
    used = "PyTorch version: 1.9.0+cu111\nCUDA used to build PyTorch: 11.1\n"
    (finding,) = judged(lost + used + listed("torch==1.9.0+cu111", "torchaudio==0.10.0.dev20210902+rocm4.1"))
    assert finding.rule == "TL201"
    assert finding.because == "that torchaudio is a build for ROCm 4.1, and that torch a build for CUDA 11.1"
    assert finding.remedy is not None
    assert "torchaudio 0.9.0" in finding.remedy.summary


@pytest.mark.triggers("TL102")
def test_a_box_of_windows() -> None:
    dll = r"E:\ComfyUI\python_embeded\Lib\site-packages\torchcodec\libtorchcodec_core8.dll"
    (finding,) = judged(BOX.format("torch_from_blob", dll) + "Torch: 2.10.0+cu130 TorchCodec: 0.15.0\n")
    assert finding.rule == "TL102"
    assert finding.because.startswith("torchcodec 0.15.0 is compiled for torch 2.11.0 to ")


def test_a_box_of_windows_without_releases() -> None:
    dll = r"D:\app\Lib\site-packages\torchcodec\libtorchcodec_core4.dll"
    (finding,) = judged(f"Procedure ?decref_pyobject@TensorImpl@c10@@UEBAXXZ not found in DLL: {dll}.\n")
    assert finding.rule == "TL611"
    assert "c10::TensorImpl::decref_pyobject" in finding.message
    assert finding.remedy is not None
    assert "torchlock lock torch torchcodec" in finding.remedy.summary


def test_a_box_about_another_program() -> None:
    assert judged(BOX.format("inflateReset2", r"C:\Program Files\Foo\zlib1.dll")) == []


@pytest.mark.leaves_alone("TL101")
def test_releases_that_fit() -> None:
    (finding,) = judged(LOST + listed("torch==2.5.1+cu121", "torchaudio==2.5.1+cu121"))
    assert finding.rule == "TL611"
    assert finding.remedy is not None
    assert finding.remedy.summary.endswith("one is another build, or torch is another.")


def test_only_torch_is_stated() -> None:
    (finding,) = judged(f"torch: 2.8.0+cpu\n{LOST}")
    assert finding.rule == "TL611"
    assert finding.remedy is not None
    assert finding.remedy.summary.endswith("The log shows torch 2.8.0: torchaudio 2.8.0 is built for it.")


@pytest.mark.leaves_alone("TL102")
def test_several_releases_of_torch_state_nothing() -> None:
    (finding,) = judged(LOST + listed("torch==2.5.1", "torchaudio==2.4.1") + "torch 2.4.1 works\n")
    assert finding.rule == "TL611"


def test_conda_installed_them() -> None:
    (finding,) = judged(
        f"$ conda install pytorch torchaudio\n{LOST}" + listed("torch==2.5.1", "torchaudio==2.4.1")
    )
    assert finding.rule == "TL101"
    assert finding.remedy is not None
    assert not finding.remedy.commands


@pytest.mark.parametrize(
    ("line", "library", "name"),
    [
        ("x/site-packages/torchvision/_C.so: undefined symbol: y", "_C.so", "torchvision"),
        ("x/site-packages/torio/lib/_torio_ffmpeg6.so: cannot open", "_torio_ffmpeg6.so", "torchaudio"),
        ("libtorchcodec_core7.so: undefined symbol: y", "libtorchcodec_core7.so", "torchcodec"),
        ("_C.so: undefined symbol: y", "_C.so", ""),
    ],
)
def test_whose_library_it_is(line: str, library: str, name: str) -> None:
    assert companion_of(line, library) == name


def test_the_commands_name_two_sources() -> None:
    for commands, words in (
        (
            "conda install -c pytorch pytorch\nconda install -c anaconda cudatoolkit=9.2\n",
            "pytorch of conda and the channel anaconda",
        ),
        ("conda install pytorch cpuonly -c pytorch\npip install torchaudio\n", "pytorch of conda and pip"),
        ("mamba install -c conda-forge pytorch\npip3 install torchcodec\n", "conda-forge of conda and pip"),
    ):
        (finding,) = judged(f"{commands}{LOST}")
        assert finding.remedy is not None
        assert f"install from the channel {words}" in finding.remedy.summary


def test_the_channels_of_one_command_belong_together() -> None:
    (finding,) = judged(f"conda install pytorch torchaudio pytorch-cuda=12.1 -c pytorch -c nvidia\n{LOST}")
    assert finding.remedy is not None
    assert "The commands of the log" not in finding.remedy.summary


def test_files_that_an_installer_took_state_releases() -> None:
    taken = "Downloading torch-2.5.1%2Bcu121-cp311-cp311-linux_x86_64.whl\n"
    taken += "Downloading torchaudio-2.4.1-cp311-cp311-x.whl\n"
    (finding,) = judged(taken + LOST)
    assert finding.message.startswith("torchaudio 2.4.1 does not work with torch 2.5.1+cu121")


def test_the_library_of_the_system_in_an_environment_of_conda() -> None:
    user = "/home/u/miniconda3/envs/tts/lib/python3.10/site-packages/x/x.so"
    old = "ImportError: {}/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by {})\n"
    (finding,) = judged(old.format("/lib/x86_64-linux-gnu", user))
    assert finding.remedy is not None
    assert (
        finding.remedy.commands[0].line
        == "export LD_LIBRARY_PATH=/home/u/miniconda3/envs/tts/lib:$LD_LIBRARY_PATH"
    )
    for folder, path in (
        ("/home/u/miniconda3/envs/tts/lib", user),
        ("/lib/x86_64-linux-gnu", "/srv/env/lib/x.so"),
    ):
        (finding,) = judged(old.format(folder, path))
        assert finding.remedy is None or not finding.remedy.commands


def test_the_start_of_a_library_of_others() -> None:
    for module, package in (
        ("_pywrap_tensorflow_internal", "tensorflow"),
        ("_framework_bindings", "mediapipe"),
        ("QtCore", "PyQt5"),
    ):
        frame = f'  File "D:\\Lib\\site-packages\\{package}\\__init__.py", line 70, in <module>\n'
        said = "A dynamic link library (DLL) initialization routine failed."
        assert judged(f"{frame}ImportError: DLL load failed while importing {module}: {said}\n") == []


def test_what_was_installed_last_before_the_failure_counts() -> None:
    old, new = "Successfully installed torch-2.4.1 torchaudio-2.4.1\n", "Successfully installed torch-2.6.0\n"
    (finding,) = judged(old + new + LOST)
    assert finding.message.startswith("torchaudio 2.4.1 does not work with torch 2.6.0")
    (other,) = judged(f"Requirement already satisfied: torch in {SITE} (2.1.0)\n{old}{new}{LOST}")
    assert other.message == finding.message


def test_what_was_installed_after_the_failure_is_no_evidence() -> None:
    before, after = "Successfully installed torch-2.6.0 torchaudio-2.4.1\n", "Successfully installed torch-2.4.1\n"
    (finding,) = judged(before + LOST + after)
    assert finding.message.startswith("torchaudio 2.4.1 does not work with torch 2.6.0")
    (only,) = judged(LOST + before)
    assert only.message == finding.message


def test_a_note_about_this_environment_hides_no_pair() -> None:
    text = "OSError: libtorchcodec_core6.so: undefined symbol: torch_dtype_float4_e2m1fn_x2\n"
    log = read_log("- **torch**: 2.10.0+cu128\n- **torchcodec**: 0.11.0\n" + text)
    context = context_of(log)
    note = context.finding("TL615", "note", "neither torch nor torchaudio is installed in this environment")
    pair = by_log(context, log, [note])[0]
    assert pair.rule == "TL102"
    assert pair.remedy is not None
    assert "torchcodec==0.10.0+cu128" in pair.remedy.commands[0].line


def test_a_core_of_torchcodec_is_no_library_of_torch() -> None:
    dll = r"C:\app\.venv\Lib\site-packages\torchcodec\libtorchcodec_core8.dll"
    (finding,) = judged(f"FileNotFoundError: Could not find module '{dll}' (or one of its dependencies).\n")
    assert finding.rule == "TL304"
    assert finding.remedy is not None
    assert "full-shared" in finding.remedy.summary


@pytest.mark.parametrize(
    ("shown", "command"),
    [
        ("torch==2.6.0+cu124", "torchaudio==2.6.0+cu124 --index-url https://download.pytorch.org/whl/cu124"),
        ("torch==2.6.0+cpu", "torchaudio==2.6.0+cpu --index-url https://download.pytorch.org/whl/cpu"),
        ("torch==2.6.0", ""),
        ("torch==2.6.0+git1234abc", ""),
    ],
)
def test_the_companion_of_the_build_of_torch_that_is_stated(shown: str, command: str) -> None:
    finding = judged(f"{listed(shown)}{LOST}")[0]
    assert finding.rule == "TL611"
    assert finding.remedy is not None
    lines = [each.line.partition("--no-deps ")[2] for each in finding.remedy.commands]
    assert lines == [command] * bool(command)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("", "For torchtext, its last release, 0.18.0, is built for torch 2.3.0 to 2.3.1."),
        (
            "torch: 2.4.0\n",
            "The log shows torch 2.4.0, for which there is no torchtext: its last release, 0.18.0, is",
        ),
        ("torch: 2.3.1\n", "The log shows torch 2.3.1: torchtext 0.18.0 is built for it."),
    ],
)
def test_torchtext_has_a_last_release(shown: str, said: str) -> None:
    lost = LOST.replace("torchaudio/lib/libtorchaudio.so", "torchtext/lib/libtorchtext.so")
    finding = judged(shown + lost)[0]
    assert finding.rule == "TL611"
    assert finding.remedy is not None
    assert said in finding.remedy.summary


CUDA = "OSError: libcudart.so.10.2: cannot open shared object file: No such file or directory\n"
CODE = "----> 6 import torchaudio\n      7 print(torchaudio.__version__)\n"
USER = f'  File "{SITE}/{{0}}/__init__.py", line 3, in <module>\n'


@pytest.mark.parametrize("code", [CODE, "import torchaudio\n" + USER.format("torchaudio") + USER.format("torch")])
def test_a_companion_for_another_cuda(code: str) -> None:
    shown = "Successfully installed torchaudio-0.10.0\n" + listed("torch==1.10.0+cu111")
    (finding,) = judged(shown + code + CUDA)
    assert finding.rule == "TL201"
    assert (
        finding.message
        == "torchaudio 0.10.0 in the log is a build for CUDA 10, and torch 1.10.0+cu111 is a build for "
        "CUDA 11.1"
    )
    assert finding.remedy is not None
    assert "torchaudio==0.10.0+cu111 --index-url" in finding.remedy.commands[0].line


@pytest.mark.parametrize(
    ("label", "code", "line"),
    [
        ("+cu102", CODE, CUDA),
        ("", CODE, CUDA),
        ("+cu111", "import torchaudio\n" + USER.format("bitsandbytes"), CUDA),
        ("+cu111", "import torchaudio, torchvision\nimport torchvision\n", CUDA),
        ("+cu111", CODE, f"Failed to load library libonnxruntime_providers_cuda.so with error: {CUDA[9:]}"),
    ],
    ids=["same CUDA", "no label", "of another package", "two companions", "of onnxruntime"],
)
def test_no_companion_for_another_cuda(label: str, code: str, line: str) -> None:
    shown = "Successfully installed torchaudio-0.10.0\n" + listed(f"torch==1.10.0{label}")
    assert not any(each.rule == "TL201" for each in judged(shown + code + line))
