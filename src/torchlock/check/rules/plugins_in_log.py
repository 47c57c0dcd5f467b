"""TL710, TL606: plugins in a log, which use modules of the program that loads them, or of each other.

A program such as ComfyUI imports the folders of its plugins. They were written for one state of the program, and
two of them may have a module of one name, of which Python imports only the first. The same holds for code of the
user and an installed package with a general name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.changed_names_in_log import first_missing
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.other_names import hosts, project_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_MEMBER = re.compile(
    r"(?:type object )?'(?P<owner>[A-Za-z_]\w{0,80})'(?: object)? has no attribute '(?P<name>\w{1,80})'"
)
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\](?P<top>\w{1,80})(?:[/\\]|\.py$)")
# Names that many programs give to their files and folders.
_GENERAL = frozenset(
    {"app", "common", "config", "configs", "core", "data", "dataset", "helpers", "infer", "inference", "layers"}
    | {"lib", "model", "models", "module", "modules", "networks", "preprocess", "scripts", "src", "test", "tests"}
    | {"text", "tools", "train", "transforms", "util", "utils"}
)


@rule("TL710", on="unexplained")
def of_host(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that a plugin takes from its program, and that this state of the program does not have."""
    first = log.first
    if first is None or first.weight == ECHO:
        return
    missing, member = first_missing(log, first), _MEMBER.search(first.text)
    name = missing.name if missing is not None else ".".join(member.groups()) if member is not None else ""
    top, file = name.partition(".")[0], missing.file if missing is not None else ""
    for host in hosts():
        caller = last_caller(log.text, first.line, "python")
        path = caller.path if caller is not None and caller.path else first.text
        plugin = _plugin_in(path, host.folder)
        if not plugin or top not in (*host.modules, *host.classes) or _plugin_in(file, host.folder):
            continue
        yield context.finding(
            "TL710",
            "warning",
            f"{plugin}, a plugin of {host.program}, uses {name}, which the {host.program} in the log does not "
            "have: the two are of different dates",
            because="the log shows it; the files of the program were not read",
            expected_error=first.text,
            remedy=Remedy(
                f"Update {host.program} ({host.update}), and {plugin}. If both are the latest, {plugin} does not "
                f"work with this {host.program} yet: disable it, or take an earlier {host.program}."
            ),
            sources=host.sources,
            strength=Strength.RAN,
        )
        return


@rule("TL606", on="unexplained")
def of_other_plugin(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module of one plugin that was imported instead of that of another one, which has the same name."""
    first = log.first
    missing = first_missing(log, first) if first is not None else None
    if first is None or missing is None or missing.caller is None or not missing.file:
        return
    module = missing.name.partition(".")[0]
    for folder in {host.folder for host in hosts()} | {"plugins", "addons"}:
        asking, other = _plugin_in(missing.caller.path, folder), _plugin_in(missing.file, folder)
        if asking and other and asking != other:
            yield context.finding(
                "TL606",
                "warning",
                f"the plugin {asking} imports {missing.name}, and Python found the module {module} of another "
                f"plugin, {other}",
                because=f"both have a module {module}, and Python keeps the first one that was imported",
                expected_error=first.text,
                remedy=Remedy(
                    f"Disable {other} (move its folder out of {folder}), or rename the module {module} in one of "
                    "the two, with its imports; relative imports in the two projects would prevent it."
                ),
                sources=("comfyui-gpt-sovits-20",),
                strength=Strength.RAN,
            )
            return


@rule("TL606", on="unexplained")
def of_general_name(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """An installed package with a general name (utils), instead of the module of the program that asks for it."""
    first = log.first
    missing = first_missing(log, first) if first is not None else None
    if first is None or missing is None or missing.caller is None or missing.caller.is_installed:
        return
    module, place = missing.name.partition(".")[0], _INSTALLED.search(missing.file)
    if module not in _GENERAL or place is None or place["top"] != module or project_of(module):
        return
    yield context.finding(
        "TL606",
        "warning",
        f"{who_calls(context, missing.caller, '')} imports {missing.name}, and Python found {module} among the "
        "installed packages: a program's own code usually has this name",
        because=f"it found no {module} in the folders that come first: that of the program, and PYTHONPATH",
        expected_error=first.text,
        remedy=Remedy(
            f"Start the program in its own folder, or put the folder that contains its {module} on PYTHONPATH. If "
            f"nothing else needs it, uninstall the package that installed {module} (python -m pip show --files)."
        ),
        sources=("python-import-system",),
        strength=Strength.RAN,
    )


def _plugin_in(path: str, folder: str) -> str:
    """The plugin whose file a path is, by the folder of plugins; "" for none."""
    match = re.search(rf"[/\\]{folder}[/\\](?P<plugin>[^/\\\n\"]{{1,120}}?)(?:[/\\]| module for |$)", path)
    return match["plugin"] if match is not None else ""
