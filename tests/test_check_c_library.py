"""Libraries of glibc that an image does not have: no package that is installed again brings them."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from torchlock.check.c_library import is_of_glibc
from torchlock.check.symbol_origins import meaning_of_undefined

VERSIONS = {"soundfile": "0.13.1", "torchaudio": "2.8.0", "torchvision": "0.23.0"}
FILES = {
    "soundfile": "_soundfile_data/libsndfile_x86_64.so",
    "torchaudio": "torchaudio/lib/libtorchaudio.so",
    "torchvision": "torchvision/_C.so",
}


@pytest.mark.sketched
@pytest.mark.parametrize("library", ["libmvec.so.1", "libresolv.so.2", "libanl.so.1"])
@pytest.mark.parametrize("name", FILES)
def test_a_part_of_glibc_that_is_not_there(ground: Ground, name: str, library: str) -> None:
    site = ground.linux()
    root = ground.image()
    (root / "lib64" / library).unlink(missing_ok=True)
    ground.torch(site, "2.8.0+cpu", made_for=[])
    files: dict[str, bytes | str] = {FILES[name]: elf("", [library, "libc.so.6"])}
    if name == "soundfile":
        source = "import os as _os\n_path = _os.path.join('_soundfile_data', 'libsndfile_x86_64.so')\n"
        files["soundfile.py"] = f"__version__ = '{VERSIONS[name]}'\n{source}"
        install(site.path, "cffi", "1.17.1", {"_cffi_backend.cpython-311-x86_64-linux-gnu.so": elf()})
    else:
        files |= {f"{name}/__init__.py": "", f"{name}/version.py": f"__version__ = '{VERSIONS[name]}'\n"}
    install(site.path, name, VERSIONS[name], files)
    done = ground.check(site, root=True)
    found = next(each for each in done.bad if each.rule == "TL610")
    assert f"needs {library}, which is not found" in found.message
    assert found.because.startswith("it is a part of glibc")
    assert library in found.remedy
    assert not found.commands
    write(root / "lib64" / library, elf(library))
    assert not [each for each in ground.check(site, root=True).bad if each.rule == "TL610"]


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        ("libc.so.6", True),
        ("/lib64/libpthread.so.0", True),
        ("ld-linux-x86-64.so.2", True),
        ("libcudart.so.12", False),
        ("libcrypt.so.1", False),
        ("libmvec.dylib", False),
        ("libmpi.so.40", False),
    ],
)
def test_names_of_libraries_of_glibc(library: str, expected: bool) -> None:
    assert is_of_glibc(library) is expected


@pytest.mark.parametrize(
    "symbol",
    [
        "_ZN3c104cuda20CUDACachingAllocator9allocatorE",
        "_ZTIN3c105ErrorE",
        "THPVariableClass",
        "PyExc_ValueError",
        "_ZN3c106detail23torchInternalAssertFailEPKcS2_jS2_S2_",
    ],
)
def test_a_variable_is_not_called_a_function(symbol: str) -> None:
    """https://github.com/Lightning-AI/torchmetrics/issues/2188"""
    meaning = meaning_of_undefined(symbol)
    assert meaning is not None
    assert "function" not in meaning.what
