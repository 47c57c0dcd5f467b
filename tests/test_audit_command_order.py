"""What commands install one after the other: dry runs, and a torch that a later command replaces or pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding


def worse(path: Path, text: str) -> list[Finding]:
    path.write_text(text, encoding="utf-8")
    return [each for each in Auditor().report(str(path)).findings if each.severity != "note"]


@pytest.mark.leaves_alone("TL101", "TL213")
@pytest.mark.parametrize(
    "command",
    [
        "pip install --dry-run torch==2.8.0 torchaudio==2.5.1",
        "python -m pip install torch==2.8.0 torchaudio==2.5.1 --dry-run",
        "uv pip install --dry-run torch==2.8.0 torchaudio==2.5.1",
        "uv add --dry-run torch==2.8.0 torchaudio==2.5.1",
        "conda install --dry-run pytorch==2.5.1 torchaudio==2.3.0",
        "pip download torch==2.8.0 torchaudio==2.5.1",
        "pip wheel torch==2.8.0 torchaudio==2.5.1",
    ],
)
def test_a_dry_run_installs_nothing(tmp_path: Path, command: str) -> None:
    assert worse(tmp_path / "a.sh", f"{command}\n") == []


@pytest.mark.triggers("TL101")
def test_a_dry_run_does_not_hide_the_command_behind_it(tmp_path: Path) -> None:
    text = 'pip install --dry-run torch==2.8.0 "torchaudio<2.9"\npip install torch==2.8.0 torchaudio\n'
    assert [(each.rule, each.place.line) for each in worse(tmp_path / "a.sh", text)] == [("TL101", 2)]


@pytest.mark.triggers("TL101")
@pytest.mark.parametrize("first", ["torch==2.6.0", "torch==2.6.0 torchvision==0.21.0"])
def test_a_later_companion_replaces_the_pinned_torch(tmp_path: Path, first: str) -> None:
    """The newest torchaudio declares the torch that it needs, so that the two do not meet."""
    found = worse(tmp_path / "a.sh", f"pip install {first}\npip install torchaudio\n")
    assert [each.rule for each in found] == ["TL101"]
    assert "which asks for torch 2.11.0 or later: it replaces torch 2.6.0" in found[0].message


@pytest.mark.leaves_alone("TL101")
def test_a_later_companion_that_fits_the_pinned_torch(tmp_path: Path) -> None:
    assert worse(tmp_path / "a.sh", "pip install torch==2.6.0\npip install 'torchaudio<2.7'\n") == []


@pytest.mark.triggers("TL101")
def test_an_earlier_companion_is_the_newest_and_stays(tmp_path: Path) -> None:
    found = worse(tmp_path / "a.sh", "pip install torchaudio\npip install torch==2.6.0\n")
    assert [each.rule for each in found] == ["TL101"]
    assert "torchaudio 2.11.0" not in found[0].message


@pytest.mark.leaves_alone("TL206")
@pytest.mark.parametrize("own", [False, True])
def test_a_variable_is_the_label(tmp_path: Path, own: bool) -> None:
    page = "https://download.pytorch.org/whl/torch_stable.html"
    pin = "torch==2.1.0+${CUDA_TAG}\n"
    (tmp_path / "requirements.txt").write_text(f"-f {page}\n{pin}" if own else pin)
    text = f"CUDA_TAG=cpu pip install -r requirements.txt -f {page}\n"
    assert worse(tmp_path / "a.sh", text) == []
    report = Auditor().report(str(tmp_path / "a.sh"))
    assert [each.rule for each in report.findings] == ["TL902"]


@pytest.mark.triggers("TL105")
def test_another_package_may_limit_numpy(tmp_path: Path) -> None:
    """numba 0.58 declares numpy<1.27; what an unknown package declares was not read."""
    both = "torch==2.0.0\nnumpy\n"
    assert [each.rule for each in worse(tmp_path / "requirements.txt", both)] == ["TL105"]
    assert worse(tmp_path / "requirements.txt", f"{both}numba==0.58.1\n") == []
    assert worse(tmp_path / "requirements.txt", f"{both}pyctcdecode==0.5.0\n") == []
    notes = Auditor().report(str(tmp_path / "requirements.txt")).findings
    assert [each.rule for each in notes] == ["TL105"]
    assert "unless pyctcdecode (not read) asks for an older numpy" in notes[0].message


@pytest.mark.triggers("TL103")
def test_a_torch_that_the_public_index_does_not_have(tmp_path: Path) -> None:
    """The wheel of torchvision 0.15.0 declares torch==2.0.0+cu117."""
    found = worse(tmp_path / "requirements.txt", "torch==2.0.0\ntorchvision==0.15.0\n")
    assert "asks for a build of torch that the public index does not have" in found[0].message


@pytest.mark.leaves_alone("TL507")
def test_a_list_of_conda_names_no_page(tmp_path: Path) -> None:
    text = "python=3.10.16=he870216_1\nnumpy=1.26.4=pypi_0\ntorch=2.5.1+cu121=pypi_0\n"
    assert [each.rule for each in worse(tmp_path / "requirements.txt", text)] == ["TL505"]


@pytest.mark.triggers("TL206")
def test_a_companion_without_a_label_beside_a_labelled_torch(tmp_path: Path) -> None:
    page = "-f https://download.pytorch.org/whl/torch_stable.html\n"
    found = worse(tmp_path / "requirements.txt", f"{page}torch==1.10.1+cu111\ntorchvision==0.11.2\n")
    assert [(each.rule, each.place.line) for each in found] == [("TL206", 3)]
    assert found[0].remedy is not None
    assert found[0].remedy.summary == "Pin the build: torchvision==0.11.2+cu111."


@pytest.mark.triggers("TL103")
def test_the_line_that_replaces_the_torch_of_an_image_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("\ntorch==2.2.2\n")
    image = "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"
    text = f"FROM {image}\n\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    found = next(each for each in worse(tmp_path / "Dockerfile", text) if each.rule == "TL103")
    assert found.place.line == 4
    assert found.message.endswith("requirements.txt:2")


@pytest.mark.leaves_alone("TL101", "TL103", "TL105")
@pytest.mark.parametrize(
    "text",
    [
        'pip install torch==2.2.2 "torchaudio<2.3"\npip install "torchaudio>=2.2"\n',
        'pip install torch==2.5.1 "torchvision<0.21"\npip install "torchvision>=0.18"\n',
        'pip install torch==2.1.0 "numpy<2"\npip install "numpy>=1.20"\n',
        "pip install torch==2.2.2 torchaudio==2.2.2\npip install 'torchaudio>=2.2.0'\n",
    ],
)
def test_a_range_keeps_what_is_there_and_fits(tmp_path: Path, text: str) -> None:
    assert worse(tmp_path / "a.sh", text) == []


@pytest.mark.triggers("TL101")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pip install torch==2.2.2 torchaudio\npip install 'torchaudio>=2.2.0'\n", 1),
        ('pip install torch==2.2.2 "torchaudio<2.3"\npip install -U "torchaudio>=2.2"\n', 2),
        ('pip install torch==2.2.2 "torchaudio<2.3"\npip install "torchaudio>=2.4"\n', 2),
        ('pip install torch==2.2.2\npip install "torchaudio>=2.2"\n', 2),
    ],
)
def test_a_range_that_does_not_fit_replaces_it(tmp_path: Path, text: str, line: int) -> None:
    assert [(each.rule, each.place.line) for each in worse(tmp_path / "a.sh", text)] == [("TL101", line)]


def test_what_an_earlier_range_leaves_limits_a_package_outside_of_the_stack(tmp_path: Path) -> None:
    first = 'pip install torch==2.2.0 torchaudio==2.2.0 "transformers<4.40" TTS==0.22.0\n'
    assert worse(tmp_path / "a.sh", first + 'pip install "transformers>=4.30"\n') == []
