"""The process that runs a build backend: a folder in, METADATA out. Started by ``building`` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from build.env import DefaultIsolatedEnv


def main() -> None:
    """Create the environment that the backend needs, and let it prepare the metadata (PEP 517)."""
    source, target = sys.argv[1:3]
    pip = json.loads(sys.stdin.buffer.read() or b"{}")
    from build import BuildBackendException, BuildException, FailedProcessError, ProjectBuilder
    from build.env import DefaultIsolatedEnv

    try:
        with DefaultIsolatedEnv() as environment:
            builder = ProjectBuilder.from_isolated_env(environment, source)
            _install(environment, builder.build_system_requires, pip)
            _install(environment, builder.get_requires_for_build("wheel"), pip)
            builder.metadata_path(target)
    except subprocess.CalledProcessError as error:  # the installer, whose output is not printed yet
        said = error.output or error.stderr or b""
        raise SystemExit(said.decode("utf-8", "replace") if isinstance(said, bytes) else said) from None
    except (BuildBackendException, BuildException, FailedProcessError):
        raise SystemExit(1) from None  # the backend printed why


def _install(environment: DefaultIsolatedEnv, requirements: set[str], pip: dict[str, str]) -> None:
    """Install the requirements of the backend. Index URLs may contain passwords: the backend never sees them."""
    from packaging.requirements import Requirement

    from torchlock.standards.names import normalise

    family = sorted(text for text in requirements if normalise(Requirement(text).name) in FAMILY)
    if family:
        raise SystemExit(f"its build needs {family[0]}, which is never installed to read requirements")
    before = {name: os.environ.get(name) for name in pip}
    os.environ.update(pip)
    try:
        environment.install(requirements)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


if __name__ == "__main__":
    main()
