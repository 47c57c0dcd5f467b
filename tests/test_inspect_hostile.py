"""Trees made to harm: no crash, no hang, nothing run, nothing written, little memory."""

from __future__ import annotations

import os
import struct
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.call_count import calls
from support.libraries import elf as library
from support.site_folder import elf, install, site_of, tree, write
from torchlock.cli.main import main
from torchlock.inspect.build import parse_build
from torchlock.inspect.distributions import installed
from torchlock.inspect.integrity import check_integrity
from torchlock.inspect.library import broken_library
from torchlock.inspect.loading.elf_process import ElfProcess
from torchlock.inspect.loading.root import Root
from torchlock.inspect.machine import machine_of, suffix_of
from torchlock.inspect.modules import find_copies
from torchlock.runtime import files
from torchlock.standards.headers import read_headers

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and odd names")


def look(path: Path, deep: bool = True) -> list[str]:
    """Everything that a check reads; the kinds of fault."""
    environment = tree(path)
    found = installed(environment)
    find_copies(environment)
    return [fault.kind for fault in check_integrity(environment, found.distributions, deep).faults]


# Odd, and all right.


@posix
@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[31mred\x1b[0m", "caf\udce9", "'; rm -rf /; '", 'a,b"c', "-rf", "%s{}", "名前"]
)
def test_odd_names_are_data(tmp_path: Path, name: str) -> None:
    site = site_of(tmp_path)
    try:
        write(site / "torch" / f"{name}.txt", "x")
    except OSError:
        pytest.skip("the file system has no such names")
    if "\udce9" in name:
        install(site, "torch", "2.1.0", {})
        record = site / "torch-2.1.0.dist-info" / "RECORD"
        record.write_bytes(record.read_bytes() + os.fsencode(f"torch/{name}.txt,,1\n"))
    else:
        install(site, "torch", "2.1.0", {f"torch/{name}.txt": "x"})
    assert look(site) == []
    (site / "torch" / f"{name}.txt").unlink()
    assert look(site) == ["missing"]


@posix
def test_odd_folders_of_distributions_are_data(tmp_path: Path) -> None:
    for name in (
        "a\nb-1.dist-info",
        "\x1b]0;x\x07-1.dist-info",
        ".dist-info",
        "-.dist-info",
        "x.egg-info",
        ".egg",
        "--1.egg",
    ):
        (tmp_path / name).mkdir()
    found = installed(tree(tmp_path))
    assert len(found.distributions) == 7
    assert "a\nb" in {item.name for item in found.distributions}
    look(tmp_path)


# Made to harm.


@posix
def test_links_into_themselves(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0", rows="torch/loop/a.py,,\ntorch/up/up/up/__init__.py,,0\ntorch/self,,\n")
    (site / "torch" / "loop").symlink_to("loop")
    (site / "torch" / "self").symlink_to(site / "torch" / "self")
    (site / "torch" / "up").symlink_to("..")
    (site / "torchaudio").symlink_to("torchaudio")
    (site / "numpy").symlink_to(".")
    (site / "soundfile.py").symlink_to("soundfile.py")
    (site / "x.pth").symlink_to("x.pth")
    write(site / "y.pth", "import site; site.addsitedir('" + str(site) + "')\n.\n./.\n")
    (site / "loop-1.dist-info").symlink_to("loop-1.dist-info")
    assert "unreadable" in look(site)


@posix
def test_pipes_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_of(tmp_path)
    info = install(
        site, "torch", "2.1.0", {"torch/__init__.py": ""}, rows="torch/pipe.so,sha256=x,0\ntorch/null.so,,\n"
    )
    special = []
    for name in ("METADATA", "WHEEL", "INSTALLER", "RECORD", "direct_url.json"):
        for number, make in enumerate((os.mkfifo, lambda path: path.symlink_to("/dev/zero"))):
            folder = site / f"p{number}{name.lower()}-1.dist-info"
            folder.mkdir()
            make(folder / name)
            special.append(folder / name)
    os.mkfifo(site / "torch" / "pipe.so")
    (site / "torch" / "null.so").symlink_to("/dev/zero")
    os.mkfifo(site / "torch" / "version.py")
    os.mkfifo(site / "x.pth")
    os.mkfifo(tmp_path / "pyvenv.cfg")
    os.mkfifo(site / "soundfile.py")
    write(info / "REQUESTED")
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more, **rest: opened.append(str(path)) or real(path, *more, **rest)
    )
    kinds = look(site)
    assert kinds.count("irregular") == 2
    unsafe = {
        str(path) for path in [*special, site / "torch" / "pipe.so", site / "torch" / "version.py", site / "x.pth"]
    }
    assert not unsafe & set(opened)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_folders_that_may_not_be_read(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    info = install(site, "torch", "2.1.0")
    for path in (site / "torch", info):
        path.chmod(0)
    try:
        look(site)
        assert tree(site).unreadable or installed(tree(site)).distributions
    finally:
        for path in (site / "torch", info):
            path.chmod(0o755)


def test_folders_that_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0")
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("torch"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    environment = tree(site)
    assert find_copies(environment, ["torch"])["torch"].imported is not None
    assert environment.unreadable[0].reason == "Permission denied"


def test_a_metadata_of_a_hundred_megabytes(tmp_path: Path) -> None:
    info = install(tmp_path, "torch", "2.1.0")
    with (info / "METADATA").open("r+b") as file:
        file.truncate(100 << 20)
    assert installed(tree(tmp_path)).distributions[0].metadata.problem == ""
    with (info / "METADATA").open("wb") as file:
        for _ in range(100):
            file.write(b"Requires-Dist: " + b"a" * (1 << 20) + b"\n")
    tracemalloc.start()
    found = installed(tree(tmp_path)).distributions[0]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.name, found.version) == ("torch", "2.1.0")
    assert "headers" in found.metadata.problem
    assert peak < 20 << 20


def test_sparse_files_everywhere(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    info = install(site, "torch", "2.1.0", {"torch/__init__.py": "", "torch/lib.so": elf(100)})
    for path in (
        info / "RECORD",
        info / "WHEEL",
        info / "INSTALLER",
        site / "torch" / "version.py",
        site / "x.pth",
        tmp_path / "pyvenv.cfg",
    ):
        with path.open("ab") as file:
            file.truncate(1 << 36)
    with (site / "torch" / "lib.so").open("ab") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    assert "size" in look(site)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250 << 20


def test_a_file_too_large_to_hash_is_said_to_be(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0", rows=f"torch/big.bin,sha256=x,{1 << 41}\n")
    with (site / "torch" / "big.bin").open("wb") as file:
        file.truncate(1 << 41)
    assert look(site) == ["unchecked"]


def test_a_record_of_a_million_rows(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0", rows="a,,\n" * 1_000_000)
    environment = tree(site)
    (checked,) = check_integrity(environment, installed(environment).distributions).checked
    assert "more than 300000 rows" in checked.problem


def test_a_tree_of_code_runs_nothing(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\n"
    for name in (
        "sitecustomize",
        "usercustomize",
        "torch",
        "numpy",
        "_x_editable",
        "__editable___x_finder",
        "json",
        "csv",
    ):
        write(site / f"{name}.py", code)
    write(site / "torchaudio" / "__init__.py", code)
    write(site / "torchaudio" / "version.py", code + "__version__ = '1'\n")
    write(site / "x.pth", f"import os; {code}import _x_editable; import __editable___x_finder\n")
    write(tmp_path / "pyvenv.cfg", f"home = $({code})\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    look(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert not {"sitecustomize", "_x_editable", "torch"} & set(sys.modules)


def test_a_folder_of_too_many_items_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 100)
    for number in range(101):
        write(tmp_path / f"{number}.txt")
    found = files.Tree()
    assert len(found.names(str(tmp_path))) == 100
    assert "more than 100" in found.unreadable[0].reason


def test_paths_that_are_no_paths() -> None:
    for path in ("", "a\0b", "/nowhere", "x" * 100_000, "\udcff"):
        assert files.text(path, 10) is None
        assert not files.is_file(path)
        assert not files.is_folder(path)
        assert files.Tree().names(path) == {}


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"\x7fELF\2\1", b"\x7fELF\1\2", b"MZ", b"\xca\xfe\xba\xbe\0\0\0\3"]),
)
@settings(max_examples=150, deadline=None)
def test_headers_of_libraries_may_be_anything(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.so"
    path.write_bytes(start + data)
    said = broken_library(str(path), len(start + data))
    assert said in ("", "empty", "truncated", "pointer", "link", "zeros", "page")
    machine_of(start + data)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_texts_may_be_anything(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    read_headers(text)
    suffix_of(text)
    path = tmp_path_factory.getbasetemp() / "any.py"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    parse_build(str(path))


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_records_may_be_anything(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    root = tmp_path_factory.mktemp("any")
    site = site_of(root)
    info = install(site, "torch", "2.1.0")
    for name in ("RECORD", "METADATA", "WHEEL", "INSTALLER", "direct_url.json"):
        (info / name).write_bytes(data)
    write(site / "any.pth", data)
    write(root / "pyvenv.cfg", data)
    look(site)


@pytest.mark.parametrize(
    ("headers", "files"),
    [
        ("Requires-Dist: torch >=" + "1" * 5000 + "\n", {}),
        ("Requires-Dist: torch; " + "(" * 3000 + "os_name == ''" + ")" * 3000 + "\n", {}),
        ("", {"torch/__init__.py": "if 0: pass\n" + "elif 1: import torch.lost\n" * 1200}),
        ("", {"torch/__init__.py": "x = 1" + ".a" * 3000 + "\n"}),
    ],
    ids=["digits", "brackets", "elif", "attributes"],
)
def test_metadata_and_source_made_to_break_parsers(
    tmp_path: Path, headers: str, files: dict[str, bytes | str], capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.8.0", {"torch/__init__.py": "", "torch/lost.py": "", **files}, headers=headers)
    install(site, "torchaudio", "2.8.0")
    (site / "torch" / "lost.py").unlink()
    assert main(["check", "--path", str(site), "--platform", "linux-x86_64"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_a_version_of_five_thousand_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = site_of(tmp_path)
    info = install(site, "torch", "2.8.0")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1." + "1" * 5000 + "\n")
    (info / "WHEEL").write_text("Tag: cp3" + "1" * 5000 + "-cp311-linux_x86_64\n")
    assert main(["check", "--path", str(site)]) in (0, 1)


@pytest.mark.parametrize(
    "content",
    [
        library("", ["x" * 60_000] * 3000),
        library("", [], [], [], runpath=":" * 60_000),
        library("", ["libmissing.so"] * 900, runpath=":".join(["/a/b"] * 900)),
    ],
    ids=["names", "folders", "both"],
)
def test_a_library_that_asks_for_too_much(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "a.so", content)
    assert calls(lambda: ElfProcess(Root(str(tmp_path)), None).load(str(tmp_path / "a.so"))) < 5_000_000


def test_a_configuration_of_the_loader_that_includes_itself(tmp_path: Path) -> None:
    text = "include /etc/ld.so.conf\ninclude ld.so.conf.d/*.conf\n" * 150 + "/opt/first\n"
    write(tmp_path / "etc" / "ld.so.conf", text)
    write(tmp_path / "etc" / "ld.so.conf.d" / "cuda.conf", "/opt/cuda\ninclude *.conf\n")
    assert Root(str(tmp_path)).folders[:2] == ("/opt/cuda", "/opt/first")


def test_a_configuration_of_the_loader_with_too_many_patterns(tmp_path: Path) -> None:
    for number in range(50):
        write(tmp_path / "etc" / "d" / f"{number}.conf", "include " + "/etc/d/* " * 500 + f"\n/opt/{number}\n")
    write(tmp_path / "etc" / "ld.so.conf", "".join(f"include /etc/d/{n}*\n" for n in range(900)))
    found: list[tuple[str, ...]] = []
    assert calls(lambda: found.append(Root(str(tmp_path)).folders)) < 2_000_000
    assert "/opt/7" in found[0]


def test_a_cache_of_the_loader_whose_names_share_their_letters(tmp_path: Path) -> None:
    count, names = 40_000, b"x" * 4000 + b"\0"
    start = 48 + 24 * count
    rows = b"".join(struct.pack("<III12x", 0x0303, start + n % 4000, start + n % 3999) for n in range(count))
    content = b"glibc-ld.so.cache1.1" + struct.pack("<I24x", count) + rows + names
    write(tmp_path / "etc" / "ld.so.cache", content)
    cache = Root(str(tmp_path)).cache
    assert sum(len(name) + sum(map(len, paths)) for name, paths in cache.items()) < 33 << 20


def test_site_folders_that_lead_to_one_another(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    for number in range(200):
        line = f"import site; site.addsitedir('{tmp_path / f'e{number + 1}'}')\n"
        write(tmp_path / f"e{number}" / "a.pth", line)
    write(site / "a.pth", f"import site; site.addsitedir('{tmp_path / 'e0'}')\n")
    environment = tree(site)
    assert "more than 50 .pth files" in environment.unreadable[0].reason


def test_a_pth_file_of_very_many_lines(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    write(site / "a.pth", "".join(f"/nowhere/{number}\n" for number in range(30_000)))
    environment = tree(site)
    assert len(environment.dangling) == 20_000
    assert "more than 20000 lines" in environment.unreadable[0].reason


def test_a_record_of_very_deep_folders(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    deep = "d/" * 20_000
    install(site, "torch", "2.1.0", rows="".join(f"{deep}{number}/f,,\n" for number in range(100)))
    environment = tree(site)
    tracemalloc.start()
    (checked,) = check_integrity(environment, installed(environment).distributions).checked
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more folders" in checked.problem
    assert peak < 200 << 20
