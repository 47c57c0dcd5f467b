"""What is installed, by its own records; and which copy of a module an import would take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.site_folder import install, site_of, tree, write
from torchlock.inspect.build import parse_build, read_build
from torchlock.inspect.distributions import Distribution, Installed, installed
from torchlock.inspect.environment import Environment, of_interpreter
from torchlock.inspect.interpreter import Interpreter
from torchlock.inspect.modules import find_copies
from torchlock.runtime.files import Tree


def one(environment: Environment) -> Distribution:
    (distribution,) = installed(environment).distributions
    return distribution


def of_sites(*sites: Path, current: Path | None = None, pythonpath: str = "") -> Environment:
    """An environment that searches these folders."""
    interpreter = Interpreter(version="3.11.7", base_sites=tuple(map(str, sites)), platform="linux-x86_64")
    return of_interpreter(interpreter, {"PYTHONPATH": pythonpath}, str(current) if current else None)


def summary(found: Installed) -> list[tuple[str, str]]:
    return [(distribution.name, distribution.version) for distribution in found.distributions]


# What must be left alone.


def test_a_healthy_environment_has_no_leftovers_and_no_duplicates(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.13.0+cpu")
    install(site, "soundfile", "0.13.1", {"soundfile.py": "__version__ = '0.13.1'\n"})
    write(site / "torch.egg-info" / "PKG-INFO", "Name: torch\nVersion: 2.13.0+cpu\n")
    (tmp_path / "lib64").symlink_to("lib")
    environment = of_sites(site, tmp_path / "lib64" / "python3.11" / "site-packages")
    found = installed(environment)
    assert set(summary(found)) == {("soundfile", "0.13.1"), ("torch", "2.13.0+cpu")}
    assert (found.leftovers, found.duplicates, found.twins) == ((), (), ())


def test_what_the_record_of_a_wheel_says(tmp_path: Path) -> None:
    headers = """\
Requires-Python: >=3.10
Requires-Dist: filelock
Requires-Dist: nvidia-cublas-cu12==12.1.3.1; platform_system == "Linux"
  and platform_machine == "x86_64"
Provides-Extra: opt
"""
    site = site_of(tmp_path)
    info = install(site, "Torch_Audio", "2.1.0+cu121", headers=headers, tag="cp311-cp311-linux_x86_64")
    write(info / "REQUESTED")
    write(
        info / "direct_url.json",
        '{"url": "https://me:secret@example.org/t.whl", "archive_info": {"hash": "sha256=1"}}',
    )
    found = one(tree(site))
    assert (found.name, found.written, found.version, found.label) == (
        *("torch-audio", "Torch_Audio", "2.1.0+cu121", "cu121"),
    )
    assert found.metadata.requires[0] == "filelock"
    assert found.metadata.requires[1].endswith('and platform_machine == "x86_64"')
    assert (found.metadata.requires_python, found.metadata.extras) == (">=3.10", ("opt",))
    assert (found.tags, found.installer, found.requested) == (("cp311-cp311-linux_x86_64",), "pip", True)
    assert found.has_record
    assert found.source is not None
    assert found.source.hash == "sha256=1"
    assert "secret" not in found.source.url


@pytest.mark.parametrize(
    ("text", "editable", "commit"),
    [
        ('{"url": "file:///src/audio", "dir_info": {"editable": true}}', True, ""),
        ('{"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}', False, "abc"),
    ],
)
def test_where_it_came_from(tmp_path: Path, text: str, editable: bool, commit: str) -> None:
    write(install(tmp_path, "torchaudio", "2.1.0") / "direct_url.json", text)
    source = one(tree(tmp_path)).source
    assert source is not None
    assert (source.editable, source.commit) == (editable, commit)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"url": {}, "dir_info": 3}', "[" * 100_000, '{"dir_info": {}}']
)
def test_a_strange_source_is_none(tmp_path: Path, text: str) -> None:
    write(install(tmp_path, "torchaudio", "2.1.0") / "direct_url.json", text)
    assert one(tree(tmp_path)).source is None


def test_eggs_and_their_requirements(tmp_path: Path) -> None:
    write(tmp_path / "PyAudio-0.2.egg-info" / "PKG-INFO", "Name: PyAudio\nVersion: 0.2\n")
    write(
        tmp_path / "PyAudio-0.2.egg-info" / "requires.txt",
        "numpy>=1\n\n[test:python_version < '3.8']\npytest\n\n[:os_name == 'nt']\nwin\n",
    )
    write(tmp_path / "six-1.16.egg-info", "Name: six\nVersion: 1.16\n\n")
    write(tmp_path / "old-1.0-py3.8.egg" / "EGG-INFO" / "PKG-INFO", "Name: old\nVersion: 1.0\n")
    write(tmp_path / "torchaudio.egg-link", "/src/audio\n.")
    environment = tree(tmp_path)
    assert sorted(summary(installed(environment))) == [
        ("old", "1.0"),
        ("pyaudio", "0.2"),
        ("six", "1.16"),
        ("torchaudio", ""),
    ]
    assert installed(environment).distributions[0].metadata.requires == (
        "numpy>=1",
        "pytest ; python_version < '3.8' and extra == \"test\"",
        "win ; os_name == 'nt'",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [1, 16_000, 200_000])
def test_a_long_field_hides_nothing_that_follows(tmp_path: Path, length: int, end: str) -> None:
    fold = "License: a\n" + "        \n    words\x0c\u2028 ü\n" * (length // 20)
    text = f"Name: demo\nVersion: 1.0\n{fold}Requires-Dist: numpy\n  >=1\nProvides-Extra: x\n"
    info = install(tmp_path, "demo", "1.0")
    body = "\r\n" + "Requires-Dist: evil\n" * 100_000
    (info / "METADATA").write_bytes((text.replace("\n", end) + body).encode())
    found = one(tree(tmp_path)).metadata
    assert (found.requires, found.extras, found.problem) == (("numpy >=1",), ("x",), "")


def test_headers_without_end_are_told(tmp_path: Path) -> None:
    write(install(tmp_path, "demo", "1.0") / "METADATA", "Name: demo\nVersion: 1.0\n" + "X: y\n" * 300_000)
    assert one(tree(tmp_path)).metadata.problem == "more than 1 MB of headers"


# What must be seen.


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "missing"),
        ("", "empty"),
        ("\0" * 100, "names no project"),
        ("\n\nName: x\nVersion: 1\n", "names no project"),
    ],
)
def test_metadata_that_cannot_be_read_is_told_from_the_folder(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    info = install(tmp_path, "torch", "2.1.0+cu118")
    (info / "METADATA").unlink()
    if content is not None:
        write(info / "METADATA", content)
    found = one(tree(tmp_path))
    assert (found.name, found.version, found.metadata.problem) == ("torch", "2.1.0+cu118", problem)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("~orch", "torch"), ("~-rch", "torch"), ("~orch-2.1.0.dist-info", "torch"), ("~umpy", "numpy"), ("~", "")],
)
def test_what_an_interrupted_pip_leaves(tmp_path: Path, name: str, meant: str) -> None:
    install(tmp_path, "torch", "2.1.0")
    (tmp_path / name).mkdir()
    found = installed(tree(tmp_path))
    assert [(Path(item.path).name, item.meant) for item in found.leftovers] == [(name, meant)]
    assert summary(found) == [("torch", "2.1.0")]


def test_two_records_of_one_name(tmp_path: Path) -> None:
    first, second = site_of(tmp_path / "a"), site_of(tmp_path / "b")
    install(first, "torch", "2.1.0")
    install(second, "torch", "2.2.0")
    install(second, "numpy", "1.26.0")
    install(second, "numpy", "2.0.0")
    found = {item.name: item for item in installed(of_sites(first, second)).duplicates}
    assert found["torch"].wins is not None
    assert found["torch"].wins.version == "2.1.0"
    assert found["numpy"].wins is None
    assert {item.version for item in found["numpy"].distributions} == {"1.26.0", "2.0.0"}


def test_pip_over_conda(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    for name in ("pytorch-2.0.1-py3.11_cpu_0", "pytorch-mutex-1.0-cpu", "numpy-1.26.0-py311_0", "six-1.16-py_0"):
        write(tmp_path / "conda-meta" / f"{name}.json", "{}")
    install(site, "torch", "2.1.0+cu121")
    install(site, "numpy", "1.26.0", installer="conda")
    (twin,) = installed(tree(site)).twins
    assert (twin.name, twin.conda_version, twin.distribution.version) == ("torch", "2.0.1", "2.1.0+cu121")


# Builds.

TORCH = """\
from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']
__version__ = '2.5.1+cu121'
debug = False
cuda: Optional[str] = '12.1'
git_version = 'a8d6afb511a69687bbb2b7e88a3cf67917e1697e'
hip: Optional[str] = None
"""


@pytest.mark.parametrize(
    ("text", "version", "cuda", "hip"),
    [
        (TORCH, "2.5.1+cu121", "12.1", ""),
        (TORCH.replace("\n", "\r\n"), "2.5.1+cu121", "12.1", ""),
        (
            "__version__ = '1.13.1'\ndebug = False\ncuda = None\ngit_version = 'x'\nhip = '5.2.2'\n",
            "1.13.1",
            "",
            "5.2.2",
        ),
        ("__version__ = '2.1.0'\nif x:\n    cuda = 3\n    __version__ = '9'\n", "2.1.0", None, None),
        ('__version__: str = "0.12.1"  # odd\n', "0.12.1", None, None),
        ("version = '2.1.0'\n__version__ = version\n", "2.1.0", None, None),
        ("raise SystemExit\n__version__ = '1'\n", "1", None, None),
    ],
)
def test_version_files_are_read_as_text(
    tmp_path: Path, text: str, version: str, cuda: str | None, hip: str | None
) -> None:
    build = parse_build(str(write(tmp_path / "version.py", text)))
    assert build is not None
    assert (build.version, build.cuda, build.hip) == (version, cuda, hip)
    assert build.label == version.partition("+")[2]


@pytest.mark.parametrize(
    "text", ["", "__version__ = get()\n", "\0\xff", "x" * 1_000_000, "__version__ = '" + "1" * 9999]
)
def test_a_version_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path / "torch" / "version.py", text)
    assert read_build(str(tmp_path / "torch"), Tree()) is None


# Copies.


def copies(environment: Environment, name: str = "torch") -> tuple[str, list[str]]:
    found = find_copies(environment, [name])[name]
    return (found.imported.path if found.imported else ""), [
        copy.path for copy in (*found.hidden, *found.portions)
    ]


def test_the_copy_that_wins_is_the_one_that_python_finds(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcdefg"]
    write(folders[0] / "torch" / "data.txt")
    write(folders[1] / "torch" / "__pycache__" / "x.pyc")
    write(folders[2] / "torch.py")
    write(folders[2] / "torch.pyc")
    write(folders[3] / "torch" / "__init__.py")
    write(folders[3] / "torch.py")
    write(folders[4] / "torch.so")
    write(folders[4] / "torch.py")
    write(folders[5] / "torch.py" / "no_file")
    write(folders[6] / "Torch.py")
    import os

    for start in range(6):
        here = [str(folder) for folder in folders[start:]]
        code = (
            "import sys, importlib.util; s = importlib.util.find_spec('torch');"
            "print(s and (s.origin or list(s.submodule_search_locations)[0]))"
        )
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(here)}
        command = [sys.executable, "-S", "-c", code]
        really = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()
        wins, _ = copies(of_sites(pythonpath=os.pathsep.join(here)))
        assert (wins or "None") == really.removesuffix("/__init__.py"), start


def test_a_clone_and_a_script_in_the_current_folder_come_first(tmp_path: Path) -> None:
    site = site_of(tmp_path / "v")
    install(site, "torchaudio", "2.1.0")
    install(site, "torch", "2.1.0")
    clone = tmp_path / "audio"
    write(clone / "torchaudio" / "__init__.py")
    write(clone / "torch.py")
    environment = of_sites(site, current=clone)
    assert copies(environment, "torchaudio") == (str(clone / "torchaudio"), [str(site / "torchaudio")])
    found = find_copies(environment, ["torch"])["torch"]
    assert found.imported is not None
    assert found.imported.entry is not None
    assert (found.imported.kind, found.imported.entry.kind) == ("module", "current")
    assert copies(of_sites(site), "torchaudio") == (str(site / "torchaudio"), [])


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    site = site_of(tmp_path / "v")
    install(site, "torch", "2.1.0")
    (tmp_path / "torch").mkdir()
    assert copies(of_sites(site, current=tmp_path)) == (str(site / "torch"), [str(tmp_path / "torch")])
    found = find_copies(of_sites(tmp_path), ["torch"])["torch"]
    assert found.imported is not None
    assert found.imported.kind == "namespace"


@pytest.mark.parametrize("first", [True, False])
def test_an_editable_install_beside_a_real_one(tmp_path: Path, first: bool) -> None:
    site = site_of(tmp_path)
    install(site, "torchaudio", "2.1.0", {"torchaudio/__init__.py": "__version__ = '2.1.0'\n"})
    source = write(tmp_path / "src" / "torchaudio" / "__init__.py", "__version__ = '2.2.0a0'\n").parent
    call = (
        f"install({{'torchaudio': {str(source)!r}}})" if first else f"MAPPING = {{'torchaudio': {str(source)!r}}}"
    )
    write(site / "_x_editable.py", call)
    write(site / "x.pth", "import _x_editable\n")
    found = find_copies(tree(site), ["torchaudio"])["torchaudio"]
    assert found.imported is not None
    assert found.imported.build is not None
    assert (found.imported.kind, found.imported.build.version) == (
        ("editable", "2.2.0a0") if first else ("package", "2.1.0")
    )
    assert len(found.hidden) == 1


def test_nothing_to_import(tmp_path: Path) -> None:
    assert copies(tree(site_of(tmp_path))) == ("", [])
