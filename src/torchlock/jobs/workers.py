"""Judge many files in several processes."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from torchlock.audit import Auditor, Options
from torchlock.errors import TorchlockError
from torchlock.finding import FileReport
from torchlock.runtime.guarding import ready, watched
from torchlock.runtime.interrupts import blocked, unblocked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    Job = tuple[str, int]

# A worker gets this many files at a time, so that it never waits for the next one.
_BATCH = 8
# Our ends of the pipes. A forked worker must close its copies, or its own pipe never ends.
_ours: list[Connection] = []


def judged(
    jobs: Sequence[Job], options: Sequence[Options], count: int, tell: Callable[[int, str], None]
) -> list[FileReport]:
    """Judge files in ``count`` processes; return one report per file, in order.

    A job is a path and the number of its options.
    ``tell`` is called with the number of finished files and the last path. If a worker is killed (for example
    because the system is out of memory), its current file is unreadable, and the others are still judged. The
    workers end with this call and with this process.

    Raises:
        OSError: no process can be started.
        TorchlockError: a worker met an error that does not concern one file.
    """
    from multiprocessing.connection import wait

    waiting = deque(range(len(jobs)))
    reports: dict[int, FileReport] = {}
    with _Workers(options) as workers:
        for _ in range(min(count, len(jobs))):
            workers.start()
        while len(reports) < len(jobs):
            for worker in workers.idle():
                worker.give(waiting, jobs)
            for pipe in wait(workers.busy()):
                worker = workers.by_pipe[pipe]  # type: ignore[index] # wait() is typed for files too
                number = worker.batch.popleft()
                report = worker.report()
                if report is None:
                    waiting.extendleft(reversed(worker.batch))
                    report = workers.replace(worker, jobs[number][0])
                reports[number] = report
                tell(len(reports), jobs[number][0])
    return [reports[number] for number in range(len(jobs))]


class _Worker:
    """One worker process. ``batch`` has the numbers of its files that are not reported yet."""

    def __init__(self, options: Sequence[Options]) -> None:
        from multiprocessing import Pipe, Process

        self.batch: deque[int] = deque()
        self.pipe, theirs = Pipe()
        _ours.append(self.pipe)
        self.process = Process(target=_work, args=(options, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, waiting: deque[int], jobs: Sequence[Job]) -> None:
        self.batch.extend(waiting.popleft() for _ in range(min(_BATCH, len(waiting))))
        if self.batch:
            with contextlib.suppress(OSError):  # if it is dead: its pipe says so where reports are awaited
                self.pipe.send([jobs[number] for number in self.batch])

    def report(self) -> FileReport | None:
        """The next report; None if the process is dead.

        Raises:
            TorchlockError: the worker raised it.
        """
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, FileReport):
            return answer
        message, hint = answer
        raise TorchlockError(message, hint=hint)

    def end(self) -> None:
        """Kill the process: it holds nothing that could be lost."""
        self.process.kill()
        self.process.join(5)
        self.pipe.close()
        _ours.remove(self.pipe)


class _Workers:
    """The processes, each watched, so that none outlives this one."""

    def __init__(self, options: Sequence[Options]) -> None:
        self._options = options
        self._stack = contextlib.ExitStack()
        self.by_pipe: dict[Connection, _Worker] = {}

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        ready()
        _start_tracker()
        with blocked():
            worker = _Worker(self._options)
            self._stack.enter_context(watched("process", worker.process.pid or 0))
            self._stack.callback(worker.end)
            self.by_pipe[worker.pipe] = worker

    def replace(self, dead: _Worker, path: str) -> FileReport:
        """Start another process instead of a dead one; the report on the file that it was at."""
        del self.by_pipe[dead.pipe]
        dead.process.join(1)
        code = dead.process.exitcode
        self.start()
        ending = f"by signal {-code}" if code is not None and code < 0 else f"with exit status {code}"
        return FileReport(path, "", error=f"could not be judged: its worker process was ended {ending}")

    def idle(self) -> list[_Worker]:
        return [worker for worker in self.by_pipe.values() if not worker.batch]

    def busy(self) -> list[Connection]:
        return [pipe for pipe, worker in self.by_pipe.items() if worker.batch]


def _start_tracker() -> None:
    """Start the resource tracker, which workers that are not forked need; its start lets signals in."""
    import multiprocessing
    import os

    if os.name == "posix" and multiprocessing.get_start_method() != "fork":
        from multiprocessing.resource_tracker import ensure_running

        ensure_running()


def _work(options: Sequence[Options], pipe: Connection) -> None:
    """In a process of its own: judge what comes, until the pipe ends."""
    unblocked()
    for inherited in _ours:
        inherited.close()
    auditors: dict[int, Auditor] = {}
    with contextlib.suppress(EOFError, OSError):
        while True:
            for path, number in pipe.recv():
                if number not in auditors:
                    auditors[number] = Auditor(options[number])
                pipe.send(_answer(auditors[number], path))


def _answer(auditor: Auditor, path: str) -> FileReport | tuple[str, str | None]:
    try:
        return auditor.report(path)
    except TorchlockError as error:
        return str(error), error.hint
