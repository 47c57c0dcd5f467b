"""conda's environment.yml with its pip list, explicit lists (``@EXPLICIT``) and conda-lock.yml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from torchlock.errors import InputError
from torchlock.location import Edit, Place, Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Document, Entry
from torchlock.manifests.syntax.conda_match_spec import SUBDIRS
from torchlock.manifests.syntax.conda_match_spec import parse as parse_spec
from torchlock.manifests.syntax.yaml import parse as parse_yaml
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torchlock.manifests.syntax.conda_match_spec import MatchSpec
    from torchlock.manifests.syntax.yaml import Node

_MARKERS = {
    "linux-64": "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "linux-aarch64": "sys_platform == 'linux' and platform_machine == 'aarch64'",
    "osx-64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "osx-arm64": "sys_platform == 'darwin' and platform_machine == 'arm64'",
    "win-64": "sys_platform == 'win32' and platform_machine == 'AMD64'",
    "win-arm64": "sys_platform == 'win32' and platform_machine == 'ARM64'",
}
# Packages that exist for one system only, so a file that names one is for that system. If the package says no
# machine, the usual one is assumed. (macOS has two in equal use, so its packages say nothing.)
_ONLY_ON = {
    "_libgcc_mutex": "linux",
    "libgcc-ng": "linux",
    "libstdcxx-ng": "linux",
    "ld_impl_linux-64": "linux-x86_64",
    "ld_impl_linux-aarch64": "linux-aarch64",
    "vs2015_runtime": "windows-amd64",
    "vc": "windows-amd64",
    "ucrt": "windows-amd64",
    "wincertstore": "windows-amd64",
    "pywin32": "windows-amd64",
    "libcxx": "macos",
    "appnope": "macos",
}
# Corrections of specifications that conda cannot read.
_SWAPPED = pattern(r"([\w.-]+)\s*=([<>])\s*([\w.*]+)")
_TRIPLE = pattern(r"([\w.-]+)\s*===\s*([\w.*]+)")
_SPACED = pattern(r"([\w.-]+\s*[<>]=?\s*[\w.*]+)\s+([<>!]=?\s*[\w.*]+)")

_LONG = 200
_ARCHIVE = pattern(r"(?:https?|file)://\S+\.(?:conda|tar\.bz2)(?:#\w+)?")
_EXPLICIT = pattern(r"^@EXPLICIT[ \t]*\r?$", re.MULTILINE)
_PACKAGE_URL = pattern(
    r"^[ \t]*\S*?/(?P<subdir>[a-z]+-\w+|noarch)/(?P<name>[^/\s]+)-(?P<version>[^-/\s]+)"
    r"-(?P<build>[^-/\s]+)\.(?:conda|tar\.bz2)(?:#[0-9a-f]+)?",
    re.MULTILINE,
)
_LOCKED = pattern(
    r"""^[ ]*-[ ]name:[ ]*["']?(?P<name>[^\s"']+)["']?[ ]*\r?\n
    [ ]+version:[ ]*["']?(?P<version>[^\s"']+)["']?[ ]*\r?\n
    [ ]+manager:[ ]*(?P<manager>conda|pip)[ ]*\r?\n
    [ ]+platform:[ ]*(?P<subdir>[\w-]+)""",
    re.MULTILINE | re.VERBOSE,
)


def read(text: str, path: str, variables: Mapping[str, str] | None = None) -> Document:
    """Read an environment file, an explicit list or a lock of conda-lock, as a text with its line ends.

    ``variables`` replace ``${NAME}`` in the pip list, as in pip.
    """
    builder = DocumentBuilder(text, path, "conda")
    if _EXPLICIT.search(text):
        _locked(builder, _PACKAGE_URL.finditer(text))
    elif _LOCKED.search(text):
        _locked(builder, _LOCKED.finditer(text))
    else:
        _Environment(builder, variables).read()
    return builder.document


def _locked(builder: DocumentBuilder, packages: Iterable[re.Match[str]]) -> None:
    """The resolved packages: one match for each package and platform."""
    from torchlock.manifests.merge_conflicts import conflicts
    from torchlock.manifests.syntax.toml_blocks import locked_entry
    from torchlock.manifests.truncation import truncated_line

    document = builder.document
    document.locked = True
    document.issues += conflicts(builder.text) or truncated_line(builder.text)
    subdirs: dict[str, None] = {}
    for match in packages:
        found = match.groupdict()
        spec = parse_spec(f"{unquote(found['name'])}=={unquote(found['version'])}")
        if spec is None:
            continue
        subdir = found["subdir"]
        subdirs[subdir] = None
        if spec.name == "python":
            builder.python(spec.specifier or "", match.start("name"))
        place = builder.place(match.start("version"))
        entry = locked_entry(spec.index_name, found["version"], place.line, builder.path)
        entry.specifier = spec.specifier or ""
        entry.channel = found.get("manager") or "conda"
        entry.build = label_of(found.get("build") or "")
        entry.marker = _MARKERS.get(subdir, "") if "manager" in found else ""
        document.entries.append(entry)
    document.platforms = tuple(name for name in PLATFORMS if name in {SUBDIRS.get(subdir) for subdir in subdirs})


class _Environment:
    """The reader of one environment.yml."""

    def __init__(self, builder: DocumentBuilder, variables: Mapping[str, str] | None) -> None:
        self._builder = builder
        self._variables = variables
        self._document = builder.document
        self._only_on: dict[str, None] = {}

    def read(self) -> None:
        template = re.search(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%", self._builder.text)
        if template:
            message = "a template: only the text outside of braces is judged"
            self._builder.issue("TL901", "note", message, template.start())
            root, wrong = parse_yaml(
                re.sub(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}", _blank, self._builder.text)
            )
        else:
            root, wrong = parse_yaml(self._builder.text)
            for start, message in wrong[:1]:
                self._builder.issue("TL501", "error", f"not valid YAML: {message}", start)
        self._doubled(root)
        channels = root.get("channels")
        self._document.channels = tuple(item.text for item in channels.items if item.text) if channels else ()
        dependencies = root.get("dependencies")
        self._second_document(dependencies)
        if dependencies is None or not dependencies.items:
            if not wrong and not template:
                message = "lists no dependencies, so there is nothing to judge"
                self._builder.issue("TL901", "note", message, dependencies.start if dependencies else None)
            return
        pip = [node for item in dependencies.items for node in self._item(item, quiet=bool(wrong or template))]
        self._pip(pip)
        self._platforms(root.get("platforms"))

    def _second_document(self, dependencies: Node | None) -> None:
        another = self._builder.text.find("\n---", dependencies.start) if dependencies else -1
        if another >= 0:
            message = "a second YAML document begins here, so conda refuses the file"
            self._builder.issue("TL501", "error", message, another + 1)

    def _doubled(self, root: Node) -> None:
        """Report a repeated key: conda refuses it, other tools use the last one."""
        seen = set()
        for key, _ in root.pairs:
            if key.text in seen and key.text in ("dependencies", "channels"):
                message = f"{key.text} is given twice: conda refuses the file, other tools use the last one"
                error = self._builder.error(message, key.start) if key.text == "dependencies" else None
                self._builder.issue("TL501", "warning", message, key.start, error=error)
            seen.add(key.text)

    def _item(self, item: Node, *, quiet: bool) -> Iterator[Node]:
        """Add one dependency; returns the items of a pip list."""
        for key, value in item.pairs:
            if key.text == "pip":
                yield from value.items or [value]
            else:
                self._builder.note(f"the list of {key.text} is left out", key.start)
        text = self._text(item)
        if not text:
            if item.items:
                self._no_text(item)
            return
        spec = parse_spec(text)
        if spec is not None:
            self._spec(item, text, spec)
        elif _ARCHIVE.fullmatch(text):
            self._builder.note(f"{text} is skipped: only conda can install it", item.start)
        elif not quiet:
            self._no_spec(item, text)

    def _text(self, node: Node) -> str:
        """The text of a scalar; "" for a list or a mapping."""
        if node.block is None:
            return node.text or ""
        lines = [line.strip() for line in self._builder.text[node.block.start : node.block.end].splitlines()]
        return (" " if node.block.folded else "\n").join(lines).strip()

    def _no_text(self, node: Node) -> None:
        self._builder.issue("TL501", "error", "a list or a mapping instead of a package", node.start)

    def _spec(self, item: Node, text: str, spec: MatchSpec) -> None:
        if spec.name in _ONLY_ON:
            self._only_on[_ONLY_ON[spec.name]] = None
        if spec.name == "python":
            self._builder.python(spec.specifier or "", item.start)
        versions = text[spec.start : spec.end]
        if spec.specifier is None:
            self._unreadable_versions(versions, spec.index_name, item.start)
        self._document.entries.append(
            Entry(
                spec.index_name,
                spec.specifier or "",
                self._builder.place(item.start),
                text,
                self._builder.path,
                version=Span(item.start + spec.start, item.start + spec.end) if item.exact else None,
                style="conda",
                channel="conda",
                index=spec.channel or None,
                build=label_of(spec.build),
            )
        )

    def _unreadable_versions(self, versions: str, name: str, at: int) -> None:
        """Report versions that PEP 440 cannot express. They stop a lock that takes the package from the index."""
        from torchlock.manifests.conda_packages import on_the_index

        message = "PEP 440 cannot express these versions"
        if _matters(name):
            self._builder.issue("TL902", "note", f"{versions!r} is not judged: {message}", at)
        elif on_the_index(name):
            self._builder.refuse(f"{versions!r}: {message}", at)

    def _no_spec(self, item: Node, text: str) -> None:
        meant = _meant(text)
        edits = (Edit(Span(item.start, item.start + len(text)), meant),) if meant and item.exact else ()
        message = f"{shortened(text, _LONG)!r} is not a package specification that conda can read"
        because = ""
        if re.match(r"-[a-z]\b|--\w|git\+|\.{1,2}/|[\w.-]+\s*@", text):
            because = "this is a requirement for pip: it belongs in the list under pip:"
        remedy = f"write {meant}" if meant else ""
        self._builder.issue("TL501", "error", message, item.start, because=because, remedy=remedy, edits=edits)

    def _pip(self, nodes: list[Node]) -> None:
        """Read the pip list as a requirements file, with the rest of the text blanked out."""
        text, at = self._builder.text, 0
        parts: list[str] = []
        for node in nodes:
            value = node.text
            if value and node.exact and node.start >= at:
                between = re.sub(r"[^\r\n]", " ", text[at : node.start])
                parts += [between if not parts or "\n" in between else f"\n{between[1:]}", value]
                at = node.start + len(value)
            elif spelled := self._text(node):
                self._spelled_otherwise(spelled, node.start)
            elif node.items or node.pairs:
                self._no_text(node)
        if parts:
            listed = DocumentBuilder("".join(parts), self._builder.path, "requirements")
            found = self._listed(listed.text, nodes[0].start)
            self._take(found, lambda place: self._place_in(listed, place))

    def _spelled_otherwise(self, text: str, at: int) -> None:
        """An item of the pip list with escapes or on several lines; no edit of it is possible."""
        found = self._listed(text, at)
        found.entries = [replace(each, version=None) for each in found.entries]
        found.issues = [replace(each, remedy="", edits=()) for each in found.issues]
        self._take(found, lambda _: self._builder.place(at))

    def _listed(self, text: str, at: int) -> Document:
        from torchlock.manifests.formats import requirements_txt

        try:
            return requirements_txt.read(text, self._builder.path, self._variables)
        except InputError as error:
            self._builder.issue("TL901", "note", f"the pip list is not judged: {error.message}", at)
            return Document(self._builder.path, "requirements")

    def _take(self, found: Document, there: Callable[[Place], Place]) -> None:
        """Add what a pip list says; ``there`` gives a place in the list its place in the file."""
        document, path = self._document, self._builder.path
        document.entries += [
            replace(each, place=there(each.place)) if each.path == path else each for each in found.entries
        ]
        document.indexes += [
            each._replace(place=there(each.place)) if each.path == path else each for each in found.indexes
        ]
        document.issues += [replace(each, place=there(each.place)) for each in found.issues]
        document.notes += found.notes
        document.includes += found.includes
        document.pre = document.pre or found.pre

    def _place_in(self, listed: DocumentBuilder, place: Place) -> Place:
        """The place in the file of a place in the pip list: a flow list may have two of its lines on one line."""
        found = self._builder.place(listed.offset(place.line) + max(place.column, 1) - 1) if place.line else place
        return found if place.column else Place(found.line)

    def _platforms(self, listed: Node | None) -> None:
        """The listed platforms (which conda-lock reads), else those of packages for one system only."""
        names = {SUBDIRS.get(node.text or "") for node in listed.items} if listed else set()
        for node in listed.items if listed else ():
            if node.text and node.text not in SUBDIRS and node.text != "noarch":
                message = f"unknown platform {node.text}: not judged for this platform"
                self._builder.issue("TL902", "note", message, node.start)
        if names - {None}:
            self._document.platforms = tuple(name for name in PLATFORMS if name in names)
            return
        if len({name.split("-")[0] for name in self._only_on}) == 1:
            exact = [name for name in self._only_on if name in PLATFORMS]
            if "linux" in self._only_on and not exact:
                exact = ["linux-x86_64"]
            self._document.platforms = tuple(exact) if len(exact) == 1 else ()


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\r\n]", " ", match[0])


def _matters(name: str) -> bool:
    return name.startswith(("torch", "python", "numpy", "soundfile", "cudatoolkit", "pytorch-cuda"))


def _meant(text: str) -> str | None:
    """The correction of an invalid specification, if its meaning is clear."""
    if len(text) > _LONG:
        return None
    if match := _SWAPPED.fullmatch(text):
        return f"{match[1]}{match[2]}={match[3]}"
    if match := _TRIPLE.fullmatch(text):
        return f"{match[1]}=={match[2]}"
    if match := _SPACED.fullmatch(text):
        return f"{match[1]},{match[2]}"
    return None
