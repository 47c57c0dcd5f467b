"""What lies below torch: Python packages that it imports, the C library of a root, the C runtime of Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.ground import Checked, Ground
from support.libraries import elf, pe
from support.site_folder import digest, install, write
from support.skeletons import Site

pytestmark = pytest.mark.sketched(real=False)


def record(site: Site, path: str, data: bytes) -> None:
    """Write a file of torch, with its row in the record."""
    write(site.path / path, data)
    record_of = next(site.path.glob("torch-*.dist-info")) / "RECORD"
    rows = [row for row in record_of.read_text().splitlines() if not row.startswith(f"{path},")]
    record_of.write_text("\n".join([*rows, f"{path},{digest(data)},{len(data)}", ""]))


def with_imports(ground: Ground, site: Site, module: str, requires: str) -> None:
    """A torch that requires a package and imports it."""
    ground.torch(site, "2.8.0+cpu", made_for=[], requires=[requires])
    text = (site.path / "torch/__init__.py").read_bytes()
    record(site, "torch/__init__.py", b"from . import _guards\n" + text)
    record(site, "torch/_guards.py", f"import {module}\n".encode())


def silent(done: Checked) -> None:
    assert not done.bad


# Packages that torch imports.


@pytest.mark.parametrize(
    ("python", "version", "fails"),
    [
        ("3.13", "4.10.0", True),
        ("3.13", "4.12.0", False),
        ("3.12", "4.10.0", False),
        ("3.12", "4.5.0", True),
        ("3.11", "4.5.0", False),
    ],
)
def test_a_typing_extensions_before_this_python(ground: Ground, python: str, version: str, fails: bool) -> None:
    site = ground.linux(python)
    with_imports(ground, site, "typing_extensions", "typing-extensions")
    install(
        site.path, "typing_extensions", version, {"typing_extensions.py": "ParamSpec = Self = TypeAlias = 1\n"}
    )
    done = ground.check(site)
    if not fails:
        silent(done)
        return
    assert (done.first.rule, done.first.severity) == ("TL628", "error")
    assert f"typing-extensions {version}" in done.first.message and f"Python {python}" in done.first.message
    assert "typing-extensions>=4." in done.command


@pytest.mark.parametrize(
    ("sympy", "mpmath", "wanted"),
    [
        ("1.12", "1.4.0a0", "mpmath<1.5.0a0,!=1.4.0a0"),
        ("1.12", "1.4.1", ""),
        ("1.12.1", "1.4.0a0", ""),
        ("1.14.0", "1.5.0a1", "mpmath<1.5.0a0"),
        ("1.14.0", "1.3.0", ""),
    ],
)
def test_a_pre_release_of_mpmath(ground: Ground, sympy: str, mpmath: str, wanted: str) -> None:
    site = ground.linux()
    with_imports(ground, site, "sympy", "sympy")
    install(site.path, "sympy", sympy, headers="Requires-Dist: mpmath\n")
    install(site.path, "mpmath", mpmath)
    done = ground.check(site)
    if not wanted:
        silent(done)
        return
    assert (done.first.rule, done.first.severity) == ("TL628", "error")
    assert wanted in done.command


@pytest.mark.triggers("TL628")
def test_a_package_that_torch_imports_later(ground: Ground) -> None:
    """The import of torch works; what uses jinja2 fails."""
    site = ground.linux()
    ground.torch(site, "2.8.0+cpu", made_for=[], requires=["jinja2"])
    install(site.path, "jinja2", "2.11.3", headers="Requires-Dist: markupsafe\n")
    install(site.path, "markupsafe", "2.1.5")
    done = ground.check(site)
    assert (done.first.rule, done.first.severity) == ("TL628", "warning")
    assert 'install "jinja2>=3,<4"' in done.command


@pytest.mark.leaves_alone("TL628")
def test_a_package_that_torch_does_not_require(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    install(site.path, "jinja2", "2.11.3", headers="Requires-Dist: markupsafe\n")
    install(site.path, "markupsafe", "2.1.5")
    silent(ground.check(site))


ENDS_BELOW = """Traceback (most recent call last):
  File "/home/u/run.py", line 1, in <module>
    import torch
  File "{site}/torch/__init__.py", line 1, in <module>
    from . import _guards
  File "{site}/torch/_guards.py", line 1, in <module>
    import sympy
  File "{site}/sympy/__init__.py", line 2, in <module>
    from mpmath import lost
AttributeError: module 'mpmath' has no attribute 'lost'
"""


def test_a_log_that_ends_in_a_package_below_torchvision(ground: Ground) -> None:
    """Pillow is required by torchvision, not by torch."""
    site = ground.linux()
    ground.wheel(site, "torchvision==0.23.0")
    ground.torch(site, "2.8.0+cpu")
    record = next(site.path.glob("torchvision-*.dist-info")) / "METADATA"
    if "pillow" not in record.read_text():
        record.write_text(record.read_text() + "Requires-Dist: pillow\n")
    install(site.path, "pillow", "9.1.0", {"PIL/__init__.py": "# PIL\n", "PIL/Image.py": "from . import _gone\n"})
    log = (
        "Traceback (most recent call last):\n"
        f'  File "{site.path}/torchvision/__init__.py", line 6, in <module>\n    from PIL import Image\n'
        f'  File "{site.path}/PIL/Image.py", line 1, in <module>\n    from . import _gone\n'
        "ImportError: cannot import name '_gone' from 'PIL'\n"
    )
    found = [each for each in ground.check(site, log=log).bad if each.rule == "TL628"]
    assert [each.message for each in found] == [
        "the import of torchvision ends in pillow 9.1.0, which torchvision requires"
    ]


@pytest.mark.parametrize("is_same", [True, False])
def test_a_log_that_ends_in_a_package_below_torch(ground: Ground, is_same: bool) -> None:
    """The line of code must be in the installed file: else the log is of another state."""
    site = ground.linux()
    with_imports(ground, site, "sympy", "sympy")
    text = "# sympy\nfrom mpmath import lost\n" if is_same else "# sympy\n"
    install(site.path, "sympy", "1.13.1", {"sympy/__init__.py": text}, headers="Requires-Dist: mpmath\n")
    install(site.path, "mpmath", "1.3.0")
    done = ground.check(site, log=ENDS_BELOW.format(site=site.path))
    if not is_same:
        assert "TL628" not in {each.rule for each in done.findings}
        return
    assert done.first.rule == "TL628"
    assert done.first.message == "the import of torch ends in sympy 1.13.1, which torch requires"
    assert "mpmath 1.3.0" in done.first.remedy


# Where Python searches: the packages of a user, and those of the system.


def of_user(ground: Ground, *pythons: str) -> Site:
    site = ground.linux("3.9", prefix="home/u/.local")
    ground.image()
    with_imports(ground, site, "typing_extensions", "typing-extensions")
    record(site, "torch/_guards.py", b"from typing_extensions import ParamSpec\n")
    for each in pythons:
        write(site.root / each, elf("", []))
    return site


def debians(site: Site, version: str, text: str) -> None:
    place = site.root / "usr/lib/python3/dist-packages"
    write(place / "typing_extensions.py", text)
    write(
        place / f"typing_extensions-{version}.egg-info/PKG-INFO",
        f"Metadata-Version: 1.2\nName: typing-extensions\nVersion: {version}\n",
    )


def test_the_packages_of_debian_below_those_of_a_user(ground: Ground) -> None:
    site = of_user(ground, "usr/bin/python3.9")
    debians(site, "3.7.4.3", "Self = 1\n")
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL628", "error")
    assert "ParamSpec" in done.first.message and "3.7.4.3" in done.first.message
    assert done.command.endswith("install -U typing-extensions")


def test_the_packages_of_debian_have_what_torch_takes(ground: Ground) -> None:
    site = of_user(ground, "usr/bin/python3.9")
    debians(site, "4.7.1", "Self = ParamSpec = 1\n")
    silent(ground.check(site, root=True))


@pytest.mark.parametrize(
    "pythons", [(), ("usr/bin/python3.9", "usr/local/bin/python3.9"), ("usr/bin/python3.11",)]
)
def test_the_python_of_a_user_is_not_known(ground: Ground, pythons: tuple[str, ...]) -> None:
    """What its own folders have is unknown: nothing is called missing."""
    site = of_user(ground, *pythons)
    done = ground.check(site, root=True)
    assert "error" not in {each.severity for each in done.findings}


# Roots without a usual C library.


def without_system(ground: Ground, release: str) -> Site:
    site = ground.linux(prefix="home/u/venv")
    needs = {"libtorch_python.so": ["libstdc++.so.6", "libc.so.6"]}
    ground.torch(site, "2.8.0+cpu", made_for=[], needs=needs)
    write(site.root / "etc/os-release", release)
    return site


LIBSTDCXX = "ImportError: libstdc++.so.6: cannot open shared object file: No such file or directory\n"


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("ID=nixos\nVERSION_ID=25.11\n", "programs.nix-ld.enable"),
        ("ID=guix\n", "--emulate-fhs"),
        ("ID=bedrock\n", ""),
        ("ID=debian\nVERSION_ID=12\nNAME=Distroless\n", ""),
    ],
)
def test_a_root_without_a_usual_c_library(ground: Ground, release: str, words: str) -> None:
    site = without_system(ground, release)
    done = ground.check(site, root=True)
    silent(done)
    assert "was not examined" in done.text and "no C library and no loader" in done.text
    shown = ground.check(site, root=True, log=LIBSTDCXX)
    assert shown.first.rule == "TL610" and "libstdc++.so.6" in shown.first.message
    assert words in shown.first.remedy
    assert "apt" not in shown.command or "debian" in release


# The C runtime of Windows.


def of_windows(ground: Ground, *beside: str, python: str = "3.11") -> Site:
    site = ground.windows(python, prefix="python")
    needs = {"asmjit.dll": ["vcruntime140_1.dll"], "fbgemm.dll": ["asmjit.dll"]}
    ground.torch(site, "2.8.0+cpu", made_for=[], needs={"torch_cpu.dll": ["asmjit.dll"]})
    for name, needed in needs.items():
        record(site, f"torch/lib/{name}", pe({each: ["x"] for each in needed}))
    for each in beside:
        write(site.path.parents[1] / each, pe(exports=["x"]))
    return site


FAILS = (
    "OSError: [WinError 126] The specified module could not be found. "
    'Error loading "C:\\python\\Lib\\site-packages\\torch\\lib\\asmjit.dll" or one of its dependencies.\n'
)


@pytest.mark.parametrize(
    ("beside", "python"),
    [
        (("python.exe", "python311.dll", "vcruntime140.dll"), "3.11"),
        (("python.exe", "python313.dll"), "3.13"),
        (("conda-meta/vs2015_runtime-14.16.27012-hf0eaf9b_3.json",), "3.7"),
        ((), "3.7"),
    ],
)
def test_a_python_without_the_later_part_of_the_c_runtime(
    ground: Ground, beside: tuple[str, ...], python: str
) -> None:
    site = of_windows(ground, *beside, python=python)
    done = ground.check(site, platform="windows-amd64")
    silent(done)
    assert "vcruntime140_1.dll" in done.text
    shown = ground.check(site, log=FAILS, platform="windows-amd64")
    assert shown.first.rule == "TL610" and "vcruntime140_1.dll" in shown.first.message
    assert "vc14_runtime" in shown.command or "VCRedist" in shown.command


@pytest.mark.parametrize("beside", [(), ("python.exe", "python311.dll", "vcruntime140.dll", "vcruntime140_1.dll")])
def test_a_python_that_brings_the_c_runtime(ground: Ground, beside: tuple[str, ...]) -> None:
    done = ground.check(of_windows(ground, *beside), platform="windows-amd64")
    silent(done)
    assert "vcruntime140_1.dll" not in done.text


def test_a_folder_of_a_user_alone(ground: Ground, tmp_path: Path) -> None:
    """Without its machine, nothing is called missing."""
    site = ground.linux("3.9", prefix="home/u/.local")
    ground.torch(site, "2.8.0+cpu", made_for=[], requires=["typing-extensions", "sympy"])
    install(site.path, "sympy", "1.14.0")
    assert "error" not in {each.severity for each in ground.check(site).findings}
