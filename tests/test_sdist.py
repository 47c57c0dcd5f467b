"""What a source archive states of its requirements, and what only a build would tell."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping

import pytest

from support.index_server import metadata_text
from support.sdists import archive, of_setuptools, pkg_info
from torchlock.index.archives import ArchiveError
from torchlock.index.sdist import Reader
from torchlock.index.sdist.compressed import decompressed
from torchlock.index.sdist.script import judge_script
from torchlock.standards.core_metadata import parse_metadata

Files = Mapping[str, str | bytes]


def read(files: Files, kind: str = "tar.gz", name: str = "demo", version: str = "1.0") -> str:
    filename = f"{name}-{version}.{kind}"
    return Reader.read(io.BytesIO(archive(files, name, version, kind)), filename)


def required(files: Files, kind: str = "tar.gz") -> list[str]:
    text = read(files, kind)
    assert not Reader.reason(text), Reader.reason(text)
    return [str(dependency) for dependency in parse_metadata(text).dependencies]


def reason(files: Files) -> str:
    return Reader.reason(read(files))


EGG = {"demo.egg-info/SOURCES.txt": "setup.py\n"}
SECTIONS = """\
numpy
torch>=1.10

[:python_version < "3.8"]
importlib-metadata>=1

[dev]
pytest
ruff ; sys_platform != "win32"

[dev:platform_system == "Linux" or python_version < "3"]
mypy
"""
OF_SECTIONS = [
    "numpy",
    "torch>=1.10",
    'importlib-metadata>=1 ; python_version < "3.8"',
    'pytest ; extra == "dev"',
    'ruff ; sys_platform != "win32" and extra == "dev"',
    'mypy ; (platform_system == "Linux" or python_version < "3") and extra == "dev"',
]


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_requires_txt_has_plain_marker_and_extra_sections(kind: str) -> None:
    files = {**EGG, "demo.egg-info/requires.txt": SECTIONS, "setup.cfg": "[metadata]\nname = demo\n"}
    assert required(files, kind) == OF_SECTIONS
    text = read(files, kind)
    assert parse_metadata(text).extras == ["dev"]
    assert Reader.origin(text) == "demo.egg-info/requires.txt"


def test_requires_txt_below_src_counts_too() -> None:
    files = {"src/demo.egg-info/SOURCES.txt": "", "src/demo.egg-info/requires.txt": "numpy\n"}
    assert required(files) == ["numpy"]


def test_an_egg_info_without_requires_txt_requires_nothing() -> None:
    assert required(of_setuptools()) == []
    assert "has no requires.txt" in Reader.origin(read(of_setuptools()))


def test_a_metadata_file_alone_is_no_statement_of_having_none() -> None:
    assert reason({"demo.egg-info/PKG-INFO": pkg_info()}) == "no file in it states them"


def test_static_metadata_speaks_first() -> None:
    files = {**of_setuptools("numpy"), "PKG-INFO": pkg_info("Requires-Dist: scipy", metadata="2.2")}
    assert required(files) == ["scipy"]
    assert Reader.origin(read(files)) == "PKG-INFO"


@pytest.mark.parametrize("field", ["Requires-Dist", "requires-python", "Provides-Extra"])
def test_dynamic_metadata_does_not_speak(field: str) -> None:
    static = pkg_info("Requires-Dist: scipy", f"Dynamic: {field}", metadata="2.4")
    assert required({**of_setuptools("numpy"), "PKG-INFO": static}) == ["numpy"]
    assert "dynamic" in reason({"PKG-INFO": static})


def test_metadata_that_does_not_say_its_version_does_not_speak() -> None:
    text = pkg_info("Requires-Dist: scipy").partition("\n")[2]
    assert required({**of_setuptools("numpy"), "PKG-INFO": text}) == ["numpy"]
    assert reason({"PKG-INFO": text})


def test_the_project_table_speaks_where_it_is_static() -> None:
    table = (
        "[project]\nname='demo'\nversion='1.0'\nrequires-python='>=3.8'\n"
        "dependencies=['numpy>=1 ; os_name==\"posix\"']\n"
        "[project.optional-dependencies]\nall=['scipy']\n"
    )
    backend = "[build-system]\nrequires=['hatchling']\nbuild-backend='hatchling.build'\n"
    assert required({"pyproject.toml": table + backend}) == [
        'numpy>=1 ; os_name == "posix"',
        'scipy ; extra == "all"',
    ]
    assert parse_metadata(read({"pyproject.toml": table})).requires_python == ">=3.8"
    dynamic = table.replace("dependencies=['n", "dynamic=['dependencies']\nx=['n")
    assert "dependencies is dynamic" in reason({"pyproject.toml": dynamic + backend})


def test_a_list_that_the_project_table_names_is_in_the_archive() -> None:
    table = (
        "[project]\nname='demo'\nversion='1.0'\ndynamic=['dependencies', 'version']\n"
        "[tool.setuptools.dynamic]\ndependencies={file=['requirements.txt']}\n"
        "[build-system]\nrequires=['setuptools>=61', 'numpy']\n[dependency-groups]\ndev=['pytest']\n"
    )
    assert required({"pyproject.toml": table, "requirements.txt": "scipy\n"}) == ["scipy"]
    assert "cannot be read" in reason({"pyproject.toml": table})


def test_a_setuptools_from_before_the_project_table_is_not_asked_by_it() -> None:
    table = "[project]\nname='demo'\nversion='1.0'\ndependencies=['numpy']\n"
    assert reason({"pyproject.toml": f"{table}[build-system]\nrequires=['setuptools<60']\n"})


def test_a_backend_of_its_own_may_compute_anything() -> None:
    own = "[build-system]\nrequires=[]\nbuild-backend='own'\nbackend-path=['.']\n"
    assert reason({**of_setuptools("numpy"), "pyproject.toml": own})


@pytest.mark.parametrize("backend", ["poetry.core.masonry.api", "flit_core.buildapi"])
def test_a_backend_that_computes_nothing_is_believed(backend: str) -> None:
    system = f"[build-system]\nrequires=[]\nbuild-backend='{backend}'\n"
    assert required({"pyproject.toml": system, "PKG-INFO": pkg_info("Requires-Dist: numpy")}) == ["numpy"]


def test_an_archive_of_distutils_is_read_from_its_setup_py() -> None:
    script = "from distutils.core import setup\nsetup(name='demo', version='1.0', py_modules=['demo'])\n"
    assert required({"setup.py": script}) == []
    assert Reader.origin(read({"setup.py": script})) == "setup.py"
    script = "from setuptools import setup\nNEEDS = ['numpy']\nNEEDS += ['six']\nsetup(install_requires=NEEDS)\n"
    assert required({"setup.py": script}) == ["numpy", "six"]


def test_setup_cfg_says_what_setup_py_does_not() -> None:
    config = "[options]\ninstall_requires =\n    numpy\n    scipy>=1\n[options.extras_require]\nx = six\n"
    files = {"setup.cfg": config, "setup.py": "from setuptools import setup\nsetup()\n"}
    assert required(files) == ["numpy", "scipy>=1", 'six ; extra == "x"']


def test_a_list_that_setup_py_reads_is_in_the_archive() -> None:
    script = "from setuptools import setup\nsetup(install_requires=open('requirements.txt').read().splitlines())\n"
    assert required({"setup.py": script, "requirements.txt": "numpy\n"}) == ["numpy"]
    assert reason({"setup.py": script})


# What the setup.py of real projects do that changes nothing: each is one of a kind.
SAME = {
    "a list read by a function": """\
import io, os
from setuptools import find_packages, setup
for line in open("demo/__init__.py"):
    if "__version__" in line:
        context = {}
        exec(line, context)
def read(*paths):
    with io.open(os.path.join(os.path.dirname(__file__), *paths)) as file:
        return file.read().strip()
def lines(path):
    return [line.strip() for line in read(path).split("\\n") if not line.startswith(("#", "-"))]
setup(name="demo", version=context["__version__"], install_requires=lines("requirements.txt"))
""",
    "a check of the Python that stops": """\
import sys
from setuptools import setup
if sys.version_info < (3, 8):
    sys.exit("too old")
setup(name="demo", install_requires=["numpy"])
""",
    "extensions for one platform": """\
import sys, numpy
from setuptools import Extension, setup
flags = ["/O2"] if sys.platform == "win32" else ["-O3"]
setup(name="demo", ext_modules=[Extension("x", ["x.c"], extra_compile_args=flags)], install_requires=["numpy"])
""",
    "a version from git": """\
import subprocess
from setuptools import setup
def version():
    return subprocess.check_output(["git", "describe"]).decode()
setup(name="demo", version=version(), install_requires=["numpy"])
""",
    "two calls, the second without the extension": """\
from distutils.core import setup
import sys
arguments = dict(name="demo", install_requires=["numpy"], ext_modules=["x" + sys.platform])
try:
    setup(**arguments)
except Exception:
    del arguments["ext_modules"]
    setup(**arguments)
""",
    "pkg_resources parses the list": """\
from pathlib import Path
import pkg_resources
from setuptools import setup
setup(name="demo", install_requires=[str(r) for r in pkg_resources.parse_requirements(
    Path(__file__).with_name("requirements.txt").open())])
""",
}
# ... and what makes the requirements of one machine those of no other.
DIFFERENT = {
    "the platform": "import sys\nneeds = ['numpy']\n"
    "if sys.platform == 'linux':\n    needs.append('triton')\nsetup(install_requires=needs)\n",
    "an expression": "import sys\nsetup(install_requires=['a' if sys.version_info[0] == 2 else 'b'])\n",
    "the environment": "import os\nsetup(install_requires=['numpy' + os.environ.get('NUMPY', '')])\n",
    "what is installed": "needs = ['numpy']\n"
    "try:\n    import cv2\nexcept ImportError:\n    needs += ['opencv-python']\nsetup(install_requires=needs)\n",
    "a function": "import platform\ndef needs():\n"
    "    return ['numpy'] if platform.machine() == 'x86_64' else []\nsetup(install_requires=needs())\n",
    "a function that changes a list": "import platform\nneeds = []\n"
    "def fill(items):\n    items.append(platform.machine())\nfill(needs)\nsetup(install_requires=needs)\n",
    "a dictionary": "import sys\nwords = dict(name='demo')\n"
    "words['install_requires'] = ['a' + sys.platform]\nsetup(**words)\n",
    "a branch around the call": "import sys\nif sys.platform == 'win32':\n    setup(install_requires=['a'])\n"
    "else:\n    setup(install_requires=['b'])\n",
    "a module of its own": "from demo_setup import NEEDS\nsetup(install_requires=NEEDS)\n",
    "a name from nowhere": "from setuptools import *\nfrom demo import *\nsetup(install_requires=NEEDS)\n",
    "a command": "import subprocess\nsetup(install_requires=subprocess.check_output(['needs']).split())\n",
    "a file of the machine": "setup(install_requires=open('/etc/needs').readlines())\n",
    "no call": "import demo\ndemo.install()\n",
    "Python 2": "print 'hello'\nsetup()\n",
}


@pytest.mark.parametrize("script", SAME.values(), ids=SAME.keys())
def test_a_setup_py_that_says_the_same_everywhere(script: str) -> None:
    assert judge_script(script).depends == ""
    assert required({**of_setuptools("numpy", setup=script), "requirements.txt": "numpy\n"}) == ["numpy"]


@pytest.mark.parametrize("script", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_setup_py_that_asks_the_machine(script: str) -> None:
    script = f"from setuptools import setup\n{script}"
    assert "computes them" in reason(of_setuptools("numpy", setup=script))
    assert "computes them" in reason({"setup.py": script})


def test_a_setup_py_that_contradicts_requires_txt() -> None:
    script = "from setuptools import setup\nsetup(install_requires=['scipy'])\n"
    assert "different" in reason(of_setuptools("numpy", setup=script))


def test_a_plugin_may_set_the_requirements() -> None:
    script = "from setuptools import setup\nsetup(setup_requires=['pbr'], pbr=True)\n"
    assert reason({"setup.py": script})
    assert required(of_setuptools("numpy", setup=script)) == ["numpy"]


def bomb() -> bytes:
    """An archive of a few kilobytes that claims, and holds, 4 GB."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as zipped:
        member = tarfile.TarInfo("demo-1.0/PKG-INFO")
        member.size = 4 << 30
        zipped.write(member.tobuf())
        zipped.write(bytes(1 << 20))
    return stream.getvalue()


def long_header() -> bytes:
    """A header of pax that claims 900 MB."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as zipped:
        member = tarfile.TarInfo("demo-1.0/x")
        member.type, member.size = tarfile.XHDTYPE, 900 << 20
        zipped.write(member.tobuf())
        zipped.write(bytes(1 << 20))
    return stream.getvalue()


def many_headers() -> bytes:
    """Eighteen headers of pax, each of a megabyte of settings for all members."""
    body = b"".join(b"14 k%06d=aa\n" % number for number in range(75_000))
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as zipped:
        for _ in range(18):
            member = tarfile.TarInfo("demo-1.0/x")
            member.type, member.size = tarfile.XGLTYPE, len(body)
            zipped.write(member.tobuf() + body + bytes(-len(body) % 512))
        zipped.write(gzip.decompress(archive(of_setuptools())))
    return stream.getvalue()


def large_dictionary(size: int) -> bytes:
    """An xz file of a few hundred bytes that asks for a dictionary of this size, or the next larger one."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    content = bytearray(lzma.compress(gzip.decompress(archive(of_setuptools())), lzma.FORMAT_XZ, filters=filters))
    sizes = [(2 | code & 1) << code // 2 + 11 for code in range(40)]
    assert content[14:16] == b"\x21\x01"
    content[16] = next(code for code, each in enumerate(sizes) if each >= size)
    end = 12 + (content[12] + 1) * 4 - 4
    content[end : end + 4] = zlib.crc32(content[12:end]).to_bytes(4, "little")
    return bytes(content)


def test_a_dictionary_of_xz_is_bounded() -> None:
    assert Reader.read(io.BytesIO(large_dictionary(64 << 20)), "demo-1.0.tar.xz")
    for size in (256 << 20, 1536 << 20):
        with pytest.raises(ArchiveError, match="takes more than 128 MB of memory to unpack"):
            Reader.read(io.BytesIO(large_dictionary(size)), "demo-1.0.tar.xz")


def test_an_xz_file_of_several_streams_is_one() -> None:
    plain = gzip.decompress(archive(of_setuptools("numpy")))
    parts = lzma.compress(plain[:700]) + bytes(8) + lzma.compress(plain[700:])
    assert "Requires-Dist: numpy" in Reader.read(io.BytesIO(parts), "demo-1.0.tar.xz")
    stream = decompressed(io.BytesIO(parts))
    assert stream.read(-1) == plain
    assert (stream.seek(600), stream.read(200)) == (600, plain[600:800])
    with pytest.raises(ArchiveError, match="is not a readable source archive"):
        Reader.read(io.BytesIO(parts[:300]), "demo-1.0.tar.xz")


def long_metadata() -> bytes:
    return archive({"PKG-INFO": pkg_info(metadata="2.2") + "x" * (17 << 20)})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"<!DOCTYPE html><html></html>", "is not a readable source archive", id="html"),
        pytest.param(b"", "is not a readable source archive", id="empty"),
        pytest.param(archive(of_setuptools())[:90], "is not a readable source archive", id="cut off"),
        pytest.param(archive({"README": "x"}), "neither metadata nor project files", id="nothing in it"),
        pytest.param(bomb(), "larger than 1 GB", id="bomb"),
        pytest.param(long_header(), "header of more than 32 MB", id="endless header"),
        pytest.param(many_headers(), "headers of more than 16 MB", id="many headers"),
        pytest.param(long_metadata(), "more than 16 MB", id="endless metadata"),
        pytest.param(archive({"PKG-INFO": pkg_info(name="other")}), "archive of other", id="another project"),
        pytest.param(
            archive({"PKG-INFO": pkg_info(version="2", metadata="2.2")}), "archive of demo 2", id="another version"
        ),
    ],
)
def test_a_damaged_archive(content: bytes, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        Reader.read(io.BytesIO(content), "demo-1.0.tar.gz")


def test_metadata_of_another_version_that_does_not_speak() -> None:
    assert "version 2" in reason({**of_setuptools("numpy"), "PKG-INFO": pkg_info(version="2")})
    assert required({**of_setuptools("numpy"), "PKG-INFO": pkg_info(name="UNKNOWN")}) == ["numpy"]


def test_work_does_not_grow_with_the_square_of_a_script() -> None:
    """Counted in nodes: a script twice as long is followed with twice the work."""
    import ast

    def steps(lines: int) -> int:
        script = "from setuptools import setup\nneeds = []\ntry:\n" + "    needs += ['a']\n" * lines
        script += "except IOError:\n    needs = []\nsetup(install_requires=needs)\n"
        count = 0
        walk = ast.walk

        def counted(node: ast.AST) -> Iterator[ast.AST]:
            nonlocal count
            for found in walk(node):
                count += 1
                yield found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ast, "walk", counted)
            assert not judge_script(script).depends
        return count

    assert steps(400) < 2.5 * steps(200)


def test_the_text_reads_like_the_metadata_of_a_wheel() -> None:
    text = read({**EGG, "demo.egg-info/requires.txt": "numpy\n"})
    assert text.startswith("Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n")
    assert parse_metadata(text).dependencies_are_static
    assert not parse_metadata(read({"demo.egg-info/PKG-INFO": metadata_text()})).dependencies_are_static
