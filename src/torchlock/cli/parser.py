"""The arguments of every command, and where their defaults come from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from torchlock import __version__
from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.cli.streams import Voice

_LOCK_EPILOG = """\
examples:
  torchlock lock torchaudio soundfile -o requirements.txt
  torchlock lock -r requirements.in --python 3.12 --platform linux-x86_64 -o requirements.txt
  torchlock lock --system debian-12 -o requirements.txt     (./pyproject.toml or ./requirements.in)
  torchlock lock -r requirements.in -o requirements.txt --check

exit codes: 0 locked, 1 no solution (or --check found a difference), 2 input that cannot be used
"""


_DESCRIPTION = """\
Environments of the PyTorch audio stack that load.

commands:
  lock     pin and hash what some requirements come to, so that it installs and torchaudio imports
  audit    find what of requirements and lock files will not load, and mend it
  check    why torchaudio does not load in an environment, and the command that mends it
  explain  why some requirements do or do not go together; what a rule is about

torchlock COMMAND --help tells more.
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with wrong use as an InputError so that it ends like every other.

    ``named_only`` are options that the command line alone sets: what a project locks for says nothing about
    which environment is to be checked.
    """

    named_only: frozenset[str] = frozenset()

    def error(self, message: str) -> NoReturn:
        raise InputError(message, hint=f"{self.prog} --help shows what there is")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse asks for one of these at every option; its own imports shutil."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (ValueError, OSError):
            columns = 80
        super().__init__(prog, width=max(columns - 2, 40))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; options that are not on it come from the environment, then from pyproject.toml.

    ``run`` of the answer is the command: it takes the answer and a Voice, and returns an exit code.

    Raises:
        InputError: wrong use, or a default that is none.
        SystemExit: --help or --version was given.
    """
    position = next((index for index, word in enumerate(argv) if word in _COMMANDS), None)
    if position is None:
        word = next((word for word in argv if not word.startswith("-")), None)
        if word is not None and "-h" not in argv and "--help" not in argv:
            raise InputError(f"no command is called {word!r}", hint=f"there is: {', '.join(_COMMANDS)}")
        _top().parse_args(argv if argv else ["--help"])
        raise InputError("no command was given", hint="torchlock --help shows what there is")
    parser, run = _COMMANDS[argv[position]]()
    parser.set_defaults(**defaults(parser))
    arguments = parser.parse_intermixed_args([*argv[:position], *argv[position + 1 :]])
    arguments.run = run
    arguments.argv = list(argv)
    return arguments


def _top() -> argparse.ArgumentParser:
    parser = _Parser(prog="torchlock", description=_DESCRIPTION, formatter_class=_Formatter)
    parser.add_argument("-V", "--version", action="version", version=f"torchlock {__version__}")
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("messages")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    volume.add_argument("-v", "--verbose", action="store_true", help="say every step")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")


def _add_target(parser: argparse.ArgumentParser, *, of_files: bool = False) -> None:
    """The target; with ``of_files`` each file says it itself where the command line does not."""
    from torchlock.target import PLATFORMS

    what = "default: what each file declares, else all" if of_files else "what the result must load on"
    group = parser.add_argument_group(f"target ({what})")
    add = group.add_argument
    add(
        "--python",
        metavar="VERSION",
        help="3.11, 3.11.7, 3.13t, or the path of an interpreter"
        + ("" if of_files else " (default: the running one)"),
    )
    add(
        "--platform",
        metavar="NAME",
        default=None if of_files else "host",
        help=f"host, {', '.join(PLATFORMS)}; or with a floor, like manylinux_2_31_x86_64"
        + ("" if of_files else " (default: host)"),
    )
    add(
        "--accelerator",
        metavar="NAME",
        default="pypi",
        help="which builds: pypi takes "
        + ("those that a file asks for" if of_files else "whatever the public index's own wheels are")
        + " (the only one for now)",
    )
    add(
        "--system",
        metavar="NAME",
        default="none",
        help="a distribution release whose libraries count: debian-12, ubuntu-24.04, macos-homebrew, …, host, "
        "or none (default: none)",
    )
    add(
        "--system-lib",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="a library of the target, over --system: ffmpeg=6.1, libsndfile=none, glibc=2.31 (repeatable)",
    )


def _lock_parser() -> tuple[argparse.ArgumentParser, Callable[..., int]]:
    parser = _Parser(
        prog="torchlock lock",
        description="Pin and hash what some requirements come to on one target, by metadata and by what metadata "
        "does not say.",
        epilog=_LOCK_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    _add_inputs(parser)
    _add_target(parser)
    _add_choice(parser)
    _add_sources(parser)
    _add_output(parser)
    _add_common(parser)
    return parser, _run_lock


def _run_lock(arguments: argparse.Namespace, voice: Voice) -> int:
    """The command itself is imported when it runs: --help and wrong use need not wait for it."""
    from torchlock.cli.lock import run

    return run(arguments, voice)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input (default: ./pyproject.toml or ./requirements.in)")
    group.add_argument("requirements", nargs="*", metavar="REQUIREMENT", help='like "torch>=2.4" torchaudio')
    add = group.add_argument
    add(
        "-r",
        "--requirement",
        action="append",
        default=[],
        metavar="FILE",
        dest="files",
        help="requirements.in/.txt, pyproject.toml, setup.cfg, a script with inline metadata; - for stdin",
    )
    add(
        "-c",
        "--constraint",
        action="append",
        default=[],
        metavar="FILE",
        dest="constraints",
        help="limit versions without asking for packages",
    )
    add(
        "--override",
        action="append",
        default=[],
        metavar="FILE",
        dest="overrides",
        help="replace every requirement on the packages named in this file",
    )
    add("--extra", action="append", default=[], metavar="NAME", dest="extras", help="an extra of the project")
    add("--all-extras", action="store_true", help="every extra of the project")
    add("--group", action="append", default=[], metavar="NAME", dest="groups", help="a dependency group (PEP 735)")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("choice of versions")
    add = group.add_argument
    add("-U", "--upgrade", action="store_true", help="forget the pins of the existing output file")
    add(
        "-P",
        "--upgrade-package",
        action="append",
        default=[],
        metavar="NAME",
        dest="upgrade_packages",
        help="forget this pin of the existing output file",
    )
    add("--pre", action="store_true", help="let pre-releases count")
    add(
        "--prefer",
        choices=("highest", "lowest"),
        default="highest",
        help="lowest: the oldest of what the input names, the rest as new as that allows (default: highest)",
    )
    add("--exclude-newer", metavar="DATE", help="as if nothing had been uploaded from this day or time on (UTC)")
    add(
        "--allow-sdist",
        action="store_true",
        help="accept source distributions where there is no wheel (never for the torch family)",
    )


def _add_sources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sources (default: the bundled catalogue, then the index for what it lacks)")
    add = group.add_argument
    add("-i", "--index-url", metavar="URL", help="ask this index, in place of the bundled catalogue")
    add(
        "--extra-index-url",
        action="append",
        default=[],
        metavar="URL",
        dest="extra_index_urls",
        help="a further index, for names that no earlier source has",
    )
    add("--offline", action="store_true", help="never touch the network")
    add("--refresh", action="store_true", help="ask the index for packages of the catalogue too")
    add("--cache-dir", metavar="DIR", help="where answers of indexes are kept")


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    add = group.add_argument
    add(
        "-o",
        "--output",
        metavar="FILE",
        help="write here; its pins are kept as long as they work (default: stdout)",
    )
    add(
        "--format",
        choices=("requirements", "pylock"),
        help="pip's requirements dialect, or pylock.toml (PEP 751), for which the index must be asked where its "
        "files lie (default: what the name given with -o says)",
    )
    add("--no-hashes", action="store_true", help="leave the hashes out")
    add("--no-annotate", action="store_true", help="leave out what asked for each package")
    add("--json", action="store_true", help="describe the solution as JSON on standard output")
    add("--check", action="store_true", help="write nothing; exit 1 and show the difference if -o would change")
    add("--dry-run", action="store_true", help="write nothing; show what would be written")


_AUDIT = """\
Find what of requirements and lock files will not load, why, on which line, and
the smallest change that mends it. Reads requirements and constraints files,
pyproject.toml, setup.cfg, setup.py, Pipfile, environment.yml, the locks of
poetry, uv, pdm and pipenv, pylock.toml, Dockerfiles and shell scripts.
"""
_AUDIT_EPILOG = """\
examples:
  torchlock audit                                  what the current folder has
  torchlock audit requirements.txt pyproject.toml
  torchlock audit -R . --format sarif -o torchlock.sarif
  torchlock audit requirements.txt --diff          show the smallest change that mends it
  torchlock audit requirements.txt --fix           and make it

A line is left alone with a comment on it: # torchlock: ignore[TL101] reason

exit codes: 0 nothing of severity error (--strict: nor warning), 1 something, 2 a file that cannot be read
"""


def _audit_parser() -> tuple[argparse.ArgumentParser, Callable[..., int]]:
    parser = _Parser(
        prog="torchlock audit",
        description=_AUDIT,
        epilog=_AUDIT_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("input (default: what the current folder has)")
    add = group.add_argument
    add("files", nargs="*", metavar="FILE", help="a file, a folder, or - for standard input")
    add("-R", "--recursive", action="store_true", help="look into the folders of folders too")
    add(
        "--stdin-name",
        metavar="NAME",
        default="requirements.txt",
        help="what the file on standard input is called, which tells its dialect (default: requirements.txt)",
    )
    _add_target(parser, of_files=True)
    _add_findings(parser)
    _add_common(parser)
    return parser, _run_audit


def _run_audit(arguments: argparse.Namespace, voice: Voice) -> int:
    from torchlock.cli.audit import run

    return run(arguments, voice)


def _add_findings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("findings")
    add = group.add_argument
    add(
        "--format",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="text for people, json, SARIF 2.1.0, or GitHub's annotations (default: text)",
    )
    add("-o", "--output", metavar="FILE", help="write the report here (default: stdout)")
    add("--strict", action="store_true", help="warnings count as errors, for the exit code and for --fix")
    add(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="leave this rule out, like TL305 (repeatable)",
    )
    add("--fix", action="store_true", help="change the fewest lines that make each file clean, and nothing else")
    add("--diff", action="store_true", help="show what --fix would do, and do nothing")


_EXPLAIN_EPILOG = """\
examples:
  torchlock explain TL101
  torchlock explain "torch==2.7.1" "torchaudio==2.5.1"
  torchlock explain torchaudio torchcodec --python 3.12 --platform linux-x86_64

exit codes: 0 they go together, 1 they do not, 2 wrong use
"""


def _explain_parser() -> tuple[argparse.ArgumentParser, Callable[..., int]]:
    parser = _Parser(
        prog="torchlock explain",
        description="Why some requirements do or do not go together on one target, or what a rule is about, in "
        "numbered sentences with their sources.",
        epilog=_EXPLAIN_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "requirements",
        nargs="+",
        metavar="REQUIREMENT",
        help='like "torch==2.7.1" torchaudio; or a rule, like TL101',
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    _add_target(parser)
    _add_common(parser)
    return parser, _run_explain


def _run_explain(arguments: argparse.Namespace, voice: Voice) -> int:
    from torchlock.cli.explain import run

    return run(arguments, voice)


def _check_parser() -> tuple[argparse.ArgumentParser, Callable[..., int]]:
    from torchlock.cli.check_options import DESCRIPTION, EPILOG, NAMED_ONLY, add_options

    parser = _Parser(
        prog="torchlock check",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    add_options(parser)
    parser.named_only = NAMED_ONLY
    _add_common(parser)
    return parser, _run_check


def _run_check(arguments: argparse.Namespace, voice: Voice) -> int:
    from torchlock.cli.check import run

    return run(arguments, voice)


_COMMANDS: dict[str, Callable[[], tuple[argparse.ArgumentParser, Callable[..., int]]]] = {
    "lock": _lock_parser,
    "audit": _audit_parser,
    "check": _check_parser,
    "explain": _explain_parser,
}


def defaults(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The user's own defaults: ``TORCHLOCK_*`` variables over ``[tool.torchlock]`` of ./pyproject.toml.

    Raises:
        InputError: a key that is no option, or a value that the option does not take.
    """
    options = {
        action.option_strings[-1][2:]: action
        for action in parser._actions
        if action.option_strings and action.dest != "help"
    }
    found: dict[str, Any] = {}
    named_only: frozenset[str] = getattr(parser, "named_only", frozenset())
    options = {name: action for name, action in options.items() if name not in named_only}
    for name, value in _configured().items():
        if name not in options and _is_option_of_another(name):
            continue
        if name not in options:
            known = ", ".join(sorted(options))
            raise InputError(
                f"[tool.torchlock]: no option is called {name!r}", path=_PROJECT, hint=f"one of {known}"
            )
        found[options[name].dest] = _value(options[name], value, f"{_PROJECT}: [tool.torchlock] {name}")
    for name, action in options.items():
        variable = "TORCHLOCK_" + name.upper().replace("-", "_")
        if os.environ.get(variable):
            found[action.dest] = _value(action, os.environ[variable], variable)
    return found


_PROJECT = "pyproject.toml"


def _is_option_of_another(name: str) -> bool:
    """Whether any command has an option of this name: one table serves them all."""
    return any(f"--{name}" in make()[0]._option_string_actions for make in _COMMANDS.values())


def _configured() -> dict[str, Any]:
    try:
        raw = Path(_PROJECT).read_bytes()
    except OSError:
        return {}
    if b"torchlock" not in raw:
        return {}
    from torchlock.read.toml import parse_toml

    tools = parse_toml(raw, _PROJECT).get("tool", {})
    table = tools.get("torchlock", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise InputError("[tool.torchlock] is no table", path=_PROJECT)
    return {str(name).replace("_", "-"): value for name, value in table.items()}


def _value(action: argparse.Action, value: Any, where: str) -> Any:
    """A default as its option would have read it from the command line."""
    if action.nargs == 0:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        known = words.get(str(value).lower())
        if known is None:
            raise InputError(f"{where}: {value!r} is neither true nor false")
        return known
    if isinstance(action.default, list):
        return [str(item) for item in value] if isinstance(value, list) else str(value).split()
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: {value!r} is no single value")
    if action.choices is not None and value not in action.choices:
        raise InputError(f"{where}: {value!r} is none of {', '.join(action.choices)}")
    return str(value)
