"""What the loader of Linux prints about libraries that are there, and which copy of a package a log shows."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install
from support.skeletons import Site


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
