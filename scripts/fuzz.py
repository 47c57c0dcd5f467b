#!/usr/bin/env python3
"""Throw changed and random inputs at every reader; none may crash it, hold it up or fill the memory.

    fuzz.py --inputs 20000
    fuzz.py --inputs 1000000 --seed 7 --jobs 2
    fuzz.py --readers binary,wheel --inputs 300000
    fuzz.py --readers audit --samples FOLDER       real files in addition to the saved corpus

Inputs start from the saved corpus, ``tests/fuzz_corpus``. One that fails is saved there with --save, and a test
reads it from then on. An audited file is fixed as well: it may not audit worse than before.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.corpus import CORPUS, Sample, save, saved
from fuzzing.mutation import LONGEST
from fuzzing.readers import READERS, problem

# What a process may have in memory at its peak.
MEMORY = 300 << 20
_BATCH = 500
_SHOWN = 10
_LINES = 12


class Failure(NamedTuple):
    """An input, and what went wrong: a traceback or a sentence."""

    sample: Sample
    why: str


class Batch(NamedTuple):
    """What came of a batch: its failures, and the peak of its process in bytes."""

    failures: list[Failure]
    peak: int


def run(seed: int, inputs: int, readers: list[str], folder: str | None) -> Batch:
    """So many inputs from one seed, as many for each reader."""
    draw = random.Random(seed)
    samples = _samples(readers, folder)
    failures = []
    for number in range(inputs):
        mine = samples[readers[number % len(readers)]]
        sample, other = draw.choice(mine), draw.choice(mine)
        content = READERS[sample.reader].mutates(draw, sample.content, other.content)
        if draw.random() < 0.03:
            content = draw.randbytes(draw.randrange(300))
        sample = sample._replace(content=content)
        if why := problem(sample):
            failures.append(Failure(sample, why))
    return Batch(failures, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _samples(readers: list[str], folder: str | None) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {reader: [] for reader in readers}
    for sample in saved():
        if sample.reader in found and len(sample.content) <= LONGEST:
            found[sample.reader].append(sample)
    for path in sorted(Path(folder).rglob("*")) if folder else ():
        if path.is_file() and path.stat().st_size <= LONGEST:
            for reader in readers:
                found[reader].append(Sample(reader, path.name, path.name, path.read_bytes()))
    return found


def _everything(arguments: argparse.Namespace, readers: list[str]) -> tuple[list[Failure], int]:
    """All batches, shared out to processes."""
    batches = -(-arguments.inputs // _BATCH)
    failures: list[Failure] = []
    peak = 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        seeds = range(arguments.seed * 1_000_000, arguments.seed * 1_000_000 + batches)
        futures = [pool.submit(run, seed, _BATCH, readers, arguments.samples) for seed in seeds]
        for number, future in enumerate(as_completed(futures), 1):
            batch = future.result()
            failures += batch.failures
            peak = max(peak, batch.peak)
            if sys.stderr.isatty():
                print(f"\r{number * _BATCH:,} inputs, {len(failures)} failures", end="", file=sys.stderr)
    return failures, peak


def main() -> int:
    """Fuzz, and report; 1 where an input failed or a process needed too much memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many, over all readers (default: 20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--readers", default=",".join(READERS), help=f"of {', '.join(READERS)} (default: all)")
    parser.add_argument("--samples", metavar="FOLDER", help="real files, in addition to the saved corpus")
    parser.add_argument("--save", action="store_true", help="save what fails in the corpus")
    arguments = parser.parse_args()
    readers = arguments.readers.split(",")
    if unknown := set(readers) - READERS.keys():
        parser.error(f"--readers: there is no {', '.join(sorted(unknown))}")
    failures, peak = _everything(arguments, readers)
    different = list({failure.why.splitlines()[-1][:120]: failure for failure in failures}.values())
    for failure in different[:_SHOWN]:
        why = "\n".join(failure.why.splitlines()[-_LINES:])
        print(f"--- {failure.sample.reader}: {failure.sample.path}\n{why}\n{failure.sample.content[:400]!r}")
        if arguments.save:
            print(f"saved as {save(failure.sample).relative_to(CORPUS.parents[1])}")
    print(f"{arguments.inputs:,} inputs, {len(failures)} failures, at most {peak >> 20} MB in a process")
    return 1 if failures or peak > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
