"""Open the sources of releases for ``lock`` and ``explain``: the same options mean the same sources."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.records import replace
from torchlock.redaction import masked
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.index.sources import Sources
    from torchlock.jobs.listener import Listener
    from torchlock.terms import Inputs


def with_indexes(arguments: argparse.Namespace, inputs: Inputs, console: Listener) -> Inputs:
    """The inputs with the indexes of the command line, which come first."""
    written = inputs.index_url
    if written:
        from torchlock.knowledge.indexes import is_public

        written = None if is_public(written) else written
    if written and arguments.index_url not in (None, written):
        console.say("note", f"--index-url is used, and the index {written} of the input is ignored")
    extra = [*arguments.extra_index_urls, *inputs.extra_index_urls]
    return replace(inputs, index_url=arguments.index_url or written, extra_index_urls=extra)


def open_sources(arguments: argparse.Namespace, inputs: Inputs, console: Listener) -> Sources:
    """The sources that the inputs name; nothing is asked yet.

    Raises:
        InputError: ``--build`` is given, and the library that it needs is not installed; or --deadline is not a
            time.
    """
    from torchlock.index.sources import Sources

    if not 0 < arguments.deadline < 1e9:
        raise InputError("--deadline is not a number of seconds above 0", hint="leave it out for 1800 seconds")

    if arguments.build:
        from torchlock.index.sdist.building import check_library

        check_library()
    return Sources(
        index_url=inputs.index_url,
        extra_index_urls=inputs.extra_index_urls,
        find_links=inputs.find_links,
        no_index=inputs.no_index,
        routes=inputs.routes,
        offline=arguments.offline,
        refresh=arguments.refresh,
        pinned=_pinned(inputs),
        cache_dir=arguments.cache_dir,
        accelerator=arguments.accelerator,
        builds_url="" if arguments.accelerator == "pypi" else root_of_builds(arguments),
        build=arguments.build,
        report=console.progress,
        deadline=arguments.deadline,
        keyring_provider=arguments.keyring_provider,
    )


class SourcePool:
    """The sources of several targets. Those that differ in the build alone share all that they know."""

    def __init__(self) -> None:
        self._opened: dict[tuple[object, ...], Sources] = {}

    def open(self, arguments: argparse.Namespace, inputs: Inputs, console: Listener) -> Sources:
        """As ``open_sources``.

        Raises:
            InputError: as ``open_sources``.
        """
        pinned = _pinned(inputs)
        key = (
            *(inputs.index_url, *inputs.extra_index_urls, None, *inputs.find_links, inputs.no_index),
            tuple(sorted(inputs.routes.items())),
            tuple(sorted((name, version.partition("+")[0]) for name, version in pinned.items())),
        )
        exact = (*key, arguments.accelerator, tuple(sorted(pinned.items())))
        if exact not in self._opened:
            first = self._opened.get(key)
            if first is None:
                first = self._opened[key] = open_sources(arguments, inputs, console)
                self._opened[exact] = first
            else:
                root = "" if arguments.accelerator == "pypi" else root_of_builds(arguments)
                self._opened[exact] = first.of_build(arguments.accelerator, root, pinned)
        return self._opened[exact]

    @property
    def all(self) -> list[Sources]:
        """Every source that was opened, in the order of opening."""
        return list(dict.fromkeys(self._opened.values()))


def root_of_builds(arguments: argparse.Namespace) -> str:
    """The address of the PyTorch index, or of the mirror of it that the user names.

    Raises:
        InputError: --builds-url is not an address.
    """
    from torchlock.index.addresses import is_local, why_unusable
    from torchlock.knowledge.build_files import index_address

    url: str = arguments.builds_url or index_address()
    problem = why_unusable(url) or ("is not the address of a server" if is_local(url) else "")
    if problem:
        raise InputError(
            f"--builds-url: {masked(url)} {problem}", hint="use a URL like https://download.pytorch.org/whl"
        )
    return url.rstrip("/")


def _pinned(inputs: Inputs) -> dict[str, str]:
    """The versions that requirements and constraints pin, by project."""
    from torchlock.standards.names import normalise
    from torchlock.standards.plain_requirement import text_of_specifier

    return {
        normalise(written.requirement.name): clause[2:]
        for written in (*inputs.constraints, *inputs.requirements)
        if written.requirement is not None
        for clause in text_of_specifier(written.requirement).split(",")
        if clause.startswith("==") and not clause.startswith("===") and "*" not in clause
    }
