"""What the loader of Linux prints about libraries that are there, and which copy of a package a log shows."""

from __future__ import annotations

import json

import pytest

from support.ground import Ground
from support.site_folder import install, write
from support.skeletons import Site
from torchlock.check.rules.import_path import import_error
from torchlock.inspect.modules import ModuleCopy


@pytest.fixture
def site(ground: Ground) -> Site:
    """A torch without companions, on a machine with the usual libraries."""
    site = ground.linux("3.11")
    ground.torch(site, "2.5.1+cu124", made_for=[])
    ground.image()
    return site


NO_ROOM = "OSError: {}: cannot allocate memory in static TLS block\n"
STACK = "ImportError: {}: cannot enable executable stack as shared object requires: Invalid argument\n"


@pytest.mark.triggers("TL621")
@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/usr/lib/aarch64-linux-gnu/libgomp.so.1", "export LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1"),
        ("libgomp.so.1", ""),
    ],
)
def test_a_library_without_room(ground: Ground, site: Site, path: str, command: str) -> None:
    done = ground.check(site, log=NO_ROOM.format(path))
    assert (done.first.rule, done.first.severity, done.command) == ("TL621", "error", command)


@pytest.mark.triggers("TL621")
@pytest.mark.parametrize(
    ("path", "about", "command"),
    [
        ("libctranslate2-bc15bf3f.so.4.5.0", "of ctranslate2 4.5.0", 'python -m pip install "ctranslate2>=4.6.0"'),
        ("libother.so.1", "libother.so.1 is marked", ""),
    ],
)
def test_an_executable_stack(ground: Ground, site: Site, path: str, about: str, command: str) -> None:
    install(site.path, "ctranslate2", "4.5.0", {"ctranslate2/__init__.py": ""})
    done = ground.check(site, log=STACK.format(path))
    assert (done.first.rule, done.command) == ("TL621", command)
    assert about in done.first.message


@pytest.mark.leaves_alone("TL621")
@pytest.mark.parametrize(
    "log",
    ["OSError: [Errno 12] Cannot allocate memory\n", "ImportError: libfoo.so.1: cannot open shared object file\n"],
)
def test_another_failure_of_memory_or_of_a_library(ground: Ground, site: Site, log: str) -> None:
    assert "TL621" not in [each.rule for each in ground.check(site, log=log).findings]


@pytest.mark.triggers("TL613")
def test_a_library_of_another_release(ground: Ground, site: Site) -> None:
    line = "ImportError: /env/x.so: symbol f, version libcusparse.so.12 not defined in file libcusparse.so.12 "
    done = ground.check(site, log=f"{line}with link time reference\n")
    assert done.first.rule == "TL613"
    assert "loaded a libcusparse.so.12 of another release: it does not have f" in done.first.message


CHECKOUT = """\
  File "{}", line 16, in <module>
    from .version import __version__
ModuleNotFoundError: No module named 'torch.version'
"""


@pytest.mark.triggers("TL606")
def test_a_checkout_that_a_log_shows(ground: Ground, site: Site) -> None:
    done = ground.check(site, log=CHECKOUT.format("/workspace/torch/__init__.py"))
    assert (done.first.rule, done.command) == ("TL606", "cd ..")


@pytest.mark.parametrize(
    ("first", "version", "lost"),
    [
        ("from torch._C import *", "", "_C"),
        ("from torch._C import *", "from .version import __version__", "version"),
        ("", "", ""),
    ],
)
def test_what_python_says_of_a_checkout(site: Site, first: str, version: str, lost: str) -> None:
    folder = site.path.parent / "torch"
    write(folder / "__init__.py", f"{first}\n")
    write(folder / "torch_version.py", f"{version}\n")
    said = import_error(ModuleCopy("torch", str(folder), "package", None, ""))
    expected = f"ModuleNotFoundError: No module named 'torch.{lost}'" if lost else "AttributeError: partially"
    assert said.startswith(expected)


@pytest.mark.triggers("TL606")
def test_a_file_of_the_same_name(ground: Ground, site: Site) -> None:
    log = """\
  File "/home/me/torch.py", line 3, in <module>
    print(torch.tensor([1]))
AttributeError: partially initialized module 'torch' has no attribute 'tensor' (most likely a circular import)
"""
    done = ground.check(site, log=log)
    assert (done.first.rule, done.command) == ("TL606", "mv /home/me/torch.py /home/me/my_torch.py")


@pytest.mark.leaves_alone("TL606")
@pytest.mark.parametrize(
    "path",
    ["/usr/local/lib/python3.11/site-packages/torch/__init__.py", "/home/me/train.py", "/srv/other/__init__.py"],
)
def test_a_file_that_is_not_a_copy(ground: Ground, site: Site, path: str) -> None:
    assert "TL606" not in [each.rule for each in ground.check(site, log=CHECKOUT.format(path)).findings]


def test_a_library_of_the_driver(ground: Ground, site: Site) -> None:
    done = ground.check(site, log="ImportError: libcuda.so.1: cannot open shared object file: No such file\n")
    assert done.first.rule == "TL227"
    assert "comes with the NVIDIA driver" in done.first.message


OLD = "ImportError: {}/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by {})\n"


@pytest.mark.triggers("TL612")
def test_the_libstdcxx_of_the_system_in_a_conda_environment(ground: Ground) -> None:
    site = ground.linux("3.10", prefix="opt/conda/envs/tts")
    ground.torch(site, "2.1.2+cu121", made_for=[])
    record = {"name": "python", "version": "3.10.14", "build": "h955ad1f_1"}
    write(site.path.parents[2] / "conda-meta/python-3.10.14-h955ad1f_1.json", json.dumps(record))
    write(site.path.parents[1] / "libstdc++.so.6", "")
    module = "pyopenjtalk/openjtalk.cpython-310-x86_64-linux-gnu.so"
    install(site.path, "pyopenjtalk", "0.3.3", {"pyopenjtalk/__init__.py": "", module: ""})
    user = f"/opt/conda/envs/tts/lib/python3.10/site-packages/{module}"
    done = ground.check(site, log=OLD.format("/lib/x86_64-linux-gnu", user))
    assert (done.first.rule, done.first.severity) == ("TL612", "warning")
    assert "of pyopenjtalk 0.3.3 needs GLIBCXX_3.4.32, and /lib/x86_64-linux-gnu/libstdc++" in done.first.message
    assert done.command.startswith("export LD_LIBRARY_PATH=") and "/envs/tts/lib" in done.command


@pytest.mark.triggers("TL612")
def test_the_libstdcxx_of_conda_below_a_library_of_the_system(ground: Ground, site: Site) -> None:
    log = OLD.format("/home/me/miniconda3/bin/../lib", "/lib/x86_64-linux-gnu/libjack.so.0")
    done = ground.check(site, log=log.replace("ImportError", "OSError: cannot load library 'libportaudio.so.2'"))
    assert done.first.rule == "TL612"
    assert done.command == "conda install -y -p /home/me/miniconda3 -c conda-forge libstdcxx-ng"
