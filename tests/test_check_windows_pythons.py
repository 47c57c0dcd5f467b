"""Extension modules of Windows for another Python: by their names, or by the DLL of Python that they import."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.ground import Ground
from support.libraries import pe
from support.site_folder import write
from support.skeletons import Site
from torchlock.cli.main import main

LOG = (
    '  File "C:\\Python310\\lib\\site-packages\\torch\\nn\\parameter.py", line 2, in <module>\n'
    "    from torch._C import _disabled_torch_function_impl\n"
    "ModuleNotFoundError: No module named 'torch._C'\n"
)


def stack(ground: Ground, dll: str, *, python: str = "3.10") -> Site:
    """A torch and a torchaudio on Windows; the module of torchaudio imports this DLL of Python."""
    site = ground.windows(python)
    ground.torch(site, "1.11.0", made_for=[])
    ground.wheel(site, "torchaudio==0.11.0")
    write(site.path / "torchaudio" / "_torchaudio.pyd", pe({dll: ["PyLong_FromLong"]}))
    (record,) = site.path.glob("torchaudio-*.dist-info/RECORD")
    write(record, f"{record.read_text()}torchaudio/_torchaudio.pyd,,\n")
    return site


def of_other_python(site: Site, theirs: str) -> None:
    """Give the module of torch the name that it has for another Python."""
    (mine,) = (each for each in (site.path / "torch").glob("_C*.pyd"))
    name = f"_C.cp{theirs}-win_amd64.pyd"
    (record,) = site.path.glob("torch-*.dist-info/RECORD")
    write(record, record.read_text().replace(mine.name, name))
    mine.rename(Path(mine.parent, name))


@pytest.mark.sketched
def test_a_torchaudio_of_another_python(ground: Ground) -> None:
    """https://github.com/MrReplikant/AvrilAI/issues/12"""
    site = stack(ground, "python39.dll")
    of_other_python(site, "39")
    done = ground.check(site, log=LOG)
    assert {each.packages[0] for each in done.bad if each.rule == "TL608"} == {"torch", "torchaudio"}
    assert done.command.endswith("torch==1.11.0 torchaudio==0.11.0")
    assert "_torchaudio.pyd needs python39.dll" in str(done.bad)


@pytest.mark.sketched
def test_a_torchaudio_of_another_python_beside_a_right_torch(ground: Ground) -> None:
    done = ground.check(stack(ground, "python38.dll"))
    assert done.first.rule == "TL608"
    assert done.first.message.startswith("torchaudio 0.11.0")
    assert done.first.says.startswith("ImportError: DLL load failed while importing _torchaudio")


@pytest.mark.sketched
@pytest.mark.parametrize("dll", ["python310.dll", "python3.dll", "PYTHON310.DLL"])
def test_a_torchaudio_of_this_python(ground: Ground, dll: str) -> None:
    """The stable interface of Python is in python3.dll."""
    done = ground.check(stack(ground, dll))
    assert [each for each in done.bad if each.rule == "TL608"] == []


@pytest.mark.sketched
def test_no_contradiction_to_a_log_that_lacks_the_module(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file for Python 3.9 is no module of Python 3.10."""
    site = stack(ground, "python310.dll")
    of_other_python(site, "39")
    write(site.path / "torch" / "_C" / "__init__.pyi", "")
    main(["check", "--path", str(site.path), "--log", str(write(site.root / "log.txt", LOG))])
    assert "has torch._C" not in capsys.readouterr().err
