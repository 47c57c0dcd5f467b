#!/usr/bin/env python3
"""Fuzz one reader guided by coverage, with atheris: it keeps what reaches new lines, and changes that further.

    fuzz_guided.py audit --inputs 20000

Starts from the saved corpus. The first input that fails ends the run with exit code 77 and is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.corpus import Sample, saved
from fuzzing.mutation import LONGEST


def main() -> None:
    """Fuzz; atheris ends the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader")
    parser.add_argument("--inputs", type=int, default=20_000)
    arguments = parser.parse_args()
    samples = [sample for sample in saved() if sample.reader == arguments.reader]
    if not samples:
        parser.error(f"tests/fuzz_corpus has no folder {arguments.reader}")
    paths = sorted({sample.path for sample in samples})
    # What a reader imports late must be instrumented as well: hence each seed is read in here.
    with atheris.instrument_imports(include=["torchlock"]):
        from fuzzing.readers import problem

        for sample in samples:
            problem(sample, counted=False)

    def once(data: bytes) -> None:
        sample = Sample(arguments.reader, "guided", paths[data[0] % len(paths)], data[1:]) if data else None
        if sample is not None and (why := problem(sample, counted=False)):
            raise AssertionError(f"{sample.path}: {why}\n{sample.content!r}")

    with tempfile.TemporaryDirectory() as folder:
        for number, sample in enumerate(samples):
            Path(folder, str(number)).write_bytes(bytes([paths.index(sample.path)]) + sample.content)
        options = [f"-runs={arguments.inputs}", f"-max_len={LONGEST}", "-rss_limit_mb=500", "-verbosity=0"]
        options.append(f"-artifact_prefix={folder}/")
        atheris.Setup([sys.argv[0], *options, folder], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
