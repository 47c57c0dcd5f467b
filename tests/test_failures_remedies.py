"""Failures whose obvious remedy is wrong: the command keeps the build, the Python, and what is not at fault."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write

NO_TORCHAUDIO = "ModuleNotFoundError: No module named 'torchaudio'\n"


@pytest.mark.sketched
def test_a_cuda_torch_on_arm_stays_when_torchaudio_is_added(ground: Ground) -> None:
    """The public index's torch for aarch64 is a CPU build: its torchaudio comes without its torch."""
    site = ground.linux("3.10", machine="aarch64")
    ground.torch(site, "2.4.0", cuda="12.4")
    ground.wheel(site, "soundfile==0.13.1")
    ground.image(machine="aarch64")
    done = ground.check(site, log=NO_TORCHAUDIO)
    assert (done.first.rule, done.first.severity) == ("TL615", "error")
    assert done.command == "python -m pip install --no-deps torchaudio==2.4.0"
    assert "torch stays as it is" in done.first.remedy
    ground.cure(done)


@pytest.mark.sketched
def test_another_torchaudio_beside_a_cuda_torch_on_arm(ground: Ground) -> None:
    site = ground.linux("3.10", machine="aarch64")
    ground.wheel(site, "torchaudio==2.4.0")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.3.0", cuda="12.4", made_for=["torchaudio==2.3.0"])
    ground.image(machine="aarch64")
    done = ground.check(site)
    assert (done.first.rule, done.command) == ("TL101", "python -m pip install --no-deps torchaudio==2.3.0")
    ground.cure(done)


@pytest.mark.sketched
def test_the_public_torchaudio_beside_a_torch_for_cuda_11(ground: Ground) -> None:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu118")
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert done.first.rule == "TL201"
    assert "--index-url https://download.pytorch.org/whl/cu118 torchaudio==2.5.1+cu118" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_the_public_torchaudio_beside_a_torch_for_rocm(ground: Ground) -> None:
    site = ground.linux("3.12")
    ground.wheel(site, "torchaudio==2.7.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.7.1+rocm6.3", hip="6.3.42131", made_for=["torchaudio==2.7.1+cpu"])
    ground.image()
    done = ground.check(site)
    assert done.first.rule == "TL201"
    assert done.command.endswith("--index-url https://download.pytorch.org/whl/rocm6.3 torchaudio==2.7.1+rocm6.3")
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("version", "cuda"),
    [("2.5.0a0+872d972e41.nv24.8", "12.6"), ("2.5.1+gita8d6afb", "12.4"), ("2.4.0+rocm6.1.git70dfd51", "")],
    ids=["of NVIDIA", "from source", "of AMD"],
)
def test_a_damaged_build_that_no_index_has(version: str, cuda: str, ground: Ground) -> None:
    """No command: no index has torch 2.5.0a0+872d972e41.nv24.8, and a release is another torch."""
    site = ground.linux("3.10")
    ground.wheel(site, "soundfile==0.13.1")
    hip = "" if cuda else "6.1.40091"
    ground.torch(site, version, cuda=cuda, hip=hip)
    whole = (site.path / "torch/lib/libtorch_cpu.so").read_bytes()
    (site.path / "torch/lib/libtorch_cpu.so").write_bytes(whole[: len(whole) // 2])
    ground.image()
    done = ground.check(site)
    assert done.first.rule == "TL607"
    assert done.command == ""
    assert "from where it came" in done.first.remedy
    ground.cure(done, by=lambda: (site.path / "torch/lib/libtorch_cpu.so").write_bytes(whole))


@pytest.mark.sketched
def test_a_damaged_build_of_a_page(ground: Ground) -> None:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.5.1+cu121")
    ground.torch(site, "2.5.1+cu121")
    ground.image(*ffmpeg(6))
    (site.path / "torch/lib/libtorch_cpu.so").unlink()
    done = ground.check(site)
    assert done.first.rule == "TL601"
    assert "--index-url https://download.pytorch.org/whl/cu121 torch==2.5.1+cu121" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_damaged_torch_of_conda_is_installed_by_conda(ground: Ground) -> None:
    site = ground.linux(prefix="opt/conda/envs/asr")
    ground.torch(site, "2.4.1", cuda="12.1")
    prefix, build = site.path.parents[2], "py3.11_cuda12.1_cudnn9.1.0_0"
    write(prefix / "conda-meta" / f"pytorch-2.4.1-{build}.json", "{}")
    (info,) = site.path.glob("torch-*.dist-info")
    write(info / "INSTALLER", "conda\n")
    ground.unrecord(site, r"torch-[^,]*INSTALLER")
    whole = (site.path / "torch/lib/libtorch_python.so").read_bytes()
    write(site.path / "torch/lib/libtorch_python.so", whole[:200])
    ground.image()
    done = ground.check(site)
    assert done.first.rule == "TL607"
    assert done.command.startswith("conda install -y -p /opt/conda/envs/asr --force-reinstall ")
    assert done.command.endswith(f"pytorch=2.4.1={build}")
    ground.cure(done, by=lambda: write(site.path / "torch/lib/libtorch_python.so", whole))


@pytest.mark.sketched
def test_a_torch_of_conda_is_not_replaced_by_pip(ground: Ground) -> None:
    """torchaudio 2.9 has no companion for a torch of conda that old; pip's torch would come instead."""
    site = ground.linux("3.12", prefix="opt/conda/envs/asr")
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.1.0", cuda="12.1", made_for=[])
    write(site.path.parents[2] / "conda-meta" / "pytorch-2.1.0-py3.12_cuda12.1_cudnn8.9.2_0.json", "{}")
    (info,) = site.path.glob("torch-*.dist-info")
    write(info / "INSTALLER", "conda\n")
    ground.unrecord(site, r"torch-[^,]*INSTALLER")
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert (done.first.rule, done.first.severity) == ("TL101", "error")
    assert not any("torch==" in each for each in done.commands)
    assert "conda" in done.first.remedy


@pytest.mark.sketched
def test_torchaudio_alone_gets_a_torch_of_its_cuda(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/4212: torchaudio 2.11 does not require torch."""
    site = ground.linux("3.12")
    ground.wheel(site, "torchaudio==2.11.0")
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert done.first.rule == "TL108"
    ground.cure(done)
    assert ground.accelerator(site) == "cuda"


@pytest.mark.sketched
def test_two_companions_of_another_torch_are_changed_together(ground: Ground) -> None:
    site = ground.linux()
    for each in ("torchaudio==2.5.1", "torchvision==0.19.1", "soundfile==0.13.1"):
        ground.wheel(site, each)
    ground.torch(site, "2.5.1+cu121", made_for=["torchaudio==2.5.1", "torchvision==0.20.1"])
    ground.image()
    done = ground.check(site)
    assert "torchaudio==2.5.1+cu121 torchvision==0.20.1+cu121" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_torchtext_without_a_release_is_removed(ground: Ground) -> None:
    site = ground.linux()
    for each in ("torchtext==0.18.0", "torchaudio==2.6.0"):
        ground.wheel(site, each)
    ground.torch(site, "2.6.0+cu124", made_for=["torchaudio==2.6.0"])
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert (done.first.rule, done.command) == ("TL104", "python -m pip uninstall -y torchtext")
    ground.cure(done)


@pytest.mark.sketched
def test_a_python_of_the_distribution_gets_an_environment(ground: Ground) -> None:
    """PEP 668: pip refuses to change this Python."""
    site = ground.linux("3.11", packages="dist-packages", prefix="usr")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.6.0+cu124", made_for=["torchaudio==2.6.0"])
    ground.image(*ffmpeg(6))
    write(site.root / "usr/lib/python3.11/EXTERNALLY-MANAGED", "")
    write(site.root / "usr/bin/python3.11", elf(""))
    done = ground.check(site)
    assert done.first.rule == "TL101"
    ground.cure(done)


@pytest.mark.sketched
def test_a_package_that_limits_torch_decides(ground: Ground) -> None:
    """The remedy keeps what another package requires and has: torch below 2.6."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.6.0")
    install(site.path, "whisperx", "3.3.1", headers="Requires-Dist: torch<2.6\n")
    ground.torch(site, "2.5.1", cuda="12.4", made_for=["torchaudio==2.5.1"])
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert done.command == "python -m pip install torchaudio==2.5.1"
    ground.cure(done)


@pytest.mark.sketched
def test_a_windows_machine_keeps_its_build(ground: Ground) -> None:
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.7.1+cu128", made_for=["torchaudio==2.7.1"])
    done = ground.check(site)
    assert done.first.rule == "TL101"
    assert "/whl/cu128 torchaudio==2.7.1+cu128" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_package_that_needs_torch_in_an_environment_without_it(ground: Ground) -> None:
    site = ground.linux("3.12")
    install(site.path, "openai-whisper", "20240930", headers="Requires-Dist: torch\n")
    ground.image(*ffmpeg(6))
    log = "ModuleNotFoundError: No module named 'torch'\n"
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert (done.first.rule, done.first.severity) == ("TL615", "error")
    ground.cure(done)


@pytest.mark.sketched
def test_no_remedy_without_a_known_platform(ground: Ground) -> None:
    """Nothing shows the platform of this tree: a command would be a guess."""
    site = ground.linux("3.12")
    install(site.path, "openai-whisper", "20240930", headers="Requires-Dist: torch\n")
    done = ground.check(site)
    assert (done.first.rule, done.command) == ("TL615", "")
    assert "--python" in done.first.remedy
    ground.cure(ground.check(site, platform="linux-x86_64"))


GONE = """\
  File "/home/u/app/run.py", line 3, in <module>
    info = torchaudio.info("a.wav")
AttributeError: module 'torchaudio' has no attribute 'info'
"""


@pytest.mark.sketched
@pytest.mark.parametrize("version", ["2.9.1", "2.10.0"])
def test_an_earlier_release_is_of_an_earlier_cuda(version: str, ground: Ground) -> None:
    """No torch that has torchaudio.info was built for CUDA 13, whose driver runs the builds for CUDA 12, too."""
    site = ground.linux("3.12")
    ground.wheel(site, f"torchaudio=={version}+cu130")
    ground.torch(site, f"{version}+cu130")
    ground.image(*ffmpeg(6))
    done = ground.check(site, root=True, log=GONE)
    assert done.first.rule == "TL702"
    page = "https://download.pytorch.org/whl/cu129"
    assert done.command == f"python -m pip install --index-url {page} torch==2.8.0+cu129 torchaudio==2.8.0+cu129"
    assert "driver" not in done.first.remedy
    ground.cure(done)


@pytest.mark.sketched
def test_a_later_release_is_of_a_later_cuda(ground: Ground) -> None:
    """The remedy says which driver that build needs."""
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.8.0")
    install(site.path, "asr", "1.0", headers="Requires-Dist: torchaudio>=2.8\n")
    ground.torch(site, "2.0.1+cu117", made_for=["torchaudio==2.0.2"])
    ground.image(*ffmpeg(6))
    done = ground.check(site, root=True)
    assert (done.first.rule, done.command) == ("TL101", "python -m pip install torch==2.8.0")
    assert "this build needs an NVIDIA driver 525" in done.first.remedy
    ground.cure(done)
