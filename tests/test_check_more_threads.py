"""What public threads of autumn 2026 showed: parts of torch, string ABIs, bytes that are no pickle, and slips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.site_folder import install
from support.skeletons import library
from torchlock.check.rules.checkpoints_in_log import _not_pickled
from torchlock.knowledge.names import near
from torchlock.knowledge.other_names import lack_of

if TYPE_CHECKING:
    from support.ground import Ground

_NEW = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_FLASH = "/env/lib/python3.10/site-packages/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so"


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize(
    ("lacking", "code"),
    [("libc10_cuda.so", 1), ("libtorch_cuda.so", 1), ("libavutil.so.60", 0), ("libnppicc.so.13", 0)],
)
def test_a_torchcodec_whose_every_library_lacks_one_of_torch_is_an_error(
    ground: Ground, lacking: str, code: int
) -> None:
    """A torchcodec for CUDA beside the CPU build of torch. FFmpeg and NPP may be searched for elsewhere."""
    site = ground.linux(python="3.12")
    ground.wheel(site, "torchcodec==0.15.0")
    ground.torch(site, "2.13.0+cpu", made_for=["torchcodec==0.15.0"])
    for path in (site.path / "torchcodec").glob("libtorchcodec_core*.so"):
        path.write_bytes(library(site, path.name, ["libtorch.so", lacking], folder="../torch/lib"))
    ground.unrecord(site, r"torchcodec/.*\.so")
    done = ground.check(site, root=True, platform="linux-x86_64")
    assert done.code == code
    assert any(
        each.severity == ("error" if code else "warning") and lacking in str(each) for each in done.findings
    )


@pytest.mark.sketched
def test_the_other_string_abi_is_named_with_the_wheel_for_it(ground: Ground) -> None:
    site = ground.linux(python="3.10")
    ground.wheel(site, "torchaudio==2.6.0+cu124")
    ground.torch(site, "2.6.0+cu124")
    log = f"ImportError: {_FLASH}: undefined symbol: {_NEW}"
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == "TL611"
    assert "new C++ string ABI" in done.first.because
    assert "cxx11abiFALSE" in done.first.remedy


@pytest.mark.sketched
def test_beside_a_nightly_torch_a_package_is_compiled_again(ground: Ground) -> None:
    """The advice was to install torch 2.7.0 or later, beside a torch 2.10."""
    site = ground.linux(python="3.10")
    ground.torch(site, "2.10.0.dev20250924+cu128")
    log = f"ImportError: {_FLASH}: undefined symbol: {_NEW}"
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == "TL611"
    assert "2.10.0.dev20250924 (CUDA 12.8) is installed" in done.first.message
    assert done.first.remedy.startswith("Install that package for this pre-release")


@pytest.mark.parametrize(
    ("byte", "shown"), [(118, "Git LFS"), (60, "web page"), (123, "JSON"), (7, "byte 7"), (149, ""), (99, "")]
)
def test_a_byte_that_is_no_instruction_of_pickle_shows_another_file(byte: int, shown: str) -> None:
    said = _not_pickled(byte)
    assert shown in said
    assert bool(said) is bool(shown)


@pytest.mark.sketched
def test_a_pointer_of_git_lfs_is_known_without_its_environment(ground: Ground) -> None:
    """The log alone said: make the code call torch.load with weights_only=False."""
    site = ground.linux()
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    log = "Weights only load failed. ... use case: WeightsUnpickler error: Unsupported operand 118\n"
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == "TL110"
    assert "not a model" in done.first.message
    assert "weights_only=False" not in done.first.remedy


@pytest.mark.sketched
def test_npp_of_cuda_13_has_its_own_package(ground: Ground) -> None:
    site = ground.linux()
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    log = "OSError: libnppicc.so.{}: cannot open shared object file: No such file or directory\n"
    for major, package in ((12, "nvidia-npp-cu12"), (13, '"nvidia-npp==13.*"')):
        done = ground.check(site, log=log.format(major), platform="linux-x86_64")
        assert done.first.rule == "TL610"
        assert package in done.first.remedy
        assert "nvidia-npp-cu13" not in done.first.remedy


@pytest.mark.sketched
def test_a_torchcodec_of_another_cuda_is_known_by_the_library_that_it_asks_for(ground: Ground) -> None:
    site = ground.linux(python="3.12")
    ground.wheel(site, "torchcodec==0.12.0")
    ground.torch(site, "2.11.0+cu128", made_for=["torchcodec==0.12.0"])
    log = (
        "OSError: libnvrtc.so.13: cannot open shared object file: No such file or directory\n"
        '    raise OSError(f"Could not load this library: {path}") from e\n'
        "OSError: Could not load this library: /usr/python3.12/site-packages/torchcodec/libtorchcodec_core8.so\n"
    )
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == "TL201"
    assert "was built for CUDA 13" in done.first.message
    assert "https://download.pytorch.org/whl/cu128 torchcodec==0.12.0" in done.first.remedy


@pytest.mark.sketched
def test_a_build_without_libuv_gets_its_variable(ground: Ground) -> None:
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.4.0")
    ground.torch(site, "2.4.0")
    log = "RuntimeError: use_libuv was requested but PyTorch was build without libuv support\n"
    done = ground.check(site, log=log, platform="windows-amd64")
    assert done.first.rule == "TL236"
    assert "USE_LIBUV=0" in done.first.remedy


@pytest.mark.sketched
def test_the_owner_of_a_file_that_its_record_lacks_is_the_project_of_its_folder(ground: Ground) -> None:
    site = ground.linux(python="3.12")
    ground.wheel(site, "torchaudio==2.9.0")
    ground.torch(site, "2.9.0")
    install(site.path, "speechbrain", "1.0.3", {"speechbrain/__init__.py": ""})
    log = (
        "Traceback (most recent call last):\n"
        '  File "/usr/lib/python3.12/site-packages/speechbrain/utils/torch_audio_backend.py", line 57, in check\n'
        "    available_backends = torchaudio.list_audio_backends()\n"
        "AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'\n"
    )
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.message.startswith("speechbrain 1.0.3 does not work with torchaudio 2.9.0")
    assert 'speechbrain>=1.1,<2"' in done.command


def test_a_slip_gets_the_name_that_was_meant() -> None:
    assert near("torchaudio.list_available_backends", "2.2.0") == "torchaudio.list_audio_backends"
    assert near("torchaudio.list_available_backends", "2.9.0") == ""
    assert near("torchaudio.something_else", "2.2.0") == ""
    assert near("torch.zeroes", "2.2.0") == ""


@pytest.mark.parametrize(
    ("name", "specifier"),
    [
        ("numba.cuda.utils.redirect_numba_module", ">=0.21"),
        ("transformers.pytorch_utils.isin_mps_friendly", ">=4.45,<5.1"),
    ],
)
def test_names_inside_of_modules_have_their_releases(name: str, specifier: str) -> None:
    lack = lack_of(name)
    assert lack is not None
    assert lack.specifier == specifier
