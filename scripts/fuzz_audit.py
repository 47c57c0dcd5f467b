#!/usr/bin/env python3
"""Throw mutated and random files at the audit: nothing may crash it, hold it up, or come out damaged.

    fuzz_audit.py --files 2000
    fuzz_audit.py --files 100000 --seed 7 --samples DIR --jobs 2

Samples are real files (``DIR``) or the small ones below; each is mutated by bytes, by lines and by words of
the field. Every file is audited and fixed: no exception but InputError, under one second, and a fixed file
differs from what it was only where a line was changed, and audits no worse.
"""

# ruff: noqa: E501  (samples read best as they are)
from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from torchlock.audit import Auditor
from torchlock.errors import InputError

LIMIT = 1.0
SAMPLES = {
    "requirements.txt": b"--extra-index-url https://example.org/whl/cu118\ntorch==2.3.1+cu118\ntorchaudio==2.3.0 ; "
    b"python_version < '3.12'  # why\nnumpy>=1,<3\n-r base.txt\nsoundfile --hash=sha256:" + b"0" * 64 + b"\n",
    "pyproject.toml": b'[project]\nname = "x"\nrequires-python = ">=3.9"\ndependencies = [\n  "torch==2.7.1",\n'
    b'  "torchaudio==2.5.1",\n]\n[project.optional-dependencies]\ngpu = ["torch==2.7.1"]\n[tool.poetry.dependencies]\n'
    b'python = "^3.9"\ntorch = {version = "^2.1", source = "cu"}\n[tool.uv.sources]\ntorch = {index = "cu"}\n'
    b'[[tool.uv.index]]\nname = "cu"\nurl = "https://example.org/whl/cu118"\nexplicit = true\n',
    "setup.cfg": b"[options]\npython_requires = >=3.8\ninstall_requires =\n    torch==2.7.1\n    torchaudio==2.5.1\n",
    "setup.py": b"from setuptools import setup\nR = ['torch==2.7.1']\nsetup(install_requires=R + ['torchaudio==2.5.1'])\n",
    "environment.yml": b"name: x\nchannels: [pytorch]\ndependencies:\n  - python=3.9\n  - pytorch=2.1.0\n  - pip:\n"
    b"    - torchaudio==2.0.2\n",
    "Pipfile": b'[[source]]\nname = "a"\nurl = "https://example.org/simple"\n[packages]\ntorch = "==2.7.1"\n'
    b'torchaudio = {version = "==2.5.1"}\n[requires]\npython_version = "3.10"\n',
    "Pipfile.lock": b'{"_meta": {"sources": []}, "default": {"torch": {"version": "==2.7.1", "hashes": []},\n'
    b'"torchaudio": {"version": "==2.5.1"}}, "develop": {}}\n',
    "uv.lock": b'version = 1\nrequires-python = ">=3.10"\n\n[[package]]\nname = "torch"\nversion = "2.7.1"\n'
    b'source = { registry = "https://example.org/simple" }\n\n[[package]]\nname = "torchaudio"\nversion = "2.5.1"\n',
    "poetry.lock": b'[[package]]\nname = "torch"\nversion = "2.7.1"\noptional = false\npython-versions = ">=3.9"\n'
    b'files = []\n\n[metadata]\nlock-version = "2.1"\npython-versions = "^3.10"\n',
    "pdm.lock": b'[metadata]\nlock_version = "4.5.0"\n\n[[package]]\nname = "torch"\nversion = "2.7.1"\nfiles = []\n',
    "pylock.toml": b'lock-version = "1.0"\ncreated-by = "x"\n\n[[packages]]\nname = "torch"\nversion = "2.7.1"\n',
    "Dockerfile": b"FROM python:3.11-slim\nARG V=2.7.1\nRUN pip install torch==$V \\\n    torchaudio==2.5.1 && true\n",
    "install.sh": b"#!/bin/sh\npip install torch==2.7.1 'torchaudio==2.5.1' -f https://example.org/whl/torch_stable.html\n",
}
WORDS = (
    b"torch torchaudio torchvision torchcodec torchtext numpy soundfile == ~= >= <= != === < > , ; + +cu118 +cpu "
    b"2.3.1 2.15.0 1.13.1 .* * ^ ~ # \\ [ ] { } ( ) \" ' \"\"\" ''' = : - -- -r -c -e -f -i --hash=sha256: --index-url "
    b"<<<<<<< >>>>>>> ======= ${X} $X @ git+https://example.org/a.git https://example.org/whl/cu121 "
    b"python_version sys_platform == 'linux' and or not in extra \xff \x00 \xef\xbb\xbf \xe2\x80\xa8 \x0c \x1b[31m && || "
    b"[[package]] [tool.uv] dependencies - pip: null true 1e999 99999999999999999999"
).split(b" ")
HOSTILE = (
    *("; 'a' == 'b'", "; os_name ~= 'x'", "'a' in extras", "\uff11.\uff10", "\u0662", "\u00b2"),
    *(
        "9" * 5000,
        "[" * 500,
        "{" * 500,
        "(" * 500,
        "a." * 300,
        "\n-r requirements.txt\n",
        "&a [*a]",
        "$(",
        "${{ x }}",
    ),
)
WORDS += [word.encode() for word in HOSTILE]


class Failure(NamedTuple):
    name: str
    content: bytes
    why: str


def mutated(draw: random.Random, content: bytes) -> bytes:
    """One to six changes: bytes, words of the field, lines."""
    lines = content.splitlines(keepends=True)
    for _ in range(draw.randint(1, 6)):
        kind, at = draw.randrange(8), draw.randrange(len(content) + 1)
        if kind == 0:
            content = content[:at] + bytes([draw.randrange(256)]) + content[at + draw.randrange(2) :]
        elif kind == 1:
            content = content[:at] + content[at + draw.randint(1, 40) :]
        elif kind in (2, 3, 4):
            content = content[:at] + draw.choice(WORDS) + content[at:]
        elif kind == 5 and lines:
            content = content[:at] + draw.choice(lines) + content[at:]
        elif kind == 6:
            content = content.replace(b"\n", draw.choice([b"\r\n", b"\r", b"\n\n", b" \\\n"]))
        elif kind == 7 and len(content) < 5000:
            encoding = draw.choice(["utf-16", "utf-16-le", "utf-8-sig", "latin-1"])
            content = content.decode("utf-8", "replace").encode(encoding, "replace")
    return content


def tried(auditor: Auditor, name: str, content: bytes) -> str | None:
    """What is wrong with how this file was treated, if anything."""
    started = time.perf_counter()
    try:
        report = auditor.report(name, raw=content)
        audited = time.perf_counter()
        if report.broken is not None:
            return report.broken.trace
        fixed = auditor.fixed(name, raw=content) if report.error is None else None
    except InputError:
        return None
    except Exception:
        return traceback.format_exc()
    if max(audited - started, time.perf_counter() - audited) > LIMIT:
        return f"took {audited - started:.2f} s to audit, {time.perf_counter() - audited:.2f} s to fix"
    if fixed is None:
        return None
    if fixed == content:
        return "fixed without a change"
    after = auditor.report(name, raw=fixed)
    if after.error is not None:
        return f"unreadable once fixed: {after.error}"
    if any(finding.rule == "TL501" for finding in report.findings):
        return None  # More shows once a line can be read.
    errors = [sum(each.severity == "error" for each in one.findings) for one in (report, after)]
    return f"{errors[0]} errors before, {errors[1]} after" if errors[1] > errors[0] else None


def run(seed: int, files: int, folder: str | None) -> list[Failure]:
    """So many files from one seed; what went wrong."""
    draw, auditor = random.Random(seed), Auditor()
    samples = list(SAMPLES.items())
    if folder:
        found = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.stat().st_size < 60_000)
        samples += [(path.name, path.read_bytes()) for path in found]
    failures = []
    for _ in range(files):
        name, content = draw.choice(samples)
        content = mutated(draw, content) if draw.random() < 0.95 else draw.randbytes(draw.randrange(300))
        why = tried(auditor, name, content)
        if why is not None:
            failures.append(Failure(name, content, why))
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", metavar="DIR")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    share = -(-arguments.files // (arguments.jobs * 10))
    with ProcessPoolExecutor(arguments.jobs) as pool:
        seeds = range(arguments.seed, arguments.seed + arguments.jobs * 10)
        futures = [pool.submit(run, seed, share, arguments.samples) for seed in seeds]
        failures = [failure for future in futures for failure in future.result()]
    for number, failure in enumerate(failures[:20]):
        print(f"--- {failure.name} ({number})\n{failure.why}\n{failure.content[:600]!r}")
    print(f"{share * arguments.jobs * 10} files, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
