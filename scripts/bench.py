"""Measure whole commands beside uv, pip and pip-tools, and print tables of medians and ratios.

    python scripts/bench.py                              every part, at most 15 minutes
    python scripts/bench.py --only bundled,instructions  these parts alone
    python scripts/bench.py --resume                     go on where a run ended
    python scripts/bench.py --write                      keep the page, the plots and the figures of this release
    python scripts/bench.py --against 0.1.0              compare with the figures of a release

Parts: ``commands`` (audit, check, help), ``bundled`` (locks without a network), ``live`` (locks from the index,
with an empty and with a filled cache), ``generated`` (universes of 10 to 10,000 packages from an index on this
machine), ``instructions`` (machine instructions of the hot paths; needs valgrind). Each has a share of the time.
Tools that are not on PATH are left out. The modules are in ``scripts/benching/``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benching import page, releases
from benching.commands import commands
from benching.generated import generated
from benching.instructions import instructions
from benching.real import bundled, live
from benching.rounds import Budget
from benching.samples import Store
from benching.setting import Setting
from benching.tools import TOOLS, versions

ROOT = Path(__file__).parents[1]
# The share of the time that each part may take.
SHARES = {"commands": 0.12, "bundled": 0.1, "live": 0.39, "generated": 0.27, "instructions": 0.12}
MINUTES = 14.5


def names_of(text: str, known: dict[str, object] | list[str]) -> list[str]:
    """The names in a list with commas; raises argparse.ArgumentTypeError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (known: {', '.join(known)})")
    return names


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts, tools = list(SHARES), list(TOOLS)
    parser.add_argument("--only", type=lambda text: names_of(text, parts), default=parts, metavar="PART,…")
    parser.add_argument("--tools", type=lambda text: names_of(text, tools), default=tools, metavar="TOOL,…")
    parser.add_argument("--runs", type=int, default=5, help="runs of torchlock and uv (default: 5)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="time for all parts (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=60, help="seconds for one process (default: 60)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench", help="where samples and caches are kept")
    parser.add_argument("--resume", action="store_true", help="keep the samples that are there, and go on")
    parser.add_argument("--index", help="the index that live requests are counted for (default: the public one)")
    parser.add_argument("--environment", default="", help="a virtual environment with torch, to check as well")
    parser.add_argument("--write", action="store_true", help="keep the page, the plots and the figures in docs/")
    parser.add_argument("--against", metavar="RELEASE", help="compare with the figures of a release")
    return parser.parse_args()


def measure(asked: argparse.Namespace, store: Store, tools: dict[str, str]) -> None:
    """Measure the parts that are asked for, each within its share of the time."""
    whole = sum(SHARES[part] for part in asked.only)
    for part in asked.only:
        budget = Budget(asked.minutes * 60 * SHARES[part] / whole)
        setting = Setting(asked.folder, store, list(tools), asked.runs, asked.limit, budget)
        if part == "commands":
            commands(setting, asked.environment)
        elif part == "bundled":
            bundled(setting)
        elif part == "live":
            live(setting, asked.index or public_index())
        elif part == "generated":
            generated(setting)
            shutil.rmtree(asked.folder / "caches" / "generated", ignore_errors=True)
        else:
            instructions(setting)


def public_index() -> str:
    """The address of the public index, as the library has it."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return str(PYPI_SIMPLE_ENDPOINT)


def write(found: releases.Figures, text: str) -> None:
    """Replace the page, the plots and the figures of this release."""
    releases.write(found)
    (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
    for name, drawing in page.drawings(found).items():
        (releases.FOLDER / name).write_text(drawing, encoding="utf-8")


def main() -> int:
    asked = arguments()
    try:
        then = releases.read(asked.against) if asked.against else None
    except FileNotFoundError as error:
        print(f"bench: no figures of {asked.against}: {error.filename}", file=sys.stderr)
        return 2
    if not asked.resume:
        shutil.rmtree(asked.folder / "caches", ignore_errors=True)
    tools = versions(asked.tools)
    if "torchlock" not in tools:
        print("bench: torchlock is not on PATH", file=sys.stderr)
        return 2
    if missing := [name for name in asked.tools if name not in tools]:
        print(f"bench: not installed, left out: {', '.join(missing)}", file=sys.stderr)
    store = Store(asked.folder / "samples.jsonl", is_resumed=asked.resume)
    try:
        measure(asked, store, tools)
    except KeyboardInterrupt:
        print("bench: interrupted; --resume goes on", file=sys.stderr)
        return 130
    found = releases.figures(store, tools, asked.runs)
    text = page.markdown(found, then)
    print(text, end="")
    if asked.write:
        write(found, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
