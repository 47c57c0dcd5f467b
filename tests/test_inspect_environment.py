"""The path is the one that the interpreter itself would have."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest

from support.site_folder import install, site_of, tree, write
from torchlock.inspect.environment import Environment, of_interpreter
from torchlock.inspect.interpreter import Interpreter, ask


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "with-system"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, system_site_packages=request.param)
    answer = ask(str(folder))
    assert isinstance(answer, Interpreter)
    return answer


def really(interpreter: Interpreter, environ: dict[str, str], folder: Path) -> list[str]:
    """What the interpreter's own path is, as it starts."""
    command = [interpreter.executable, "-c", "import json, sys; print(json.dumps(sys.path))"]
    output = subprocess.run(command, env=environ, cwd=folder, check=True, capture_output=True, text=True).stdout
    path: list[str] = json.loads(output.splitlines()[-1])
    return list(dict.fromkeys(os.path.normpath(folder / item) for item in path))


def kept(environment: Environment) -> list[str]:
    return [entry.path for entry in environment.path]


@pytest.mark.parametrize("nouser", ["", "1"])
@pytest.mark.parametrize("safe", ["", "1"])
def test_the_path_is_that_of_the_real_start(python: Interpreter, tmp_path: Path, nouser: str, safe: str) -> None:
    if safe and (python.python or (3, 0))[:2] < (3, 11):
        pytest.skip("PYTHONSAFEPATH came with 3.11")
    site = Path(python.own_sites[-1])
    user = tmp_path / "user"
    environ = {
        "PYTHONUSERBASE": str(user),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "one")]),
        "PYTHONNOUSERSITE": nouser,
        "PYTHONSAFEPATH": safe,
        "PATH": os.environ["PATH"],
    }
    for name in ("one", "two", "three", "four", "five", "six"):
        (tmp_path / name).mkdir()
    write(
        site / "b.pth",
        f"# a comment\n\n{tmp_path / 'three'}\n{tmp_path / 'gone'}\n{tmp_path / 'one'}\r\n../..  \n",
    )
    write(site / "a.pth", f"import sys; sys.path.append({str(tmp_path / 'four')!r})\n")
    write(site / "d.pth", f"import sys; sys.path.insert(0, {str(tmp_path / 'six')!r})\n")
    write(site / "c.pth", f"import site; site.addsitedir({str(tmp_path / 'five')!r})\n")
    write(site / "ignored.PTH.bak", f"{tmp_path / 'two'}\n")
    write(tmp_path / "five" / "deep.pth", "deeper\n")
    (tmp_path / "five" / "deeper").mkdir()
    os.environ["PYTHONUSERBASE"] = str(user)
    try:
        asked = ask(python.executable)
    finally:
        del os.environ["PYTHONUSERBASE"]
    assert isinstance(asked, Interpreter)
    write(Path(asked.user_site) / "u.pth", "x\n")
    (Path(asked.user_site) / "x").mkdir()
    assert kept(of_interpreter(asked, environ, str(tmp_path))) == really(asked, environ, tmp_path)


def test_every_entry_says_why_it_is_there(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    write(site / "mine.pth", "\nsrc\n")
    (site / "src").mkdir()
    environment = tree(site)
    added = environment.path[-1]
    assert (added.path, added.kind) == (str(site / "src"), "pth")
    assert "line 2 of mine.pth" in added.because
    assert added.origin is not None and added.origin.text == "src"


def test_folders_that_are_gone_are_dangling(tmp_path: Path) -> None:
    write(site_of(tmp_path) / "mine.pth", "/nowhere/at/all\n")
    environment = tree(tmp_path)
    assert [entry.path for entry in environment.dangling] == ["/nowhere/at/all"]
    assert len(environment.path) == 1


def test_code_in_a_pth_file_is_shown_and_never_run(tmp_path: Path) -> None:
    line = f"import os; os.mkdir({str(tmp_path / 'ran')!r})"
    write(site_of(tmp_path) / "evil.pth", f"{line}\n")
    assert [code.text for code in tree(tmp_path).code] == [line]
    assert not (tmp_path / "ran").exists()


HOOKS = {
    "setuptools": (
        "__editable___torchaudio_2_1_finder",
        "MAPPING: dict[str, str] = {'torchaudio': '/src/audio/torchaudio'}\nNAMESPACES = {}\n",
        False,
    ),
    "hatch": (
        "_editable_impl_torchaudio",
        "from _editables import F\nF.map_module('torchaudio', '/src/audio/torchaudio/__init__.py')\nF.install()\n",
        False,
    ),
    "scikit-build": (
        "_torchaudio_editable",
        "class F: ...\ninstall({'torchaudio': '/src/audio/torchaudio/__init__.py'}, {}, None)\n",
        True,
    ),
    "meson": (
        "_torchaudio_editable_loader",
        "install('torchaudio', {'torchaudio'}, '/src/audio/torchaudio')\n",
        True,
    ),
}


@pytest.mark.parametrize("tool", HOOKS)
def test_editable_installs_are_read_from_their_hooks(tmp_path: Path, tool: str) -> None:
    module, text, first = HOOKS[tool]
    site = site_of(tmp_path)
    write(site / f"{module}.py", text + "raise SystemExit('run!')\n")
    write(site / "__editable__.torchaudio-2.1.pth", f"import {module}; {module}.install()\n")
    (editable,) = tree(site).editables
    assert (editable.module, editable.target, editable.first) == ("torchaudio", "/src/audio/torchaudio", first)


@pytest.mark.parametrize(
    "text",
    [
        "MAPPING = {",
        "MAPPING = {**a, 'x': y}",
        "install({1: 2})",
        "install({f()}, 'x')",
        "\0",
        "(" * 5000,
        "install()",
    ],
)
def test_strange_hooks_map_nothing(tmp_path: Path, text: str) -> None:
    site = site_of(tmp_path)
    write(site / "_x_editable.py", text)
    write(site / "x.pth", "import _x_editable\n")
    assert tree(site).editables == ()


def test_conda_records_by_their_names(tmp_path: Path) -> None:
    site_of(tmp_path)
    for name in (
        "pytorch-2.1.0-py3.11_cuda12.1_cudnn8.9.2_0.json",
        "ld_impl_linux-64-2.38-h1181459_1.json",
        "history",
    ):
        write(tmp_path / "conda-meta" / name, "not even JSON")
    found = [(record.name, record.version, record.build) for record in tree(tmp_path).conda]
    assert found == [
        ("ld_impl_linux-64", "2.38", "h1181459_1"),
        ("pytorch", "2.1.0", "py3.11_cuda12.1_cudnn8.9.2_0"),
    ]


def test_the_folder_of_packages_may_be_the_environment(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0")
    assert kept(tree(tmp_path)) == kept(tree(site)) == [str(site)]
