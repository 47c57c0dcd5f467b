"""What each format of requirements means, for audit and for lock alike.

Every row was played by the tool in its ``tool`` column: pip 26.3 (its parser of requirements files), setuptools 84.2
(``Distribution.parse_config_files`` and ``setup.py egg_info``), uv 0.13 (``uv export``), poetry 2.5
(``Factory.create_poetry``), pdm 2.29 (``Project.get_dependencies``), pipenv 2026.10 (``convert_deps_to_pip``),
hatchling with hatch-requirements-txt, pip's reader of dependency groups. No tool runs here.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.specifiers import SpecifierSet

from torchlock.errors import InputError
from torchlock.lock.package_sources import settled
from torchlock.manifests.reader import read_document
from torchlock.manifests.selection import read_constraints, read_inputs
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from torchlock.manifests.document import Document
    from torchlock.terms import Inputs

TARGET = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))
HASH = "sha256:" + 64 * "0"
BESIDE = {
    "base.in": "torch==2.3.1\n",
    "more.in": "torchaudio<2.9\n",
    "options.in": "-i https://example.org/inner\nsix\n",
    "hashes.in": f"torch==2.3.1 --hash={HASH}\n",
    "sub/x.in": "-r y.in\nnumpy\n",
    "sub/y.in": "six\n",
    "member/pyproject.toml": "[project]\nname = 'demo'\nversion = '9'\n",
}


class Row(NamedTuple):
    """One file. ``asked`` has for each scope what is installed on Linux with Python 3.12, beside what always is.

    A package is spelled ``name[extras]versions``, ``name @ address`` (``? @ address`` without a name), and ends with
    ``(constraint)``, ``(editable)``, ``(1 hash)`` or ``<- index`` where that holds. ``indexes`` are those of the whole
    file, ``python`` what it says of Python.
    """

    about: str
    tool: str
    file: str
    text: str
    asked: dict[str, list[str]]
    indexes: tuple[str, ...] = ()
    python: str = ""


def req(about: str, text: str, *asked: str, tool: str = "pip", indexes: tuple[str, ...] = ()) -> Row:
    return Row(about, tool, "requirements.txt", text, {"": list(asked)}, indexes)


def cfg(about: str, text: str, python: str = "", **asked: list[str]) -> Row:
    scopes = {"": asked.pop("base", [])} | {f"extra:{name}": found for name, found in asked.items()}
    return Row(about, "setuptools", "setup.cfg", text, scopes, (), python)


def script(about: str, text: str, **asked: list[str]) -> Row:
    scopes = {"": asked.pop("base", [])} | {f"extra:{name}": found for name, found in asked.items()}
    return Row(about, "setuptools", "setup.py", f"from setuptools import setup\n{text}\n", scopes)


PROJECT = "[project]\nname = 'own'\nversion = '1'\n"


def project(
    about: str, text: str, asked: dict[str, list[str]], *indexes: str, tool: str = "setuptools", python: str = ""
) -> Row:
    return Row(about, tool, "pyproject.toml", PROJECT + text, asked, indexes, python)


def uv(about: str, text: str, asked: dict[str, list[str]], *indexes: str) -> Row:
    return project(about, text, asked, *indexes, tool="uv")


POETRY = "[tool.poetry]\nname = 'own'\nversion = '1'\n[tool.poetry.dependencies]\npython = '^3.9'\n"


def poetry(about: str, text: str, asked: dict[str, list[str]], *indexes: str, python: str = ">=3.9,<4") -> Row:
    return Row(about, "poetry", "pyproject.toml", POETRY + text, asked, indexes, python)


def pdm(about: str, text: str, asked: dict[str, list[str]], *indexes: str) -> Row:
    return project(about, text, asked, *indexes, tool="pdm")


def pipfile(about: str, text: str, asked: dict[str, list[str]], *indexes: str, python: str = "") -> Row:
    return Row(about, "pipenv", "Pipfile", text, asked, indexes, python)


PAGE = "[[tool.uv.index]]\nname = 'page'\nurl = 'https://example.org/page'\n"
ONLY = PAGE + "explicit = true\n"
SOURCE = "[[tool.poetry.source]]\nname = 'page'\nurl = 'https://example.org/page'\n"
DEMO = "dependencies = ['demo']\n"

REQUIREMENTS = [
    req("a continued line with hashes", f"torch==2.3.1 \\\n    --hash={HASH}\n", "torch==2.3.1 (1 hash)"),
    req("a comment ends a continuation", "torch==2.3.1 \\\n# why\ntorchaudio\n", "torch==2.3.1", "torchaudio"),
    req("a blank line ends a continuation", "torch==2.3.1 \\\n\ntorchaudio\n", "torch==2.3.1", "torchaudio"),
    req("a version continued", "torch==2.\\\n3.1\n", "torch==2.3.1"),
    req("a comment needs a space", "demo @ https://example.org/demo.zip#x # y\n", "demo @ https://example.org/demo.zip#x"),
    req("a byte order mark", "\ufefftorch==2.3.1\n", "torch==2.3.1"),
    req("line ends of Windows and of old Macs", "torch\r\nsix\rnumpy\n", "torch", "six", "numpy"),
    req("a form feed parts lines", "torch==2.3.1\fsix\n", "torch==2.3.1", "six"),
    req("versions in parentheses", "torch (>=2.0,<3)\n", "torch<3,>=2.0"),
    req("extras with spaces", "torch [opt-einsum , X_Y] ==2.3.1\n", "torch[opt-einsum,x-y]==2.3.1"),
    req("an extra twice", "torch[a,A]\n", "torch[a]"),
    req("an empty marker", "torch;\nsix\nnumpy\n", "torch", "six", "numpy"),
    req("markers", "torch; sys_platform == 'linux'\nsix; python_version < '3.9'\n", "torch"),
    req("a marker behind an address", "demo @ https://example.org/demo.zip ; sys_platform == 'linux'\n",
        "demo @ https://example.org/demo.zip"),
    req("a nested file", "-r base.in\nsix\n", "torch==2.3.1", "six"),
    req("a nested file without a space", "-rbase.in\n", "torch==2.3.1"),
    req("an abbreviated option", "--requirem base.in\n", "torch==2.3.1"),
    req("a file nested twice", "-r base.in\n-r base.in\n", "torch==2.3.1"),
    req("a nested file in a folder", "-r sub/x.in\n", "six", "numpy"),
    req("two on one line: the first counts", "-r base.in -r more.in\n", "torch==2.3.1"),
    req("constraints", "-c more.in\ntorch\n", "torch", "torchaudio<2.9 (constraint)"),
    req("options of a nested file hold for all", "-r options.in\ntorch\n", "six", "torch",
        indexes=("index https://example.org/inner",)),
    req("the last index counts, nested or not", "-i https://example.org/outer\n-r options.in\n", "six",
        indexes=("index https://example.org/inner",)),
    req("an index and one beside it", "-i https://example.org/a --extra-index-url https://example.org/b\ntorch\n",
        "torch", indexes=("index https://example.org/a", "extra https://example.org/b")),
    req("an option behind a requirement has no effect", "torch --index-url https://example.org/a\n", "torch"),
    req("nothing but links", "--no-index\n-f https://example.org/links\ntorch\n", "torch",
        indexes=("no-index ", "find-links https://example.org/links")),
    req("a wheel's address", "https://example.org/demo-1.0-py3-none-any.whl\n",
        "demo @ https://example.org/demo-1.0-py3-none-any.whl"),
    req("a wheel's name, not its fragment", "https://example.org/demo-1.0-py3-none-any.whl#egg=other\n",
        "demo @ https://example.org/demo-1.0-py3-none-any.whl#egg=other"),
    req("a repository", "git+https://example.org/demo.git@main#egg=demo&subdirectory=x\n",
        "demo @ git+https://example.org/demo.git@main#egg=demo&subdirectory=x"),
    req("an editable repository", "-e git+https://example.org/demo.git#egg=demo\n",
        "demo @ git+https://example.org/demo.git#egg=demo (editable)"),
]  # fmt: skip
NAMELESS = [
    req("an archive", "six\nhttps://example.org/demo-1.0.tar.gz\n", "six", "? @ https://example.org/demo-1.0.tar.gz"),
    req("a repository without a name", "six\ngit+https://example.org/demo.git\n", "six", "? @ git+https://example.org/demo.git"),
    req("a folder", "six\n./member\n", "six", "? @ member"),
    req("an editable folder", "six\n-e ./member\n", "six", "? @ member (editable)"),
]  # fmt: skip

CONFIG = [
    cfg("plain", "[options]\ninstall_requires =\n  torch==2.3.1\n  torchaudio\n", base=["torch==2.3.1", "torchaudio"]),
    cfg("dashes in keys", "[options]\ninstall-requires =\n  torch\n", base=["torch"]),
    cfg("both spellings: the later counts", "[options]\ninstall-requires =\n  torch\ninstall_requires =\n  six\n", base=["six"]),
    cfg("capitals in keys", "[options]\nInstall_Requires =\n  torch\n", base=["torch"]),
    cfg("a colon", "[options]\ninstall_requires:\n  torch\n", base=["torch"]),
    cfg("one line, parted by semicolons", "[options]\ninstall_requires = torch; six\n", base=["torch", "six"]),
    cfg("comments", "[options]\ninstall_requires =\n  # a\n  torch # b\n  ; c\n  six\n# d\n  numpy\n", base=["torch", "six", "numpy"]),
    cfg("an indented section", "  [options]\n  install_requires =\n    torch\n", base=["torch"]),
    cfg("keys of every section", "[DEFAULT]\ninstall_requires = torch\n[options]\npackages = find:\n", base=["torch"]),
    cfg("another section of this name", "[Options]\ninstall_requires = torch\n[options]\ninstall_requires = six\n", base=["six"]),
    cfg("files", "[options]\ninstall_requires = file: base.in, more.in\n", base=["torch==2.3.1", "torchaudio<2.9"]),
    cfg("extras", "[metadata]\nname = own\n[options.extras_require]\nAudio_X = torch\nall = Own[audio-x]\n",
        **{"audio-x": ["torch"], "all": ["torch"]}),
    cfg("Python over two lines", "[options]\npython_requires = >=3.9,\n  <3.14\ninstall_requires = torch\n", ">=3.9,<3.14", base=["torch"]),
    cfg("no line end of Unix", "[options]\r\ninstall_requires =\r\n  torch\r\n  six\r\n", base=["torch", "six"]),
]  # fmt: skip

PYPROJECT = [
    project("plain", "requires-python = '>=3.9'\ndependencies = ['torch>=2', 'six; python_version<\"3\"']\n", {"": ["torch>=2"]}, python=">=3.9"),
    project("extras that include extras", "[project.optional-dependencies]\na = ['torch', 'own[b]']\nB_c = []\nb = ['own[a]', 'six']\n",
            {"": [], "extra:a": ["torch", "six"], "extra:b": ["torch", "six"], "extra:b-c": []}),
    project("a group that includes a group twice", "[dependency-groups]\na = ['torch']\nb = [{include-group = 'A'}, {include-group = 'a'}]\n",
            {"": [], "group:a": ["torch"], "group:b": ["torch"]}, tool="pip"),
    project("an extra in a group", "[project.optional-dependencies]\na = ['torch']\n[dependency-groups]\nb = ['own[a]']\n",
            {"": [], "extra:a": ["torch"], "group:b": ["torch"]}, tool="uv"),
    project("dynamic, from files", "dynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['base.in', 'more.in']}\n",
            {"": ["torch==2.3.1", "torchaudio<2.9"]}),
    project("dynamic extras", "dynamic = ['optional-dependencies']\n[tool.setuptools.dynamic.optional-dependencies]\na = {file = 'base.in'}\n",
            {"": [], "extra:a": ["torch==2.3.1"]}),
    project("a hook of hatch", "dynamic = ['dependencies', 'optional-dependencies']\n[tool.hatch.metadata.hooks.requirements_txt]\n"
            "files = ['base.in']\n[tool.hatch.metadata.hooks.requirements_txt.optional-dependencies]\na = ['more.in']\n",
            {"": ["torch==2.3.1"], "extra:a": ["torchaudio<2.9"]}, tool="hatchling"),
    project("dotted keys and escapes", "dependencies = [\"\"\"tor\\u0063h\"\"\", 'six' ,]\n", {"": ["torch", "six"]}),
]  # fmt: skip

UV = [
    uv("an index", DEMO + PAGE, {"": ["demo"]}, "extra https://example.org/page"),
    uv("the default index", DEMO + PAGE + "default = true\n", {"": ["demo"]}, "index https://example.org/page"),
    uv("an explicit index", DEMO + ONLY, {"": ["demo"]}),
    uv("a source", DEMO + ONLY + "[tool.uv.sources]\ndemo = {index = 'page'}\n", {"": ["demo <- https://example.org/page"]}),
    uv("a name spelled otherwise", "dependencies = ['a-demo']\n" + ONLY + "[tool.uv.sources]\nA_demo = {index = 'page'}\n",
       {"": ["a-demo <- https://example.org/page"]}),
    uv("sources with markers", DEMO + ONLY + "[tool.uv.sources]\ndemo = [{index = 'page', marker = \"sys_platform == 'linux'\"},"
       " {path = 'member', marker = \"sys_platform == 'win32'\"}]\n", {"": ["demo <- https://example.org/page"]}),
    uv("a source for another system", DEMO + ONLY + "[tool.uv.sources]\ndemo = {index = 'page', marker = \"sys_platform == 'win32'\"}\n",
       {"": ["demo"]}),
    uv("a source of an extra", ONLY + "[project.optional-dependencies]\ng = ['demo>=1']\nh = ['demo>=1']\n"
       "[tool.uv.sources]\ndemo = {index = 'page', extra = 'g'}\n",
       {"": [], "extra:g": ["demo>=1 <- https://example.org/page"], "extra:h": ["demo>=1"]}),
    uv("a source of a group", ONLY + "[dependency-groups]\ng = ['demo']\n[tool.uv.sources]\ndemo = {index = 'page', group = 'g'}\n",
       {"": [], "group:g": ["demo <- https://example.org/page"]}),
    uv("a source replaces an address", "dependencies = ['demo @ https://example.org/demo.zip']\n" + ONLY +
       "[tool.uv.sources]\ndemo = {index = 'page'}\n", {"": ["demo <- https://example.org/page"]}),
    uv("a repository", DEMO + "[tool.uv.sources]\ndemo = {git = 'https://example.org/demo', tag = 'v1', subdirectory = 'py'}\n",
       {"": ["demo @ git+https://example.org/demo@v1#subdirectory=py"]}),
    uv("an editable folder", DEMO + "[tool.uv.sources]\ndemo = {path = 'member', editable = true}\n", {"": ["demo @ member (editable)"]}),
    uv("a member of the workspace", DEMO + "[tool.uv.sources]\ndemo = {workspace = true}\n[tool.uv.workspace]\nmembers = ['mem*']\n",
       {"": ["demo @ member (editable)"]}),
    uv("constraints", DEMO + "[tool.uv]\nconstraint-dependencies = ['demo<2', 'six<2']\n",
       {"": ["demo", "demo<2 (constraint)", "six<2 (constraint)"]}),
    uv("the dev group of before", DEMO + "[tool.uv]\ndev-dependencies = ['six']\n[dependency-groups]\ndev = ['numpy']\n",
       {"": ["demo"], "group:dev": ["six", "numpy"]}),
    uv("a flat index", DEMO + PAGE + "format = 'flat'\n", {"": ["demo"]}, "find-links https://example.org/page"),
]  # fmt: skip

POETRIES = [
    poetry("carets", "torch = '^2.3.1'\nsix = '^0.2.3'\nnumpy = '^0.0.3'\nscipy = '^2'\n",
           {"": ["torch<3,>=2.3.1", "six<0.3,>=0.2.3", "numpy<0.0.4,>=0.0.3", "scipy<3,>=2"]}),
    poetry("tildes", "torch = '~2.3.1'\nsix = '~2'\nnumpy = '~2.3'\n", {"": ["torch<2.4,>=2.3.1", "six<3,>=2", "numpy<2.4,>=2.3"]}),
    poetry("bare, wild and spaced", "torch = '2.3.1'\nsix = '=1'\nnumpy = '2.*'\nscipy = '>= 1.0 <3'\ndemo = '*'\n",
           {"": ["torch==2.3.1", "six==1", "numpy==2.*", "scipy<3,>=1.0", "demo"]}),
    poetry("a table", "torch = {version = '^2.3', extras = ['Opt_x'], python = '<3.13', markers = \"sys_platform == 'linux'\"}\n",
           {"": ["torch[opt-x]<3,>=2.3"]}),
    poetry("platforms", "torch = {version = '1', platform = 'linux|darwin'}\nsix = {version = '1', platform = '!=win32'}\n"
           "numpy = {version = '1', platform = 'win32'}\n", {"": ["torch==1", "six==1"]}),
    poetry("one version for each platform", "torch = [{version = '2.3.1', platform = 'linux'}, {version = '2.2.2', platform = 'darwin'}]\n",
           {"": ["torch==2.3.1"]}),
    poetry("optional, by an extra", "torch = {version = '1', optional = true}\nsix = {version = '1', optional = true}\n"
           "[tool.poetry.extras]\nAudio_x = ['Torch']\n", {"": [], "extra:audio-x": ["torch==1"]}),
    poetry("optional, a list", "torch = [{version = '1', platform = 'linux', optional = true}, {version = '2', platform = 'win32', optional = true}]\n"
           "[tool.poetry.extras]\na = ['torch']\n", {"": [], "extra:a": ["torch==1"]}),
    poetry("groups", "torch = '1'\n[tool.poetry.group.My_Dev.dependencies]\nsix = '1'\npython = '^3.10'\n", {"": ["torch==1"], "group:my-dev": ["six==1"]}),
    poetry("a group that includes a group", "[tool.poetry.group.a]\ninclude-groups = ['b']\n[tool.poetry.group.a.dependencies]\nsix = '1'\n"
           "[tool.poetry.group.b.dependencies]\ntorch = '1'\n", {"": [], "group:a": ["six==1", "torch==1"], "group:b": ["torch==1"]}),
    poetry("the dev group of before", "[tool.poetry.dev-dependencies]\nsix = '1'\n", {"": [], "group:dev": ["six==1"]}),
    poetry("a repository", "demo = {git = 'https://example.org/demo.git', tag = 'v1', subdirectory = 'py', extras = ['x']}\n",
           {"": ["demo[x] @ git+https://example.org/demo.git@v1#subdirectory=py"]}),
    poetry("the short form of ssh", "demo = {git = 'git@example.org:me/demo.git', branch = 'main'}\n",
           {"": ["demo @ git+ssh://git@example.org/me/demo.git@main"]}),
    poetry("a folder", "demo = {path = 'member', develop = true}\n", {"": ["demo @ member (editable)"]}),
    poetry("an address", "demo = {url = 'https://example.org/demo.zip'}\n", {"": ["demo @ https://example.org/demo.zip"]}),
    poetry("a source without a priority is in place of the public index", "torch = '1'\n" + SOURCE, {"": ["torch==1"]}, "index https://example.org/page"),
    poetry("a source beside the public index", "torch = '1'\n" + SOURCE + "priority = 'supplemental'\n", {"": ["torch==1"]}, "extra https://example.org/page"),
    poetry("an explicit source", "torch = {version = '1', source = 'Page'}\nsix = '1'\n" + SOURCE + "priority = 'explicit'\n",
           {"": ["torch==1 <- https://example.org/page", "six==1"]}),
    poetry("the public index by name", "torch = {version = '1', source = 'pypi'}\n" + SOURCE + "[[tool.poetry.source]]\nname = 'PyPI'\n",
           {"": ["torch==1"]}, "extra https://example.org/page"),
    Row("beside [project]: a source", "poetry", "pyproject.toml", PROJECT + "dependencies = ['torch>=2']\n[tool.poetry.dependencies]\n"
        "torch = {source = 'page'}\n" + SOURCE + "priority = 'explicit'\n", {"": ["torch>=2 <- https://example.org/page"]}),
    Row("beside [project]: a package that only poetry's table names is ignored", "poetry", "pyproject.toml",
        PROJECT + "dependencies = ['torch>=2']\n[tool.poetry.dependencies]\nsix = '*'\n", {"": ["torch>=2"]}),
    Row("beside [project]: poetry's version counts", "poetry", "pyproject.toml",
        PROJECT + "dependencies = ['torch>=2']\n[tool.poetry.dependencies]\ntorch = '2.3.1'\n", {"": ["torch==2.3.1"]}),
    Row("beside [project]: a repository", "poetry", "pyproject.toml", PROJECT + DEMO + "[tool.poetry.dependencies]\n"
        "demo = {git = 'https://example.org/demo.git'}\n", {"": ["demo @ git+https://example.org/demo.git"]}),
    Row("beside [project] without dependencies", "poetry", "pyproject.toml", PROJECT + "[tool.poetry.dependencies]\ntorch = '^2'\n", {"": ["torch<3,>=2"]}),
    Row("beside a standard group: only what it names", "poetry", "pyproject.toml", PROJECT + "[dependency-groups]\ndev = ['six']\n"
        "[tool.poetry.group.dev.dependencies]\nnumpy = '*'\n", {"": [], "group:dev": ["six"]}),
    Row("a folder that is no package", "poetry", "pyproject.toml", "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\ntorch = '*'\n", {"": ["torch"]}),
]  # fmt: skip

PDMS = [
    pdm("groups of both tables", "[dependency-groups]\ntest = ['six']\n[tool.pdm.dev-dependencies]\nTest = ['numpy']\nlint_x = ['torch']\n",
        {"": [], "group:test": ["six", "numpy"], "group:lint-x": ["torch"]}),
    pdm("addresses in a group", "[tool.pdm.dev-dependencies]\na = ['-e file:///${PROJECT_ROOT}/member#egg=demo', 'git+https://example.org/x.git#egg=x']\n",
        {"": [], "group:a": ["demo @ member (editable)", "x @ git+https://example.org/x.git#egg=x"]}),
    pdm("the folder of the project", "dependencies = ['demo @ file:///${PROJECT_ROOT}/member']\n", {"": ["demo @ member"]}),
    pdm("a source that is called pypi", "[[tool.pdm.source]]\nname = 'pypi'\nurl = 'https://example.org/a'\n", {"": []}, "index https://example.org/a"),
    pdm("another source", "[[tool.pdm.source]]\nname = 'x'\nurl = 'https://example.org/a'\n", {"": []}, "extra https://example.org/a"),
    pdm("a source for some packages", "dependencies = ['demo', 'six']\n[[tool.pdm.source]]\nname = 'x'\nurl = 'https://example.org/a'\n"
        "include_packages = ['dem*']\nexclude_packages = ['*']\n", {"": ["demo <- https://example.org/a", "six"]}),
]  # fmt: skip

PIPFILES = [
    pipfile("plain", "[packages]\ntorch = '==2.3.1'\nTorch_Audio = '*'\n[dev-packages]\nsix = '>=1'\n[docs]\nnumpy = '*'\n",
            {"": ["torch==2.3.1", "torch-audio"], "group:dev-packages": ["six>=1"], "group:docs": ["numpy"]}),
    pipfile("a bare version", "[packages]\ntorch = '2.3.1'\n", {"": ["torch==2.3.1"]}),
    pipfile("tables", "[packages]\ntorch = {version = '>=2', extras = ['x'], markers = \"sys_platform == 'linux'\"}\n"
            "six = {version = '*', sys_platform = \"== 'win32'\"}\nnumpy = {extras = 'y'}\n", {"": ["torch[x]>=2", "numpy[y]"]}),
    pipfile("hashes", f"[packages]\ntorch = {{version = '==2.3.1', hashes = ['{HASH}']}}\n", {"": ["torch==2.3.1 (1 hash)"]}),
    pipfile("a repository", "[packages]\ndemo = {git = 'https://example.org/demo.git', ref = 'v1', subdirectory = 'py'}\n",
            {"": ["demo @ git+https://example.org/demo.git@v1#subdirectory=py"]}),
    pipfile("an editable folder", "[packages]\ndemo = {path = './member', editable = true}\n", {"": ["demo @ member (editable)"]}),
    pipfile("a file", "[packages]\ndemo = {file = 'https://example.org/demo.zip'}\n", {"": ["demo @ https://example.org/demo.zip"]}),
    pipfile("a source for one package", "[[source]]\nname = 'a'\nurl = 'https://example.org/a'\n[[source]]\nname = 'b'\n"
            "url = 'https://example.org/b'\n[packages]\ntorch = {version = '*', index = 'b'}\n",
            {"": ["torch <- https://example.org/b"]}, "index https://example.org/a", "extra https://example.org/b"),
    pipfile("Python", "[packages]\ntorch = '*'\n[requires]\npython_version = '3.12'\n", {"": ["torch"]}, python="==3.12.*"),
]  # fmt: skip

SCRIPTS = [
    script("a list", "setup(name='own', install_requires=['torch==2.3.1', 'six'])", base=["torch==2.3.1", "six"]),
    script("lines in a string", "setup(install_requires='torch==2.3.1\\nsix')", base=["torch==2.3.1", "six"]),
    script("names, sums and calls", "A = ['torch']\nA.append('six')\nA += ['numpy']\nA.insert(0, 'demo')\nsetup(install_requires=A + sorted(['scipy']))",
           base=["torch", "six", "numpy", "demo", "scipy"]),
    script("two names of one list", "A = ['six']\nB = A\nB.append('torch')\nsetup(install_requires=A)", base=["six", "torch"]),
    script("a copy is another list", "A = ['six']\nB = list(A)\nB.append('torch')\nsetup(install_requires=A)", base=["six"]),
    script("texts put together", "V = '2.3.1'\nsetup(install_requires=[f'torch=={V}', 'six==%s' % V, 'numpy=={}'.format(V)])",
           base=["torch==2.3.1", "six==2.3.1", "numpy==2.3.1"]),
    script("texts taken apart", "setup(install_requires='torch>=2,six'.split(',six') + 'a b'.split())", base=["torch>=2", "a", "b"]),
    script("lines of a file", "setup(install_requires=open('base.in').read().splitlines())", base=["torch==2.3.1"]),
    script("extras", "E = {'a': ['torch'], ':python_version>\"3\"': ['numpy'], 'c:python_version<\"3\"': 'scipy'}\nE['b'] = ['own[a]']\n"
           "E.setdefault('d', []).append('six')\nE.update(e=['demo'])\ndel E['a']\nE['a'] = ['torch']\nsetup(name='own', extras_require=E)",
           base=["numpy"], a=["torch"], b=["torch"], d=["six"], e=["demo"]),
    script("keywords", "k = dict(name='own')\nk['install_requires'] = ['torch']\nk['install_requires'].append('six')\nsetup(**k)", base=["torch", "six"]),
    script("another value in a handler", "try:\n    R = open('base.in').read().splitlines()\nexcept OSError:\n    R = []\nsetup(install_requires=R)", base=["torch==2.3.1"]),
]  # fmt: skip

ROWS = [*REQUIREMENTS, *NAMELESS, *CONFIG, *PYPROJECT, *UV, *POETRIES, *PDMS, *PIPFILES, *SCRIPTS]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BESIDE.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)


def write(row: Row) -> None:
    Path(row.file).write_bytes(row.text.encode())


def rows(*, nameless: bool) -> list[object]:
    """The rows with readable names."""
    return [
        pytest.param(row, id=f"{row.tool}-{row.file}: {row.about}")
        for row in ROWS
        if nameless or row not in NAMELESS
    ]


def spelled(
    name: str, extras: object, versions: str, url: str, index: str, *, constraint: bool, editable: bool, hashes: int
) -> str:
    """A package as ``Row`` has it. Where the version follows from a wheel's name it is left out."""
    names = sorted({str(extra).lower().replace("_", "-") for extra in extras})  # type: ignore[attr-defined]
    parts = [f"{name or '?'}{'[' + ','.join(names) + ']' if names else ''}"]
    parts[0] += ",".join(sorted(map(str, SpecifierSet(versions)))) if not url else f" @ {_address(url)}"
    parts += ["(constraint)"] * constraint + ["(editable)"] * editable + [f"({hashes} hash)"] * bool(hashes)
    return " ".join([*parts, *([f"<- {index}"] if index else [])])


def _address(url: str) -> str:
    """A path beside the file, however it is spelled."""
    if url.startswith("file://"):
        url = url.removeprefix("file://").partition("#")[0]
    if "://" in url:
        return url
    return posixpath.relpath(url, Path.cwd()) if posixpath.isabs(url) else posixpath.normpath(url)


def audited(document: Document) -> dict[str, set[str]]:
    """What audit sees in each scope on the target."""
    found: dict[str, set[str]] = {}
    for entry in document.entries:
        if TARGET.holds(entry.marker):
            text = spelled(entry.name, entry.extras, entry.specifier, entry.url or "", entry.index or "",
                           constraint=entry.constraint, editable=entry.editable, hashes=len(entry.hashes))  # fmt: skip
            found.setdefault(entry.scope, set()).add(text)
    return found


def locked(inputs: Inputs) -> set[str]:
    """What lock takes on the target."""
    from fnmatch import fnmatchcase

    inputs = settled(inputs, TARGET)
    by_address = {one.requirement.name for one in inputs.requirements if one.requirement and one.url}
    found = set()
    for one, constraint in [*((r, False) for r in inputs.requirements), *((c, True) for c in inputs.constraints)]:
        requirement = one.requirement
        name = requirement.name.lower().replace("_", "-") if requirement else ""
        marker = str(requirement.marker or "") if requirement else one.marker
        if not TARGET.holds(marker) or (constraint and requirement and requirement.name in by_address):
            continue
        index = next((url for pattern, url in inputs.routes.items() if fnmatchcase(name, pattern)), "")
        text = spelled(
            name, requirement.extras if requirement else (), str(requirement.specifier) if requirement else "",
            one.url or "", "" if one.url else index, constraint=constraint, editable=one.editable, hashes=len(one.hashes),
        )  # fmt: skip
        found.add(text)
    return found


@pytest.mark.parametrize("row", rows(nameless=False))
def test_audit_reads(row: Row) -> None:
    write(row)
    document = read_document(row.file)
    assert [issue.message for issue in document.issues if issue.severity == "error"] == []
    found = audited(document)
    found.pop("group:build-system", None)
    for scope, asked in row.asked.items():
        assert found.pop(scope, set()) == set(asked), scope
    assert found == {}
    assert tuple(f"{line.kind} {line.address}" for line in document.indexes) == row.indexes
    assert SpecifierSet(document.python) == SpecifierSet(row.python)


@pytest.mark.parametrize("row", rows(nameless=True))
def test_lock_reads(row: Row) -> None:
    write(row)
    always = set(row.asked[""])
    for scope, asked in row.asked.items():
        kind, _, name = scope.partition(":")
        inputs = read_inputs(
            row.file, extras=[name] if kind == "extra" else [], groups=[name] if kind == "group" else []
        )
        assert locked(inputs) == always | set(asked), scope
    common = [("index", inputs.index_url), *(("extra", url) for url in inputs.extra_index_urls)]
    common += [("no-index", "")] * inputs.no_index + [("find-links", url) for url in inputs.find_links]
    assert tuple(f"{kind} {url}" for kind, url in common if url is not None) == row.indexes
    python = inputs.requires_python[0] if inputs.requires_python else SpecifierSet()
    assert python == SpecifierSet(row.python)
