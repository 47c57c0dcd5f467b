"""Python itself: its shared library, and modules that it was built without."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, first, image, run, stage_torch
from support.libraries import elf
from support.site_folder import install, write
from torchlock.check.context import CheckContext
from torchlock.check.linking import resolved
from torchlock.cli.main import main
from torchlock.inspect.environment import of_tree
from torchlock.inspect.loading.root import Root

LIBRARY = "libpython3.11.so.1.0"
LOST = f"OSError: {LIBRARY}: cannot open shared object file: No such file or directory\n"
FFMPEG = ["libavutil.so.58", "libavcodec.so.60"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A torch, and a torchcodec of which one library needs that of Python."""
    folder = tmp_path / "root" / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.7.0'\n",
        "torchcodec/libtorchcodec_core6.so": elf("", FFMPEG),
        "torchcodec/libtorchcodec_custom_ops6.so": elf("", [LIBRARY]),
        "torchcodec/libtorchcodec_pybind_ops6.so": elf("", [LIBRARY]),
    }
    install(folder, "torchcodec", "0.7.0", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    return folder


def machine(site: Path) -> Path:
    """The root folder of a machine that has FFmpeg."""
    root = site.parents[3]
    return image(root / "1" / "2" / "3", *FFMPEG)


def test_the_library_of_an_unknown_python_is_not_examined(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = machine(site)
    report = run(capsys, "--path", site, "--root", root, code=0)
    assert bad(report) == []
    assert f"needs {LIBRARY}: the Python that runs was not examined" in report["summary"]
    assert "torchcodec 0.7.0 load" not in report["summary"]
    assert resolved(CheckContext(of_tree(str(site)), live=False, root=Root(str(root))), "torchcodec", whole=True)


@pytest.mark.parametrize("place", ["lib64", "env/lib", "opt/python/lib"])
def test_the_library_of_python_is_found(place: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder of the machine, in the environment (conda), or with the Python that ``home`` names."""
    root = machine(site)
    write(root / "env" / "pyvenv.cfg", "home = /opt/python/bin\nversion = 3.11.9\n")
    write(root / place / LIBRARY, elf(LIBRARY))
    report = run(capsys, "--path", site, "--root", root, code=0)
    assert bad(report) == []
    assert report["summary"].startswith("nothing is wrong")


@pytest.mark.parametrize("home", ["/usr/bin", "/home/u/.local/share/uv/python/cpython-3.11/bin"])
def test_a_log_shows_that_it_is_missing(
    home: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = machine(site)
    write(root / "env" / "pyvenv.cfg", f"home = {home}\nversion = 3.11.9\n")
    log = write(tmp_path / "log", f"RuntimeError: Could not load libtorchcodec.\n{LOST}")
    finding = first(run(capsys, "--path", site, "--root", root, "--log", log))
    assert (finding["rule"], finding["packages"][0]["name"]) == ("TL610", "torchcodec")
    assert f"needs {LIBRARY}, which is not found" in finding["message"]
    lines = [each["line"] for each in finding["remedy"]["commands"]]
    assert [line.rpartition("&& ")[2] for line in lines] == (
        ["apt-get install -y libpython3.11"] if home == "/usr/bin" else []
    )
    write(root / "lib64" / LIBRARY, elf(LIBRARY))
    assert bad(run(capsys, "--path", site, "--root", root, "--log", log)) == []


@pytest.mark.parametrize("system", ["ID=ubuntu\nVERSION_ID=20.04\n", "ID=debian\nVERSION_ID=13\n"])
def test_apt_has_the_library_of_its_own_python_only(
    system: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = machine(site)
    write(root / "etc/os-release", system)
    write(root / "env" / "pyvenv.cfg", "home = /usr/bin\nversion = 3.11.9\n")
    log = write(tmp_path / "log", f"RuntimeError: Could not load libtorchcodec.\n{LOST}")
    report = run(capsys, "--path", site, "--root", root, "--log", log)
    remedy = first(report)["remedy"]
    assert (first(report)["rule"], remedy["commands"]) == ("TL610", [])
    assert "itself has Python 3." in remedy["summary"]
    assert "TL907" not in str(report), "the log shows that it does not load"


def test_without_a_machine_the_log_shows_it_too(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log", LOST)
    finding = first(run(capsys, "--path", site, "--log", log, "--platform", "linux-x86_64"))
    assert finding["rule"] == "TL610"
    assert LIBRARY in finding["message"]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("_lzma", "liblzma-dev"),
        ("_bz2", "libbz2-dev"),
        ("_ctypes", "libffi-dev"),
        ("_sqlite3", "libsqlite3-dev"),
        ("_ssl", "libssl-dev"),
    ],
)
def test_a_module_that_python_was_built_without(
    name: str, package: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/lllyasviel/Fooocus/issues/1677"""
    install(site, "torchvision", "0.23.0+cpu", {"torchvision/__init__.py": ""})
    text = (
        f'  File "{site}/torchvision/datasets/utils.py", line 5, in <module>\n    import {name[1:]}\n'
        f'  File "/home/u/.pyenv/versions/3.11.7/lib/python3.11/{name[1:]}.py", line 27, in <module>\n'
        f"ModuleNotFoundError: No module named '{name}'\n"
    )
    log = write(tmp_path / "log", text)
    finding = first(run(capsys, "--path", site, "--log", log, "--platform", "linux-x86_64"))
    assert (finding["rule"], finding["severity"]) == ("TL610", "error")
    assert finding["message"] == f"this Python was built without its module {name}, which torchvision imports"
    assert package in finding["remedy"]["summary"]
    assert "pyenv install --force 3.11.7" in finding["remedy"]["summary"]


def test_a_module_that_python_has(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log", "ModuleNotFoundError: No module named '_ctypes'\n")
    write(site.parent / "lib-dynload" / "_ctypes.cpython-311-x86_64-linux-gnu.so", elf())
    report = run(capsys, "--path", site, "--log", log, "--platform", "linux-x86_64")
    assert "TL610" not in {rule for _, rule in bad(report)}


def test_no_environment_is_active(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log names one, wherever the command is started: also two folders below the root of the disk."""
    from torchlock.inspect.environment_choice import ActiveEnvironment

    none = ActiveEnvironment("", "")
    monkeypatch.setattr("torchlock.inspect.environment_choice.active_environment", lambda environ: none)
    monkeypatch.setattr(Path, "absolute", lambda path: Path("/usr/lib") / path)
    log = write(tmp_path / "log", f'  File "{site}/torch/__init__.py", line 2\nImportError: lost\n')
    main(["check", "--log", str(log)])
    assert f"the log names {site}: this environment is checked" in capsys.readouterr().err
