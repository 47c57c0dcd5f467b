"""The files against the records: a healthy environment has no fault, and every kind of damage has its name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support.site_folder import digest, elf, install, site_of, tree, write
from torchlock.inspect.distributions import installed
from torchlock.inspect.integrity import LISTED, Integrity, check_integrity

LIBRARY = "torch/lib/libtorch_cpu.so"
FILES: dict[str, bytes | str] = {
    "torch/__init__.py": "",
    "torch/version.py": "__version__ = '2.1.0'\n",
    LIBRARY: elf(8192),
    "torch/lib/libgomp.so.1": elf(),
    "torch/lib/c10.dll": b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0" + bytes(3000),
    'torch/share/a,b "c".txt': "data",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = site_of(tmp_path / "v")
    install(folder, "torch", "2.1.0", FILES)
    return folder


def check(path: Path, deep: bool = False) -> Integrity:
    environment = tree(path)
    return check_integrity(environment, installed(environment).distributions, deep)


def faults(path: Path, deep: bool = False) -> list[tuple[str, str]]:
    """Kind and path, below the site folder."""
    return sorted((fault.kind, fault.path.removeprefix(f"{path}{os.sep}")) for fault in check(path, deep).faults)


# What must be left alone.


def test_what_pip_installed_has_no_fault(site: Path) -> None:
    result = check(site, deep=True)
    assert result.faults == ()
    assert result.counts == {}
    (checked,) = result.checked
    assert (checked.recorded, checked.missing, checked.problem) == (6, 0, "")
    assert result.hashed == sum(
        path.stat().st_size for path in site.rglob("*") if path.is_file() and path.name != "RECORD"
    )


def test_compiled_python_counts_for_nothing(site: Path) -> None:
    write(site / "torch" / "__pycache__" / "version.cpython-311.pyc", "x")
    write(site / "torch" / "old.pyc", "x")
    record = site / "torch-2.1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "torch/__pycache__/gone.cpython-311.pyc,,\n")
    (site / "torch" / "gone" / "__pycache__").mkdir(parents=True)
    assert faults(site, deep=True) == []


def test_scripts_outside_of_the_site_folder_are_the_installation(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    write(tmp_path / "bin" / "torchrun", "#!python\n")
    install(site, "torch", "2.1.0", rows=f"../../../bin/torchrun,{digest(b'#!python' + bytes([10]))},9\n")
    assert faults(site, deep=True) == []
    (tmp_path / "bin" / "torchrun").unlink()
    assert [kind for kind, _ in faults(site)] == ["missing"]


def test_scripts_of_a_target_folder_were_moved(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.1.0", rows="../../bin/torchrun,,\n")
    assert faults(tmp_path) == []


def test_files_may_be_links_into_a_cache(site: Path, tmp_path: Path) -> None:
    for name in (LIBRARY, "torch/version.py"):
        moved = tmp_path / Path(name).name
        (site / name).rename(moved)
        (site / name).symlink_to(moved)
    (site / "torch" / "share").rename(tmp_path / "share")
    (site / "torch" / "share").symlink_to(tmp_path / "share")
    assert faults(site, deep=True) == []


def test_packages_that_share_a_folder(site: Path) -> None:
    for name in ("cublas", "cudnn"):
        install(site, f"nvidia-{name}-cu12", "12", {f"nvidia/{name}/lib/lib{name}.so.12": elf()})
    assert faults(site, deep=True) == []


def test_conda_changes_what_the_wheel_recorded(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    install(site, "torch", "2.1.0", FILES, installer="conda")
    write(site / LIBRARY, elf(9999))
    assert faults(site, deep=True) == []
    write(site / LIBRARY, elf(9999)[:5000])
    (site / "torch" / "version.py").unlink()
    assert faults(site) == [("missing", "torch/version.py"), ("truncated", LIBRARY)]


def test_linux_distributions_strip_libraries_and_move_scripts(tmp_path: Path) -> None:
    site = tmp_path / "usr" / "lib" / "python3" / "dist-packages"
    info = install(site, "torch", "2.1.0", FILES, rows="../scripts/torchrun,,\nscripts-3.11/torchrun,,\n")
    (info / "INSTALLER").unlink()
    write(site / LIBRARY, elf(4000))
    assert faults(site, deep=True) == []


def test_single_modules_and_tools_of_the_environment_are_no_strangers(site: Path) -> None:
    install(site, "soundfile", "0.13", {"soundfile.py": "", "_soundfile_data/libsndfile.so": elf()})
    write(site / "_virtualenv.py")
    write(site / "_virtualenv.pth", "import _virtualenv\n")
    write(site / "README.txt")
    assert faults(site, deep=True) == []


def test_a_folder_with_packages_without_records_has_no_strangers(site: Path) -> None:
    write(site / "six-1.16.egg-info", "Name: six\nVersion: 1.16\n")
    write(site / "six.py")
    assert faults(site) == []


# What must be caught.


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (elf(8192)[:5000], "truncated"),
        (b"", "empty"),
        (b"version https://git-lfs.github.example.org/spec/v1\noid sha256:0\nsize 8192\n", "pointer"),
        (elf(8192) + b"more", "size"),
        (elf(4000), "size"),
        (b"\x7fELF", "truncated"),
    ],
)
def test_a_library_that_is_not_whole(site: Path, content: bytes, kind: str) -> None:
    write(site / LIBRARY, content)
    assert faults(site) == [(kind, LIBRARY)]


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.example.org/spec/v1\n", elf(8192)[:900]]
)
def test_a_wheel_that_was_built_broken(tmp_path: Path, content: bytes) -> None:
    site = site_of(tmp_path)
    install(site, "torchaudio", "2.1.0", {"torchaudio/lib/libtorchaudio.so": content})
    (fault,) = check(site, deep=True).faults
    assert fault.kind == ("empty" if not content else "pointer" if b"git" in content else "truncated")


def test_a_file_of_another_size_is_told_with_both(site: Path) -> None:
    write(site / "torch" / "version.py", "other")
    (fault,) = check(site).faults
    assert (fault.kind, fault.distribution, fault.expected, fault.found) == ("size", "torch", "22", "5")


def test_a_change_that_keeps_the_size_is_found_by_its_hash(site: Path) -> None:
    write(site / "torch" / "version.py", "__version__ = '2.1.9'\n")
    assert faults(site) == []
    (fault,) = check(site, deep=True).faults
    assert (fault.kind, fault.found) == ("hash", digest(b"__version__ = '2.1.9'\n"))


def test_missing_files_are_counted(site: Path) -> None:
    (site / LIBRARY).unlink()
    assert faults(site) == [("missing", LIBRARY)]
    for path in sorted((site / "torch").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (checked,) = check(site).checked
    assert checked.missing == len(FILES)
    assert checked.is_hollow


def test_files_that_nobody_recorded(site: Path) -> None:
    write(site / "torch" / "lib" / "libold.so", elf())
    write(site / "torch" / "extra" / "x.py")
    write(site / "torchaudio" / "__init__.py")
    write(site / "torch.py")
    assert faults(site) == [
        ("foreign", "torch/extra"),
        ("foreign", "torch/lib/libold.so"),
        ("unowned", "torch.py"),
        ("unowned", "torchaudio"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "torch/../../../../../etc/passwd",
        "C:/Windows/system32/kernel32.dll",
        "..",
        pytest.param(
            "a\0b",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="its csv reads no such line at all"),
        ),
    ],
)
def test_a_record_that_leads_outside_is_not_followed(
    site: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = site / "torch-2.1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + f"{path},sha256=x,1\n")
    touched: list[str] = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: touched.append(str(path)) or real(path, **more))
    found = [fault for fault in check(site, deep=True).faults if fault.kind == "escapes"]
    assert path in {fault.path for fault in found} or path == ".."
    assert not any("etc" in item or "Windows" in item for item in touched)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "has no RECORD"),
        (b"", "empty"),
        (b'"a\n' + b"x" * 200_000, "cannot be read"),
        (b"\xff\xfe\0,,\n", ""),
    ],
)
def test_records_that_cannot_be_read(site: Path, content: bytes | None, problem: str) -> None:
    record = site / "torch-2.1.0.dist-info" / "RECORD"
    record.unlink()
    if content is not None:
        record.write_bytes(content)
    (checked,) = check(site, deep=True).checked
    assert problem in checked.problem


def test_a_distribution_of_which_only_the_record_is_left(site: Path) -> None:
    info = site / "torch-2.1.0.dist-info"
    rows = [row for row in (info / "RECORD").read_text().splitlines(True) if "dist-info" not in row]
    (info / "RECORD").write_text("".join(rows))
    for path in sorted((site / "torch").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (checked,) = check(site).checked
    assert checked.is_hollow


def test_strange_hashes(site: Path) -> None:
    record = site / "torch-2.1.0.dist-info" / "RECORD"
    rows = {"whirlpool=x": "unchecked", "sha256=" + "0" * 64: "hash", "sha256": "hash", "=": "unchecked"}
    for number, row in enumerate(rows):
        write(site / "torch" / f"{number}.txt", "x")
        record.write_text(record.read_text() + f"torch/{number}.txt,{row},1\n")
    found = {fault.path[-5:]: fault.kind for fault in check(site, deep=True).faults}
    assert found == {f"{number}.txt": kind for number, kind in enumerate(rows.values())}


def test_hexadecimal_digests_of_old_installers(tmp_path: Path) -> None:
    import hashlib

    site = site_of(tmp_path)
    write(site / "x.py", "x")
    install(site, "torch", "2.1.0", rows=f"x.py,md5={hashlib.md5(b'x').hexdigest()},1\n")
    assert faults(site, deep=True) == []


def test_many_faults_are_counted_and_not_all_listed(site: Path) -> None:
    record = site / "torch-2.1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "".join(f"torch/{number}.h,,\n" for number in range(LISTED + 50)))
    result = check(site)
    assert result.counts == {("torch", "missing"): LISTED + 50}
    assert len(result.faults) == LISTED
    assert result.checked[0].missing == LISTED + 50


def test_progress_ends_at_the_whole(site: Path) -> None:
    environment = tree(site)
    heard: list[tuple[int, int]] = []
    result = check_integrity(
        environment, installed(environment).distributions, True, lambda done, total: heard.append((done, total))
    )
    assert heard[-1] == (result.hashed, result.hashed)


def test_an_interruption_ends_the_hashing(site: Path) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    environment = tree(site)
    with pytest.raises(KeyboardInterrupt):
        check_integrity(environment, installed(environment).distributions, True, stop)
