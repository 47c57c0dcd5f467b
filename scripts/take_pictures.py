#!/usr/bin/env python3
"""Take the pictures of the documentation in a headless Chromium: the matrix page, and an audit beside a diff.

    take_pictures.py    write docs/assets/matrix.png and docs/assets/pull-request.png

Both are made from what commands print: ``torchlock matrix --format html``, and ``torchlock audit --format
github``, whose lines GitHub shows beside the diff of a pull request. GitHub itself is not asked: that page is
drawn here.
Needs selenium, and chromium with its driver.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from difflib import ndiff
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

ASSETS = Path(__file__).parents[1] / "docs" / "assets"
LIMIT = 200_000  # bytes of one picture
BEFORE = "torch==2.8.0\ntorchaudio==2.8.0\nsoundfile\n"
AFTER = "torch==2.9.1\ntorchaudio==2.8.0\nsoundfile\n"
MATRIX = ("matrix", "torchaudio", "torchcodec", "torch>=2.7", "--platform", "linux-x86_64", "--format", "html")
_ANNOTATION = re.compile(r"::(\w+) file=[^,\n]*,line=(\d+),col=\d+,title=([^:\n]*)::(.*)")
_WIDTH = 1000  # pixels
# Hide scroll bars, and choose the first cell of the matrix, so that its evidence is shown.
_CHOOSE = """
document.querySelectorAll("*").forEach(each => each.style.scrollbarWidth = "none");
document.querySelector("td button, td[tabindex], td [role=button]")?.click();
window.scrollTo(0, 0);
"""


class Annotation(NamedTuple):
    """A finding as GitHub shows it below a line."""

    level: str
    line: int
    title: str
    text: str


def annotations_of(printed: str) -> list[Annotation]:
    """The annotations that workflow commands ask for, without notices."""
    found = [match.groups() for match in map(_ANNOTATION.fullmatch, printed.splitlines()) if match]
    return [
        Annotation(level, int(line), title, unquote(text))
        for level, line, title, text in found
        if level != "notice"
    ]


def diff_page(before: str, after: str, notes: list[Annotation]) -> str:
    """A page that shows the change of a file, with the annotations below their lines."""
    rows, number = [], 0
    for line in ndiff(before.splitlines(), after.splitlines()):
        sign, text = line[0], line[2:]
        if sign == "?":
            continue
        number += sign != "-"
        kind = {"+": "new", "-": "old"}.get(sign, "")
        rows.append(f'<pre class="{kind}"><i>{number if sign != "-" else ""}</i>{sign} {escape(text)}</pre>')
        for note in notes if sign != "-" else ():
            if note.line == number:
                said = "<br>".join(map(escape, note.text.split("\n")))
                rows.append(f'<p class="{note.level}"><b>{escape(note.title)}</b> torchlock<br>{said}</p>')
    return _PAGE.replace("ROWS", "\n".join(rows))


def main() -> int:
    """Take all pictures; the exit code is 1 if one of them is too large."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "matrix.html").write_text(_torchlock(folder, *MATRIX), encoding="utf-8")
        (folder / "requirements.txt").write_text(AFTER, encoding="utf-8")
        notes = annotations_of(_torchlock(folder, "audit", "--format", "github", "requirements.txt"))
        (folder / "pull-request.html").write_text(diff_page(BEFORE, AFTER, notes), encoding="utf-8")
        taken = _pictures(folder, {"matrix": 560, "pull-request": 275})
    for path in taken:
        print(f"{path.name}: {path.stat().st_size} bytes")
    return int(any(path.stat().st_size > LIMIT for path in taken))


def _torchlock(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "torchlock", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def _pictures(folder: Path, heights: dict[str, int]) -> list[Path]:
    """One picture of each page; the heights in pixels are by the names of pages."""
    driver = _driver(folder)
    taken = []
    try:
        for name, height in heights.items():
            size = {"width": _WIDTH, "height": height, "deviceScaleFactor": 1.25, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.get((folder / f"{name}.html").as_uri())
            driver.execute_script(_CHOOSE)
            path = ASSETS / f"{name}.png"
            path.write_bytes(driver.get_screenshot_as_png())
            taken.append(path)
    finally:
        driver.quit()
    return taken


def _driver(folder: Path) -> Any:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(switch)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


_PAGE = """\
<!doctype html><meta charset="utf-8"><title>requirements.txt</title>
<style>
:root { color-scheme: light dark; --text: light-dark(#1f2328, #e6edf3); --line: light-dark(#d1d9e0, #3d444d) }
body { font: 15px system-ui, sans-serif; margin: 16px; color: var(--text); background: light-dark(#fff, #0d1117) }
section { border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
h1 { font: 600 14px monospace; margin: 0; padding: 10px 14px; border-bottom: 1px solid var(--line) }
pre { margin: 0; padding: 3px 14px; font: 14px monospace }
pre i { display: inline-block; width: 2em; font-style: normal; opacity: .6 }
.new { background: light-dark(#dafbe1, #12361f) } .old { background: light-dark(#ffebe9, #44191c) }
p { margin: 8px 14px 10px 40px; padding: 8px 12px; border: 1px solid var(--line); border-left: 4px solid;
  border-radius: 4px; line-height: 1.45 }
.error { border-left-color: #cf222e } .warning { border-left-color: #bf8700 }
</style>
<section><h1>requirements.txt</h1>
ROWS
</section>
"""

if __name__ == "__main__":
    sys.exit(main())
