"""Who does the work: this process, or the workers of Dask. Each takes batches, and gives rows as they come."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.fleet.rows import Row

    Work = Callable[[Sequence[str]], list[Row]]

# The number of batches that wait at the scheduler, for each worker.
_AHEAD = 4
# A batch whose local worker was killed is not given to another one as a whole: it is taken apart first.
_DEATHS = 0


class Outcome(NamedTuple):
    """A batch with its rows, or with the reason why there are none."""

    batch: Sequence[str]
    rows: list[Row] | None
    why: str = ""


class Engine(Protocol):
    """Does the work of batches, in any order."""

    def outcomes(self, batches: Sequence[Sequence[str]], work: Work) -> Iterator[Outcome]: ...


class Here:
    """Works in this process, one batch after the other."""

    def outcomes(self, batches: Sequence[Sequence[str]], work: Work, *, alone: bool = False) -> Iterator[Outcome]:
        """Each batch with its rows."""
        for batch in batches:
            yield Outcome(batch, work(batch))


class Apart:
    """Gives each batch a process of its own on this machine: if that is killed, this batch is to blame."""

    def outcomes(self, batches: Sequence[Sequence[str]], work: Work) -> Iterator[Outcome]:
        """Each batch with its rows; without rows if its process was killed."""
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        for batch in batches:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                try:
                    yield Outcome(batch, pool.submit(work, batch).result())
                except BrokenProcessPool:
                    yield Outcome(batch, None, "could not be judged: its process was killed")


class Dask:
    """Works on the workers of a Dask client, which gives the work of a lost worker to another one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def outcomes(self, batches: Sequence[Sequence[str]], work: Work, *, alone: bool = False) -> Iterator[Outcome]:
        """Each batch with its rows; without rows if workers were killed while they had it.

        Another batch that was there at the same time may have killed them.
        """
        from distributed import as_completed

        waiting = iter(batches)
        given: dict[Any, Sequence[str]] = {}

        def give() -> Any:
            batch = next(waiting, None)
            if batch is None:
                return None
            future = self._client.submit(work, batch, pure=False)
            given[future.key] = batch
            return future

        workers = max(1, len(self._client.scheduler_info()["workers"]))
        first = [future for _ in range(workers * _AHEAD) if (future := give()) is not None]
        completed = as_completed(first)
        for future in completed:
            batch = given.pop(future.key)
            try:
                outcome = Outcome(batch, future.result())
            except InputError:
                raise
            except Exception as error:  # that of a killed worker, of a lost connection, of the engine itself
                outcome = Outcome(batch, None, f"could not be judged: {error}")
            future.release()
            yield outcome
            if (following := give()) is not None:
                completed.add(following)


@contextlib.contextmanager
def engine_of(scheduler: str | None, workers: int) -> Iterator[Engine]:
    """The engine: the cluster of a scheduler, so many local processes, or this process for none.

    Raises:
        InputError: Dask is not installed, or the scheduler does not answer.
    """
    if scheduler is None and workers < 1:
        yield Here()
        return
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("Dask is not installed", hint="install torchlock[fleet], or leave out workers") from None
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS}))
            shape = {"n_workers": workers, "threads_per_worker": 1, "processes": True}
            # 50: only what is critical. A worker that is killed is no message of ours.
            cluster = stack.enter_context(LocalCluster(**shape, dashboard_address=None, silence_logs=50))
            client = stack.enter_context(Client(cluster))
        else:
            try:
                client = stack.enter_context(Client(scheduler, timeout=10))
            except (OSError, ValueError) as error:
                raise InputError(f"the scheduler {scheduler} cannot be reached: {error}") from error
        yield Dask(client)
