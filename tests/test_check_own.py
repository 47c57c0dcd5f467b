"""What stands in the way of an import: files of one's own, folders that are gone. Then odd surroundings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support.check import audio_files, bad, first, python_over, remove, rules_below, run, stage_audio
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write
from torchlock.cli.main import main
from torchlock.inspect.interpreter import Interpreter, ask

posix = pytest.mark.skipif(os.name != "posix", reason="a script as interpreter")

TAKES = """import numbers
from typing_extensions import TypeIs
from queue import Queue
from random import Random
if numbers:
    import string
try:
    from string import nothing
except ImportError:
    pass
def later(x: numbers.Integral):
    from string import Template
class Whole(numbers.Number):
    pass
"""

# What must be left alone.


@pytest.mark.parametrize("name", ["dataclasses.py", "typing.py", "enum/__init__.py"])
def test_a_backport_among_the_packages(site: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own come before what is installed."""
    write(site / name)
    assert bad(run(capsys, "--path", site, code=0)) == []


@posix
def test_modules_of_ones_own_that_python_has_loaded_by_then(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("os.py", "calendar.py", "queue.txt", "enum/notes.txt"):
        write(tmp_path / "own" / name)
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={tmp_path / 'own'}:{site}")
    assert "error" not in {severity for severity, _ in bad(run(capsys, "--python", wrapper, code=0))}


def test_an_older_numpy_under_a_later_record(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """numpy 1 has its core in another folder: what the record names was never in this package."""
    core = "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
    install(site, "numpy", "2.3.0", {"numpy/__init__.py": "", core: elf()})
    (site / core).unlink()
    (site / core).parent.rmdir()
    write(site / "numpy" / "core" / "__init__.py")
    assert "error" not in {severity for severity, _ in bad(run(capsys, "--path", site))}


# What must be caught.


@posix
@pytest.mark.parametrize(
    ("own", "text", "says"),
    [
        ("queue.py", "", "ImportError: cannot import name 'Queue' from 'queue' ({})"),
        ("queue/__init__.py", "x = 1\n", "ImportError: cannot import name 'Queue' from 'queue' ({})"),
        ("numbers.py", "class Mine:\n    pass\n", "AttributeError: module 'numbers' has no attribute 'Number'"),
        ("typing_extensions.py", "", "ImportError: cannot import name 'TypeIs' from 'typing_extensions' ({})"),
    ],
)
def test_a_module_of_ones_own_that_lacks_what_torch_takes(
    site: Path, tmp_path: Path, own: str, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torch" / "functional.py", TAKES)
    write(site / "typing_extensions.py", "class TypeIs:\n    pass\n")
    path = write(tmp_path / "own" / own, text)
    path = path.parent if path.name == "__init__.py" else path
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={tmp_path / 'own'}:{site}")
    report = run(capsys, "--python", wrapper, code=1)
    assert first(report)["rule"] == "TL606"
    assert first(report)["says"] == says.format(path)
    assert report["command"] == f"mv {path} {path.with_name('my_' + path.name)}"


@posix
@pytest.mark.parametrize(
    "text",
    [
        "class Queue:\n    pass\n",
        "from elsewhere import *\n",
        "import sys\nsys.modules[__name__] = real()\n",
        "globals().update(real())\n",
    ],
)
def test_a_module_of_ones_own_that_may_have_what_torch_takes(
    site: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torch" / "functional.py", TAKES)
    write(site / "typing_extensions.py", "class TypeIs:\n    pass\n")
    write(tmp_path / "own" / "queue.py", text)
    write(tmp_path / "own" / "statistics.py")
    write(tmp_path / "own" / "string.py")
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={tmp_path / 'own'}:{site}")
    assert "error" not in {severity for severity, _ in bad(run(capsys, "--python", wrapper))}


@posix
@pytest.mark.triggers("TL606")
def test_the_folder_of_torch_is_no_place_to_start_python_in(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own random.py must stay where it is."""
    write(site / "torch" / "functional.py", TAKES)
    write(site / "torch" / "random.py", "def seed():\n    pass\n")
    write(site / "typing_extensions.py", "class TypeIs:\n    pass\n")
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={site / 'torch'}:{site}")
    finding = first(run(capsys, "--python", wrapper, code=1))
    assert finding["rule"] == "TL606"
    assert finding["remedy"]["summary"].startswith("Start Python outside of")
    assert finding["remedy"]["commands"] == []


def test_a_typing_extensions_that_is_too_old(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error only where something is missed in it."""
    write(site / "torch" / "functional.py", TAKES)
    metadata = site / "torch-2.8.0+cpu.dist-info" / "METADATA"
    write(metadata, metadata.read_text().replace("\n\n", "\nRequires-Dist: typing-extensions (>=4.10)\n\n", 1))
    for text, severity in (("TypeIs = 1\n", "warning"), ("Self = 1\n", "error")):
        install(site, "typing-extensions", "4.9.0", {"typing_extensions.py": text})
        report = run(capsys, "--path", site)
        assert (severity, "TL609") in bad(report)
    assert first(report)["says"] == "ImportError: cannot import name 'TypeIs' from 'typing_extensions'"
    assert "typing-extensions>=4.10" in report["command"]


@posix
@pytest.mark.parametrize("own", ["numpy.py", "numpy/notes.txt"])
def test_a_numpy_of_ones_own(site: Path, tmp_path: Path, own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """torch minds no numpy that is absent, and asks this one for its arrays."""
    write(tmp_path / "own" / own)
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={tmp_path / 'own'}:{site}")
    report = run(capsys, "--python", wrapper, code=1)
    assert first(report)["rule"] == "TL606"
    assert report["command"] == "unset PYTHONPATH"


@posix
def test_folders_that_are_called_like_packages_are_none(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "torchaudio"):
        remove(site, name)
        write(tmp_path / "own" / name / "notes.txt")
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={tmp_path / 'own'}:{site}")
    report = run(capsys, "--python", wrapper, code=0)
    assert "TL615" in [each["rule"] for each in report["files"][0]["findings"]]


@posix
def test_an_editable_install_whose_checkout_is_gone(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(site, "torchaudio")
    checkout = tmp_path / "audio" / "src"
    for path, content in audio_files().items():
        write(checkout / path, content)
    info = install(site, "torchaudio", "2.8.0+cpu", {"__editable__.torchaudio.pth": f"{checkout}\n"})
    write(info / "direct_url.json", '{"url": "file:///audio", "dir_info": {"editable": true}}')
    start = write(tmp_path / "own" / "sitecustomize.py", f"import site; site.addsitedir({str(site)!r})\n")
    wrapper = python_over(tmp_path, site, f"PYTHONPATH={start.parent}:{site}:{checkout}")
    assert ("error", "TL604") not in bad(run(capsys, "--python", wrapper))
    checkout.rename(tmp_path / "elsewhere")
    report = run(capsys, "--python", wrapper, code=1)
    assert first(report)["rule"] == "TL604"
    message = first(report)["message"]
    assert "torchaudio 2.8.0+cpu is installed in editable mode, and its folder /audio does not exist" in message


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux")
@pytest.mark.triggers("TL613")
def test_an_empty_library_that_the_loader_is_told_to_take(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken for a first library, which asks nothing of it, and lacking for the second."""
    write(tmp_path / "front" / "libgomp.so.1", elf("libgomp.so.1"))
    remove(site, "torchaudio")
    stage_audio(site, needed=("libtorch_cpu.so", "libgomp.so.1"), uses=("GOMP_parallel",))
    write(site / "torch" / "lib" / "libgomp.so.1", elf("libgomp.so.1", exports=("GOMP_parallel",)))
    wrapper = python_over(tmp_path, site)
    assert "TL613" not in {rule for _, rule in bad(run(capsys, "--python", wrapper))}
    wrapper = python_over(tmp_path, site, f"LD_LIBRARY_PATH={tmp_path / 'front'}")
    report = run(capsys, "--python", wrapper, code=1)
    assert "TL613" in {rule for _, rule in bad(report)}


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux")
@pytest.mark.parametrize(
    ("file", "builtin", "says"),
    [
        ("_ctypes", (), ""),
        ("none", ("_ctypes",), ""),
        ("none", (), "ModuleNotFoundError: No module named '_ctypes'"),
        ("lost", (), "ImportError: libffi.so.0: cannot open shared object file: No such file or directory"),
    ],
)
def test_a_python_that_was_built_without_libffi(
    site: Path,
    tmp_path: Path,
    file: str,
    builtin: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = ask(sys.executable)
    assert isinstance(real, Interpreter)
    own = tmp_path / ".pyenv" / "versions" / "3.11.7"
    modules = own / "lib" / "python3.11" / "lib-dynload"
    needed = ["libffi.so.0"] if file == "lost" else []
    name = "_ctypes" if file == "lost" else file
    write(modules / f"{name}{real.suffixes[0]}", elf("", needed))
    python = real._replace(
        stdlib=(str(modules),), builtin=("sys", *builtin), own_sites=(str(site),), base_prefix=str(own)
    )
    monkeypatch.setattr("torchlock.inspect.interpreter.ask", lambda path, **_: python)
    report = run(capsys, "--python", sys.executable, code=1 if says else 0)
    assert [rule for _, rule in bad(report)][:1] == (["TL610"] if says else [])
    if says:
        assert first(report)["says"] == says
        assert report["command"].endswith("pyenv install --force 3.11.7")


@posix
@pytest.mark.parametrize(
    ("version", "told"), [("3.11.9", "pyvenv.cfg is missing"), ("3.12.1", "it is Python 3.12.1")]
)
def test_an_environment_that_its_python_does_not_look_into(
    site: Path,
    tmp_path: Path,
    version: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = ask(sys.executable)
    assert isinstance(real, Interpreter)
    executable = str(write(site.parents[2] / "bin" / "python"))
    python = real._replace(executable=executable, version=version, own_sites=(), base_sites=(), user_site="")
    monkeypatch.setattr("torchlock.inspect.interpreter.ask", lambda path, **_: python)
    finding = first(run(capsys, "--python", executable, code=1))
    assert finding["rule"] == "TL615"
    assert told in finding["because"]
    assert rules_below(finding) == []


# Odd surroundings end in words, not in a traceback.


@posix
def test_a_python_that_answers_and_does_not_start(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is asked with ``-I -S``, and its smoke test meets what breaks the start."""
    script = python_over(tmp_path, site)
    script.write_text(script.read_text().replace("exec", 'case "$*" in *"-I -S"*) ;; *) exit 3;; esac\nexec'))
    report = run(capsys, "--python", script, "--probe", code=1)
    assert ("error", "TL614") in bad(report)
    assert "the smoke test did not finish" in report["summary"]


@posix
def test_a_current_folder_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["check"]) == 2
    assert "the current folder no longer exists" in capsys.readouterr().err


@posix
def test_a_name_that_is_no_text_in_sarif(site: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    odd = os.fsencode(site.parent) + b"/od\xff"
    try:
        os.rename(site, odd)  # noqa: PTH104
    except OSError:
        pytest.skip("this file system takes only text")
    os.unlink(odd + b"/torch/lib/libtorch_cpu.so")  # noqa: PTH108
    assert main(["check", "--path", os.fsdecode(odd), "--format", "sarif"]) == 1
    assert b'"TL601"' in capsysbinary.readouterr().out
