"""Proofs from wheels: compressed members, the symbols of libraries, the verdict, the stored evidence."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.libraries import elf, import_library, macho, pe, with_sections
from support.skeletons import dylib
from torchlock.errors import DataError
from torchlock.knowledge.cuda_libraries import with_cuda
from torchlock.knowledge.proofs import Proofs
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.spans import in_span, span_text
from torchlock.proving.compiling import compile_cells, text_of
from torchlock.proving.deciding import decide, is_stable, plain
from torchlock.proving.deflated import Deflated, NotAtTheEnds, known_end
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel, cuda_of
from torchlock.proving.exports import NoSymbols, exports_of
from torchlock.proving.history import Exported
from torchlock.proving.pairing import Python, pythons_of, series_of
from torchlock.proving.reading import UnreadableWheel, read_companion, read_torch
from torchlock.proving.tables import Store, read_store, write_store
from torchlock.standards.dependency import Dependency

RANDOM = random.Random(7)
# Bytes that compress a little, so that the compressed data have blocks with codes of their own.
CONTENT = RANDOM.randbytes(4_000_000).translate(bytes(48 + byte % 64 for byte in range(256)))
C, D, STABLE = "_ZN3c105ErrorC1E", "_ZN2at5emptyE", "torch_library_impl"


def deflated(content: bytes, limit: int = 1 << 30) -> tuple[Deflated, list[int]]:
    """A compressed member, and the numbers of bytes that were fetched of it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    fetched: list[int] = []

    def fetch(start: int, stop: int) -> bytes:
        fetched.append(stop - start)
        return packed[start:stop]

    return Deflated(fetch, len(packed), len(content), is_stored=False, limit=limit), fetched


class TestDeflated:
    def test_the_end_is_read_without_the_middle(self) -> None:
        member, fetched = deflated(CONTENT)
        member.read(0, 64)
        assert member.read(len(CONTENT) - 5000, 5000) == CONTENT[-5000:]
        assert sum(fetched) <= 2 << 20

    def test_the_beginning_is_read_without_the_rest(self) -> None:
        member, fetched = deflated(CONTENT)
        assert member.read(100, 5000) == CONTENT[100:5100]
        assert sum(fetched) <= 1 << 20

    def test_more_is_fetched_of_the_end_that_is_nearer(self) -> None:
        member, _ = deflated(CONTENT)
        member.read(0, 1)
        start = len(CONTENT) * 3 // 5
        assert member.read(start, 1000) == CONTENT[start : start + 1000]

    def test_the_limit_ends_it(self) -> None:
        member, fetched = deflated(CONTENT, limit=1 << 20)
        with pytest.raises(NotAtTheEnds):
            member.read(len(CONTENT) // 2, 10)
        assert sum(fetched) <= 2 << 20

    def test_bytes_behind_the_end_are_left_out(self) -> None:
        member, _ = deflated(b"short")
        assert member.read(3, 100) == b"rt"
        assert member.read(50, 10) == b""

    def test_a_stored_member_is_read_where_it_is(self) -> None:
        stored = Deflated(lambda start, stop: CONTENT[start:stop], 100, 100, is_stored=True, limit=1)
        assert stored.read(40, 20) == CONTENT[40:60]

    @pytest.mark.parametrize("cut", [0, 1, 777, 4095])
    def test_what_is_known_of_an_end_is_right(self, cut: int) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(CONTENT) + packer.flush()
        found = known_end(packed[len(packed) // 2 + cut :], len(CONTENT))
        assert found is not None
        assert len(found) > len(CONTENT) // 4
        assert CONTENT.endswith(found)

    @pytest.mark.parametrize("noise", range(8))
    def test_blocks_without_compression_are_passed(self, noise: int) -> None:
        """Such a block begins at a whole byte, whatever the bit is at which the block before it ends."""
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        middle = RANDOM.randbytes(70_000 + noise)
        content = CONTENT[noise:2_000_000] + middle + CONTENT[:2_000_000]
        packed = packer.compress(content) + packer.flush()
        start = len(packed) // 4
        found = known_end(packed[start:], len(content))
        assert found is not None
        assert len(found) > 2_000_000 + len(middle)
        assert content.endswith(found)

    def test_noise_has_no_end(self) -> None:
        assert known_end(RANDOM.randbytes(100_000), 1 << 30) is None


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, offset: int, size: int) -> bytes:
        return self._content[offset : offset + size]


class TestExports:
    def test_of_an_elf_file(self) -> None:
        library = with_sections(elf("libc10.so", ["libnvrtc.so.13"], exports=(C, D), undefined=("malloc",)))
        offered = exports_of(_Bytes(library))
        assert offered.names == {C.encode(), D.encode()}
        assert offered.libraries == {b"libc10.so", b"libnvrtc.so.13"}

    def test_of_an_elf_file_whose_strings_are_at_its_end(self) -> None:
        member, fetched = deflated(with_sections(elf(exports=(C, D)), CONTENT * 2))
        assert exports_of(member).names == {C.encode(), D.encode()}
        assert sum(fetched) < 4 << 20

    def test_of_a_macho_file(self) -> None:
        library = dylib("@rpath/libc10.dylib", exports=(f"_{C}", f"_{D}"), uses=("_malloc",))
        assert exports_of(_Bytes(library)).names == {f"_{C}".encode(), f"_{D}".encode()}

    def test_of_an_import_library(self) -> None:
        assert exports_of(_Bytes(import_library(["??0A@c10@@QEAA@XZ", "torch_x"]))).names == {
            b"??0A@c10@@QEAA@XZ",
            b"torch_x",
        }

    @pytest.mark.parametrize(
        "content",
        [b"", b"MZ" + bytes(100), b"\x7fELF\x02\x01\x01" + bytes(57), elf(exports=(C,)), b"!<arch>\n/"],
        ids=["empty", "DLL", "no sections", "no table of sections", "cut off"],
    )
    def test_of_nothing(self, content: bytes) -> None:
        with pytest.raises((NoSymbols, ValueError)):
            exports_of(_Bytes(content))


def wheel(members: Mapping[str, bytes | str]) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            archive.writestr(path, content)
    return stream


def named(package: str, version: str, platform: str = "linux-x86_64", build: str | None = "cpu") -> Wheel:
    tag = {"linux": "manylinux_2_28_x86_64", "macos": "macosx_14_0_arm64", "windows": "win_amd64"}
    file = f"{package}-{version}-cp312-cp312-{tag[platform.partition('-')[0]]}.whl"
    return Wheel(package, version, platform, build, file, "0" * 64, "2026-11-30")


PRELOADS = """
def _preload_cuda_deps():
    cuda_libs = {
        "cuda_nvrtc": "libnvrtc.so.*[0-9]",
    }
def _load_global_deps():
    try:
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)
        _preload_cuda_deps()
    except OSError as err:
        pass
"""


class TestReading:
    def test_torch(self) -> None:
        content = wheel(
            {
                "torch/__init__.py": PRELOADS,
                "torch/lib/libc10.so": with_sections(elf("libc10.so", ["libcudart.so.13"], exports=(C,))),
                "torch/lib/libtorch_cpu.so": with_sections(elf("libtorch_cpu.so", exports=(STABLE,))),
                "torch/lib/libcudart-1a2b3c4d.so.10.2": b"renamed",
                "torch/lib/readme.txt": b"",
            }
        )
        found = read_torch(content, named("torch", "2.13.0", build="cu130"))
        assert found.exports == {C, STABLE}
        assert {"libc10.so", "libcudart.so.13", "libcudart.so.10.2", "libnvrtc.so.*[0-9]"} <= found.libraries
        assert "readme.txt" not in found.libraries

    def test_only_what_is_used_and_the_stable_abi_is_kept_of_torch(self) -> None:
        library = with_sections(elf("libc10.so", exports=(C, D, STABLE)))
        found = read_torch(wheel({"torch/lib/libc10.so": library}), named("torch", "2.13.0"), {D})
        assert found.exports == {D, STABLE}
        mac = wheel({"torch/lib/libc10.dylib": dylib("@rpath/libc10.dylib", exports=["_f", "_g"])})
        found = read_torch(mac, named("torch", "2.13.0", "macos-arm64"), {"libc10.dylib!_g"})
        assert found.exports == {"libc10.dylib!_g"}

    def test_torch_of_windows(self) -> None:
        content = wheel({"torch/lib/c10.lib": import_library(["f"]), "torch/lib/c10.dll": pe(exports=["f"])})
        found = read_torch(content, named("torch", "2.13.0", "windows-amd64"))
        assert found.exports == {"c10.dll!f"}
        assert "c10.dll" in found.libraries

    def test_torch_of_a_mac(self) -> None:
        content = wheel({"torch/lib/libc10.dylib": dylib("@rpath/libc10.dylib", exports=["_f"])})
        assert read_torch(content, named("torch", "2.13.0", "macos-arm64")).exports == {"libc10.dylib!_f", "!_f"}

    def test_a_companion(self) -> None:
        inner = elf("libtorchaudio.so", ["libc10.so", "libc.so.6"], exports=("own",), undefined=(C, STABLE))
        content = wheel(
            {
                "torchaudio/lib/libtorchaudio.so": inner,
                "torchaudio/lib/_torchaudio.so": elf(
                    needed=["libtorchaudio.so", "libcudart.so.13"], undefined=("own", D, "PyLong_FromLong")
                ),
                "torchaudio/lib/_torchaudio_sox.so": elf(needed=["libsox.so"], undefined=("sox_init",)),
                "torchaudio/_extension/utils.py": "def _check_cuda_version():\n"
                "    if t_version != ta_version:\n        raise RuntimeError\n",
                "torchaudio/version.py": "__version__ = '2.11.0+cu130'\n",
            }
        )
        found = read_companion(content, named("torchaudio", "2.11.0", build="cu130"))
        assert found.compares == "minor"
        by_name = {each.name.rpartition("/")[2]: each for each in found.libraries}
        assert by_name["libtorchaudio.so"] == Library(
            "torchaudio/lib/libtorchaudio.so", "import", ("libc.so.6", "libc10.so"), (C, STABLE)
        )
        assert by_name["_torchaudio.so"].symbols == (D, C, STABLE)
        assert by_name["_torchaudio.so"].needed == ("libc.so.6", "libc10.so", "libcudart.so.13")
        assert by_name["_torchaudio_sox.so"].role == "optional"

    def test_versions_are_of_the_system_and_make_floors(self) -> None:
        library = elf(needed=["libc.so.6"], undefined=(C,), needs=[("libc.so.6", "GLIBC_2.28")])
        found = read_companion(wheel({"torchvision/_C.so": library}), named("torchvision", "0.18.0"))
        assert found.floors == {"GLIBC": "2.28"}

    def test_a_companion_of_a_mac_and_of_windows(self) -> None:
        mac = wheel({"torchvision/_C.so": macho("@rpath/libc10.dylib", b"_f")})
        found = read_companion(mac, named("torchvision", "0.18.0", "macos-arm64"))
        assert found.libraries[0].symbols == ("libc10.dylib!_f",)
        imports = {"c10.dll": ["f"], "KERNEL32.dll": ["Sleep"]}
        windows = wheel({"torchvision/_C.cp312-win_amd64.pyd": pe(imports)})
        found = read_companion(windows, named("torchvision", "0.18.0", "windows-amd64"))
        assert found.libraries[0].symbols == ("c10.dll!f",)

    def test_choices_have_the_number_of_their_ffmpeg(self) -> None:
        members = {f"torchcodec/libtorchcodec_core{number}.so": elf(undefined=(C,)) for number in (4, 7)}
        found = read_companion(wheel(members), named("torchcodec", "0.9.0"))
        assert {(each.role, each.group) for each in found.libraries} == {("choice", "4"), ("choice", "7")}

    @pytest.mark.parametrize("content", [b"no zip file", wheel({"a": b"b"}).getvalue()])
    def test_what_is_no_torch(self, content: bytes) -> None:
        with pytest.raises(UnreadableWheel):
            read_torch(io.BytesIO(content), named("torch", "2.13.0"))

    def test_a_damaged_library(self) -> None:
        with pytest.raises(UnreadableWheel, match=r"_C\.so"):
            read_companion(wheel({"torchvision/_C.so": b"\x7fELF"}), named("torchvision", "0.18.0"))


def torch(
    *exports: str, version: str = "2.8.0", build: str = "cu128", libraries: tuple[str, ...] = ()
) -> TorchWheel:
    return TorchWheel(named("torch", version, build=build), frozenset(libraries), frozenset(exports))


def companion(*libraries: Library, build: str = "cu128", compares: str = "") -> CompanionWheel:
    return CompanionWheel(named("torchaudio", "2.8.0", build=build), libraries, compares, {})


def opened(*symbols: str, needed: tuple[str, ...] = (), role: str = "import", group: str = "") -> Library:
    return Library(f"torchaudio/lib/libtorchaudio{group}.so", role, needed, symbols, group)


def verdict(mine: CompanionWheel, its: TorchWheel, series: str = "2.8") -> tuple[str, str]:
    found = decide(mine, its, series, Exported([its]))
    return found.verdict, found.reason


class TestDeciding:
    def test_a_missing_symbol(self) -> None:
        found = decide(companion(opened(C, D)), torch(C), "2.8", Exported([torch(C), torch(D, version="2.9.0")]))
        assert (found.verdict, found.kind, found.symbol) == ("fails", "measured", "at::empty")
        assert (
            found.reason == "libtorchaudio.so uses a form of at::empty, "
            "which this torch lacks: torch has this form from 2.9.0 on"
        )

    @pytest.mark.parametrize("library", ["libtorch_cpu.dylib", "torch_cpu.dll"])
    def test_a_symbol_that_another_library_of_torch_has(self, library: str) -> None:
        """macOS and Windows look for a symbol in one library: torch lacks it there, and has it elsewhere."""
        name = f"_{D}" if library.endswith(".dylib") else D
        symbol, elsewhere = f"{library}!{name}", f"libtorch.dylib!{name}"
        later = torch(symbol, version="2.9.0")
        found = decide(companion(opened(symbol)), torch(elsewhere), "2.8", Exported([torch(elsewhere), later]))
        assert (found.verdict, found.symbol) == ("fails", "at::empty")
        assert (
            found.reason == f"libtorchaudio.so uses a form of at::empty from {library}, "
            "which this torch lacks: torch has this form there from 2.9.0 on"
        )
        assert verdict(companion(opened(symbol)), torch(elsewhere))[1].endswith(
            "no torch that was read has it there"
        )

    def test_a_symbol_that_nobody_knows(self) -> None:
        assert verdict(companion(opened("something_else")), torch(C))[0] == "unknown"

    @pytest.mark.parametrize(
        "symbol", ["_ZNSt9exceptionD2Ev", "_ZSt9terminatev", "GOMP_parallel", "deflate", "dlopen"]
    )
    def test_a_symbol_of_the_system(self, symbol: str) -> None:
        assert verdict(companion(opened(C, symbol)), torch(C))[0] == "loads"

    def test_the_same_series(self) -> None:
        assert verdict(companion(opened(C)), torch(C, version="2.8.1"))[0] == "loads"

    @pytest.mark.parametrize("version", ["2.7.1", "2.9.0"])
    def test_another_series_is_unknown_though_it_links(self, version: str) -> None:
        kind, reason = verdict(companion(opened(C)), torch(C, version=version))
        assert kind == "unknown"
        assert "built for torch 2.8" in reason

    @pytest.mark.parametrize(
        ("version", "expected"), [("2.9.0", "loads"), ("2.8.0", "loads"), ("2.7.1", "unknown")]
    )
    def test_the_stable_abi_is_kept_by_later_releases(self, version: str, expected: str) -> None:
        assert verdict(companion(opened(STABLE)), torch(STABLE, version=version))[0] == expected

    def test_a_library_that_nobody_brings(self) -> None:
        kind, reason = verdict(companion(opened(needed=("libmine.so.1",))), torch())
        assert kind == "fails"
        assert "libmine.so.1" in reason

    @pytest.mark.parametrize("library", ["libnppicc.so.13", "libcudart.so.11.0", "cudart64_110.dll"])
    def test_a_library_that_a_cuda_toolkit_may_bring(self, library: str) -> None:
        """Alone, it leaves the pair unknown; a missing symbol or a comparison that raises decides."""
        its = torch(STABLE, build="cu130")
        kind, reason = verdict(companion(opened(STABLE, needed=(library,)), build="cu130"), its)
        assert kind == "unknown"
        needs = f"needs {with_cuda(library)}, which this torch, which is built for CUDA 13.0,"
        assert f"{needs} does not bring" in reason
        kind, reason = verdict(companion(opened(D, needed=(library,))), its)
        assert (kind, library in reason) == ("fails", False)
        other = companion(opened(STABLE, needed=(library,)), build="cu126", compares="major")
        assert verdict(other, its)[0] == "fails"
        choices = opened(STABLE, needed=(library,), role="choice", group="4"), opened(D, role="choice", group="7")
        assert verdict(companion(*choices), its)[0] == "unknown"

    @pytest.mark.parametrize("library", ["libc.so.6", "libpython3.12.so.1.0", "KERNEL32.dll", "libavutil.so.58"])
    def test_a_library_of_the_machine(self, library: str) -> None:
        assert verdict(companion(opened(STABLE, needed=(library,))), torch(STABLE))[0] == "loads"

    def test_a_library_that_torch_opens_by_path(self) -> None:
        its = torch(STABLE, build="cu130", libraries=("libnvrtc.so.*[0-9]",))
        assert verdict(companion(opened(STABLE, needed=("libnvrtc.so.13",)), build="cu130"), its)[0] == "loads"
        assert verdict(companion(opened(STABLE, needed=("libnvrtc.so.12",)), build="cu130"), its)[0] == "unknown"

    @pytest.mark.parametrize(
        ("compares", "mine", "its", "expected"),
        [
            ("minor", "cu130", "cu132", "fails"),
            ("major", "cu130", "cu132", "loads"),
            ("major", "cu128", "cu132", "fails"),
            ("", "cu128", "cu132", "loads"),
            ("minor", "cpu", "cu132", "loads"),
            ("minor", "cu132", "cpu", "loads"),
        ],
    )
    def test_the_comparison_of_cuda(self, compares: str, mine: str, its: str, expected: str) -> None:
        assert (
            verdict(companion(opened(STABLE), build=mine, compares=compares), torch(STABLE, build=its))[0]
            == expected
        )

    def test_one_choice_is_enough(self) -> None:
        good, bad = opened(STABLE, role="choice", group="4"), opened(STABLE, D, role="choice", group="7")
        assert verdict(companion(good, bad), torch(STABLE))[0] == "loads"
        assert verdict(companion(bad), torch(STABLE))[0] == "fails"

    def test_an_optional_library_is_named_only(self) -> None:
        kind, reason = verdict(companion(opened(C), opened(D, role="optional")), torch(C))
        assert kind == "loads"
        assert reason.endswith("so that only calls that use it fail")

    def test_no_library_at_all(self) -> None:
        assert verdict(companion(), torch())[0] == "loads"
        assert verdict(companion(), torch(version="2.9.0"))[0] == "unknown"

    def test_the_library_that_others_need_is_named(self) -> None:
        """_torchaudio.so has the needs of libtorchaudio.so too, whatever the order in the table."""
        outer = opened(D, "_ZN2at3newE")._replace(name="torchaudio/lib/_torchaudio.so")
        assert verdict(companion(outer, opened(D)), torch())[1].startswith("libtorchaudio.so uses a form of ")

    def test_names(self) -> None:
        assert plain("libc10.dylib!__ZN3c105ErrorC1E") == "c10::Error::Error"
        assert plain("torch_cpu.dll!torch_library_impl") == STABLE
        template = "c10.dll!??$addTypeMetaData@D@TypeMeta@caffe2@@CAGXZ"
        assert plain(template) == "caffe2::TypeMeta::addTypeMetaData"
        assert plain("_ZTIN3c105ErrorE") == "the type information of c10::Error"
        assert is_stable("libtorch_cpu.dylib!_aoti_torch_zero_")
        assert not is_stable(C)
        assert not is_stable("torch_python.dll!_torch_PyOpcode_Caches")
        assert [cuda_of(each) for each in ("cu130", "cu92", "cpu", "rocm6.4", None)] == ["13.0", "9.2", "", "", ""]


def a_store() -> Store:
    torches = [torch(C, version="2.7.0"), torch(C, D, STABLE), torch(D, STABLE, version="2.9.0")]
    rows = [
        companion(opened(C)),
        companion(opened(D, STABLE, needed=("libc10.so",)))._replace(wheel=named("torchaudio", "2.9.0")),
    ]
    return Store({"linux-x86_64": torches}, {("torchaudio", "linux-x86_64"): rows}, {})


class OneForAll:
    """Every wheel is for Python 3.12, and every companion for the torch of its own release."""

    def pythons(self, wheel: Wheel) -> frozenset[Python]:
        return frozenset({Python(12, False)})

    read = installable = pythons

    def series(self, wheel: Wheel) -> str:
        return wheel.version[:3]


class TestTables:
    def test_spans(self) -> None:
        versions = ["1.0", "1.1", "2.0", "2.1"]
        for mask in range(16):
            there = [bool(mask >> index & 1) for index in range(4)]
            assert in_span(versions, span_text(versions, there)) == there
        assert span_text(versions, [True, True, False, True]) == "1.0-1.1 2.1-"
        with pytest.raises(ValueError, match=r"9\.9"):
            in_span(versions, "9.9-")

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        for path, text in write_store(tmp_path, a_store()).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = read_store(tmp_path)
        assert found.torches == a_store().torches
        read = found.companions["torchaudio", "linux-x86_64"]
        assert [(each.wheel, each.libraries) for each in read] == [
            (each.wheel, each.libraries) for each in a_store().companions["torchaudio", "linux-x86_64"]
        ]
        assert found.lacks("linux-x86_64") == set()

    def test_a_new_symbol_is_asked_for(self, tmp_path: Path) -> None:
        for path, text in write_store(tmp_path, a_store()).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = read_store(tmp_path)
        found.companions["torchaudio", "linux-x86_64"].append(companion(opened("_ZN2at3newE", "torch_new")))
        assert found.lacks("linux-x86_64") == {"_ZN2at3newE"}

    def test_a_damaged_table(self, tmp_path: Path) -> None:
        (tmp_path / "exports").mkdir()
        (tmp_path / "exports" / "torch.json").write_text('{"package": "torch"}', encoding="utf-8")
        with pytest.raises(DataError):
            read_store(tmp_path)

    def test_from_evidence_to_cells(self, tmp_path: Path) -> None:
        table = compile_cells(a_store(), "2026-11-30", OneForAll())
        path = tmp_path / "proofs.json"
        path.write_text(text_of(table), encoding="utf-8")
        found = {(str(each.version), str(each.torch)): each for each in Proofs(path).cells()}
        assert {pair: cell.verdict for pair, cell in found.items()} == {
            ("2.8.0", "2.7.0"): "unknown",
            ("2.8.0", "2.8.0"): "loads",
            ("2.8.0", "2.9.0"): "fails",
            ("2.9.0", "2.7.0"): "fails",
            ("2.9.0", "2.8.0"): "fails",
            ("2.9.0", "2.9.0"): "fails",
        }
        assert "libc10.so" in found["2.9.0", "2.9.0"].reason
        assert found["2.8.0", "2.9.0"].symbol == "c10::Error::Error"
        assert [each.date for each in found["2.8.0", "2.9.0"].evidence] == ["2026-11-30"] * 2

    def test_a_damaged_table_of_cells(self, tmp_path: Path) -> None:
        (tmp_path / "proofs.json").write_text('{"date": ""}', encoding="utf-8")
        with pytest.raises(DataError):
            Proofs(tmp_path / "proofs.json")


class TestPairing:
    def test_pythons(self) -> None:
        linux = "manylinux_2_28_x86_64"
        assert pythons_of([f"cp312-cp312-{linux}", f"cp313-cp313t-{linux}"], "linux-x86_64") == {
            (12, False),
            (13, True),
        }
        assert pythons_of([f"cp312-cp312-{linux}"], "linux-aarch64") == set()
        assert (14, False) in pythons_of([f"cp310-abi3-{linux}"], "linux-x86_64")
        assert (9, False) not in pythons_of([f"cp310-abi3-{linux}"], "linux-x86_64")
        assert (12, True) in pythons_of([f"py3-none-{linux}"], "linux-x86_64")
        assert pythons_of([f"cp38-cp38m-{linux}"], "linux-x86_64") == {(8, False)}

    @pytest.mark.parametrize(
        ("package", "version", "declared", "expected"),
        [
            ("torchaudio", "2.8.0", [Dependency("torch", "==2.8.0")], "2.8"),
            ("torchcodec", "0.5", [], "2.7"),
            ("torchcodec", "0.13.0", [], "2.11"),
            ("torchaudio", "99.0", [Dependency("torch", ">=98.1")], "98.1"),
            ("torchtext", "0.1.1", [Dependency("numpy", "")], ""),
        ],
    )
    def test_series(self, package: str, version: str, declared: list[Dependency], expected: str) -> None:
        assert series_of(package, version, "linux-x86_64", declared, Matrix()) == expected
