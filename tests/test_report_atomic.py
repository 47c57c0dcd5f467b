"""Replacing a file: what is kept, what is never lost, what is said where it cannot be replaced."""

from __future__ import annotations

import errno
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from torchlock.errors import InputError
from torchlock.report.atomic import write_bytes, write_text
from torchlock.runtime import temporary
from torchlock.runtime.temporary import Temporary

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX system's files")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
user = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")
SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(temporary, "_swept", set())
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no power fails here, and disks are busy


def names() -> list[str]:
    return names_in(".")


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


# What a file keeps.


@posix
def test_a_new_file_has_the_permissions_that_the_umask_leaves() -> None:
    before = os.umask(0o027)
    try:
        assert write_text("out.txt", "new\n").remark == ""
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert Path("out.txt").stat().st_mode & 0o777 == 0o640
    assert names() == ["out.txt"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_permissions_stay(mode: int) -> None:
    Path("out.txt").write_text("old\n")
    Path("out.txt").chmod(mode)
    assert write_text("out.txt", "new\n").remark == ""
    assert Path("out.txt").stat().st_mode & 0o777 == mode


@root
def test_the_owner_stays_and_is_set_before_a_byte_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old\n")
    Path("out.txt").chmod(0o604)
    os.chown("out.txt", 1234, 4321)
    wanted, plain = (1234, 4321, 0o604), os.write

    def written(descriptor: int, content: Any) -> int:
        found = os.fstat(descriptor)
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == wanted
        return plain(descriptor, content)

    monkeypatch.setattr(os, "write", written)
    assert write_text("out.txt", "new\n").remark == ""
    found = Path("out.txt").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == wanted


@posix
def test_a_temporary_file_is_for_its_owner_alone_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, modes = os.open, []

    def noted(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
            modes.append(mode)
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", noted)
    write_text("out.txt", "new\n")
    write_text("out.txt", "newer\n")
    assert modes == [0o600, 0o600]


def _access_list(name: int) -> bytes:
    """A POSIX ACL that lets one more user read, as Linux keeps it in an attribute."""
    nobody = 0xFFFFFFFF
    rows = [(1, 6, nobody), (2, 4, name), (4, 4, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)


def _set(path: str, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except (OSError, AttributeError):
        pytest.skip(f"this file system has no {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [("user.origin", b"here"), ("user.empty", b""), ("system.posix_acl_access", _access_list(4321))],
)
def test_extended_attributes_and_access_lists_stay(name: str, value: bytes) -> None:
    Path("out.txt").write_text("old\n")
    _set("out.txt", name, value)
    mode = Path("out.txt").stat().st_mode
    assert write_text("out.txt", "new\n").remark == ""
    assert os.getxattr("out.txt", name) == value
    assert Path("out.txt").stat().st_mode == mode


def test_an_access_list_that_new_files_inherit_is_not_put_on_an_old_one() -> None:
    Path("out.txt").write_text("old\n")
    Path("out.txt").chmod(0o640)
    _set(".", "system.posix_acl_default", _access_list(4321))
    assert write_text("out.txt", "new\n").remark == ""
    assert "system.posix_acl_access" not in os.listxattr("out.txt")
    assert Path("out.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPERM, errno.ENOTSUP])
def test_attributes_that_cannot_be_kept_are_not_lost(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old\n")
    _set("out.txt", "user.origin", b"here")

    def refused(*arguments: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "setxattr", refused)
    said = write_text("out.txt", "new\n").remark
    assert said == (
        "out.txt has attributes that cannot be copied to a new file, so it was written in place, not replaced"
    )
    assert os.getxattr("out.txt", "user.origin") == b"here"
    assert Path("out.txt").read_text() == "new\n"
    assert names() == ["out.txt"]


@posix
def test_an_owner_that_cannot_be_kept_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old\n")
    real, inode = os.fstat, Path("out.txt").stat().st_ino

    def of_somebody_else(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[4] += 1
        return os.stat_result(found)

    def refused(*arguments: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fstat", of_somebody_else)
    monkeypatch.setattr(os, "fchown", refused)
    said = write_text("out.txt", "new\n").remark
    assert said == "out.txt belongs to another user or group, so it was written in place, not replaced"
    assert Path("out.txt").stat().st_ino == inode
    assert Path("out.txt").read_text() == "new\n"
    assert names() == ["out.txt"]


# Other systems, as far as they can be played here.


@posix
@pytest.mark.parametrize("works", [True, False])
def test_macos_copies_attributes_by_a_call_of_its_own(works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import posix

    Path("out.txt").write_text("old\n")
    copied = []

    def copy(source: int, descriptor: int, flags: int) -> None:
        copied.append((os.fstat(source).st_ino, flags))
        if not works:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    inode = Path("out.txt").stat().st_ino
    monkeypatch.delattr(os, "listxattr", raising=False)
    monkeypatch.setattr(posix, "_fcopyfile", copy, raising=False)
    assert bool(write_text("out.txt", "new\n").remark) == (not works)
    assert copied == [(inode, 5)]
    assert Path("out.txt").read_text() == "new\n"


@posix
def test_windows_moves_no_open_file_and_has_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    young, old = stray(temporary._machine()), stray("00000000", age=DAY * 2)
    moved: list[str] = []
    replace, opened, close = os.replace, os.open, os.close
    still_open: dict[int, str] = {}

    def noted(path: str, *arguments: int) -> int:
        descriptor = opened(path, *arguments)
        still_open[descriptor] = path
        return descriptor

    def closed(descriptor: int) -> None:
        still_open.pop(descriptor, None)
        close(descriptor)

    def move(source: str, target: str) -> None:
        assert source not in still_open.values()
        moved.append(target)
        replace(source, target)

    with monkeypatch.context() as patched:
        for name, function in (("name", "nt"), ("replace", move), ("open", noted), ("close", closed)):
            patched.setattr(os, name, function)
        patched.setitem(sys.modules, "fcntl", None)
        for missing in ("fchmod", "fchown", "listxattr", "getxattr", "setxattr", "O_NOFOLLOW", "O_NONBLOCK"):
            patched.delattr(os, missing, raising=False)
        for text in ("first\n", "second\n"):
            assert write_text("out.txt", text).remark == ""
    assert len(moved) == 2
    assert Path("out.txt").read_text() == "second\n"
    assert young.exists()
    assert not old.exists()


# Names.


@pytest.mark.parametrize("length", [1, 100, 240, 249, 254, 255])
def test_names_of_any_length(length: int) -> None:
    name = "x" * length
    for text in ("first\n", "second\n"):
        assert write_text(name, text).remark == ""
        assert Path(name).read_text() == text
    assert names() == [name]


@pytest.mark.parametrize("name", ["ü☂.txt", "a b.txt", "-o", "a\nb", "~", "$HOME", "*.txt", ".txt", "x."])
@posix
def test_names_of_any_characters(name: str) -> None:
    assert write_text(name, "new\n").remark == ""
    assert names() == [name]


def test_what_has_the_name_of_an_earlier_temporary_file_is_left_alone() -> None:
    stale = Path(f".out.txt.{os.getpid()}.tmp")
    stale.write_text("somebody's")
    assert write_text("out.txt", "new\n").remark == ""
    assert stale.read_text() == "somebody's"


def test_a_name_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([b"a" * 6, b"a" * 6, b"b" * 6])
    monkeypatch.setattr(os, "urandom", lambda size: next(drawn))
    taken = Temporary(str(Path.cwd()))
    Path("out.txt").write_text("old\n")
    write_text("out.txt", "new\n")
    assert Path(taken.path).exists()
    assert Path("out.txt").read_text() == "new\n"
    with taken:
        pass
    assert names() == ["out.txt"]


@pytest.mark.parametrize("name", ["", ".", "..", "folder", "folder/", "nothing/", "none/.", "out.txt/", "a\0b"])
def test_what_is_no_name_of_a_file(name: str) -> None:
    Path("folder").mkdir()
    Path("out.txt").write_text("old\n")
    with pytest.raises(InputError):
        write_text(name, "new\n")
    assert names() == ["folder", "out.txt"]
    assert names_in("folder") == []


# Links.


@posix
def test_a_symbolic_link_stays_a_link() -> None:
    Path("folder").mkdir()
    Path("folder/real.txt").write_text("old\n")
    Path("one").symlink_to("folder/real.txt")
    Path("two").symlink_to("one")
    assert write_text("two", "new\n").remark == ""
    assert Path("two").is_symlink()
    assert Path("folder/real.txt").read_text() == "new\n"
    assert names_in("folder") == ["real.txt"]


@posix
def test_a_link_to_nothing_yet_makes_the_file_there() -> None:
    Path("link").symlink_to("real.txt")
    assert write_text("link", "new\n").remark == ""
    assert Path("link").is_symlink()
    assert Path("real.txt").read_text() == "new\n"


@posix
def test_links_in_a_circle_are_refused() -> None:
    Path("one").symlink_to("two")
    Path("two").symlink_to("one")
    with pytest.raises(InputError, match="cannot be written"):
        write_text("one", "new\n")
    assert Path("one").is_symlink()


@posix
@pytest.mark.parametrize("text", ["", "n", "longer than it was before\n" * 5000])
def test_hard_links_are_written_through_and_told(text: str) -> None:
    Path("out.txt").write_text("old content\n")
    os.link("out.txt", "other.txt")
    said = write_text("out.txt", text).remark
    assert said == "out.txt has other hard links, so it was written in place, not replaced"
    assert Path("other.txt").read_text() == text
    assert Path("out.txt").stat().st_nlink == 2
    assert names() == ["other.txt", "out.txt"]


# Devices, pipes, what is open already.


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no such device here")
def test_a_device_is_written_to() -> None:
    said = write_text("/dev/null", "new\n").remark
    assert said == "/dev/null is not a regular file, so it was written to, not replaced"
    assert Path("/dev/null").is_char_device()


@posix
def test_a_pipe_with_a_name_is_written_to() -> None:
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    text = "line\n" * 50_000
    assert "is not a regular file" in write_text("pipe", text).remark
    reader.join(60)
    assert read == [text.encode()]
    assert Path("pipe").is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no such names here")
@pytest.mark.parametrize("blocking", [True, False])
def test_an_inherited_pipe_is_written_to(blocking: bool) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    read: list[bytes] = []

    def drain() -> None:
        while part := os.read(reading, 1000):
            read.append(part)

    reader = threading.Thread(target=drain)
    reader.start()
    text = "line\n" * 50_000
    said = write_text(f"/dev/fd/{writing}", text).remark
    assert said == f"/dev/fd/{writing} is open already, so it was written to, not replaced"
    os.close(writing)
    reader.join(60)
    os.close(reading)
    assert b"".join(read) == text.encode()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no such names here")
def test_a_reader_that_goes_is_told_and_nothing_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    said = write_text(f"/dev/fd/{writing}", "new\n").remark
    os.close(writing)
    assert said == f"/dev/fd/{writing} was closed by its reader before everything was written"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such name here")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "/dev/../dev/stdout"])
def test_standard_output_in_a_file_is_not_replaced(name: str) -> None:
    """What stood in the file, and what is written before and after, stays in its order."""
    if name.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no such name here")
    Path("link").symlink_to("/dev/stdout")
    Path("out.txt").write_text("first\n")
    program = f"print('before'); write_text({name!r}, 'new\\n'); print('after')"
    with Path("out.txt").open("a") as out:
        environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
        command = [sys.executable, "-c", f"from torchlock.report.atomic import write_text; {program}"]
        subprocess.run(command, stdout=out, check=True, env=environ)
    assert Path("out.txt").read_text() == "first\nbefore\nnew\nafter\n"


@posix
def test_a_socket_cannot_be_written() -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(InputError, match="cannot be written"):
            write_text("socket", "new\n")


# Failures.

FAILURES = [
    ("open", errno.ENOSPC),
    ("open", errno.EMFILE),
    ("write", errno.ENOSPC),
    ("write", errno.EDQUOT),
    ("write", errno.EIO),
    ("fsync", errno.ENOSPC),
    ("fsync", errno.EIO),
    ("fchmod", errno.EIO),
    ("replace", errno.ENOSPC),
    ("replace", errno.EIO),
]


@posix
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("call", "error"), FAILURES)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    call: str, error: int, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        Path("out.txt").write_text("old\n")
    real = getattr(os, call)

    def failing(*arguments: Any) -> Any:
        if call == "write":
            real(arguments[0], arguments[1][:2])
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched, pytest.raises(InputError, match=r"out\.txt: cannot be written"):
        patched.setattr(os, call, failing)
        write_text("out.txt", "new content\n")
    assert Path("out.txt").exists() == there
    assert not there or Path("out.txt").read_text() == "old\n"
    assert not list(Path().glob(".torchlock-*"))


@posix
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("call", ["write", "fsync", "fchmod", "replace"])
def test_an_interruption_leaves_the_old_file_and_nothing_else(
    call: str, interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("out.txt").write_text("old\n")

    def interrupted(*arguments: Any) -> None:
        raise interrupt

    with monkeypatch.context() as patched, pytest.raises(interrupt):
        patched.setattr(os, call, interrupted)
        write_text("out.txt", "new content\n")
    assert Path("out.txt").read_text() == "old\n"
    assert names() == ["out.txt"]


@posix
@pytest.mark.parametrize("new", ["n", "new content, longer than the old\n"])
@pytest.mark.parametrize("at", [0, 1])
def test_a_failure_in_place_gives_the_old_content_back(new: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old content\n")
    os.link("out.txt", "other.txt")
    plain, seen = os.write, [0]

    def full(descriptor: int, content: Any) -> int:
        seen[0] += 1
        if seen[0] == 1 + at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain(descriptor, content[:3] if seen[0] <= at else content)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        if len(new) > 3 or at == 0:
            with pytest.raises(InputError, match="cannot be written"):
                write_text("out.txt", new)
            assert Path("other.txt").read_text() == "old content\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_device() -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text("/dev/full", "new\n")


@posix
@pytest.mark.parametrize("error", [errno.EBUSY, errno.EPERM, errno.EACCES])
def test_a_file_that_is_held_in_its_place_is_written_in_place(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a single file that is mounted into a container, or one of somebody else in a folder like /tmp."""
    Path("out.txt").write_text("old\n")

    def held(*arguments: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "replace", held)
    said = write_text("out.txt", "new\n").remark
    reason = os.strerror(error)
    assert said == f"out.txt cannot be replaced here ({reason}), so it was written in place, not replaced"
    assert Path("out.txt").read_text() == "new\n"
    assert names() == ["out.txt"]


@posix
@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_folder_that_takes_no_file(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old\n")
    plain = os.open

    def refused(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(error, os.strerror(error))
        return plain(path, flags, mode)

    monkeypatch.setattr(os, "open", refused)
    said = write_text("out.txt", "new\n").remark
    assert (
        said == "out.txt is in a folder in which no file can be created, so it was written in place, not replaced"
    )
    assert Path("out.txt").read_text() == "new\n"
    with pytest.raises(InputError, match="cannot be written"):
        write_text("another.txt", "new\n")


@user
def test_a_folder_without_permission_to_write() -> None:
    Path("folder").mkdir()
    Path("folder/out.txt").write_text("old\n")
    Path("folder").chmod(0o555)
    try:
        assert "in which no file can be created" in write_text("folder/out.txt", "new\n").remark
        assert Path("folder/out.txt").read_text() == "new\n"
        with pytest.raises(InputError):
            write_text("folder/another.txt", "new\n")
    finally:
        Path("folder").chmod(0o755)


@posix
@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS])
def test_a_file_without_permission_to_write_is_not_replaced(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.txt").write_text("old\n")
    plain = os.open

    def refused(path: str, flags: int, mode: int = 0o777) -> int:
        if path.endswith("out.txt") and flags & os.O_WRONLY:
            raise OSError(error, os.strerror(error))
        return plain(path, flags, mode)

    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(InputError, match=re.escape(f"out.txt: cannot be written ({os.strerror(error)})")):
        write_text("out.txt", "new\n")
    assert Path("out.txt").read_text() == "old\n"
    assert names() == ["out.txt"]


# What another program does meanwhile.


@pytest.mark.parametrize("links", [False, pytest.param(True, marks=posix)])
def test_a_file_that_changed_meanwhile_is_not_written(links: bool) -> None:
    Path("out.txt").write_text("edited\n")
    if links:
        os.link("out.txt", "other.txt")
    with pytest.raises(InputError, match="was changed by another program meanwhile"):
        write_bytes("out.txt", b"new\n", expected=b"old\n")
    assert Path("out.txt").read_text() == "edited\n"
    assert write_bytes("out.txt", b"new\n", expected=b"edited\n")
    assert Path("out.txt").read_text() == "new\n"


def test_a_file_that_went_meanwhile_is_not_made_again() -> None:
    with pytest.raises(InputError, match="was removed by another program meanwhile"):
        write_bytes("out.txt", b"new\n", expected=b"old\n")
    assert names() == []


@posix
def test_many_writers_of_one_file_leave_one_whole_file() -> None:
    program = (
        "import sys; from torchlock.report.atomic import write_text\n"
        "for _ in range(40): write_text('out.txt', sys.argv[1] * 20_000)"
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    writers = [subprocess.Popen([sys.executable, "-c", program, name], env=environ) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert re.fullmatch("a{20000}|b{20000}|c{20000}", Path("out.txt").read_text())
    assert names() == ["out.txt"]


# Strays.

DAY = 24 * 3600


def stray(machine: str, *, age: float = 0) -> Path:
    path = Path(f".torchlock-{machine}-0123456789ab.tmp")
    path.write_text("half of")
    os.utime(path, (time.time() - age,) * 2)
    return path


@posix
def test_what_a_dead_process_left_is_removed_at_the_next_run() -> None:
    program = (
        "import os, signal; from torchlock.report.atomic import write_text\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_text('out.txt', 'new content')"
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    for _ in range(2):
        process = subprocess.run([sys.executable, "-c", program], env=environ, check=False)
        assert process.returncode == -signal.SIGKILL
        assert len(names()) == 1  # the second has removed that of the first
        assert names()[0].startswith(".torchlock-")
    write_text("out.txt", "new\n")
    assert names() == ["out.txt"]


@posix
def test_what_a_living_process_writes_stays() -> None:
    with Temporary(str(Path.cwd())) as living:
        os.utime(living.path, (0, 0))
        write_text("out.txt", "new\n")
        assert Path(living.path).exists()
    assert names() == ["out.txt"]


@posix
@pytest.mark.parametrize(("age", "left"), [(0, True), (DAY / 2, True), (DAY * 2, False)])
def test_of_another_machine_only_what_is_old_goes(age: float, left: bool) -> None:
    path = stray("00000000", age=age)
    write_text("out.txt", "new\n")
    assert path.exists() == left


@posix
@pytest.mark.parametrize(("age", "left"), [(0, True), (DAY * 2, False)])
def test_without_locks_only_what_is_old_goes(age: float, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def none(*arguments: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    path = stray(temporary._machine(), age=age)
    assert write_text("out.txt", "new\n").remark == ""
    assert path.exists() == left


@posix
def test_only_files_of_ours_go() -> None:
    machine = temporary._machine()
    others = [".torchlock.tmp", f".torchlock-{machine}-0123456789ab", f"x.torchlock-{machine}-0123456789ab.tmp"]
    for name in others:
        Path(name).write_text("somebody's")
    Path("precious").write_text("somebody's")
    Path(f".torchlock-{machine}-00000000000a.tmp").symlink_to("precious")
    os.link("precious", f".torchlock-{machine}-00000000000b.tmp")
    Path(f".torchlock-{machine}-00000000000c.tmp").mkdir()
    os.mkfifo(f".torchlock-{machine}-00000000000d.tmp")
    before = names()
    write_text("out.txt", "new\n")
    assert names() == sorted([*before, "out.txt"])


@posix
def test_a_file_that_somebody_swept_away_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the making of a file and its lock another process can take it for a stray."""
    import fcntl

    lock, swept = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(Path().glob(".torchlock-*"))
            swept[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert write_text("out.txt", "new\n").remark == ""
    assert swept
    assert Path("out.txt").read_text() == "new\n"


def test_a_folder_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(folder) or scan(folder))  # type: ignore[func-returns-value]
    for number in range(20):
        write_text(f"{number}.txt", "new\n")
    assert len(looked) == 1
