"""Run Renovate's own validator on the rules of ``torchlock lock --emit renovate``.

    python scripts/validate_renovate.py [--version 39.264.1]

It needs Node.js with npm, and an index of npm packages. The installation of Renovate takes minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = ["lock", "torch", "torchaudio", "torchcodec", "soundfile", "librosa", "--offline", "--no-config"]
TARGETS = (
    ["--python", "3.12", "--platform", "linux-x86_64"],
    ["--python", "3.12", "--platform", "linux-x86_64", "--accelerator", "cpu", "--accelerator", "cu128"],
    ["--python", "3.11-3.13", "--platform", "linux-x86_64", "--platform", "macos-arm64"],
)


def emitted(folder: Path) -> list[Path]:
    """The rules for some targets, each as a renovate.json."""
    found = []
    for number, target in enumerate(TARGETS):
        path = folder / str(number) / "renovate.json"
        path.parent.mkdir()
        words = [sys.executable, "-m", "torchlock", *LOCK, *target, "--emit", "renovate", "-o", str(path)]
        subprocess.run(words, check=True, timeout=600)
        found.append(path)
    return found


def accepts(validator: Path, path: Path) -> bool:
    """Whether the validator accepts a file in its strict mode."""
    done = subprocess.run([validator, "--strict", path], capture_output=True, text=True, check=False, timeout=600)
    print(done.stdout, end="")
    return done.returncode == 0 and "Config validated successfully" in done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="39.264.1", help="the version of Renovate (default: %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install = ["npm", "install", f"renovate@{given.version}", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, check=True, timeout=1800)
        validator = folder / "node_modules" / ".bin" / "renovate-config-validator"
        files = emitted(folder)
        good = [accepts(validator, path) for path in files]
        rules = json.loads(files[0].read_text(encoding="utf-8"))
        rules["packageRules"][0]["matchPackageNames"] = 3
        files[0].write_text(json.dumps(rules), encoding="utf-8")
        assert not accepts(validator, files[0]), "the validator accepts an error, too"
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
