"""What a run started ends with it, by whatever signal it ends; and what it says then is what happened."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.sdists import archive
from support.site_folder import write
from torchlock.audit import Auditor, Options
from torchlock.cli.main import main
from torchlock.errors import DataError
from torchlock.finding import FileReport
from torchlock.jobs.workers import judged
from torchlock.runtime import temporary
from torchlock.runtime.interrupts import Interrupted, deferred_signals, handled
from torchlock.runtime.process import child, run_program, temporary_folder

ROOT = Path(__file__).parents[1]
BROKEN = "torch==2.7.1\ntorchaudio==2.5.1\n"
LOOKS = 6000  # a guard against waiting for ever: what is awaited is looked for so often
SECONDS = 60  # a guard against hanging, no measure
ENDING = [signal.SIGTERM, signal.SIGKILL] if os.name == "nt" else [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
MARK = "TORCHLOCK_TEST_RUN"
# A run in the background may have been started with signals ignored, as nohup and shells do: here they count.
LISTENS = (
    "import signal; [signal.signal(getattr(signal, name), signal.SIG_DFL) for name in ('SIGTERM', 'SIGHUP')]; "
)
LISTENS += "signal.signal(signal.SIGINT, signal.default_int_handler); "
CLI = "import os, sys; os.cpu_count = lambda: 2; from torchlock.cli import entry; entry()"

posix = pytest.mark.skipif(os.name != "posix", reason="signals and sessions")


def until(true: Callable[[], object]) -> None:
    for _ in range(LOOKS):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it does not come about")


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """The same for runs within this process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Run:
    """A process of its own, and all that it starts: known by a word in their environment or their arguments."""

    def __init__(self, folder: Path, code: str, *arguments: str) -> None:
        self.word = str(folder)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(self.temporary), MARK: self.word}
        self.process = subprocess.Popen(
            [sys.executable, "-c", (LISTENS if os.name == "posix" else "") + code, *arguments],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def alive(self) -> list[str]:
        """The processes of this run. On Linux those count that left its session, too."""
        rows = subprocess.run(
            ["ps", "-A", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [row for row in rows if self._is_ours(*row.split(None, 2))]

    def _is_ours(self, number: str, state: str, said: str = "") -> bool:
        if state.startswith("Z") or int(number) == os.getpid():
            return False
        with contextlib.suppress(OSError):
            return f"{MARK}={self.word}".encode() in Path(f"/proc/{number}/environ").read_bytes()
        return self.word in said and not Path("/proc/self").exists()

    def send(self, number: int, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.process.pid, number)

    def ended(self) -> tuple[int, str]:
        """The exit code and what was said; nothing is left of the run."""
        said = self.process.communicate(timeout=SECONDS)[1]
        until(lambda: not self.alive())
        until(lambda: not list(self.temporary.iterdir()))
        assert "Traceback" not in said
        assert "Exception ignored" not in said
        return self.process.returncode, said

    def close(self) -> None:
        for row in self.alive():
            with contextlib.suppress(OSError):
                os.kill(int(row.split()[0]), signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def started(code: str, *arguments: str) -> Run:
        runs.append(Run(tmp_path, code, *arguments))
        return runs[-1]

    yield started
    for run in runs:
        run.close()


def code_of(number: int) -> int:
    return -number if number == signal.SIGKILL else 128 + number


def many(folder: Path, count: int = 400) -> str:
    for number in range(count):
        write(folder / "many" / f"{number}-requirements.txt", BROKEN)
    return str(folder / "many")


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[list[str]]:
    """Many files, and on Linux one whose reader waits for ever: such an audit ends by a signal only."""
    read, written = os.pipe()
    pipe = Path(f"/proc/{os.getpid()}/fd/{read}")
    yield [many(tmp_path), *([str(pipe)] if pipe.exists() else [])]
    os.close(read)
    os.close(written)


# Workers of the audit.


def workers_of(run: Run) -> list[str]:
    """More than the leader and its guard."""
    found = run.alive()
    return found[2:]


@posix
@pytest.mark.parametrize("group", [False, True], ids=["leader", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_the_workers_of_an_audit_end_with_it(
    number: signal.Signals, group: bool, endless: list[str], start: Callable[..., Run]
) -> None:
    run = start(CLI, "audit", *endless)
    until(lambda: workers_of(run))
    run.send(number, group=group)
    code, said = run.ended()
    assert code == code_of(number)
    assert said == ("" if number == signal.SIGKILL else "error: interrupted; nothing was changed\n")


@posix
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_start_afresh_end_too(method: str, endless: list[str], start: Callable[..., Run]) -> None:
    chosen = f"import multiprocessing; multiprocessing.set_start_method({method!r}); {CLI}"
    run = start(chosen, "audit", *endless)
    until(lambda: workers_of(run))
    run.send(signal.SIGINT, group=True)
    assert run.ended() == (130, "error: interrupted; nothing was changed\n")


@posix
def test_workers_leave_by_themselves_where_no_guard_can_be_had(tmp_path: Path, start: Callable[..., Run]) -> None:
    forked = (
        "import sys, multiprocessing; multiprocessing.set_start_method('fork'); sys.executable = '/there/is/none'"
    )
    run = start(f"{forked}; {CLI}", "audit", many(tmp_path))
    until(lambda: run.alive()[1:])
    run.send(signal.SIGKILL)
    assert run.ended() == (-signal.SIGKILL, "")


@posix
def test_a_signal_that_comes_twice_is_obeyed_once(endless: list[str], start: Callable[..., Run]) -> None:
    run = start(CLI, "audit", *endless)
    until(lambda: workers_of(run))
    run.send(signal.SIGTERM)
    run.send(signal.SIGTERM, group=True)
    assert run.ended() == (143, "error: interrupted; nothing was changed\n")


@posix
def test_an_ignored_hangup_stays_ignored(tmp_path: Path, start: Callable[..., Run]) -> None:
    """As nohup starts a program."""
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {CLI}"
    run = start(ignoring, "audit", many(tmp_path, 100))
    until(lambda: workers_of(run))
    run.send(signal.SIGHUP, group=True)
    assert run.ended() == (1, "")


@posix
def test_a_worker_that_is_killed_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a system does that is out of memory."""
    import multiprocessing

    if multiprocessing.get_start_method() != "fork":
        pytest.skip("workers that know nothing of this test")
    real = Auditor.report

    def report(self: Auditor, path: str) -> FileReport:
        if "deadly" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, path)

    monkeypatch.setattr(Auditor, "report", report)
    names = [
        str(write(tmp_path / name, BROKEN)) for name in ("1.txt", "deadly.txt", *(f"r{n}.txt" for n in range(20)))
    ]
    told: list[int] = []
    reports = judged([(name, 0) for name in names], [Options()], 2, lambda number, _: told.append(number))
    assert [each.path for each in reports] == names
    assert told == list(range(1, 23))
    assert [each.path for each in reports if each.status != "error"] == [names[1]]
    assert reports[1].status == "unreadable"
    assert reports[1].error == "could not be judged: its worker process was ended by signal 9"


# Programs that are run.


SLEEPER = """\
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
open({begun!r}, "w").close()
time.sleep(3600)
"""


@posix
@pytest.mark.parametrize("number", ENDING)
def test_the_smoke_test_ends_with_the_run(
    number: signal.Signals, tmp_path: Path, start: Callable[..., Run]
) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    for name in ("torch", "torchaudio"):
        write(
            site / f"{name}-2.7.1.dist-info" / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.7.1\n"
        )
        write(site / name / "__init__.py", "")
    write(site / "torch" / "version.py", "__version__ = '2.7.1'\ncuda = None\n")
    begun = tmp_path / "begun"
    write(site / "torch" / "__init__.py", SLEEPER.format(begun=str(begun)))
    run = start(CLI, "check", "--probe", "--python", str(tmp_path / "env" / "bin" / "python"))
    until(begun.exists)
    assert list(run.temporary.iterdir())
    run.send(number)
    assert run.ended()[0] == code_of(number)


@posix
@pytest.mark.parametrize("number", ENDING)
def test_an_interpreter_that_is_asked_ends_with_the_run(
    number: signal.Signals, tmp_path: Path, start: Callable[..., Run]
) -> None:
    begun = tmp_path / "begun"
    script = write(tmp_path / "python", f"#!{sys.executable}\n{SLEEPER.format(begun=str(begun))}")
    script.chmod(0o755)
    run = start(CLI, "check", "--python", str(script))
    until(begun.exists)
    run.send(number)
    code, said = run.ended()
    assert code == code_of(number)
    assert said == ("" if number == signal.SIGKILL else "error: interrupted; nothing was changed\n")


LOST = """
import gc, signal, time, weakref
from torchlock.runtime.interrupts import handled
class Thing:
    def __del__(self):
        if {finalizer}: signal.raise_signal({number})
def last_words(_):
    if not {finalizer}: signal.raise_signal({number})
with handled():
    try:
        thing = Thing()
        reference = weakref.ref(thing, last_words)
        del thing
        time.sleep(3600)
    except KeyboardInterrupt as stop:
        raise SystemExit(stop.code)
"""


@posix
@pytest.mark.parametrize("finalizer", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_counts_though_python_drops_its_exception(
    number: signal.Signals, finalizer: bool, start: Callable[..., Run]
) -> None:
    """As in a finalizer, or in the callback of a weak reference, which each import has."""
    assert start(LOST.format(number=int(number), finalizer=finalizer)).ended() == (128 + number, "")


def test_other_exceptions_that_python_drops_are_said(start: Callable[..., Run]) -> None:
    code = "from torchlock.runtime.interrupts import handled\n"
    code += "class Thing:\n    def __del__(self): 1 / 0\n"
    code += "with handled():\n    Thing()\n"
    run = start(code)
    assert "ZeroDivisionError" in run.process.communicate(timeout=SECONDS)[1]


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_ends_with_the_run(number: signal.Signals, tmp_path: Path, start: Callable[..., Run]) -> None:
    """The backend's own environment lies in the folder that goes with the run."""
    begun = tmp_path / "begun"
    project: dict[str, str | bytes] = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n",
        "own.py": SLEEPER.format(begun=str(begun)),
    }
    (tmp_path / "demo-1.0.tar.gz").write_bytes(archive(project))
    build = (
        "from torchlock.runtime.interrupts import handled; from torchlock.index.sdist.building import Builder\n"
        "with handled():\n"
        "    try: Builder()(open('demo-1.0.tar.gz', 'rb').read(), 'demo-1.0.tar.gz')\n"
        "    except KeyboardInterrupt as stop: raise SystemExit(stop.code)\n"
    )
    run = start(build)
    until(begun.exists)
    run.send(number)
    assert run.ended()[0] == code_of(number)


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_of_the_machine_ends_with_the_run(
    number: signal.Signals, tmp_path: Path, start: Callable[..., Run]
) -> None:
    begun = tmp_path / "begun"
    program = write(tmp_path / "bin" / "nvidia-smi", f"#!{sys.executable}\n{SLEEPER.format(begun=str(begun))}")
    program.chmod(0o755)
    ask = (
        f"import os; os.environ['PATH'] = {str(program.parent)!r}\n"
        "from torchlock.inspect import host; host._SECONDS = 3600.0\n"
        "from torchlock.runtime.interrupts import handled\n"
        "with handled():\n"
        "    try: host.driver()\n"
        "    except KeyboardInterrupt as stop: raise SystemExit(stop.code)\n"
    )
    run = start(ask)
    until(begun.exists)
    run.send(number)
    assert run.ended()[0] == code_of(number)


@posix
def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """Though the program itself answered in time and left."""
    began = tmp_path / "number"
    script = write(tmp_path / "script", f"#!/bin/sh\nsleep 3600 >/dev/null &\necho $! > '{began}'\necho said\n")
    script.chmod(0o755)
    answer = run_program([str(script)], SECONDS, 1 << 10)
    assert (answer.printed, answer.code, answer.slow) == (b"said\n", 0, False)
    left = int(began.read_text())

    def gone() -> bool:
        with contextlib.suppress(OSError):
            os.kill(left, 0)
            return Path(f"/proc/{left}/stat").exists() and ") Z " in Path(f"/proc/{left}/stat").read_text()
        return True

    until(gone)


@posix
def test_a_program_that_says_too_much_is_heard_in_part(tmp_path: Path) -> None:
    answer = run_program(["/bin/sh", "-c", "while :; do echo more; done"], SECONDS, 1 << 10)
    assert (len(answer.printed), answer.code, answer.slow) == (1 << 10, None, False)


@posix
def test_a_place_is_gone_after_an_error() -> None:
    with pytest.raises(ValueError, match="why"), temporary_folder() as place:
        write(Path(place) / "folder" / "file", "")
        raise ValueError("why")
    assert not Path(place).exists()


@posix
def test_without_a_guard_all_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be started, or somebody ended it."""
    from torchlock.runtime import guarding

    fresh = guarding._Guard()
    monkeypatch.setattr(guarding, "_guard", fresh)
    monkeypatch.setattr(sys, "executable", "/there/is/none")
    with child([os.environ.get("SHELL", "/bin/sh"), "-c", "exit 3"]) as process:
        assert process.wait() == 3
    monkeypatch.undo()
    monkeypatch.setattr(guarding, "_guard", other := guarding._Guard())
    other.start()
    assert other._process is not None
    other._process.kill()
    other._process.wait()
    assert run_program(["/bin/sh", "-c", "echo said"], SECONDS, 100).printed == b"said\n"
    assert other.pipe is None


# Signals.


@posix
def test_a_signal_waits_for_the_end_of_what_belongs_together() -> None:
    done = []
    with handled(), pytest.raises(Interrupted) as raised:
        with deferred_signals():
            with deferred_signals():
                os.kill(os.getpid(), signal.SIGTERM)
            done.append("first")
        done.append("never")
    assert done == ["first"]
    assert raised.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@posix
def test_the_handlers_of_a_caller_stay() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with handled():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]


# What is said.


@pytest.fixture
def sixty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for number in range(60):
        Path(f"{number}-requirements.txt").write_text(BROKEN)
    return [f"{number}-requirements.txt" for number in range(60)]


def mended(names: list[str]) -> int:
    return sum(Path(name).read_text() != BROKEN for name in names)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        pytest.param(KeyboardInterrupt, 130, id="Ctrl-C"),
        pytest.param(lambda: Interrupted(15), 143, id="SIGTERM"),
        pytest.param(lambda: DataError("no table", path="a.json"), 2, id="an error of the run"),
    ],
)
def test_an_end_between_two_files_is_counted(
    raised: Callable[[], BaseException],
    code: int,
    sixty: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = Auditor.fixed

    def fixed(self: Auditor, path: str, *arguments: object) -> bytes | None:
        if path.startswith("22-"):
            raise raised()
        return real(self, path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Auditor, "fixed", fixed)
    assert main(["audit", "--fix", *sixty]) == code
    assert mended(sixty) == 22
    assert "22 of 60 files were changed, none is half-written" in capsys.readouterr().err


def test_a_bug_in_one_file_keeps_no_other_from_being_mended(
    sixty: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    real = Auditor.fixed

    def fixed(self: Auditor, path: str, *arguments: object) -> bytes | None:
        if path.startswith("22-"):
            raise KeyError("bug")
        return real(self, path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Auditor, "fixed", fixed)
    assert main(["audit", "--fix", *sixty]) == 3
    assert mended(sixty) == 59
    assert "59 of 60 files were changed, none is half-written" in capsys.readouterr().err


@posix
def test_a_signal_while_a_file_is_replaced_is_counted(
    sixty: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = temporary.os.replace

    def replace(old: str, new: str) -> None:
        real(old, new)
        if "4-requirements" in new:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(temporary.os, "replace", replace)
    assert main(["audit", "--fix", *sixty]) == 130
    assert mended(sixty) == 5
    assert "interrupted; 5 of 60 files were changed, none is half-written" in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == sorted(sixty)


def test_a_file_that_cannot_be_written_keeps_no_other_from_being_mended(
    sixty: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["missing.txt", *sixty[:2], "folder", *sixty[2:4]]
    Path("folder").mkdir()
    assert main(["audit", "--fix", *names]) == 2
    assert mended(sixty) == 4
    said = capsys.readouterr().err
    assert "missing.txt" in said
    assert "4 of 5 files were changed" in said or "4 of 6 files were changed" in said


def test_a_refused_write_is_reported_and_counted(
    sixty: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = temporary.os.replace

    def replace(old: str, new: str) -> None:
        if Path(new).name.startswith("3-"):
            raise OSError(28, "No space left on device")
        real(old, new)

    monkeypatch.setattr(temporary.os, "replace", replace)
    assert main(["audit", "--fix", *sixty[:6]]) == 2
    output = capsys.readouterr()
    assert mended(sixty) == 5
    assert "+++ b/3-requirements.txt" not in output.out
    assert "3-requirements.txt: cannot be written (No space left on device)" in output.err
    assert "5 of 6 files were changed, none is half-written" in output.err


def test_a_lock_that_was_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torchlock.report import lock_json

    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lock_json, "render", interrupted)
    target = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]
    assert main(["lock", "torchaudio", *target, "--no-hashes", "-o", "new.txt", "--json"]) == 130
    assert "interrupted; new.txt was changed" in capsys.readouterr().err
    assert main(["lock", "torchaudio", *target, "--no-hashes", "--json"]) == 130
    assert "interrupted; nothing was changed" in capsys.readouterr().err
