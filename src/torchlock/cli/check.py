"""``torchlock check``: look at one environment, and say why it does not load."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from torchlock.check import Scene, examine, healthy, ranked, verdict
from torchlock.cli.codes import FOUND, OK
from torchlock.errors import InputError
from torchlock.finding import FileReport, Report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torchlock.check.verdict import Verdict
    from torchlock.cli.streams import Voice
    from torchlock.finding import Finding
    from torchlock.inspect.environment import Environment
    from torchlock.inspect.loading.root import Root
    from torchlock.inspect.loading.search_path import SearchPath
    from torchlock.inspect.probe import Step
    from torchlock.target import Platform


def run(arguments: argparse.Namespace, voice: Voice) -> int:
    """Carry the command out; returns its exit code.

    Raises:
        TorchlockError: wrong use, an environment that is none, or a file that cannot be written.
    """
    _refuse_misuse(arguments)
    ignore = _ignored(arguments.ignore)
    scene = scene_of(arguments, voice)
    if arguments.export:
        return _export(scene, arguments)
    found = examine(scene, ignore)
    if arguments.probe:
        found = _probed(scene, found, arguments, voice)
    voice.clear()
    findings = ranked(found)
    if arguments.log is not None:
        findings = _by_log(scene, findings, arguments.log, voice)
    if any(finding.severity != "note" for finding in findings):
        from torchlock.repair import add_remedies

        add_remedies(scene, findings)
    result = verdict(findings, healthy(scene))
    report = _report(scene, result)
    code = _code(report, strict=arguments.strict)
    _write(_rendered(report, result, code, arguments, voice), arguments.output)
    return code


def _refuse_misuse(arguments: argparse.Namespace) -> None:
    if arguments.root is not None and arguments.path is None:
        raise InputError("--root is the machine that --path is of", hint="name the tree with --path")
    if arguments.root is not None and not os.path.isdir(arguments.root):  # noqa: PTH112
        raise InputError(f"--root: {arguments.root!r} is no folder")
    if arguments.probe and arguments.path is not None:
        raise InputError("--probe runs an interpreter, and --path names none", hint="name it with --python")
    if not arguments.probe_seconds > 0:
        raise InputError(f"--probe-seconds: {arguments.probe_seconds:g} is no time", hint="like 120")
    if arguments.export and (arguments.probe or arguments.log or arguments.format != "text"):
        raise InputError("--export writes no report", hint="run the check once more for the report")


def _by_log(scene: Scene, findings: list[Finding], path: str, voice: Voice) -> list[Finding]:
    """The findings in the order that a log suggests.

    Raises:
        InputError: the log cannot be read.
    """
    from torchlock.check.log import chosen, decoded, promote, read_log, remarks
    from torchlock.read.text import read_bytes

    log = read_log(decoded(read_bytes(path)))
    folders = [entry.path for entry in scene.environment.path if entry.state == "folder"]
    for remark in remarks(log, findings, folders):
        voice.say("note", remark)
    promote(log, findings)
    return chosen(log, findings)


def _probed(scene: Scene, findings: list[Finding], arguments: argparse.Namespace, voice: Voice) -> list[Finding]:
    from torchlock.check.probing import compared
    from torchlock.inspect.interpreter import find_executable
    from torchlock.inspect.probe import probe

    voice.progress("smoke test: import, resample, load and save")
    # As it was named: it may be a script that sets variables, and starts another.
    named = find_executable(arguments.python) if arguments.python else None
    executable = named or scene.environment.interpreter.executable

    def progress(step: Step) -> None:
        voice.progress(f"{step.name}: {step.state} {step.text}".rstrip())

    result = probe(executable, os.environ, os.getcwd(), arguments.probe_seconds, progress)  # noqa: PTH109
    return compared(scene, findings, result)


def scene_of(arguments: argparse.Namespace, voice: Voice) -> Scene:
    """The environment that the command line names.

    Raises:
        InputError: there is none, or its interpreter does not answer.
    """
    environment = _environment(arguments)
    system, libraries, platform = _machine(arguments, environment)
    scene = Scene(
        environment,
        arguments.path is None,
        _root(arguments, environment),
        system,
        _accelerator(arguments.accelerator),
        arguments.deep,
        libraries,
        platform=platform,
        search_path=_search_path(arguments, environment),
    )
    if scene.live and "cuda-driver" not in libraries and (scene.label("torch") or "").startswith("cu"):
        from torchlock.inspect.host import driver

        if (found := driver()) is not None:
            libraries["cuda-driver"] = found.version
            scene.devices = found.devices
    if arguments.deep:
        scene.progress = _counting(voice)
    return scene


def _counting(voice: Voice) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        voice.progress(f"hash {done >> 20} of {total >> 20} MB")

    return progress


def _environment(arguments: argparse.Namespace) -> Environment:
    from torchlock.inspect.environment import of_interpreter, of_tree

    if arguments.path is not None:
        if not os.path.isdir(arguments.path):  # noqa: PTH112  (pathlib refuses some names that are none)
            raise InputError(f"--path: {arguments.path!r} is no folder", hint="name a site-packages folder")
        from torchlock.inspect.choice import root_of
        from torchlock.inspect.loading.root import Root

        folder = arguments.root or root_of(arguments.path)
        return of_tree(arguments.path, root=Root(folder) if folder else None)
    from torchlock.inspect.choice import active
    from torchlock.inspect.interpreter import NoAnswer, ask

    python = arguments.python or active(os.environ)
    if re.fullmatch(r"\d+\.\d+t?", python):
        python = shutil.which(f"python{python}") or python
    answer = ask(python)
    if isinstance(answer, NoAnswer):
        detail = f": {answer.detail}" if answer.detail else ""
        raise InputError(
            f"--python: {python} does not answer as a Python interpreter ({answer.reason}{detail})",
            hint="--path SITE_PACKAGES looks at its packages without asking it",
        )
    return of_interpreter(answer, {**os.environ, **dict(answer.variables)}, os.getcwd())  # noqa: PTH109


def _accelerator(name: str | None) -> str | None:
    """The build that is wanted.

    Raises:
        InputError: torch was never built so.
    """
    from torchlock.builds import kind_of

    if name is not None and name != "pypi" and kind_of(name) is None:
        raise InputError(f"--accelerator: {name!r} is no build of torch", hint="like pypi, cpu, cu128 or rocm6.4")
    return name


def _machine(
    arguments: argparse.Namespace, environment: Environment
) -> tuple[str | None, dict[str, str | None], Platform | None]:
    """What the command line says of the machine: its distribution release, its libraries, its platform."""
    from torchlock import systems
    from torchlock.cli.target import place_of

    platform = _platform(arguments, environment)
    named = arguments.system not in ("host", "none")
    if named:
        systems.load(arguments.system)
    if not (named or arguments.system_lib):
        return None, {}, platform if arguments.platform not in (None, "host") else None
    spelled = platform.spelled if platform is not None else "linux-x86_64"
    place, libraries, system = place_of(spelled, arguments.system if named else "none", arguments.system_lib)
    return system.id if system else None, libraries, place if platform is not None else None


def _search_path(arguments: argparse.Namespace, environment: Environment) -> SearchPath | None:
    """Where macOS or Windows looks for libraries; None for Linux, and for a machine that is not here.

    Raises:
        InputError: the root folder is that of a Windows machine.
    """
    from torchlock.inspect.loading.search_path import of_macos, of_windows

    platform = _platform(arguments, environment)
    if platform is None or platform.system == "linux" or arguments.system != "host":
        return None
    prefixes = [environment.interpreter.prefix, environment.interpreter.base_prefix]
    if arguments.root is not None:
        if platform.system == "windows":
            hint = "say what it has with --system-lib, like ffmpeg=7.1"
            raise InputError(
                "--root: where a Windows machine looks for libraries is not told by its files", hint=hint
            )
        return of_macos(platform.machine, prefixes, {}, arguments.root)
    if arguments.path is not None or sys.platform != {"macos": "darwin", "windows": "win32"}[platform.system]:
        return None
    if platform.system == "macos":
        return of_macos(platform.machine, prefixes, os.environ)
    return of_windows(prefixes, os.environ)


def _platform(arguments: argparse.Namespace, environment: Environment) -> Platform | None:
    from torchlock.target import Platform

    if arguments.platform not in (None, "host"):
        return Platform.parse(arguments.platform)
    return environment.interpreter.target_platform


def _root(arguments: argparse.Namespace, environment: Environment) -> Root | None:
    """The machine whose libraries count; None for one that is not here."""
    from torchlock.inspect.choice import is_used_here, root_of
    from torchlock.inspect.loading.root import Root

    platform = _platform(arguments, environment)
    if arguments.system != "host" or platform is None or platform.system != "linux":
        return None
    if arguments.path is None:
        environ = {**os.environ, **dict(environment.interpreter.variables)}
        return Root("/", environ, platform.machine) if sys.platform == "linux" else None
    folder = arguments.root or root_of(arguments.path)
    if folder is None and is_used_here(environment.interpreter.prefix):
        return Root("/", os.environ, platform.machine)
    return Root(folder, None, platform.machine) if folder else None


def _ignored(texts: list[str]) -> frozenset[str]:
    from torchlock.matrix import Matrix

    rules = frozenset(rule.strip().upper() for text in texts for rule in text.split(",") if rule.strip())
    matrix = Matrix() if rules else None
    for rule in sorted(rules):
        if matrix is not None and not matrix.has(rule):
            raise InputError(f"--ignore: no rule is called {rule}", hint="rules are called like TL101")
    return rules


def _report(scene: Scene, result: Verdict) -> Report:
    interpreter, target = scene.environment.interpreter, scene.target
    sites = scene.environment.sites
    path = interpreter.executable or interpreter.prefix or (sites[0].path if sites else "")
    if not scene.live and sites:
        path = sites[0].path
    table = {
        "python": interpreter.version or (str(target.python) if target else None),
        "platform": target.platform.spelled if target else None,
        "accelerator": scene.label("torch"),
        "system": None,
        "libraries": dict(scene.libraries),
    }
    rules = {each.rule for finding in result.findings for each in (finding, *finding.consequences)}
    titles = {rule: scene.matrix.title(rule) for rule in sorted(rules) if scene.matrix.has(rule)}
    return Report([FileReport(path, "environment", result.findings)], scene.matrix.date, table, titles)


def _code(report: Report, *, strict: bool) -> int:
    statuses = {file.status for file in report.files}
    return FOUND if "error" in statuses or (strict and "warning" in statuses) else OK


def _rendered(report: Report, result: Verdict, code: int, arguments: argparse.Namespace, voice: Voice) -> str:
    if arguments.format == "json":
        from torchlock.write.check_json import check_json

        return check_json(report, result.sentence, result.commands)
    if arguments.format == "sarif":
        from torchlock.write.sarif import sarif

        return sarif(report, exit_code=code)
    if arguments.format == "github":
        from torchlock.write.github import github

        return github(report)
    from torchlock.write.check_text import text

    paint = voice.painted if voice.on(sys.stdout) and not arguments.output else _unpainted
    if arguments.quiet and report.files[0].status == "ok":
        return ""
    return text(report, result.sentence, result.commands, paint, verbose=arguments.verbose)


def _unpainted(style: str, words: str) -> str:
    return words


def _export(scene: Scene, arguments: argparse.Namespace) -> int:
    from torchlock.check.export import export

    _write(export(scene), arguments.output)
    return OK


def _write(text: str, output: str | None) -> None:
    if output is None or output == "-":
        sys.stdout.write(text)
        return
    from torchlock.write.atomic import write_text

    write_text(output, text)
