"""Compute the hashes of many files, two at a time, with little memory."""

from __future__ import annotations

import base64
import hashlib
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 20
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha224", "sha3_256", "sha3_512", "blake2b", "md5", "sha1"})
# A file larger than this is not hashed: no wheel contains it.
_LARGEST = 64 << 30


class HashJob(NamedTuple):
    """A file that is there in its right size, and the hash that it should have (``sha256=…``)."""

    path: str
    distribution: str
    hash: str
    size: int


class Mismatch(NamedTuple):
    """A failed job: ``kind`` is ``hash``, ``unreadable`` or ``unchecked``."""

    job: HashJob
    kind: str
    found: str


def hash_all(
    jobs: list[HashJob], progress: Callable[[int, int], None] | None = None
) -> tuple[int, list[Mismatch]]:
    """Hash them all: the bytes that were read, and what is wrong, in the order of the jobs.

    ``progress`` is called with the bytes so far and the bytes in all, in the caller's thread, about ten
    times a second and once at the end. An exception of it ends the work.
    """
    work = _Work(jobs)
    threads = [Thread(target=work.run, daemon=True) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                if progress and thread.is_alive():
                    progress(work.done, work.total)
        if progress:
            progress(work.done, work.total)
    finally:
        work.stopped = True
    order = {job: number for number, job in enumerate(jobs)}
    return work.done, sorted(work.wrong, key=lambda wrong: order[wrong.job])


class _Work:
    """What the threads share. The largest files come first, so that neither thread ends long after the other."""

    def __init__(self, jobs: list[HashJob]) -> None:
        self.queue: Iterator[HashJob] = iter(sorted(jobs, key=lambda job: -job.size))
        self.total = sum(job.size for job in jobs if job.size <= _LARGEST)
        self.done = 0
        self.wrong: list[Mismatch] = []
        self.stopped = False
        self.lock = Lock()

    def run(self) -> None:
        buffer = memoryview(bytearray(_CHUNK))
        while not self.stopped:
            with self.lock:
                job = next(self.queue, None)
            if job is None:
                return
            wrong = self.check(job, buffer)
            if wrong:
                with self.lock:
                    self.wrong.append(wrong)

    def check(self, job: HashJob, buffer: memoryview) -> Mismatch | None:
        algorithm, _, expected = job.hash.partition("=")
        if algorithm not in _ALGORITHMS:
            return Mismatch(job, "unchecked", "an unknown algorithm")
        if job.size > _LARGEST:
            return Mismatch(job, "unchecked", "too large")
        try:
            digest = self.digest(job, algorithm, buffer)
        except OSError as error:
            return Mismatch(job, "unreadable", error.strerror or str(error))
        found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        # Old installers wrote hexadecimal digits.
        if expected.rstrip("=") == found or expected.lower() == digest.hex():
            return None
        return Mismatch(job, "hash", f"{algorithm}={found}")

    def digest(self, job: HashJob, algorithm: str, buffer: memoryview) -> bytes:
        """Of no more than one byte beyond the size that it had: a file that grows does not hold us."""
        state = hashlib.new(algorithm, usedforsecurity=False)
        left = job.size + 1
        with open(files.open_regular(job.path), "rb", buffering=0) as file:
            while left and not self.stopped and (count := file.readinto(buffer[: min(left, _CHUNK)])):
                state.update(buffer[:count])
                left -= count
                with self.lock:
                    self.done += count
        return state.digest()
