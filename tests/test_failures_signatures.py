"""Failures that people reported with their logs: the cause that the log shows comes first, and its remedy cures.

Libraries of more than 30 MB, and torch, are skeletons with the tables that the real ones have.
"""

from __future__ import annotations

import pytest

from support.ground import Checked, Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site

PAGE = "https://download.pytorch.org/whl"


def no_match(requirement: str, offered: str = "none") -> str:
    """What pip prints."""
    return (
        f"ERROR: Could not find a version that satisfies the requirement {requirement} (from "
        f"versions: {offered})\n"
        f"ERROR: No matching distribution found for {requirement}\n"
    )


def with_pip(ground: Ground, site: Site) -> Site:
    """An environment with pip and nothing else, as an installation that failed leaves it."""
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    root = site.path.parents[2] if site.system != "windows" else site.path.parents[1]
    text = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {site.python}.1\n"
    write(root / "pyvenv.cfg", text)
    return site


def checked(ground: Ground, site: Site, log: str) -> Checked:
    done = ground.check(site, log=log, platform=site.platform)
    assert done.first.severity == "error", "nothing of the stack is installed because of it"
    assert "TL615" in done.first.consequences
    return done


class TestInstallers:
    """What an installer printed comes before what its failure left."""

    @pytest.mark.sketched
    def test_a_cached_wheel_of_which_a_part_is_damaged(self, ground: Ground) -> None:
        """https://github.com/bmaltais/kohya_ss/issues/250 (s9roll7/animatediff-cli-prompt-travel#69: cured)"""
        site = with_pip(ground, ground.windows("3.10"))
        log = f"""\
PS N:\\AI> pip install torch==1.12.1+cu116 torchvision==0.13.1+cu116 --extra-index-url {PAGE}/cu116
Collecting torch==1.12.1+cu116
  Using cached {PAGE}/cu116/torch-1.12.1%2Bcu116-cp310-cp310-win_amd64.whl (2388.4 MB)
Collecting numpy
  Using cached numpy-1.24.2-cp310-cp310-win_amd64.whl (14.8 MB)
Installing collected packages: numpy, torch, torchvision
ERROR: Exception:
Traceback (most recent call last):
  File "zipfile.py", line 925, in _update_crc
    raise BadZipFile("Bad CRC-32 for file %r" % self.name)
zipfile.BadZipFile: Bad CRC-32 for file 'torch/lib/cudnn_cnn_infer64_8.dll'
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL520"
        assert "torch-1.12.1+cu116-cp310-cp310-win_amd64.whl" in done.first.message
        assert "pip cache purge && " in done.command
        assert "--no-cache-dir torch==1.12.1+cu116 torchvision==0.13.1+cu116" in done.command

    @pytest.mark.sketched
    def test_a_download_that_is_not_what_the_index_states(self, ground: Ground) -> None:
        """https://github.com/oobabooga/textgen/issues/4290; the same with pytorch/pytorch#110847"""
        site = with_pip(ground, ground.windows("3.10"))
        log = f"""\
Looking in indexes: {PAGE}/cu118
Collecting torch
  Using cached {PAGE}/cu118/torch-2.1.0%2Bcu118-cp310-cp310-win_amd64.whl (2722.7 MB)
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions
    torch from {PAGE}/cu118/torch-2.1.0%2Bcu118-cp310-cp310-win_amd64.whl#sha256={"eb512249" * 8}:
        Expected sha256 {"eb512249" * 8}
             Got        {"84068f5e" * 8}
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL520"
        assert "did not arrive as the index has it" in done.first.message
        assert done.command.endswith(f"--no-cache-dir --index-url {PAGE}/cu118 torch==2.1.0+cu118")

    @pytest.mark.sketched
    def test_a_label_whose_page_was_not_asked(self, ground: Ground) -> None:
        """https://github.com/Dongqi-Fan/OnePoseTrans/issues/2"""
        site = with_pip(ground, ground.linux("3.11"))
        log = f"$ pip install torch==2.4.1+cu121\n{no_match('torch==2.4.1+cu121', '2.2.0, 2.4.1')}"
        done = checked(ground, site, log)
        assert done.first.rule == "TL507"
        assert done.command == f"python -m pip install --index-url {PAGE}/cu121 torch==2.4.1+cu121"
        ground.cure(done)

    @pytest.mark.sketched
    def test_a_label_in_a_file_of_requirements(self, ground: Ground) -> None:
        """https://github.com/jianchang512/stt/issues/4"""
        site = with_pip(ground, ground.windows("3.10"))
        failed = no_match("torch==2.1.2+cu121 (from -r requirements.txt (line 3))")
        log = f"pip install -r requirements.txt\n{failed}"
        done = checked(ground, site, log)
        assert done.first.rule == "TL507"
        assert done.command == f"python -m pip install --extra-index-url {PAGE}/cu121 -r requirements.txt"

    @pytest.mark.sketched
    def test_a_label_for_a_mac(self, ground: Ground) -> None:
        """https://github.com/Nerogar/OneTrainer/issues/169"""
        site = with_pip(ground, ground.mac(python="3.10"))
        done = checked(ground, site, no_match("torch==2.1.2+cu118", "2.1.0, 2.1.1, 2.1.2"))
        assert done.first.rule == "TL212"
        assert "does not exist for macOS" in done.first.message
        assert done.command == "python -m pip install torch==2.1.2"
        ground.cure(done)

    @pytest.mark.sketched
    def test_a_build_that_never_was(self, ground: Ground) -> None:
        """https://github.com/zewei-Zhang/GoodDrag/issues/3"""
        site = with_pip(ground, ground.linux("3.10"))
        log = (
            f"pip install torch==2.0.1+cu121 torchaudio==2.0.2 --index-url "
            f"{PAGE}/cu121\n{no_match('torch==2.0.1+cu121')}"
        )
        done = checked(ground, site, log)
        assert done.first.rule == "TL204"
        assert "cu117, cu118" in done.first.because
        assert (
            done.command
            == f"python -m pip install --index-url {PAGE}/cu118 torch==2.0.1+cu118 torchaudio==2.0.2+cu118"
        )
        ground.cure(done)

    @pytest.mark.sketched
    def test_a_page_that_never_was(self, ground: Ground) -> None:
        """https://github.com/visualbruno/ComfyUI-Trellis2/issues/131"""
        site = with_pip(ground, ground.windows("3.13"))
        done = checked(ground, site, f"Looking in indexes: {PAGE}/cu131\n{no_match('torch==2.10.0')}")
        assert done.first.rule == "TL205"
        assert done.command == f"python -m pip install --index-url {PAGE}/cu130 torch==2.10.0+cu130"
        ground.cure(done)

    @pytest.mark.sketched
    def test_a_release_without_wheels_for_this_python(self, ground: Ground) -> None:
        """https://github.com/OpenTalker/SadTalker/issues/850: the page was asked; the Python is too new"""
        site = with_pip(ground, ground.linux("3.11"))
        log = f"""\
pip install torch==1.12.1+cu113 torchvision==0.13.1+cu113 torchaudio==0.12.1 --extra-index-url {PAGE}/cu113
Looking in indexes: https://index.example.org/simple, {PAGE}/cu113
{no_match("torch==1.12.1+cu113", "1.13.0, 1.13.1, 2.0.0, 2.0.1")}"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL403"
        assert "it has wheels for Python 3.7 to 3.10" in done.first.message
        assert done.command.startswith("python3.10 -m venv .venv && .venv/bin/python -m pip install ")
        assert done.command.endswith(
            f"--index-url {PAGE}/cu113 torch==1.12.1+cu113 torchvision==0.13.1+cu113 torchaudio==0.12.1+cu113"
        )

    @pytest.mark.sketched
    def test_a_release_before_this_python(self, ground: Ground) -> None:
        """https://github.com/memgraph/mage/issues/489: Python 3.12"""
        site = with_pip(ground, ground.linux("3.12"))
        done = checked(ground, site, no_match("torch==1.12.0", "2.2.0, 2.2.1, 2.2.2, 2.3.0, 2.3.1"))
        assert done.first.rule == "TL403"
        assert "or install torch 2.2.0" in done.first.remedy
        assert done.command == "python3.10 -m venv .venv && .venv/bin/python -m pip install torch==1.12.0"

    @pytest.mark.sketched
    def test_uv_on_an_intel_mac(self, ground: Ground) -> None:
        """https://github.com/astral-sh/uv/issues/8358"""
        site = with_pip(ground, ground.mac(python="3.9", machine="x86_64"))
        log = """\
error: Distribution `torch==2.5.0 @ registry+https://example.org/simple` can't be installed because it doesn't
have a source distribution or wheel for the current platform
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL403"
        assert "releases 1.7.1 to 2.2.2 have wheels" in done.first.remedy
        assert "torch==2.2.2" in done.command
        assert "numpy<2" in done.command

    @pytest.mark.sketched
    def test_uv_breaks_its_lines(self, ground: Ground) -> None:
        """The same as above from uv, in a narrow terminal."""
        site = with_pip(ground, ground.linux("3.13"))
        log = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because torch==2.0.1 has no wheels with a matching Python ABI
      tag (e.g., `cp313`) and you require torch==2.0.1, we can conclude
      that your requirements are unsatisfiable.
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL403"
        assert done.command == "uv venv --python 3.11 && uv pip install torch==2.0.1"

    @pytest.mark.sketched
    def test_torchcodec_for_another_machine(self, ground: Ground) -> None:
        """https://github.com/meta-pytorch/torchcodec/issues/1071"""
        site = with_pip(ground, ground.linux("3.12", machine="aarch64"))
        done = checked(ground, site, no_match("torchcodec==0.7.0", "0.0.0.dev0"))
        assert done.first.rule == "TL403"
        assert "torchcodec 0.7.0 has no wheel for Linux (aarch64)" in done.first.message
        assert done.command == "python -m pip install torchcodec==0.11.0"

    @pytest.mark.sketched
    def test_numpy_from_source(self, ground: Ground) -> None:
        """https://github.com/numpy/numpy/issues/29345"""
        site = with_pip(ground, ground.linux("3.12"))
        log = """\
$ pip install numpy==1.24.0
Collecting numpy==1.24.0
  Using cached numpy-1.24.0.tar.gz (10.9 MB)
  Installing build dependencies ... done
  Getting requirements to build wheel ... error
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [33 lines of output]
      AttributeError: module 'pkgutil' has no attribute 'ImpImporter'. Did you mean: 'zipimporter'?
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL524"
        assert "numpy 1.24.0 has no wheel for Python 3.12, and did not build from source" in done.first.message
        assert "or install numpy 1.26.0" in done.first.remedy
        assert done.command == "python3.11 -m venv .venv && .venv/bin/python -m pip install numpy==1.24.0"

    @pytest.mark.sketched
    def test_a_build_that_imports_torch(self, ground: Ground) -> None:
        """https://github.com/Dao-AILab/flash-attention/issues/1421"""
        site = ground.linux("3.10")
        ground.wheel(site, "torchaudio==2.5.1")
        ground.torch(site, "2.5.1+cu124")
        log = """\
$ pip install flash-attn
Collecting flash-attn
  Using cached https://index.example.org/packages/flash_attn-2.7.2.post1.tar.gz (3.1 MB)
  Getting requirements to build wheel ... error
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  ╰─> [17 lines of output]
      ModuleNotFoundError: No module named 'torch'
"""
        done = ground.check(site, log=log)
        assert done.first.rule == "TL524"
        assert "its build imports torch, which an isolated build does not have" in done.first.message
        assert "--no-build-isolation flash-attn==2.7.2.post1" in done.command

    @pytest.mark.sketched
    def test_metadata_that_pip_refuses(self, ground: Ground) -> None:
        """https://github.com/RVC-Project/Retrieval-based-Voice-Conversion-WebUI/issues/2707"""
        site = with_pip(ground, ground.linux("3.9"))
        log = """\
Collecting fairseq==0.12.2 (from -r requirements.txt (line 10))
  Downloading fairseq-0.12.2.tar.gz (9.6 MB)
WARNING: Ignoring version 2.0.5 of omegaconf since it has invalid metadata:
Requested omegaconf<2.1 from https://example.org/omegaconf-2.0.5-py3-none-any.whl has invalid metadata: .* suffix
    PyYAML (>=5.1.*)
Please use pip<24.1 if you need to use this version.
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL511"
        assert "omegaconf 2.0.5" in done.first.message
        assert done.command == 'python -m pip install "pip<24.1" && python -m pip install -r requirements.txt'

    @pytest.mark.sketched
    def test_two_pins_that_exclude_each_other(self, ground: Ground) -> None:
        """https://github.com/microsoft/onnxruntime-inference-examples/pull/184"""
        site = with_pip(ground, ground.linux("3.9"))
        log = """\
ERROR: Cannot install -r ../model/requirements.txt (line 5) and torch==1.13.1 because these package versions have \
conflicting dependencies.

The conflict is caused by:
    The user requested torch==1.13.1
    torchaudio 0.9.0 depends on torch==1.9.0
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL527"
        assert done.command == "python -m pip install torch==1.13.1 torchaudio==0.13.1"

    @pytest.mark.sketched
    def test_a_cuda_version_that_the_channel_never_got(self, ground: Ground) -> None:
        """https://github.com/ultralytics/ultralytics/issues/22030"""
        site = with_pip(ground, ground.windows("3.12"))
        log = """\
conda install pytorch torchvision torchaudio pytorch-cuda=12.8 -c pytorch -c nvidia -c conda-forge
Solving environment: failed

PackagesNotFoundError: The following packages are not available from current channels:

  - pytorch-cuda=12.8*

Current channels:
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL528"
        assert "pytorch-cuda 12.8" in done.first.message
        assert done.command == f"python -m pip install --index-url {PAGE}/cu128 torch torchvision torchaudio"

    @pytest.mark.sketched
    def test_a_toolkit_that_conda_does_not_have(self, ground: Ground) -> None:
        """https://github.com/myshell-ai/OpenVoice/issues/83: solved with pip"""
        site = with_pip(ground, ground.windows("3.9"))
        log = """\
conda install pytorch==1.13.1 torchvision==0.14.1 torchaudio==0.13.1 cudatoolkit=11.7 -c pytorch -c nvidia
PackagesNotFoundError: The following packages are not available from current channels:

  - cudatoolkit=11.7

Current channels:
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL528"
        assert done.command == (
            f"python -m pip install --index-url {PAGE}/cu117 torch==1.13.1+cu117 torchvision==0.14.1+cu117 "
            "torchaudio==0.13.1+cu117"
        )

    @pytest.mark.sketched
    def test_a_file_that_a_program_has_open(self, ground: Ground) -> None:
        """https://github.com/zalandoresearch/pytorch-ts/issues/56"""
        site = with_pip(ground, ground.windows("3.8"))
        log = """\
  Attempting uninstall: torch
    Found existing installation: torch 1.6.0
ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: \
'c:\\\\users\\\\me\\\\venv\\\\lib\\\\site-packages\\\\~orch\\\\lib\\\\asmjit.dll'
Consider using the `--user` option or check the permissions.
"""
        done = checked(ground, site, log)
        assert done.first.rule == "TL521"
        assert "a running program has this file open" in done.first.message
        assert done.first.remedy.startswith("Close every program")

    @pytest.mark.sketched
    def test_an_installer_that_was_killed(self, ground: Ground) -> None:
        """https://github.com/pytorch/pytorch/issues/1022"""
        site = with_pip(ground, ground.linux("3.10"))
        log = (
            "Collecting torch==2.1.0\n  Downloading torch-2.1.0-cp310-cp310-manylinux1_x86_64.whl (670.2 "
            "MB)\nKilled\n"
        )
        done = checked(ground, site, log)
        assert done.first.rule == "TL523"
        assert done.command == "python -m pip install --no-cache-dir torch==2.1.0"


class TestNumpyAndModels:
    @pytest.mark.sketched
    def test_numba_and_a_later_numpy(self, ground: Ground) -> None:
        """https://github.com/McCloudS/subgen/issues/321"""
        site = ground.linux("3.12")
        for each in ("torchaudio==2.7.1", "numba==0.60.0", "numpy==2.2.0"):
            ground.wheel(site, each)
        ground.torch(site, "2.7.1+cu126")
        log = "ImportError: Numba needs NumPy 2.0 or less. Got NumPy 2.2.\n"
        done = ground.check(site, log=log)
        assert done.first.rule == "TL109"
        assert done.command == 'python -m pip install "numpy>=1.22,<2.1"'
        ground.cure(done)

    @pytest.mark.sketched
    def test_pyannote_with_lightning_2_6(self, ground: Ground) -> None:
        """https://github.com/m-bain/whisperX/issues/1304"""
        site = ground.linux("3.10")
        for each in ("torchaudio==2.8.0", "pyannote.audio==3.4.0", "lightning==2.6.0", "pytorch-lightning==2.6.0"):
            ground.wheel(site, each)
        ground.torch(site, "2.8.0+cu128")
        log = """\
  File "/venv/lib/python3.10/site-packages/whisperx/vads/pyannote.py", line 43, in load_vad_model
  File "/venv/lib/python3.10/site-packages/pyannote/audio/core/model.py", line 671, in from_pretrained
_pickle.UnpicklingError: Weights only load failed. This file can still be loaded, to do so you have two options
        WeightsUnpickler error: Unsupported global: GLOBAL omegaconf.listconfig.ListConfig was not an allowed
"""
        done = ground.check(site, log=log.replace("/venv/", f"{site.path.parents[2]}/"))
        assert done.first.rule == "TL110"
        assert "omegaconf.listconfig.ListConfig" in done.first.message
        assert done.command == 'python -m pip install "lightning<2.6" "pytorch-lightning<2.6"'

    @pytest.mark.sketched
    def test_a_model_that_is_a_pointer(self, ground: Ground) -> None:
        """https://github.com/D3voz/joy-caption-alpha-two-gui-mod/issues/7: operand 118 is the letter v"""
        site = ground.linux("3.11")
        ground.wheel(site, "torchaudio==2.6.0")
        ground.torch(site, "2.6.0+cu124")
        log = (
            "_pickle.UnpicklingError: Weights only load failed.\nWeightsUnpickler error: Unsupported operand 118\n"
        )
        done = ground.check(site, log=log)
        assert done.first.rule == "TL110"
        assert "is not a model" in done.first.message
        assert "git lfs pull" in done.first.remedy


class TestGpus:
    @pytest.mark.sketched
    def test_a_cpu_torchvision_on_a_gpu(self, ground: Ground) -> None:
        """https://github.com/Gourieff/ComfyUI-ReActor/issues/118"""
        site = ground.windows("3.10")
        ground.wheel(site, "torchvision==0.22.0+cpu")
        ground.torch(site, "2.7.0+cu128")
        log = (
            "NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' "
            "backend. This could\n"
        )
        done = ground.check(site, log=log, platform="windows-amd64")
        assert done.first.rule == "TL228"
        assert f"--index-url {PAGE}/cu128" in done.command
        assert done.command.endswith("torchvision==0.22.0+cu128")
        assert [each.rule for each in done.findings].count("TL228") == 1

    @pytest.mark.sketched
    @pytest.mark.parametrize(
        ("torch", "torchvision", "is_said"),
        [
            ("2.4.1+cu121", "0.19.1+cpu", True),
            ("2.4.1+cpu", "0.19.1+cpu", False),
            ("2.4.1+cu121", "0.19.1+cu121", False),
        ],
    )
    def test_a_cpu_torchvision_beside_a_cuda_torch(
        self, ground: Ground, torch: str, torchvision: str, is_said: bool
    ) -> None:
        """https://github.com/dchatel/comfyui_facetools/issues/26: the import works, and nms fails on a GPU."""
        site = ground.windows("3.10")
        ground.wheel(site, f"torchvision=={torchvision}")
        ground.torch(site, torch)
        done = ground.check(site, platform="windows-amd64")
        assert not done.bad
        noted = [each.message for each in done.findings if each.rule == "TL228"]
        assert [each.endswith("torchvision::nms fails on a GPU") for each in noted] == [True] * is_said

    @pytest.mark.sketched
    def test_a_driver_of_an_older_cuda(self, ground: Ground) -> None:
        """https://github.com/pytorch/pytorch/pull/162531: a build for CUDA 13.0 and the driver of CUDA 12.8"""
        site = ground.linux("3.12")
        ground.wheel(site, "torchaudio==2.9.1")
        ground.torch(site, "2.9.1+cu130")
        log = (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12080). Please "
            "update your GPU driver\n"
        )
        done = ground.check(site, log=log)
        assert done.first.rule == "TL202"
        assert "supports CUDA 12.8" in done.first.message
        assert "580" in done.first.remedy
        assert done.command.endswith("torch==2.9.1"), "that of the public index is for CUDA 12.8"
        ground.cure(done)

    @pytest.mark.sketched
    def test_a_gpu_that_is_newer_than_the_build(self, ground: Ground) -> None:
        """https://github.com/ahmetoner/whisper-asr-webservice/issues/335"""
        site = ground.linux("3.10")
        ground.wheel(site, "torchaudio==2.7.1+cu126")
        ground.torch(site, "2.7.1+cu126")
        log = """\
UserWarning:
NVIDIA GeForce RTX 5090 D with CUDA capability sm_120 is not compatible with the current PyTorch installation.
RuntimeError: CUDA error: no kernel image is available for execution on the device
"""
        done = ground.check(site, log=log)
        assert done.first.rule == "TL208"
        assert "NVIDIA GeForce RTX 5090 D" in done.first.message
        assert f"--index-url {PAGE}/cu128" in done.command
        assert "torch==2.7.1+cu128" in done.command

    @pytest.mark.sketched
    def test_nvrtc_under_a_name_without_its_version(self, ground: Ground) -> None:
        """https://github.com/pytorch/pytorch/issues/58101"""
        site = ground.linux("3.8")
        ground.torch(site, "1.8.1+cu111", made_for=[])
        write(site.path / "torch" / "lib" / "libnvrtc-builtins.so", elf("libnvrtc-builtins.so"))
        log = "RuntimeError: nvrtc: error: failed to open libnvrtc-builtins.so.11.1.\n"
        done = ground.check(site, log=log)
        assert done.first.rule == "TL226"
        assert done.command.startswith("ln -s ")
        assert done.command.endswith("torch/lib/libnvrtc-builtins.so.11.1")

    @pytest.mark.sketched
    def test_memory_that_ran_out_is_no_fault_of_the_packages(self, ground: Ground) -> None:
        """https://github.com/camenduru/MVDream-colab/issues/2 and many more"""
        site = ground.linux("3.10")
        ground.wheel(site, "torchaudio==2.7.1")
        ground.torch(site, "2.7.1+cu126")
        done = ground.check(site, log="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n")
        assert not done.bad
        assert done.findings[0].rule == "TL229"
        assert (
            done.findings[0].message
            == "the memory of the GPU ran out: this is not a fault of the installed packages"
        )
