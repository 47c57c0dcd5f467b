"""Detects the format of a file by its name, else by its content; knows formats that torchlock does not read."""

from __future__ import annotations

import os
import re

from torchlock.errors import InputError
from torchlock.manifests.formats import FORMATS, LISTS, YAML
from torchlock.manifests.paths import folder_of, name_of, suffix_of
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.formats import Content

_NAMES = {name: row.kind for row in FORMATS for name in row.names}
_ENDINGS = {ending: row.kind for row in FORMATS for ending in row.endings}
_DOCKER = pattern(r"(dockerfile|containerfile)([._-].*)?$")
_NOT_DOCKER = (*LISTS, ".py", ".sh", ".yml", ".yaml", ".json", ".toml", ".md", ".rst", ".dockerignore")
_PYLOCK = pattern(r"pylock(\.[^.]+)?\.toml$")
_CONDA = pattern(r"environment|conda|(?:^|[_-])env\b")
# Files in which code hosts look for CI workflows.
_WORKFLOW = pattern(
    r"(^|/)(\.(github|gitea|forgejo)/workflows/[^/]+|\.circleci/config|\.buildkite/[^/]+"
    r"|\.gitlab-ci|[^/]+\.gitlab-ci|\.travis|\.?appveyor|azure-pipelines[^/]*|bitbucket-pipelines|action|taskfile"
    r"|\.woodpecker|\.drone|\.cirrus|(docker-)?compose([._-][^/]*)?)\.ya?ml$"
)
# Names of requirements files, with any ending.
_LIST_WORDS = ("requirement", "constraint", "reqs")
_LIST_NAME = pattern(r"(?:\A|[_.-])(?:requirements?|constraints?|reqs)(?:[_.-]|\Z)")
# Other common names of package lists, and names of the folders that contain them.
_OF_LISTS = (".pip", ".requirements", ".constraints", ".in")
_NEAR_LIST = pattern(
    r"req|deps|depend|constrain|packages|pip|python|install|modules"
    r"|(?:^|/)(?:base|common|dev|docs?|test|tests|prod|production|extras?|optional|gpu|cpu|cuda|torch)[.\w-]*$"
)
_COMMAND = pattern(
    r"(?:\$ |! ?)?(?:sudo|pip[\d.]*|python[\d.]*|conda|mamba|uv|apt|apt-get|yum|brew|cd|git|source|export|wget"
    r"|curl|mkdir|bash|sh|echo|set)\s"
)


class _Unread(NamedTuple):
    """A format without a reader. ``holds``: its files may name Python packages to install.

    A name in lower case says the format: as a whole, by its end, or by a beginning with more behind it.
    """

    what: str
    names: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()
    holds: bool = False

    def has(self, name: str) -> bool:
        """Whether this is the name of such a file."""
        if name in self.names or name.endswith(self.endings):
            return True
        return name.startswith(self.beginnings) and name not in self.beginnings


# Files that other programs look for by this name.
_OF_OTHERS = (
    _Unread("a Jenkins pipeline", beginnings=("jenkinsfile",), holds=True),
    _Unread("a Vagrant machine", ("vagrantfile",), holds=True),
    _Unread(
        "an Apptainer definition file", ("singularity", "singularity."), (".def",), ("singularity.",), holds=True
    ),
    _Unread("a buildout configuration", ("buildout.cfg",), holds=True),
    _Unread(
        "a Bazel file",
        ("build", "workspace", "module", "build.bazel", "workspace.bazel", "module.bazel"),
        (".bzl",),
        holds=True,
    ),
    _Unread("a Nix expression", endings=(".nix",), holds=True),
    _Unread("a configuration of Google Cloud Build", ("cloudbuild.yaml", "cloudbuild.yml"), holds=True),
    _Unread(
        "a configuration of Read the Docs",
        ("readthedocs.yaml", "readthedocs.yml", ".readthedocs.yaml", ".readthedocs.yml"),
        holds=True,
    ),
    _Unread(
        "installer settings",
        ("uv.toml", "poetry.toml", "pdm.toml", "pip.conf", "pip.ini", ".pypirc", ".condarc"),
    ),
    _Unread(
        "settings of Renovate",
        ("renovate.json", "renovate.json5", ".renovaterc", ".renovaterc.json", ".renovaterc.json5"),
    ),
    _Unread("a Python version file", ("runtime.txt", ".python-version", ".tool-versions")),
    _Unread("a list of files for a source distribution", ("manifest.in",)),
    _Unread("a CMake script", ("cmakelists.txt",), (".cmake",)),
    _Unread("a list of environment variables", (".env", ".env."), beginnings=(".env.",)),
)
# The front matter of a Space that installs requirements: not of one that has a Dockerfile, or only files.
SPACE = pattern(r"\A\ufeff?---[ \t]*\r?\n(?:(?!---)[^\n]*\n)*?sdk:[ \t]*[\"']?(?:gradio|streamlit)\b")
# Texts with code blocks, which are read on request.
_DOCS = (".md", ".markdown", ".rst", ".rest")
_NOLISTS = (
    _Unread("an archive", endings=(".whl", ".gz", ".zip", ".egg", ".tar", ".bz2", ".xz", ".7z", ".conda", ".zst")),
    _Unread("compiled code", endings=(".pyc", ".pyo", ".so", ".dll", ".pyd", ".dylib", ".exe")),
    _Unread("a text document", endings=(".md", ".markdown", ".rst", ".rest", ".adoc")),
    _Unread("a web page", endings=(".htm", ".html")),
    _Unread(
        "data",
        endings=(
            *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".wav", ".mp3", ".flac", ".ogg"),
            *(".pt", ".pth", ".ckpt", ".onnx", ".safetensors", ".np", ".npz", ".csv", ".tsv", ".log"),
        ),
    ),
)
_UNREAD = (*_OF_OTHERS, *_NOLISTS)
# Folders of the metadata of one package. Their requires.txt is not a requirements file.
_METADATA = (".egg-info", ".dist-info")
# A list of system packages, by its name, unless it has versions as pip writes them.
_DEBIAN = pattern(r"(?:apt|packages|apt[_-].*|system[_-]packages)\.txt|aptfile")
_VERSIONED = pattern(r"^[ \t]*[\w.-]+(?:\[[^\]\n]*\])?[ \t]*(?:[=<>~!]=|[<>])[ \t]*\d", re.MULTILINE)

# Files whose content shows that they are not package lists. The pattern, which ignores case, matches only texts
# that have one of the words.
_INSTEAD = (
    (("<",), r"\A\s*<(?:!doctype|html|\?xml)", "a web page"),
    (("{", "["), r"\A\s*(?:\{\s*[\"}]|\[\s*[\"{\]])", "JSON"),
    (
        ("package",),
        r"^Package\s+Version\b.*\r?\n-+[ ]+-+",
        "the output of pip list (pip freeze writes requirements)",
    ),
    (
        ("# packages in environment",),
        r"^# packages in environment at ",
        "the output of conda list (conda list --export writes a format that is read)",
    ),
    (
        ("collecting", "satisfied:", "installed", "downloading"),
        r"^[ \t]*(?:Collecting|Requirement already satisfied:|Successfully installed|Downloading) ",
        "the output of pip",
    ),
    (("metadata-version",), r"^Metadata-Version: ", "the metadata of a package"),
    (("copyright", "licen"), r"\bcopyright\b|\blicen[cs]e\b", "a license"),
    ((":",), r"^[\w\"'-]+:(?:[ \t].*)?\r?\n(?:[ \t]*[\w\"'-]+:|[ \t]*- )", "YAML"),
)
_SNIFFED = 500  # lines


class Detected(NamedTuple):
    """The format of a file. ``guessed``: neither its name nor a statement in the file says it."""

    kind: str
    guessed: bool = False


def format_of(path: str, text: str) -> Detected:
    """The format of a file, ``-`` for standard input.

    Raises:
        InputError: there is no reader for this kind of file.
    """
    if may_be_space(path) and SPACE.search(text):
        return Detected("space")
    refuse_unread(path)
    kind = kind_by_name(path)
    return Detected(kind) if kind else _by_content(path, text)


def may_be_space(path: str) -> bool:
    """Whether the front matter of this file may describe a Space of Hugging Face."""
    return name_of(path).lower() == "readme.md"


def refuse_unread(path: str) -> None:
    """Refuse a file whose name belongs to a format without a reader.

    Raises:
        InputError: there is no reader for this kind of file.
    """
    what = unread_by_name(path)
    if what:
        hint = "--docs reads the install commands in its code blocks" if is_text_document(path) else None
        raise InputError(f"no reader for this kind of file: its name says that it is {what}", path=path, hint=hint)


def is_text_document(path: str) -> bool:
    """Whether this is Markdown or reStructuredText, by its name."""
    return path.lower().endswith(_DOCS)


def kind_by_name(path: str) -> str | None:
    """The format that the name of a file says; None if the name does not say it."""
    name = name_of(path).lower()
    suffix = suffix_of(name)
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("pylock.") and _PYLOCK.match(name):
        return "pylock"
    if name.startswith(("dockerfile", "containerfile")) and _DOCKER.match(name) and suffix not in _NOT_DOCKER:
        return "dockerfile"
    if suffix in YAML and _WORKFLOW.search(path.replace(os.sep, "/").lower()):
        return "workflow"
    if suffix in (*YAML, ".lock") and _CONDA.search(name):
        return "conda"
    return _ENDINGS.get(suffix)


def unread_by_name(path: str) -> str:
    """The description of a format without a reader, by the name of a file; "" for other names."""
    if folder_of(path).lower().endswith(_METADATA):
        return "metadata that the build of a package writes"
    return _what(path, _UNREAD)


def _what(path: str, kinds: Iterable[_Unread]) -> str:
    name = name_of(path).lower()
    return next((unread.what for unread in kinds if unread.has(name)), "")


def belongs_to(path: str) -> str:
    """The description of a file by its name, if another program looks for this name; else "".

    Requirements files have no fixed name, so any other name may be a requirements file.
    """
    kind = kind_by_name(path)
    if kind is None and suffix_of(name_of(path)).lower() in (".py", ".pyw"):
        kind = "python"
    if kind is None:
        return _what(path, _OF_OTHERS)
    return "" if kind == "requirements" else f"a file of the format {kind}"


def is_list_name(path: str) -> bool:
    """Whether a name says that its file is a list for pip, as ``dev-requirements.txt`` does."""
    name = name_of(path).lower()
    return suffix_of(name) in LISTS and _has_list_name(name)


def _has_list_name(name: str) -> bool:
    return any(word in name for word in _LIST_WORDS) and _LIST_NAME.search(name) is not None


def may_hold_requirements(path: str) -> bool:
    """Whether a file without a reader may name Python packages to install."""
    name = name_of(path).lower()
    return any(unread.holds and unread.has(name) for unread in _UNREAD)


def _by_content(path: str, text: str) -> Detected:
    name = name_of(path).lower()
    suffix = suffix_of(name)
    anything = path == "-" or path.startswith(("/dev/", "/proc/"))
    named = _has_list_name(name) and suffix not in (*YAML, ".json", ".toml", ".py")
    for row in FORMATS:
        if anything or named or suffix in row.suffixes:
            for content in row.contents:
                if fits(content, text):
                    return Detected(row.kind, guessed=not content.says)
    if suffix in LISTS and not name.startswith("requirement") and _is_script(text):
        return Detected("shell", guessed=True)
    if suffix in (".py", ".pyw"):
        return Detected("python")
    if not anything and not named and suffix not in LISTS:
        hint = (
            None
            if suffix
            else "a list of requirements needs a name like requirements.txt, or the suffix .txt or .in"
        )
        raise InputError("no reader for this kind of file", path=path, hint=hint)
    if not anything:
        _refuse_no_list(path, name, text, named=named)
    guessed = (
        not (anything or named or suffix in _OF_LISTS) and _is_of_words(text) and not _is_near_list(path, name)
    )
    return Detected("constraints" if "constraint" in name else "requirements", guessed)


def fits(content: Content, text: str) -> bool:
    """Whether a text matches the contents of a format."""
    return any(word in text for word in content.words) and all(
        re.search(each, text, re.MULTILINE) for each in (content.pattern, content.too) if each
    )


def _is_of_words(text: str) -> bool:
    """Whether a text has only bare words, as vocabularies and lists of labels do: no version, no option."""
    lines = [line.strip() for line in text.splitlines()]
    words = [line for line in lines if line and not line.startswith("#")]
    return bool(words) and all(re.fullmatch(r"[\w.'-]+", word) for word in words)


def _is_near_list(path: str, name: str) -> bool:
    """Whether a name, or that of its folder, is common for lists of packages."""
    return _NEAR_LIST.search(f"{folder_of(path).lower()}/{name}") is not None


def _refuse_no_list(path: str, name: str, text: str, *, named: bool) -> None:
    """Refuse a file that is clearly not a list of requirements.

    Raises:
        InputError: it is not a list.
    """
    if ("apt" in name or "packages" in name) and _DEBIAN.fullmatch(name) and not _VERSIONED.search(text):
        raise InputError("no reader for this kind of file: a list of system packages", path=path)
    instead = _what_instead(text)
    if (instead or not named) and _is_no_list(text):
        what = "" if named and instead == "a license" else instead
        if what or not named:
            reason = f"it looks like {what}" if what else "most of its lines are not requirements"
            raise InputError(f"no reader for this kind of file: {reason}", path=path)


def _what_instead(text: str) -> str:
    """What the content shows a file to be instead of a package list; "" if it shows nothing."""
    lower = text.lower()
    for words, sign, what in _INSTEAD:
        if any(word in lower for word in words) and re.search(sign, text, re.MULTILINE | re.IGNORECASE):
            return what
    return ""


def _is_no_list(text: str) -> bool:
    """Whether most lines cannot be lines of a requirements file."""
    from torchlock.manifests.syntax.pep508 import parse
    from torchlock.standards.plain_requirement import match_plain

    fits = misfits = 0
    continued = False
    for line in text.splitlines()[:_SNIFFED]:
        bare = (re.sub(r"(^|\s)#.*", "", line) if "#" in line else line).strip()
        if bare and not continued:
            written = re.split(r"\s--?\w|\\$", bare)[0].strip()
            if match_plain(bare) or _LINE.match(bare) or (len(written) < _SNIFFED and parse(written)):
                fits += 1
            else:
                misfits += 1
        continued = bare.endswith("\\")
    return misfits > fits


# Lines that requirements files have: options, URLs, paths, templates, commands, sections, common mistakes.
_LINE = pattern(
    r"-{1,2}\w|\S+://|\.{0,2}/|\{[{%]|.*\$\{|[<=>|]{7}|(?:!|\$ )?pip|\[[\w.:-]*\]$|[\w.\[\]-]+\s*[=<>~!@^]"
)


def _is_script(head: str) -> bool:
    """Whether a possible list of requirements has only shell commands."""
    lines = [line.strip() for line in head.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return any(" install " in line for line in lines) and all(map(_COMMAND.match, lines))
