"""Turn a plan into one command for each installer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install, is_recorded
from torchlock.check.fix.quoting import is_name, is_one_line, quoted
from torchlock.finding import Command
from torchlock.inspect.environment_choice import is_used_here
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan
    from torchlock.finding import Remedy


def install(context: CheckContext, plan: Plan, *, again: bool = False, fresh: bool = False) -> tuple[Command, ...]:
    """Install the packages of a plan.

    ``again``: even if that version is installed; ``fresh``: without the installer's cache, which may have the
    damaged file.
    """
    versions = whole(context, plan.versions, plan.label) if is_managed(context) else plan.versions
    requirements = [word(context, f"{name}=={version}") for name, version in versions.items()]
    same = [name for name, version in plan.versions.items() if _is_there(context, name, version)]
    # Another build of torch has other requirements; its companions require nothing but torch.
    others = [name for name in plan.versions if name not in same]
    known = all(name in context.pins and name in FAMILY and name != "torch" for name in others)
    alone = plan.alone or (known and (again or not (others or "torch" in same)))
    # The requirements of a package found by PYTHONPATH are in that folder, too.
    by_variable = any(_is_named_by_variable(context, name) for name in plan.versions)
    alone = alone and not by_variable
    pip, uv = ["install"], ["install"]
    if not is_managed(context):
        if again or same:
            pip.append("--force-reinstall")
            uv += [f"--reinstall-package {name}" for name in plan.versions]
        if alone and (again or same or plan.alone):
            pip.append("--no-deps")
            uv.append("--no-deps")
    if fresh:
        pip.append("--no-cache-dir")
        uv.append("--refresh")
    if plan.label:
        uv.append(f"--torch-backend={plan.label}")
    page = plan.page | (versions.keys() & FAMILY - plan.versions.keys())
    commands = [_by_pip(context, pip, requirements, page, plan.label), _uv(context, [*uv, *requirements])]
    if by_variable:
        commands = [
            command._replace(line=f"{unset(context, 'PYTHONPATH')} && {command.line}") for command in commands
        ]
    return _preferred(context, plan.versions, commands)


def _by_pip(
    context: CheckContext, options: Sequence[str], requirements: Sequence[str], page: Collection[str], label: str
) -> Command:
    """The command of pip. What the page of one build does not have is a second step."""
    if not label:
        return _pip(context, [*options, *requirements])
    built = [each for each in requirements if each.partition("==")[0] in page]
    others = [each for each in requirements if each not in built]
    steps = [_pip(context, [*options, f"--index-url {page_of(label)}", *built])]
    steps += [_pip(context, [*options, *others])] if others else []
    return Command("pip", " && ".join(step.line for step in steps))


def add(
    context: CheckContext, name: str, specifier: str = "", *options: str, removed: bool = False
) -> tuple[Command, ...]:
    """Install a missing package; other packages stay."""
    return add_all(context, {name: specifier}, *options, removed=removed)


def add_all(
    context: CheckContext, wanted: Mapping[str, str], *options: str, removed: bool = False
) -> tuple[Command, ...]:
    """Install some packages (name → specifier); other packages stay.

    Installers leave a version that is there as it is: one that is pinned again is installed anew, unless it was
    ``removed`` before.
    """
    there = whole(context, {}, "") if is_managed(context) else {}
    others = [word(context, f"{other}=={version}") for other, version in there.items() if other not in wanted]
    mine = [word(context, name + specifier) for name, specifier in wanted.items()]
    pip, uv = ([], []) if removed else _anew(context, wanted, options)
    words = [*options, *others, *mine]
    commands = [_pip(context, ["install", *pip, *words]), _uv(context, ["install", *uv, *words])]
    return _preferred(context, wanted, commands)


def _anew(context: CheckContext, wanted: Mapping[str, str], options: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of pip and uv that install versions which are there again; none for other versions."""
    pins = {name: specifier.removeprefix("==") for name, specifier in wanted.items() if specifier[:2] == "=="}
    same = [name for name, version in pins.items() if _is_there(context, name, version)]
    if not same or is_managed(context) or "--force-reinstall" in options:
        return [], []
    alone = ["--no-deps"] if len(same) == len(wanted) and "--no-deps" not in options else []
    return ["--force-reinstall", *alone], [*(f"--reinstall-package {name}" for name in same), *alone]


def reinstall(context: CheckContext, name: str, specifier: str) -> tuple[Command, ...]:
    """Write the files of one package again; its requirements stay as they are."""
    if is_managed(context):
        return ()
    requirement = word(context, name + specifier)
    pip = _pip(context, ["install", "--force-reinstall", "--no-deps", requirement])
    uv = _uv(context, ["install", f"--reinstall-package {name}", "--no-deps", requirement])
    return _preferred(context, [name], [pip, uv])


def with_binary(context: CheckContext, name: str, specifier: str) -> tuple[Command, ...]:
    """Install one package from a wheel instead of the copy that is there; its requirements stay as they are."""
    if is_managed(context):
        return ()
    options = ["--no-deps", f"--only-binary {name}", word(context, name + specifier)]
    pip = _pip(context, ["install", "--force-reinstall", *options])
    uv = _uv(context, ["install", f"--reinstall-package {name}", *options])
    return _preferred(context, [name], [pip, uv])


def compiled(context: CheckContext, name: str, version: str) -> tuple[Command, ...]:
    """Compile a package against the installed torch, without builds from the cache."""
    if is_managed(context):
        return ()
    requirement = word(context, f"{name}=={version}")
    pip = ["--force-reinstall", "--no-deps", "--no-build-isolation", "--no-cache-dir", f"--no-binary {name}"]
    uv = [f"--reinstall-package {name}", "--no-deps", f"--no-build-isolation-package {name}", "--refresh"]
    commands = [_pip(context, ["install", *pip, requirement])]
    commands.append(_uv(context, ["install", *uv, f"--no-binary {name}", requirement]))
    return _preferred(context, [name], commands)


def compiled_from(context: CheckContext, folder: str) -> tuple[Command, ...]:
    """Compile the sources in a folder against the installed torch, as an editable installation."""
    if is_managed(context):
        return ()
    options = ["install", "--no-deps", "--no-build-isolation", f"-e {word(context, folder)}"]
    return _preferred(context, [], [_pip(context, options), _uv(context, options)])


def built_from(context: CheckContext, repository: str, tag: str) -> tuple[Command, ...]:
    """Compile a release of a project on GitHub against the installed torch, which stays as it is."""
    if is_managed(context):
        return ()
    options = "--no-deps --no-build-isolation --no-cache-dir"
    address = f"git+https://github.com/{repository}@{tag}"
    pip = _pip(context, ["install", "--force-reinstall", options, address])
    uv = _uv(context, ["install", "--reinstall", options.replace("--no-cache-dir", "--no-cache"), address])
    return _preferred(context, [], [pip, uv])


def by_conda(context: CheckContext, names: Sequence[str], *words: str) -> tuple[Command, ...]:
    """Install packages with conda; what another installer installed under these names is removed before."""
    commands = conda_install(context, *words)
    gone = [name for name in names if _is_by_other_than_conda(context, name)]
    others = uninstall(context, gone) if gone else ()
    before = f"{others[0].line} && " if others else ""
    return tuple(each._replace(line=before + each.line) for each in commands)


def _is_by_other_than_conda(context: CheckContext, name: str) -> bool:
    """Whether the record of a package is not one of conda, which removes its own packages itself."""
    record = context.record(name)
    return record is not None and not (record.installer in ("", "conda") and is_recorded(context, name))


def uninstall(context: CheckContext, names: Sequence[str]) -> tuple[Command, ...]:
    """Remove the copies that come first on the path; no commands if the distribution manages this Python."""
    if is_managed(context):
        return ()
    return _preferred(
        context, names, [_pip(context, ["uninstall", "-y", *names]), _uv(context, ["uninstall", *names])]
    )


def whole(context: CheckContext, versions: Mapping[str, str], label: str) -> dict[str, str]:
    """The whole stack at the versions of a plan, to install into a new environment."""
    found = {}
    for name in STACK:
        pin = context.pins.get(name)
        if name in versions:
            found[name] = versions[name]
        elif pin is not None and not pin.unversioned and name != "numpy":
            found[name] = str(pin.version) if label and pin.version.local == label else pin.version.public
    return found


_ON_WINDOWS = {"mv": "move"}
# What cmd or PowerShell expands between double quotes, and what no path of Windows has.
_EXPANDED = pattern(r"[%$`\"]")


def shell(context: CheckContext, verb: str, *paths: str) -> tuple[Command, ...]:
    """A shell command on files; none if a path cannot be shown on one line, or not be quoted."""
    if is_windows(context) and any(map(_EXPANDED.search, paths)):
        return ()
    verb = _ON_WINDOWS.get(verb, verb) if is_windows(context) else verb
    line = " ".join([verb, *(word(context, path) for path in paths)])
    return (Command("shell", line),) if is_one_line(line) else ()


def unset(context: CheckContext, variable: str) -> str:
    """The command that clears a variable, for the shell of the environment's platform."""
    return f'set "{variable}="' if is_windows(context) else f"unset {variable}"


def word(context: CheckContext, text: str) -> str:
    """Quote a word for the shell of the environment's platform."""
    return quoted(text, windows=is_windows(context))


def is_managed(context: CheckContext) -> bool:
    """Whether the distribution manages this Python, so that installers refuse to change it (PEP 668)."""
    interpreter = context.environment.interpreter
    folders = () if interpreter.virtual else interpreter.stdlib
    return any(files.is_file(os.path.join(folder, "EXTERNALLY-MANAGED")) for folder in folders)


def is_nameless(context: CheckContext) -> bool:
    """Whether a command cannot name the environment's Python, because it is on another machine."""
    return not _executable(context)


_NAMELESS = pattern(r"(?:^|&& )python -m pip ")


# The environments that uv makes for uvx, for `uv run --with` and for scripts, and deletes at its will.
_OF_CACHE = pattern(r"[/\\](?:archive|builds|environments)-v\d{1,2}[/\\]")
_INSTALLED = pattern(r"\binstall ((?:[^&|;]){1,600})")


def is_of_cache(context: CheckContext) -> bool:
    """Whether the environment is one that uv keeps in its cache: nothing can be installed into it to stay."""
    return any(_OF_CACHE.search(f"{entry.path}{os.sep}") for entry in context.environment.sites)


def _with_tool(remedy: Remedy) -> Remedy:
    """Ask for the packages when the tool is started: uv makes another environment then."""
    line = next((each.line for each in remedy.commands if each.tool in ("pip", "uv")), "")
    if not line:
        return remedy
    words = _INSTALLED.search(line)
    wanted = [each for each in words[1].split() if not each.startswith("-") and "://" not in each] if words else []
    options = " ".join(f"--with {each}" for each in wanted)
    start = f": uvx {options} TOOL, or uv run {options}" if options else ""
    remedy.summary = (
        f"{remedy.summary.partition('; run it with')[0].rstrip('.')}, as a requirement of the tool{start}. This "
        "environment is in the cache of uv, which does not keep what is installed there."
    )
    remedy.commands = tuple(each for each in remedy.commands if each.tool not in ("pip", "uv"))
    return remedy


def where_to_run(context: CheckContext, remedy: Remedy) -> Remedy:
    """Say where to run a command, if the command cannot name the environment."""
    if is_of_cache(context):
        return _with_tool(remedy)
    words = "Run the command with the Python of that environment."
    is_open = any(_NAMELESS.search(command.line) for command in remedy.commands)
    if is_open and is_nameless(context) and words not in remedy.summary:
        remedy.summary = f"{remedy.summary.rstrip('.')}. {words}"
    return remedy


def _is_named_by_variable(context: CheckContext, name: str) -> bool:
    """Whether PYTHONPATH leads to the imported copy, so that an installation would not replace it."""
    copy = context.copy(name)
    return copy is not None and copy.entry is not None and copy.entry.kind == "pythonpath"


def _is_of_user(context: CheckContext, name: str) -> bool:
    """Whether the imported copy is in the user's site-packages, which uv does not use."""
    copy = context.copy(name)
    return copy is not None and copy.entry is not None and copy.entry.kind == "user"


def _is_there(context: CheckContext, name: str, version: str) -> bool:
    """Whether an installer treats this version as installed. It compares labels only if the command has one."""
    record = context.record(name)
    if record is not None and version in (record.version, record.version.partition("+")[0]):
        return True  # Installers ask the record, whatever the files are.
    pin = context.pins.get(name)
    if pin is None or pin.unversioned:
        return False
    return version in (pin.version.public, str(pin.version))


def _preferred(
    context: CheckContext, names: Sequence[str] | Mapping[str, str], commands: list[Command]
) -> tuple[Command, ...]:
    """The commands, with the tool that installed the stack first; uv if the environment has no pip.

    No commands if a name is invalid, or if a path cannot be shown on one line.
    """
    if not all(map(is_name, names)) or not all(is_one_line(command.line) for command in commands):
        return ()
    if any(_is_of_user(context, name) for name in names):
        commands = [command for command in commands if command.tool != "uv"]
    record = context.record("torchaudio") or context.record("torch")
    by_uv = record is not None and record.installer == "uv"
    without_pip = context.live and context.installed.get("pip") is None
    tool = "uv" if by_uv or without_pip else "pip"
    return tuple(sorted(commands, key=lambda command: command.tool != tool))


def _pip(context: CheckContext, words: Sequence[str]) -> Command:
    if is_managed(context):
        python = f"{_python(context)} -m venv .venv && .venv/bin/python"
        return Command("pip", " ".join([python, "-m pip", *filter(None, words)]))
    return Command("pip", " ".join([_python(context), "-m pip", *filter(None, words)]))


def _uv(context: CheckContext, words: Sequence[str]) -> Command:
    if is_managed(context):
        return Command("uv", " ".join([f"uv venv --python {_python(context)} && uv pip", *filter(None, words)]))
    place = f"--python {_python(context)}" if _executable(context) else ""
    return Command("uv", " ".join(filter(None, ["uv pip", words[0], place, *words[1:]])))


def _python(context: CheckContext) -> str:
    path = _executable(context)
    return word(context, path) if path else "python"


def _executable(context: CheckContext) -> str:
    """The interpreter that was asked, or the one of a tree that runs on this machine; "" if there is neither."""
    interpreter = context.environment.interpreter
    if interpreter.executable or not is_used_here(interpreter.prefix):
        return interpreter.executable
    return os.path.join(interpreter.prefix, "bin", "python")


def is_windows(context: CheckContext) -> bool:
    """Whether the environment's commands are for a shell of Windows."""
    platform = context.platform or context.environment.interpreter.target_platform
    return platform is not None and platform.system == "windows"
