"""Commands that follow one another: what the later one changes, and what it leaves as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.audit import Auditor


def worse(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [each.rule for each in Auditor().report(str(path)).findings if each.severity != "note"]


@pytest.mark.leaves_alone("TL103")
def test_a_later_command_takes_the_torch_that_its_package_asks_for(tmp_path: Path) -> None:
    assert worse(tmp_path / "a.sh", "pip install torch\npip install torchvision\n") == []


@pytest.mark.leaves_alone("TL101")
def test_what_a_branch_installed_satisfies_a_later_command(tmp_path: Path) -> None:
    page = "--index-url https://download.pytorch.org/whl/cu124"
    text = (
        f"if [ -n $GPU ]; then\n  pip install torch==2.6.0 torchaudio==2.6.0 {page}\nfi\npip install torchaudio\n"
    )
    assert worse(tmp_path / "a.sh", text) == []


@pytest.mark.leaves_alone("TL206", "TL105")
def test_the_torch_and_numpy_of_an_image_stay(tmp_path: Path) -> None:
    page = "-f https://download.pytorch.org/whl/torch_stable.html"
    command = f"RUN pip install torchaudio==0.12.1+cu113 {page} numpy"
    text = f"FROM pytorch/pytorch:1.12.1-cuda11.3-cudnn8-devel\n{command}\n"
    assert worse(tmp_path / "Dockerfile", text) == []


@pytest.mark.leaves_alone("TL103", "TL508")
def test_a_labelled_build_has_the_metadata_of_its_page(tmp_path: Path) -> None:
    page = "--find-links https://download.pytorch.org/whl/torch_stable.html"
    text = f"{page}\ntorch==1.10.0+cu111\ntorchvision==0.11.0+cu111\n"
    assert worse(tmp_path / "requirements.txt", text) == []


@pytest.mark.leaves_alone("TL501")
def test_the_splat_of_powershell_is_unknown(tmp_path: Path) -> None:
    assert worse(tmp_path / "a.ps1", "function F { & pip install @Args 2>&1 }\n") == []


CU128 = "--index-url https://download.pytorch.org/whl/cu128"


@pytest.mark.leaves_alone("TL201", "TL101")
@pytest.mark.parametrize(
    "later",
    [
        "pip install torch==2.7.0 numpy",
        "pip install torch==2.7.0 torchaudio==2.7.0 numpy",
        "pip install 'torch==2.7.*' torchaudio==2.7.0",
        "uv pip install torch==2.7.0",
    ],
)
def test_the_same_pin_again_keeps_the_build(tmp_path: Path, later: str) -> None:
    """2.7.0+cu128 satisfies ==2.7.0 (PEP 440)."""
    assert worse(tmp_path / "a.sh", f"pip install torch==2.7.0 torchaudio==2.7.0 {CU128}\n{later}\n") == []


@pytest.mark.triggers("TL201")
@pytest.mark.parametrize("later", ["pip install -U torch===2.7.0", "pip install --force-reinstall torch==2.7.0"])
def test_the_same_pin_from_another_index_replaces_the_build(tmp_path: Path, later: str) -> None:
    text = f"pip install torch==2.7.0 torchaudio==2.7.0 {CU128}\n{later}\n"
    assert worse(tmp_path / "a.sh", text) == ["TL201"]


@pytest.mark.triggers("TL101")
def test_pins_of_one_command_contradict_each_other_even_if_one_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.sh"
    path.write_text(f"pip install torch==2.7.0 {CU128}\npip install torchaudio==2.6.0 torch==2.7.0\n", "utf-8")
    assert ("error", "TL101") in [(each.severity, each.rule) for each in Auditor().report(str(path)).findings]
