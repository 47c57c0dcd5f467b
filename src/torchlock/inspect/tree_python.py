"""Find the Python of a tree that cannot be asked (of another machine, an unpacked image) from its files."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.inspect.frozen import frozen_at
from torchlock.inspect.interpreter import Interpreter
from torchlock.inspect.machine import suffix_of
from torchlock.inspect.tree_platform import (
    FIRST,
    OF_WINDOWS,
    extensions,
    is_made_here,
    platform_by_layout,
    platform_of,
)
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.inspect.loading.root import Root
    from torchlock.runtime.files import Tree

_SMALL = 64 << 10
# How many wheels, libraries and folders are read before the Python is unknown.
_ASKED = 300
_SITES = ("site-packages", "dist-packages")
_PACKAGES = FIRST
_OF_USER = pattern(r"/\.local/lib/python(3\.\d{1,2}t?)/site-packages$")
_PYTHON = pattern(r"(?:python|pypy)\d(?:\.\d+)?t?")


def find_sites(path: str, tree: Tree) -> list[str]:
    """The site-packages folders that a path means: itself, or those of the environment or image it holds.

    Where there are several Pythons, the one that has torch is meant, else the first. ``bin``, ``lib`` and
    ``lib/python3.11`` of an environment mean that environment.
    """
    path = os.path.abspath(path)
    if is_site(path, tree):
        return _of_debian(path, tree) or [path, *_beside(path)]
    path = _around(path, tree) or path
    found = [sites for prefix in _prefixes(path, tree) if (sites := list(_sites_of(prefix, tree)))]
    for sites in found:
        with_torch = next((site for site in sites if "torch" in tree.names(site)), None)
        if with_torch is not None:
            return _same_version(with_torch, sites)
    return _same_version(found[0][0], found[0]) if found else [path]


def _beside(site: str) -> Iterator[str]:
    """The other site folder of a Python that keeps compiled packages in ``lib64`` and all others in ``lib``."""
    inner, name = os.path.split(site)
    library, python = os.path.split(inner)
    prefix, side = os.path.split(library)
    other = {"lib": "lib64", "lib64": "lib"}.get(side)
    folder = os.path.join(prefix, other, python, name) if other else ""
    if folder and _PYTHON.fullmatch(python) and files.is_folder(folder) and not os.path.samefile(folder, site):
        yield folder


def _of_debian(site: str, tree: Tree) -> list[str]:
    """Both folders of Debian's Python: that of pip in ``local``, then that of apt; [] for any other folder.

    The folder of apt is for all versions of Python 3, so that of pip shows the version, if there is one only.
    """
    library = os.path.join("lib", "python3", "dist-packages")
    prefix = site.removesuffix(os.sep + library)
    if prefix == site:
        local = re.fullmatch(r"(.+)[/\\]local[/\\]lib[/\\]python3\.\d+[/\\]dist-packages", site)
        other = os.path.join(local[1], library) if local else ""
        return [site, other] if other and files.is_folder(other) else []
    places = os.path.join(prefix, "local", "lib")
    named = [os.path.join(places, each, "dist-packages") for each in tree.names(places) if _PYTHON.fullmatch(each)]
    there = [each for each in named if files.is_folder(each)]
    return [there[0], site] if len(there) == 1 else []


def _same_version(chosen: str, sites: list[str]) -> list[str]:
    """Those that the Python of the chosen one searches, each folder once: ``lib64`` is often a link."""
    name = os.path.basename(chosen)
    known = (_version_of_folder(site) for site in (chosen, *sites) if os.path.basename(site) == name)
    version = next(filter(None, known), "")
    alike = [
        site for site in sites if _version_of_folder(site) in (version, "") and os.path.basename(site) == name
    ]
    return list({os.path.realpath(site): site for site in reversed(alike)}.values())[::-1]


def is_site(path: str, tree: Tree) -> bool:
    """Whether packages are installed into this folder, by its name or its content."""
    names = tree.names(path)
    is_named = os.path.basename(path) in _SITES or any(
        name.endswith((".dist-info", ".egg-info")) or name in _PACKAGES for name in names
    )
    return is_named or frozen_at(path, tree) is not None


def _around(path: str, tree: Tree) -> str:
    """The environment that a folder of programs or libraries belongs to; "" if there is none."""
    above, name = os.path.split(path)
    if _PYTHON.fullmatch(name):
        above, name = os.path.split(above)
    is_part = name in ("bin", "Scripts", "lib", "lib64", "Lib")
    return above if is_part and any(_sites_of(above, tree)) else ""


def _prefixes(path: str, tree: Tree) -> Iterator[str]:
    """The folder itself, then where projects and images keep their environments."""
    names = tree.names(path)
    if "usr" not in names:  # else its lib is a link into usr
        yield path
    for name in (".venv", "venv", "python_embeded", "python_embedded"):
        if names.get(name) == "folder":
            yield os.path.join(path, name)
    for name in ("opt/venv", "opt/conda", "usr"):
        yield os.path.join(path, *name.split("/"))
    for first in _folders(path, tree) if "usr" in names else ():
        for second in ("", *_folders(first, tree)):
            for name in (".venv", "venv", "env"):
                if second == "" or tree.names(second).get(name) == "folder":
                    yield os.path.join(second or first, name)
    for first in _folders(path, tree) if "usr" in names else ():
        for prefix in (first, *_folders(first, tree)):
            if os.path.basename(prefix) != ".local":  # a user's packages are part of another Python
                yield prefix
                for collection in ("envs", "versions"):  # of conda and of pyenv
                    yield from _folders(os.path.join(prefix, collection), tree)


def _folders(path: str, tree: Tree) -> list[str]:
    """The subfolders in which an environment is likely."""
    passed = {"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr", "var"}
    names = [name for name, kind in tree.names(path).items() if kind == "folder" and name not in passed]
    return [os.path.join(path, name) for name in sorted(names)[:50]]


def _sites_of(prefix: str, tree: Tree) -> Iterator[str]:
    for folder in ("local/lib", "local/lib64", "lib", "lib64", "Lib"):
        place = os.path.join(prefix, *folder.split("/"))
        names = tree.names(place)
        for name in sorted(names, key=_by_number, reverse=True):
            if name in _SITES:
                yield os.path.join(place, name)
            elif _PYTHON.fullmatch(name):
                inside = tree.names(os.path.join(place, name))
                yield from (os.path.join(place, name, site) for site in _SITES if inside.get(site) == "folder")


def _by_number(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", name)]


def derive(site: str, tree: Tree, root: Root | None = None) -> Interpreter:
    """An interpreter, as the tree around ``site`` describes it; nothing is run.

    ``root`` is the machine that the tree is of, whose links lead to places of its own.
    """
    prefix = prefix_of(site)
    settings = settings_of(prefix, tree) if prefix else {}
    version, because = _version(site, prefix, settings, tree)
    tags = list(_tags(site, tree))
    if not version:
        version, because = _version_by_files(site, tags, tree)
    platform, because_platform = platform_of(site, prefix, settings, tags, tree, root)
    is_shown = bool(platform)
    if not is_shown:
        platform, because_platform = platform_by_layout(site)
    implementation, threads = _implementation(site, tags, settings)
    return Interpreter(
        version=version,
        implementation=implementation,
        abiflags="t" if threads else "",
        platform=platform,
        bits=32 if platform.endswith(("-i686", "-armv7l", "win32")) else 64,
        libc="musl" if any("musllinux" in tag for tag in tags) else "",
        prefix=prefix,
        base_prefix=settings.get("home", ""),
        own_sites=(site,) if "home" in settings else (),
        base_sites=() if "home" in settings else (site,),
        virtual="home" in settings,
        system_site=settings.get("include-system-site-packages", "true").lower() == "true",
        evidence=tuple(filter(None, (because, because_platform))),
        assumed=platform == "win-amd64" and not is_shown,
    )


def base_sites_of(interpreter: Interpreter, tree: Tree, root: Root | None = None) -> list[str]:
    """The site folders of the Python that a virtual environment was made of, which it includes.

    They are unknown for another machine, or for an environment that was made in another place.
    """
    prefix = base_of(interpreter, tree, root)
    if not prefix:
        return []
    version = ".".join(interpreter.version.split(".")[:2])
    return [site for site in _sites_of(prefix, tree) if _version_of_folder(site) in (version, "")]


def base_of(interpreter: Interpreter, tree: Tree, root: Root | None = None) -> str:
    """The folder here of the Python that a virtual environment was made of; "" if it is unknown."""
    home = interpreter.base_prefix
    is_known = root is not None or is_made_here(interpreter.prefix, settings_of(interpreter.prefix, tree))
    if not home or not is_known:
        return ""
    place = root.real(home) if root is not None else home
    return os.path.dirname(place) if os.path.basename(place) in ("bin", "Scripts") else place


def sites_beside_user(site: str, tree: Tree, root: Root | None) -> list[str]:
    """The site folders of the Python of a machine, if ``site`` is the folder of a user's packages for it.

    They are unknown without the machine, or if it has none, or two, of that version in the usual folders.
    """
    match = _OF_USER.search(site.replace(os.sep, "/"))
    if root is None or match is None:
        return []
    here = [each for each in ("/usr/local", "/usr") if root.file(f"{each}/bin/python{match[1]}") is not None]
    if len(here) != 1:
        return []
    prefix = root.real(here[0])
    return [each for each in _sites_of(prefix, tree) if _version_of_folder(each) in (match[1], "")]


def prefix_of(site: str) -> str:
    """The installation that a folder of packages belongs to; empty for a bare folder."""
    parts = os.path.abspath(site).split(os.sep)
    if parts[-1] not in _SITES:
        return ""
    if parts[-2:-1] == ["Lib"]:
        return os.sep.join(parts[:-2])
    if _PYTHON.fullmatch(parts[-2]) and parts[-3:-2] in (["lib"], ["lib64"]):
        kept = parts[:-3]
        return (
            os.sep.join(kept[:-1] if kept[-1:] == ["local"] and parts[-1] == "dist-packages" else kept) or os.sep
        )
    return ""


def settings_of(prefix: str, tree: Tree) -> dict[str, str]:
    """``pyvenv.cfg`` of a virtual environment, keys in lower case; empty where there is none."""
    if "pyvenv.cfg" not in tree.names(prefix):
        return {}
    content = files.text(os.path.join(prefix, "pyvenv.cfg"), _SMALL) or ""
    pairs = (line.partition("=") for line in content.splitlines())
    return {"home": "", **{key.strip().lower(): value.strip() for key, separator, value in pairs if separator}}


def _version(site: str, prefix: str, settings: dict[str, str], tree: Tree) -> tuple[str, str]:
    """The version, with its patch level if a file states it, and that file."""
    for key in ("version", "version_info"):
        match = re.match(r"(\d\.\d+)(?:\.\d+)?", settings.get(key, ""))
        if match:
            return match[0], f"{prefix}{os.sep}pyvenv.cfg says {match[0]}"
    for name in tree.names(os.path.join(prefix, "conda-meta")) if prefix else ():
        match = re.match(r"python-(\d\.\d+\.\d+)\D.*\.json$", name)
        if match:
            return match[1], f"conda-meta{os.sep}{name}"
    by_folder = _version_of_folder(site) or _version_of_user(site)
    if by_folder:
        return by_folder, f"the folder is {site}"
    for name in tree.names(prefix) if prefix else ():
        match = re.fullmatch(r"python(\d)(\d\d?)t?\.(?:dll|zip|_pth|\d+\._pth)|python(\d\d?)\._pth", name.lower())
        if match and match[1]:
            return f"{match[1]}.{match[2]}", f"{prefix} holds {name}"
    return "", ""


def _version_of_folder(site: str) -> str:
    match = re.search(r"[/\\](?:python|pypy)(\d\.\d+)t?[/\\][^/\\]+$", site)
    return match[1] if match else ""


def _version_of_user(site: str) -> str:
    """The version in the name of the folder that Windows has for the packages of one user."""
    match = OF_WINDOWS.fullmatch(os.path.basename(os.path.dirname(site)))
    return f"{match['major']}.{match['minor']}" if match else ""


def _version_by_files(site: str, tags: list[str], tree: Tree) -> tuple[str, str]:
    """By the wheels' tags, of which those of the stable ABI name an older Python, else by extension modules."""
    exact = {
        (int(match[1]), int(match[2]))
        for tag in tags
        if (match := re.match(r"(?:cp|pp)(\d)(\d{1,3})-(?!abi3|none)", tag))
    }
    if exact:
        major, minor = max(exact)
        return f"{major}.{minor}", f"wheels here are for cp{major}{minor}"
    for name, path in extensions(site, tree):
        suffix = suffix_of(name)
        if suffix and suffix.python:
            return suffix.python, path
    return "", ""


def _tags(site: str, tree: Tree) -> Iterator[str]:
    """``cp311-cp311-manylinux_2_28_x86_64``, one at a time, of the wheels that were installed here."""
    folders = [name for name in tree.names(site) if name.endswith(".dist-info")]
    # Those of the stack first: they are what everything depends on, and never tagged "any".
    folders.sort(key=lambda name: (not name.startswith(_PACKAGES), name))
    for name in folders[:_ASKED]:
        headers = read_headers(files.text(os.path.join(site, name, "WHEEL"), _SMALL) or "")
        yield from map(str.strip, headers.fields.get("tag", ()))


def _implementation(site: str, tags: list[str], settings: dict[str, str]) -> tuple[str, bool]:
    """Which Python, and whether a free-threaded one."""
    pypy = "/pypy" in site or any(tag.startswith("pp") for tag in tags)
    implementation = settings.get("implementation", "pypy" if pypy else "cpython").lower()
    threads = re.search(r"[/\\]python\d\.\d+t[/\\]", site) is not None
    return implementation, threads or any(re.match(r"cp\d+-cp\d+t-", tag) for tag in tags)
