"""Lock what ML and web projects ask for, from live indexes, beside ``uv pip compile``; count what differs.

    python scripts/live_locks.py                     every input, Python 3.10 and 3.12
    python scripts/live_locks.py --only transformers --python 3.12
    python scripts/live_locks.py --write             the table, kept in docs/live-locks.md too

Of each input three questions are asked, on the same day and for the same target:

1. Is the lock whole and right? uv resolves the same input with every pin of the lock as a constraint. It must
   succeed and name the same packages: no fewer ("superfluous"), no more ("incomplete").
2. How many pins does uv have left to itself, with only the torch family of our lock given? The family is ours to
   choose; all else should be as many.
3. How many of these have another version?

A lock that is refused for a source distribution is asked for again with ``--build``. Needs ``torchlock`` and
``uv`` on PATH, and an index. Results are kept (``--results``), so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from torchlock.knowledge.stack import FAMILY

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "live-locks.md"
PYTHONS = ("3.10", "3.12")
SECONDS = 1800

INPUTS = (
    # speech and music
    *("kokoro", "nemo_toolkit[asr]", "openai-whisper", "faster-whisper", "whisperx", "stable-ts", "RealtimeSTT"),
    *("encodec", "audiocraft", "descript-audio-codec", "vocos", "f5-tts", "coqui-tts", "TTS==0.22.0"),
    *("chatterbox-tts", "piper-tts", "resemble-enhance", "espnet", "funasr", "s3prl", "speechbrain", "g2p-en"),
    *("pyannote.audio", "silero-vad", "asteroid", "torchmetrics[audio]", "audio-separator", "demucs", "openunmix"),
    *("basic-pitch", "nnAudio", "julius", "auraloss", "lhotse", "pedalboard", "audiomentations"),
    *("torch-audiomentations", "noisereduce", "resemblyzer", "librosa soundfile", "torch torchaudio torchcodec"),
    # models and training
    *("transformers", "transformers[torch]", "datasets[audio]", "accelerate", "diffusers", "peft"),
    *("sentence-transformers", "lightning", "hydra-core", "optimum", "evaluate jiwer", "tensorboard", "wandb"),
    # around them
    *("mlflow", "jupyter", "jupyterlab", "gradio", "streamlit", "ray[default]", "langchain==1.5.2"),
    *("fastapi uvicorn[standard]", "flask celery[redis]", "django", "pandas scikit-learn matplotlib"),
)

# What uv is told, since it would build for it: av's build looks for FFmpeg's headers. It declares no requirements.
UV_TOML = """\
[[dependency-metadata]]
name = "av"
version = "11.0.0"
requires-dist = []
"""

# The cause of each difference of the last run, for the page. Whoever repeats the run looks again.
WHY: dict[str, str] = {
    "TTS==0.22.0": (
        "on Python 3.10 setuptools 81.0.0 by our rule: librosa 0.10.0 imports pkg_resources, which setuptools "
        "82 removed. On Python 3.12 the lock is refused: TTS 0.22.0 requires Python below 3.12. uv reads no "
        "upper bound of Requires-Python; pip does, and would refuse what uv wrote."
    ),
    "audiocraft": (
        "uv is told that av 11.0.0 declares no requirements, as we read in its source distribution; it would "
        "build it otherwise, which needs the headers of FFmpeg. On Python 3.10 numpy is below 2 by our rule: "
        "torch 2.1.0, which it pins, was built for numpy 1. On Python 3.12 both answers are right. librosa 1.0.0 "
        "needs numpy 2.1 and gradio 3.50.2 needs numpy 1: we take the newest librosa and with it gradio 3.36.1, "
        "uv the newest gradio and with it librosa 0.11.0. All other differences follow from these two."
    ),
    "basic-pitch": (
        "on Python 3.10 setuptools is there by our rule: resampy 0.4.2 imports pkg_resources and does not "
        "ask for setuptools. Where an environment has none, what uv wrote fails at import. On Python 3.12 "
        "both refuse: each release needs a tensorflow that has no wheel for it, or a numpy that no other "
        "tensorflow admits."
    ),
    "langchain==1.5.2": "both refuse Python 3.10: it requires 3.11.",
    "resemble-enhance": (
        "on Python 3.10 deepspeed 0.12.4 has to be built to learn what it requires: uv does so always, we "
        "with --build. setuptools is there by our rule: librosa 0.10.1 and resampy 0.4.2 import pkg_resources "
        "and do not ask for setuptools. On Python 3.12 both refuse: it needs torch 2.1.1, which has no wheel "
        "for it."
    ),
    "resemblyzer": (
        "typing 3.10.0.0 requires Python below 3.5. uv reads no upper bound of Requires-Python; pip does, and "
        "would refuse what uv wrote."
    ),
}

HEAD = """\
# Live locks compared with uv

The locks that `torchlock lock` and `uv pip compile` write for typical inputs of audio, machine learning and web
projects, from the public index, on the same day. Date: {dates}. uv {uv},
Python {pythons}, platform `linux-x86_64` (for uv: `x86_64-manylinux_2_28`). Repeat it with
`python scripts/live_locks.py --write`.

Three questions about each lock:

1. *Is it whole?* uv resolves the same input with every pin of the lock as a constraint. If uv then needs a package
   that the lock lacks, the lock is incomplete.
2. *Does it have as many packages outside the torch family as uv has?* For this, uv gets only the pins of the
   family (torch, torchaudio, torchvision, torchcodec, torchtext), because our rules decide these.
3. *Which of them have another version?*

The numbers are from one day: later releases change them.

## Result

{summary}
`python scripts/compare_headers.py` compares our reader of core metadata with the standard library's `email`, on
every metadata text in the cache after these locks: {headers}.


## What differs, and why

{explanations}
## All locks

{table}"""


def environment() -> dict[str, str]:
    """This environment without pip's settings, which uv does not read; uv's own count for both."""
    ours = {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def pins_of(text: str) -> dict[str, str]:
    """The pins of a requirements file: normalised name to version (or address)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip(" \\").strip()
        if line and not line.startswith("-"):
            requirement = Requirement(line)
            version = next((clause.version for clause in requirement.specifier), requirement.url or "")
            found[canonicalize_name(requirement.name)] = version
    return found


def lock(asked: str, python: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run our own command on one input."""
    target = ["--python", python, "--platform", "linux-x86_64"]
    command = ["torchlock", "lock", *asked.split(), *target, "--no-hashes", "--no-annotate", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment())


def compile_with_uv(asked: str, python: str, constraints: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``uv pip compile`` on the same input and target, with these pins as constraints."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "uv.toml").write_text(UV_TOML)
        given = Path(folder) / "constraints.txt"
        given.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()))
        target = ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
        command = ["uv", "pip", "compile", "-", *target, "--no-header", "--no-annotate", "-c", str(given), "-q"]
        lines = "\n".join(asked.split())
        return subprocess.run(
            command,
            input=lines,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=folder,
            env=environment(),
        )


def compare(asked: str, python: str) -> dict[str, Any]:
    """Answer the three questions of one input."""
    row: dict[str, Any] = {"input": asked, "python": python, "date": datetime.now(timezone.utc).isoformat()[:10]}
    begun = time.monotonic()
    ours = lock(asked, python)
    if ours.returncode == 1 and "--build" in ours.stderr:
        row["refused"] = ours.stderr.strip()
        ours = lock(asked, python, "--build")
        row["built"] = True
    row["seconds"] = round(time.monotonic() - begun, 1)
    row["code"], row["notes"] = ours.returncode, ours.stderr.strip()
    mine = pins_of(ours.stdout) if ours.returncode == 0 else {}
    row["pins"] = mine
    free = compile_with_uv(asked, python, {name: mine[name] for name in FAMILY if name in mine})
    row["uv_code"], row["uv_notes"] = free.returncode, free.stderr.strip()
    row["uv_pins"] = pins_of(free.stdout) if free.returncode == 0 else {}
    if mine:
        held = compile_with_uv(asked, python, mine)
        row["held_code"], row["held_notes"] = held.returncode, held.stderr.strip()
        theirs = pins_of(held.stdout) if held.returncode == 0 else {}
        row["missing"] = sorted(theirs.keys() - mine.keys())
        row["superfluous"] = sorted(mine.keys() - theirs.keys()) if theirs else []
    return row


def outside(pins: dict[str, str]) -> dict[str, str]:
    """The pins outside the torch family."""
    return {name: version for name, version in pins.items() if name not in FAMILY}


def verdict(row: dict[str, Any]) -> str:
    """One word on a row, and what differs."""
    if row["code"] not in (0, 1):
        return f"**failed** (exit {row['code']})"
    if row["code"] == 1:
        return "refused by both" if row["uv_code"] else "**refused**"
    if row.get("held_code"):
        return "not held against uv: " + failure(row["held_notes"])
    if row["missing"]:
        return "**incomplete**: " + ", ".join(row["missing"])
    if row["superfluous"]:
        return "superfluous: " + ", ".join(row["superfluous"])
    return "whole"


def failure(text: str) -> str:
    """Why uv failed, in few words."""
    if built := re.search(r"Failed to build `([^`]+)`", text):
        return f"uv cannot build {built[1]}"
    return text.splitlines()[-1].strip()[:120] if text else "no reason given"


def differences(row: dict[str, Any]) -> str:
    """What uv, left to itself, has other than we: names that only one has, and the number of other versions."""
    if not row["pins"] or not row["uv_pins"]:
        return failure(row["uv_notes"]) if row["uv_code"] and row["pins"] else ""
    mine, theirs = outside(row["pins"]), outside(row["uv_pins"])
    parts = []
    if theirs.keys() - mine.keys():
        parts.append("uv alone: " + ", ".join(sorted(theirs.keys() - mine.keys())))
    if mine.keys() - theirs.keys():
        parts.append("we alone: " + ", ".join(sorted(mine.keys() - theirs.keys())))
    other = sorted(name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name])
    if other:
        parts.append("versions: " + ", ".join(f"{name} {mine[name]} (uv {theirs[name]})" for name in other[:6]))
        if len(other) > 6:
            parts.append(f"{len(other) - 6} more versions")
    return "; ".join(parts)


def table(rows: list[dict[str, Any]]) -> str:
    """One line for each lock."""
    lines = ["| input | Python | pins outside the family | uv | lock | differences |", "|---|---|---|---|---|---|"]
    for row in rows:
        mine = len(outside(row["pins"])) if row["code"] == 0 else "-"
        theirs = len(outside(row["uv_pins"])) if row["uv_code"] == 0 else "-"
        built = " (--build)" if row.get("built") and row["code"] == 0 else ""
        cells = (f"`{row['input']}`", row["python"], mine, theirs, verdict(row) + built, differences(row))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def explanations(rows: list[dict[str, Any]]) -> str:
    """The cause of each difference, as far as somebody has looked (``WHY``)."""
    found: dict[str, None] = {}
    for row in rows:
        if differs(row):
            pythons = [other["python"] for other in rows if other["input"] == row["input"] and differs(other)]
            why = WHY.get(row["input"], "**not explained yet**")
            found[f"- `{row['input']}` (Python {', '.join(pythons)}): {why}"] = None
    return "\n".join(found) + "\n"


def differs(row: dict[str, Any]) -> bool:
    """Whether there is anything to explain."""
    return bool(differences(row)) or verdict(row) != "whole"


def summary(rows: list[dict[str, Any]]) -> str:
    """The counts that matter, in a sentence each."""
    locked = [row for row in rows if row["code"] == 0]
    held = [row for row in locked if not row.get("held_code")]
    whole = [row for row in held if not row["missing"]]
    free = [row for row in locked if row["uv_pins"]]
    same = [row for row in free if outside(row["uv_pins"]).keys() == outside(row["pins"]).keys()]
    equal = [row for row in same if outside(row["uv_pins"]) == outside(row["pins"])]
    refused = [row for row in rows if row["code"] == 1]
    return (
        f"{len({row['input'] for row in rows})} inputs, {len(rows)} locks asked for: {len(locked)} written, "
        f"{len(refused)} refused ({sum(1 for row in refused if row['uv_code'])} of these by uv too), "
        f"{len(rows) - len(locked) - len(refused)} failed.\n\n"
        f"- Given all pins of the lock, uv resolves {len(held)} of the {len(locked)}, {len(whole)} of them to no\n"
        f"  further package: {len(held) - len(whole)} locks are incomplete.\n"
        f"- Left to itself, uv resolves {len(free)}: {len(same)} to the same packages, {len(equal)} of these in\n"
        f"  the same versions.\n"
    )


def page(rows: list[dict[str, Any]]) -> str:
    """The whole of docs/live-locks.md."""
    dates = sorted({row["date"] for row in rows})
    return HEAD.format(
        dates=" to ".join(dict.fromkeys((dates[0], dates[-1]))),
        uv=said("uv", "--version").split()[1],
        pythons=" and ".join(sorted({row["python"] for row in rows})),
        summary=summary(rows),
        headers=said(sys.executable, str(ROOT / "scripts" / "compare_headers.py")).splitlines()[-1],
        explanations=explanations(rows),
        table=table(rows),
    )


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="INPUT", help="this input alone (may be repeated)")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="this Python alone (may be repeated)")
    parser.add_argument("--jobs", type=int, default=2, help="inputs at a time (default: 2)")
    parser.add_argument("--results", type=Path, default=Path(".live-locks"), help="where results are kept")
    parser.add_argument("--again", action="store_true", help="ask again what was asked before")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/live-locks.md")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    asked = [(text, python) for text in options.only or INPUTS for python in options.python or PYTHONS]

    def answer(item: tuple[str, str]) -> dict[str, Any]:
        kept = options.results / (re.sub(r"[^\w.-]+", "_", "-".join(item)) + ".json")
        if kept.exists() and not options.again:
            known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
            return known
        row = compare(*item)
        kept.write_text(json.dumps(row, indent=1), encoding="utf-8")
        print(f"{item[0]} {item[1]}: {verdict(row)}; {differences(row)}", file=sys.stderr, flush=True)
        return row

    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(answer, asked))
    print(summary(rows) + "\n" + table(rows) + "\n" + explanations(rows))
    if options.write:
        TABLE.write_text(page(rows), encoding="utf-8")
    failed = [row for row in rows if row["code"] not in (0, 1) or row.get("missing")]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
