"""What a check costs, in calls and files; and that the cheap ways say what the plain ones say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benching.libraries import write_library
from support.call_count import calls
from support.site_folder import elf, install, site_of, tree, write
from torchlock.check.context import dependencies_of
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.binaries.binary import Reference
from torchlock.inspect.binaries.elf_symbols import ElfSymbols, lacked, undefined_of_c
from torchlock.inspect.distributions import installed
from torchlock.inspect.integrity import Integrity, check_integrity
from torchlock.inspect.record import Record
from torchlock.runtime.process import run_program

MODULES = {f"torch/part_{number // 40}/module_{number}.py": f"x = {number}\n" for number in range(200)}
needs_handles = pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="the system opens no folder by its path only")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = site_of(tmp_path / "v")
    install(
        folder, "torch", "2.1.0", {**MODULES, "torch/lib/libc10.so": elf(8192), "torch/lib/small.so": elf(100)}
    )
    install(folder, "other", "1.0", {"other/__init__.py": "", "other/a.h": "x"})
    return folder


def check(path: Path) -> Integrity:
    environment = tree(path)
    return check_integrity(environment, installed(environment).distributions)


def damage(site: Path) -> None:
    """One file of each kind of fault."""
    (site / "torch/part_0/module_1.py").unlink()
    (site / "torch/part_0/module_2.py").write_bytes(bytes(6))
    (site / "torch/part_0/module_3.py").write_text("longer than it was\n")
    for name in ("module_4.py", "module_5.py"):
        (site / "torch/part_0" / name).unlink()
    (site / "torch/part_0/module_4.py").mkdir()
    (site / "torch/part_0/module_5.py").symlink_to("module_5.py")
    (site / "torch/lib/libc10.so").write_bytes(b"")
    write(site / "torch/part_1/left.py", "x")
    write(site / "alone.py", "x")
    record = site / "other-1.0.dist-info" / "RECORD"
    record.write_text(
        record.read_text() + "/etc/passwd,,\n../../../../../../x,,\nother/../other/b.h,,\n./other/c.h,,\n"
    )


@needs_handles
def test_each_recorded_file_is_asked_for_once_and_from_an_open_folder(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = os.stat

    def stat(path: str, **options: int | None) -> os.stat_result:
        if options.get("dir_fd") is not None:
            asked.append(path)
        return real(path, **options)  # type: ignore[arg-type]

    environment = tree(site)
    distributions = installed(environment).distributions
    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, stat})
    assert check_integrity(environment, distributions).faults == ()
    assert sorted(path for path in asked if path.endswith(".py")) == sorted([*MODULES, "other/__init__.py"])


@needs_handles
@pytest.mark.parametrize("is_damaged", [False, True])
def test_without_open_folders_the_result_is_the_same(
    site: Path, monkeypatch: pytest.MonkeyPatch, is_damaged: bool
) -> None:
    if is_damaged:
        damage(site)
    quick = check(site)
    monkeypatch.delattr(os, "O_PATH")
    assert check(site) == quick
    kinds = {fault.kind for fault in quick.faults}
    assert kinds == (
        {"missing", "hash", "size", "irregular", "unreadable", "empty", "foreign", "unowned", "escapes"}
        if is_damaged
        else set()
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_the_place_of_a_module_is_not_opened(site: Path) -> None:
    path = site / "torch/part_0/module_1.py"
    path.unlink()
    os.mkfifo(path)
    assert [(fault.kind, fault.found) for fault in check(site).faults] == [("irregular", "pipe")]


def test_the_rows_of_some_endings_are_those_of_all() -> None:
    content = "a/_C.so,sha256=x,1\nb/c.pyd,,\nb.so/d.py,sha256=y,3\n\ne.so,,\n__pycache__/f.so,,4\n"
    for text in (content, content.replace("a/", '"a,b"/').replace('"a,b"/_C.so', '"a,b/_C.so"'), content + "\r"):
        endings = (".so", ".pyd")
        record = Record("/site", text, True, True)
        assert list(record.rows(endings=endings)) == [row for row in record if row.path.endswith(endings)]


@pytest.mark.parametrize(
    ("text", "is_simple"),
    [
        ("a/b.py,,\nc.py,,1\n", True),
        ("../../bin/x,,\n", True),  # whoever reads it looks for the dots
        ("/a/b.py,,\n", False),
        ("a.py,,\n/b.py,,\n", False),
        ("a//b.py,,\n", False),
        ("a\\b.py,,\n", False),
        ("C:/b.py,,\n", False),
        ('"/b.py",,\n', False),
        ("a.py,,\r/b.py,,\n", False),
        ("a\0.py,,\n", False),
    ],
)
def test_a_record_is_simple_if_its_paths_stand_for_themselves(text: str, is_simple: bool) -> None:
    assert Record("/site", text, True, True).is_simple is is_simple


def test_a_list_that_is_no_csv_is_never_simple() -> None:
    assert not Record("/site", "a.py\x0b/b.py\n", False, True).is_simple


def library(path: Path, defines: list[str], uses: list[str]) -> ElfSymbols:
    write_library(path, [], defines, uses)
    binary = read_binary(str(path))
    assert isinstance(binary, Binary)
    assert isinstance(binary.symbols, ElfSymbols)
    return binary.symbols


def test_the_symbols_that_a_library_lacks_are_those_that_it_does_not_define(tmp_path: Path) -> None:
    symbols = library(tmp_path / "liba.so", [f"_ZN2at{n}Ev" for n in range(0, 4000, 2)], [])
    asked = [Reference(f"_ZN2at{n}Ev", version) for n in range(4000) for version in ("", "A_1")]
    left, unread = lacked(symbols, asked)
    assert unread is None
    assert left == [each for each in asked if not symbols.defines(each.name, each.version)]
    assert len(left) == 4000


def test_a_library_without_symbols_lacks_all(tmp_path: Path) -> None:
    asked = [Reference("a"), Reference("b")]
    assert lacked(library(tmp_path / "liba.so", [], ["c"]), asked) == (asked, None)


def test_the_filter_answers_for_names_that_a_library_lacks(tmp_path: Path) -> None:
    symbols = library(tmp_path / "liba.so", [f"_ZN2at{n}Ev" for n in range(2000)], [])
    asked = [Reference(f"_ZN3c10{n}Ev") for n in range(2000)]
    lacked(symbols, asked)  # the hashes of the names are kept
    assert calls(lambda: lacked(symbols, asked)) < 4 * len(asked)


def test_the_names_of_c_are_read_without_those_of_cxx(tmp_path: Path) -> None:
    uses = ["cublasCreate", "_ZN2at5emptyEv", "__gmon_start__", "_ZN3c105errorEv"]
    symbols = library(tmp_path / "liba.so", [], uses)
    assert [each.name for each in undefined_of_c(symbols)] == ["cublasCreate", "__gmon_start__"]
    assert "undefined" not in vars(symbols)


def test_only_the_requirements_that_are_asked_for_are_parsed(tmp_path: Path) -> None:
    lines = [
        "torch>=2",
        "Torch_Audio ; python_version>'3'",
        "torch.audio (==2)",
        "torch- bad",
        "torchx",
        " torch @ x:y",
    ]
    install(site_of(tmp_path / "v"), "user", "1", headers="".join(f"Requires-Dist: {line}\n" for line in lines))
    (user,) = installed(tree(tmp_path / "v")).distributions
    for names in (("torch",), ("torch-audio",), ("numpy",), ("torch", "torchx")):
        assert dependencies_of(user, on=names) == [each for each in dependencies_of(user) if each.name in names]


@pytest.mark.skipif(os.name != "posix", reason="a shell is run")
def test_the_program_that_is_asked_runs_meanwhile() -> None:
    said: list[str] = []
    answer = run_program(["/bin/sh", "-c", "echo said"], 10, 100, lambda: said.append("worked"))
    assert (answer.printed, said) == (b"said\n", ["worked"])
