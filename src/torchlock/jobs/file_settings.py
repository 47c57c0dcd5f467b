"""The settings of each file of an audit: those of the configuration file nearest to it."""

from __future__ import annotations

import argparse
import os

from torchlock.audit import Auditor
from torchlock.errors import InputError
from torchlock.jobs.audit_options import audit_options
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.audit import Options
    from torchlock.jobs.config_files import ConfigFile
    from torchlock.jobs.listener import Listener

# What is set for each file. The rest is about the run: the report, its format, which folders are searched.
_PER_FILE = ("python", "platform", "accelerator", "gpu", "system", "system_lib", "ignore", "strict")


class Settled(NamedTuple):
    """The settings of some files; ``number`` is that of their options, ``config`` the file of a project."""

    arguments: argparse.Namespace
    options: Options
    number: int
    config: str = ""


class FileSettings:
    """Finds the settings of files. Files under the same configuration share them.

    Raises:
        InputError: the settings of the current folder cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace, console: Listener) -> None:
        self._console = console
        self._arguments = arguments
        self.options: list[Options] = []
        self._auditors: dict[int, Auditor] = {}
        self._folders: dict[str, Settled | InputError] = {}
        # Equal tables are equal settings; what they set for a file has no paths.
        self._by_values: dict[str, Settled] = {}
        self.run = self._settled(arguments)
        self._by_values[_values(arguments.config_files)] = self.run

    def of(self, path: str) -> Settled:
        """The settings of a file (``-``: of the name that standard input has).

        Raises:
            InputError: they cannot be used; the error has the line of the configuration file.
        """
        folder = os.path.dirname(self._arguments.stdin_name if path == "-" else path)
        found = self._folders.get(folder)
        if found is None:
            found = self._folders[folder] = self._of_folder(folder)
        if isinstance(found, InputError):
            raise found
        return found

    def strict(self, path: str) -> bool:
        """Whether warnings count as errors in a file; False if its settings cannot be used."""
        try:
            return bool(self.of(path).arguments.strict)
        except InputError:
            return False

    def auditor(self, settled: Settled) -> Auditor:
        """The auditor for these settings."""
        if settled.number not in self._auditors:
            self._auditors[settled.number] = Auditor(settled.options)
        return self._auditors[settled.number]

    def target_of(self, settled: Settled) -> dict[str, Any]:
        """The target of some settings, for the report."""
        options, arguments = settled.options, settled.arguments
        platforms = options.platforms
        return {
            "python": None if options.pythons is None else [str(python) for python in options.pythons],
            "platform": None if platforms is None else [platform.spelled for platform in platforms],
            "accelerator": arguments.accelerator,
            "gpu": ",".join(gpu.arch for gpu in options.gpus) or arguments.gpu,
            "system": arguments.system,
            "libraries": dict(options.libraries),
        }

    def _of_folder(self, folder: str) -> Settled | InputError:
        try:
            place = os.path.realpath(folder or os.curdir)
            files = self._arguments.finder.files(place)
            key = _values(files)
            if key not in self._by_values:
                self._by_values[key] = self._settled(self._own(files))
            return self._by_values[key]._replace(config=_config(files))
        except InputError as error:
            return error
        except (OSError, ValueError):  # a folder that cannot be looked up: the file will say so
            return self.run

    def _own(self, files: Sequence[ConfigFile]) -> argparse.Namespace:
        """The arguments of the run, with what these files set for single files."""
        own = self._arguments.with_files(files)
        names = (*_PER_FILE, "settings", "config_files")
        return argparse.Namespace(**{**vars(self._arguments), **{name: getattr(own, name) for name in names}})

    def _settled(self, arguments: argparse.Namespace) -> Settled:
        try:
            options = audit_options(arguments, self._console)
        except InputError as error:
            raise arguments.settings.blamed(error, arguments.argv) from None
        if options not in self.options:
            self.options.append(options)
        return Settled(arguments, options, self.options.index(options), _config(arguments.config_files))


def _values(files: Sequence[ConfigFile]) -> str:
    """The settings of some files, to compare them."""
    return repr([(file.of_project, dict(file.values)) for file in files])


def _config(files: Sequence[ConfigFile]) -> str:
    """The path of the project's configuration file, for the report; "" if there is none."""
    return next((file.shown for file in files if file.of_project), "")
