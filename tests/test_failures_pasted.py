"""Failures as people paste them: other paths and languages, logger prefixes, notebooks, cut installer logs.

The environment is a copied tree, so that the paths of the log are never its own.
"""

from __future__ import annotations

import pytest

from support.ground import Checked, Ground
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site, dylib

GERMAN = "[WinError 126] Das angegebene Modul wurde nicht gefunden."
CHINESE = "[WinError 126] 找不到指定的模块。"
CPU = "https://download.pytorch.org/whl/cpu"


def with_fbgemm(ground: Ground, version: str) -> Site:
    """A torch 2.4.0 for Windows, whose fbgemm.dll needs an OpenMP that no package has."""
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.4.0")
    ground.torch(site, version, made_for=["torchaudio==2.4.0"])
    write(site.path / "torch/lib/fbgemm.dll", pe({"libomp140.x86_64.dll": ["omp_get_num_threads"], "c10.dll": []}))
    write(site.path / "torch/__init__.py", 'dlls = glob.glob(os.path.join(th_dll_path, "*.dll"))\n')
    ground.unrecord(site, "torch/__init__.py")
    (record,) = site.path.glob("torch-*.dist-info/RECORD")
    write(record, f"{record.read_text()}torch/lib/fbgemm.dll,,\n")
    return site


def with_pip(site: Site) -> Site:
    """An environment with pip and nothing else, as an installation that failed leaves it."""
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    root = site.path.parents[1] if site.system == "windows" else site.path.parents[2]
    text = "home = /usr/bin\ninclude-system-site-packages = false\n"
    write(root / "pyvenv.cfg", f"{text}version = {site.python}.1\n")
    return site


def installing(ground: Ground, site: Site, log: str) -> Checked:
    """What is said of an installation that failed."""
    done = ground.check(with_pip(site), log=log, platform=site.platform)
    assert done.first.severity == "error"
    assert done.first.consequences == ("TL615",)
    return done


@pytest.mark.sketched
def test_a_notebook_in_german_shows_the_code_that_raises(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/133076, with the message of a German Windows.

    The source lines of the traceback hold a text that looks like the error.
    """
    log = f"""\
OSError                                   Traceback (most recent call last)
Cell In[2], line 2
      1 import numpy as np
----> 2 import torch
      3 import torch.nn as nn

File ~\\Downloads\\SPORTS\\anaconda\\Lib\\site-packages\\torch\\__init__.py:148
    146                 err = ctypes.WinError(ctypes.get_last_error())
    147                 err.strerror += f' Error loading "{{dll}}" or one of its dependencies.'
--> 148                 raise err

OSError: {GERMAN} Error loading "C:\\Users\\D\\anaconda\\Lib\\site-packages\\torch\\lib\\fbgemm.dll" or one of its
"""
    done = ground.check(with_fbgemm(ground, "2.4.0"), log=log)
    assert done.first.rule == "TL610"
    assert "fbgemm.dll of torch needs libomp140.x86_64.dll" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_a_chinese_message_with_the_path_of_the_machine_that_failed(ground: Ground) -> None:
    """https://github.com/chn-lee-yumi/MaterialSearch/issues/105"""
    place = "E:\\MaterialSearch_tmp\\MaterialSearchWindows\\lib\\site-packages\\torch"
    log = (
        f'  File "{place}\\__init__.py", line 148, in <module>\n    raise err\n'
        f'OSError: {CHINESE} Error loading "{place}\\lib\\fbgemm.dll" or one of its dependencies.\n'
    )
    done = ground.check(with_fbgemm(ground, "2.4.0+cpu"), log=log)
    assert done.first.rule == "TL610"
    assert "torch==2.4.1" in done.command
    assert CPU in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_every_line_has_the_prefix_of_a_logger(ground: Ground) -> None:
    """https://github.com/mcmonkeyprojects/SwarmUI/issues/359"""
    site = ground.windows("3.11", "python_embeded")
    ground.wheel(site, "torchaudio==2.4.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.5.1+cu124", made_for=["torchaudio==2.5.1"])
    lines = [
        '  File "E:\\SD\\SwarmUI\\dlbackend\\comfy\\ComfyUI\\comfy_extras\\nodes_audio.py", line 1, in <module>',
        "    import torchaudio",
        '  File "E:\\SD\\comfy\\python_embeded\\lib\\site-packages\\torchaudio\\__init__.py", line 2, in <module>',
        "OSError: [WinError 127] The specified procedure could not be found",
    ]
    log = "".join(f"2024-10-26 22:37:14.253 [Warning] [ComfyUI-0/STDERR] {each}\n" for each in lines)
    done = ground.check(site, log=log)
    assert done.first.rule == "TL101"
    assert done.first.message.startswith("torchaudio 2.4.1 (CPU build) needs torch 2.4, and torch 2.5.1")
    ground.cure(done)


@pytest.mark.sketched
def test_only_the_headline_of_torchcodec(ground: Ground) -> None:
    """https://github.com/m-bain/whisperX/issues/1360

    The headline does not show that FFmpeg is missing; the files show that torch lacks what torchcodec uses.
    """
    site = ground.windows()
    ground.wheel(site, "torchcodec==0.10.0")
    ground.torch(site, "2.8.0", made_for=["torchaudio==2.8.0"])
    done = ground.check(site, log="RuntimeError: Could not load libtorchcodec. Likely causes:\n")
    assert done.first.rule == "TL102"
    assert "FFmpeg" not in done.first.message
    assert "torchcodec==0.7.0" in done.command
    assert "TL304" not in [each.rule for each in done.findings]


def test_a_mac_wheel_of_a_later_abi(ground: Ground) -> None:
    """https://github.com/TaterTotterson/microWakeWord-Trainer-AppleSilicon/issues/10"""
    site = ground.mac("opt/w/.venv", "3.11")
    ground.wheel(site, "torchaudio==2.11.0")
    ground.torch(site, "2.9.1", made_for=["torchaudio==2.9.1"])
    place = "/Users/andrea/workspace/microWakeWord/.venv/lib/python3.11/site-packages"
    log = (
        f"OSError: dlopen({place}/torchaudio/lib/_torchaudio.abi3.so, 0x0006): Symbol not found: "
        f"_torch_library_impl\n  Referenced from: <984E2E32> {place}/torchaudio/lib/_torchaudio.abi3.so\n"
        f"  Expected in:     <8A7009C4> {place}/torch/lib/libtorch_cpu.dylib\n"
        f"OSError: Could not load this library: {place}/torchaudio/lib/_torchaudio.abi3.so\n"
    )
    done = ground.check(site, log=log)
    assert done.first.rule == "TL101"
    assert done.first.message == "torchaudio 2.11.0 needs torch >=2.10, and torch 2.9.1 is installed"
    ground.cure(done)


@pytest.mark.sketched
def test_a_keg_of_ffmpeg_that_dyld_does_not_search(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/2357: "image not found" only repeats the line before it."""
    site = ground.mac("opt/emf_venv", "3.8", "x86_64")
    ground.wheel(site, "torchaudio==0.12.0")
    ground.torch(site, "1.12.0")
    for name in ("libavdevice.58", "libavutil.56", "libavcodec.58", "libavformat.58", "libavfilter.7"):
        library = dylib(f"{name}.dylib", machine="x86_64")
        write(site.root / f"usr/local/opt/ffmpeg@4/lib/{name}.dylib", library)
    path = "/***/emf_venv/lib/python3.8/site-packages/torchaudio/lib/libtorchaudio_ffmpeg.so"
    log = (
        f"OSError: dlopen({path}, 6): Library not loaded: @rpath/libavdevice.58.dylib\n"
        f"  Referenced from: {path}\n  Reason: image not found\n"
    )
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL303"
    assert "FFmpeg 4 of Homebrew is in /usr/local/opt/ffmpeg@4/lib" in done.first.message
    assert done.command == "export DYLD_FALLBACK_LIBRARY_PATH=/usr/local/opt/ffmpeg@4/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_two_openmp_runtimes_in_a_line_whose_start_is_cut(ground: Ground) -> None:
    """https://github.com/jianchang512/ChatTTS-ui/issues/22"""
    site = ground.mac(python="3.10")
    ground.wheel(site, "torchaudio==2.2.2")
    ground.torch(site, "2.2.2")
    log = "P: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.\nOMP: Hint"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL613"
    assert "loaded libiomp5.dylib, and then libomp.dylib" in done.first.message
    assert "only hides the problem" in done.first.remedy


@pytest.mark.sketched
def test_pip_found_no_version_because_no_index_answered(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/1489"""
    broken = (
        "connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<"
        "urllib3.connection.VerifiedHTTPSConnection object at 0x7f8d>: Failed to establish a new connection: "
        "[Errno -3] Temporary failure in name resolution')': /simple/torchaudio/"
    )
    log = "ubuntu@ip-172-31-44-135:~/src$ pip install torchaudio==2.6.0\n"
    log += "".join(f"WARNING: Retrying (Retry(total={left}, {broken}\n" for left in (4, 3, 2, 1, 0))
    log += (
        "ERROR: Could not find a version that satisfies the requirement torchaudio==2.6.0 (from versions: none)\n"
        "ERROR: No matching distribution found for torchaudio==2.6.0\n"
    )
    done = installing(ground, ground.linux("3.11"), log)
    assert done.first.rule == "TL526"
    assert "did not reach the index" in done.first.message
    assert "--retries 10 torchaudio==2.6.0" in done.command


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("python", "machine", "log", "rule", "command"),
    [
        pytest.param(
            "3.12",
            "arm64",
            "$ pip install -r requirements.txt\nERROR: Could not find a version that satisfies the requirement "
            "torch~=2.1.0 (from versions: 2.2.0, 2.2.1, 2.2.2, 2.3.0, 2.3.1)\n",
            "TL403",
            "python3.11 -m venv .venv && .venv/bin/python -m pip install torch==2.1.2",
            id="a range: https://github.com/AllAboutAI-YT/chatTTS/issues/2",
        ),
        pytest.param(
            "3.14",
            "arm64",
            "  - Installing torch (2.7.1): Failed\n\n    | Unable to find installation candidates for torch "
            "(2.7.1)\n    | \n    |   - 24 wheel(s) were skipped as your project's environment does not support "
            "the identified abi tags\n",
            "TL403",
            "uv venv --python 3.13 && uv pip install torch==2.7.1",
            id="poetry: https://github.com/syssec-utd/pylingual/issues/129",
        ),
        pytest.param(
            "3.12",
            "x86_64",
            "error: Distribution `torch==2.8.0 @ registry+https://example.org/simple` can't be installed because "
            "it doesn't have a source distribution or wheel for the current platform\n\nhint: You're on macOS "
            "(`macosx_14_0_x86_64`), but `torch` (v2.8.0) only has wheels for the following platforms: "
            "`manylinux_2_28_x86_64`, `macosx_11_0_arm64`, `win_amd64`\n",
            "TL403",
            'uv pip install torch==2.2.2 "numpy<2"',
            id="uv: https://github.com/langflow-ai/langflow/issues/9824",
        ),
        pytest.param(
            "3.12",
            "x86_64",
            "ERROR: Could not find a version that satisfies the requirement torch==2.1.2+cu121 (from versions: "
            "2.2.0, 2.2.1, 2.2.2)\n\nERROR: No matching distribution found for torch==2.1.2+cu121\n\nWARNING: "
            "There was an error checking the latest version of pip.\n mac如何安装呢？\n",
            "TL212",
            "python -m pip install torch==2.2.0",
            id="a label on a Mac: https://github.com/jianchang512/pyvideotrans/issues/353",
        ),
        pytest.param(
            "3.7",
            "x86_64",
            "torch-1.0.0-cp37-cp37m-linux_x86_64.whl is not a supported wheel on this platform.\n",
            "TL403",
            "python -m pip install torch==1.0.0",
            id="a wheel of Linux: https://github.com/render-examples/fastai-v3/issues/4",
        ),
    ],
)
def test_no_wheel_for_this_mac(
    ground: Ground, python: str, machine: str, log: str, rule: str, command: str
) -> None:
    site = ground.mac(python=python, machine=machine)
    done = installing(ground, site, log)
    assert done.first.rule == rule
    assert done.command == command


@pytest.mark.sketched
def test_a_version_that_somebody_built_from_source(ground: Ground) -> None:
    """https://github.com/boheumd/ASM-Loc/issues/4"""
    log = "ERROR: No matching distribution found for torchaudio==0.8.0a0+a751e1d\n"
    done = installing(ground, ground.linux("3.8"), log)
    assert done.first.rule == "TL502"
    assert "is a build from source, of commit a751e1d: the public index does not have it" in done.first.message
    assert done.command == "python -m pip install torchaudio==0.8.0"


@pytest.mark.sketched
@pytest.mark.parametrize(
    "log",
    [
        "LibMambaUnsatisfiableError: Encountered problems while solving:\n"
        "  - nothing provides requested _libgcc_mutex ==0.1 conda_forge\n"
        "  - nothing provides requested _openmp_mutex ==4.5 2_gnu\n",
        "ResolvePackageNotFound: \n  - _libgcc_mutex==0.1=conda_forge\n  - _openmp_mutex==4.5=2_gnu\n",
    ],
    ids=["https://github.com/hacheyz/PMMAA/issues/3", "https://github.com/RameenAbdal/StyleFlow/issues/68"],
)
def test_an_environment_that_was_exported_on_linux(ground: Ground, log: str) -> None:
    site = ground.windows("3.9")
    done = installing(ground, site, f"Solving environment: failed\n\n{log}")
    assert done.first.rule == "TL528"
    assert "has _libgcc_mutex 0.1 conda_forge, _openmp_mutex 4.5 2_gnu for this platform" in done.first.message
    assert "exclude each other" not in done.text
    assert "build strings" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(
    "log",
    [
        "\n\n",
        "it does not work, please help\nI tried everything and there is an error\n",
        'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\nKeyboardInterrupt\n',
        "Collecting torchaudio==2.5.1\nSuccessfully installed torch-2.5.1 torchaudio-2.5.1\n[notice] A new\n",
        "OSError: [WinError 127] Die angegebene Prozedur wurde nicht gefunden\n",
        f'OSError: {CHINESE} Error loading "C:\\P\\Python311\\Lib\\site-packages\\torch\\lib\\fbgemm.dll" or\n',
        "OSError: /home/x/a/lib/python3.9/site-packages/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZNK\n",
    ],
    ids=["empty", "no error", "stopped", "installed", "Windows", "path of Windows", "other Python"],
)
def test_a_log_that_says_nothing_of_this_environment_accuses_nobody(ground: Ground, log: str) -> None:
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.5.1+cu124", made_for=["torchaudio==2.5.1"])
    done = ground.check(site, log=log)
    assert done.bad == []
    assert done.text.startswith(
        ("this check does not explain the log; nothing wrong was", "the log alone shows: ")
    )
    assert "nothing wrong was found" in done.text
