#!/usr/bin/env python3
"""Compile the tables that people write to the JSON that the program reads: rules, stack, systems, builds, GPUs.

    compile_rules.py            write compat_data/compiled/
    compile_rules.py --check    write nothing; exit 1 if it is stale

A rule without statements is one that the audit or the check works out by itself; its grounds stand here.
Everything is validated on the way: unknown keys, requirements that packaging cannot read, missing grounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from compiling.accelerators import driver_statements, read_accelerators
from compiling.build_failures import read_build_failures
from compiling.build_index import read_index
from compiling.builds import read_builds
from compiling.conda import read_conda
from compiling.declared import read_declared
from compiling.images import read_images
from compiling.index_pages import read_index_pages
from compiling.libraries import read_libraries
from compiling.modules import read_modules
from compiling.names import read_names
from compiling.python import read_python
from compiling.registry import compile_registry
from compiling.rules import read_rules, read_sources
from compiling.stack import read_backends, read_extensions, read_members
from compiling.systems import read_systems
from compiling.values import TableError

DATA = Path(__file__).parents[1] / "compat_data"


def _dates(rows: list[dict[str, Any]]) -> list[str]:
    return [row["checked"] for row in rows if "checked" in row]


def compile_all(data: Path) -> dict[str, str]:
    """File name → contents, of everything in ``compiled/``.

    Raises:
        TableError: a table is not of the form.
    """
    sources = read_sources(data / "sources.toml")
    accelerators = read_accelerators(data / "builds", sources)
    rules, statements = read_rules(data / "rules", sources, {"drivers": driver_statements(accelerators)})
    systems = read_systems(data / "systems", sources)
    images = read_images(data / "builds" / "images.toml", sources, systems)
    builds = read_builds(data / "builds", sources, data / "releases")
    checked = _dates([*rules.values(), *(row for rows in statements.values() for row in rows)])
    registry, stories = compile_registry(rules)
    facts = {
        identifier: {key: value for key, value in rule.items() if key not in ("story", "registry")}
        for identifier, rule in rules.items()
    }
    return {
        "accelerators.json": dump(accelerators),
        "build_failures.json": dump(read_build_failures(data / "build_failures.toml", sources)),
        "builds.json": dump({"date": max(_dates(builds["groups"]), default=max(checked)), **builds}),
        "conda.json": dump(read_conda(data / "conda.toml", sources)),
        "declared.json": dump(read_declared(data)),
        "images.json": dump({"date": max(_dates(images["families"]), default=max(checked)), **images}),
        "index.json": dump(read_index(data / "builds" / "index.toml", sources)),
        "index_pages.json": dump(read_index_pages(data / "builds" / "index_pages.toml", sources)),
        "libraries.json": dump(read_libraries(data / "libraries.toml", sources)),
        "modules.json": dump(read_modules(data / "modules.toml", sources)),
        "names.json": dump(read_names(data / "names.toml", sources)),
        "python.json": dump(read_python(data / "python.toml", sources)),
        "registry.json": dump(registry),
        "rules.json": dump({"date": max(checked), "rules": facts, "sources": sources, "statements": statements}),
        "stack.json": dump(
            {
                "members": read_members(data / "stack.toml", rules),
                "extensions": read_extensions(data / "stack.toml"),
                "backends": read_backends(data / "stack.toml"),
            }
        ),
        "stories.json": dump(stories),
        "systems.json": dump(
            {"date": max(_dates(list(systems.values())), default=max(checked)), "systems": systems}
        ),
    }


def dump(value: object) -> str:
    """Compact JSON with sorted keys and a final newline: the same bytes for the same tables."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def write(path: Path, text: str) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if compiled/ is stale")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="default: compat_data/")
    options = parser.parse_args(arguments)
    try:
        compiled = compile_all(options.data)
    except TableError as error:
        print(f"compile_rules: {error}", file=sys.stderr)
        return 2
    stale = []
    for name, text in compiled.items():
        path = options.data / "compiled" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not options.check:
                write(path, text)
    if stale:
        print(f"compile_rules: {', '.join(stale)} {'stale' if options.check else 'written'}", file=sys.stderr)
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
