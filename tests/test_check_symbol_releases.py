"""TL611 by the releases of torch that have a symbol: a library in the log that is not in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.inspect.binaries.cxx_names import signature

if TYPE_CHECKING:
    from support.ground import Ground

CHECK_FAIL = "_ZN3c106detail14torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
FLASH = "ImportError: /venv/lib/python3.11/site-packages/flash_attn_2_cuda.so: undefined symbol: "


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("_ZN3c104cuda9SetDeviceEi", "c10::cuda::SetDevice(int)"),
        ("_ZN3c104cuda9SetDeviceEab", "c10::cuda::SetDevice(signed char, bool)"),
        ("_ZN3c104cuda9GetDeviceEPa", "c10::cuda::GetDevice(signed char*)"),
        ("_ZN3c104cuda12device_countEv", "c10::cuda::device_count()"),
        ("_ZN3c105ErrorC2ENS_14SourceLocationESs", "a form of c10::Error::Error"),
        ("torch_library_impl", "torch_library_impl"),
    ],
)
def test_a_signature_has_the_parameters_of_plain_types(symbol: str, words: str) -> None:
    assert signature(symbol) == words


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "symbol", "message", "remedy"),
    [
        ("2.3.1+cu121", "_ZN3c104cuda9SetDeviceEi", "from 2.1.0 to 2.2.2, and torch 2.3.1", ">=2.1.0,<=2.2.2"),
        ("2.7.1+cu126", "_ZN3c104cuda9SetDeviceEab", "from 2.8.0 on, and torch 2.7.1", "torch 2.8.0 or later"),
        ("2.4.0+cu121", CHECK_FAIL, "from 2.7.0 on", "torch 2.7.0 or later"),
        ("2.8.0+cu128", "_ZN3c104cuda9SetDeviceEab", "so the process in the log loaded another", "second torch"),
    ],
)
def test_the_releases_that_have_a_symbol(
    ground: Ground, torch: str, symbol: str, message: str, remedy: str
) -> None:
    """https://github.com/Dao-AILab/flash-attention/issues/931, 1816 and 1832"""
    site = ground.linux()
    ground.torch(site, torch, made_for=[])
    done = ground.check(site, log=f"{FLASH}{symbol}\n", platform="linux-x86_64")
    assert done.first.rule == "TL611"
    assert message in done.first.message
    assert remedy in done.first.remedy


@pytest.mark.sketched
def test_a_nightly_torch_is_not_judged_by_releases(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(site, "2.9.0.dev20250901+cu128", made_for=[])
    done = ground.check(site, log=f"{FLASH}_ZN3c104cuda9SetDeviceEi\n", platform="linux-x86_64")
    assert not done.bad
