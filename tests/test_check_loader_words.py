"""All that the loader of Linux and the import of Python say of a library that is there, and that they refuse."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.finding import Finding

LIBRARY = "/e/lib/python3.10/site-packages/torch/lib/libtorch_cuda.so"
FRAME = '  File "/e/lib/python3.10/site-packages/{}/__init__.py", line 12, in <module>\n'


def first_of(text: str) -> Finding | None:
    log = read_log(text)
    return next(iter(by_log(context_of(log), log, [])), None)


@pytest.mark.parametrize(
    ("said", "rule", "words"),
    [
        ("file too short", "TL607", "is damaged"),
        ("invalid ELF header", "TL607", "is damaged"),
        ("ELF load command past end of file", "TL607", "is damaged"),
        ("ELF load command address/offset not properly aligned", "TL607", "is damaged"),
        ("ELF file's phentsize not the expected size", "TL607", "is damaged"),
        ("ELF file version does not match current one", "TL607", "is damaged"),
        ("object file has no loadable segments", "TL607", "no shared library"),
        ("object file has no dynamic section", "TL607", "no shared library"),
        ("only ET_DYN and ET_EXEC can be loaded", "TL607", "no shared library"),
        ("cannot read file data: Input/output error", "TL607", "Input/output error"),
        ("wrong ELF class: ELFCLASS32", "TL608", "another kind of processor"),
        ("ELF file OS ABI invalid", "TL608", "another kind of processor"),
        ("ELF file data encoding not little-endian", "TL608", "another kind of processor"),
        ("failed to map segment from shared object: Operation not permitted", "TL621", "did not map"),
        ("cannot map zero-fill pages: Cannot allocate memory", "TL621", "did not map"),
        ("cannot change memory protections", "TL621", "did not map"),
        ("cannot restore segment prot after reloc: Permission denied", "TL621", "did not map"),
        ("cannot open shared object file: Permission denied", "TL621", "may not read"),
        ("cannot open shared object file: Too many open files", "TL621", "too many files open"),
        ("cannot allocate memory in static TLS block", "TL621", "no room left"),
        (
            "cannot enable executable stack as shared object requires: Invalid argument",
            "TL621",
            "executable stack",
        ),
    ],
)
def test_a_library_that_glibc_refuses(said: str, rule: str, words: str) -> None:
    """Only a few of these were known; the others were taken for a library that is missing, or for nothing."""
    finding = first_of(f"OSError: {LIBRARY}: {said}\n")
    assert finding is not None
    assert (finding.rule, words in finding.message) == (rule, True)
    assert finding.remedy is not None


def test_a_policy_is_the_reason_for_memory_that_may_not_change() -> None:
    finding = first_of(f"OSError: {LIBRARY}: cannot make segment writable for relocation: Permission denied\n")
    assert finding is not None
    assert "SELinux" in finding.because


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ImportError: Module use of python310.dll conflicts with this version of Python.", "of Python 3.10"),
        ("ImportError: bad magic number in 'torch': b'\\x03\\xf3\\r\\n'", "of torch that another release"),
        ("RuntimeError: Bad magic number in .pyc file", "a compiled file (.pyc) that another release"),
        ("ImportError: dynamic module does not define module export function (PyInit__C)", "PyInit__C"),
        ("ImportError: dynamic module does not define init function (init_C)", "init_C"),
    ],
)
def test_a_module_of_another_python(line: str, words: str) -> None:
    finding = first_of(line)
    assert finding is not None
    assert (finding.rule, words in finding.message) == ("TL608", True)


@pytest.mark.parametrize("library", ["libtinfo.so.5", "libmpi.so.12", "libGL.so.1"])
def test_a_library_that_no_table_has(library: str) -> None:
    """That it was not found is known; what brings it is not, so the finding says how to look."""
    line = f"ImportError: {library}: cannot open shared object file: No such file or directory\n"
    finding = first_of(FRAME.format("mypackage") + line)
    assert finding is not None
    assert (finding.rule, finding.message) == ("TL610", f"the process in the log did not find {library}")
    assert finding.remedy is not None
    assert not finding.remedy.commands
    assert first_of(line) is None  # Any program may have printed it.


def test_the_library_of_python_itself() -> None:
    lost = "libpython3.10.so.1.0: cannot open shared object file: No such file or directory"
    line = f"python: error while loading shared libraries: {lost}"
    finding = first_of(line)
    assert finding is not None
    assert "the library of Python itself" in finding.message


def test_an_older_copy_of_a_dll_is_not_a_missing_one() -> None:
    """An error 193 that named a library of cuDNN was said to be a library that is not found."""
    finding = first_of(
        'OSError: [WinError 193] %1 is not a valid Win32 application. Error loading "C:\\e\\lib\\site-packages\\'
        'torch\\lib\\cudnn64_8.dll" or one of its dependencies.\n'
    )
    assert finding is not None
    assert finding.rule == "TL608"
