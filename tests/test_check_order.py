"""Evidence has an order: what ran, what the loader shows, a measured rule, a declared one, a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.check import bad, first, image, remove, rules_below, run, stage_audio, stage_torch
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write
from torchlock.check.log import read_log
from torchlock.check.log_order import chosen, promote
from torchlock.check.verdict import ranked
from torchlock.cli.main import main
from torchlock.finding import Finding, Strength

CXX = "_ZN5torch3jit17parseSchemaOrNameERKSs"
OTHER_CXX = "_ZNK5torch8autograd4Node4nameEv"
C = "aoti_torch_empty_strided"
LIBRARIES = {"torchaudio": "lib/libtorchaudio.so", "torchvision": "_C.so", "torchtext": "lib/libtorchtext.so"}


def companion(site: Path, name: str, version: str, uses: tuple[str, ...], pin: str = "", file: str = "") -> None:
    """A companion of torch with one library; without any where it uses nothing."""
    files: dict[str, bytes | str] = {
        f"{name}/__init__.py": "",
        f"{name}/version.py": f"__version__ = '{version}'\n",
    }
    if uses:
        files[f"{name}/{file or LIBRARIES[name]}"] = elf("", ["libtorch_cpu.so"], [], uses)
    headers = f"Requires-Dist: torch (=={pin})\n" if pin else ""
    install(site, name, version, files, headers=headers, tag="cp311-cp311-manylinux_2_28_x86_64")


class Pair(NamedTuple):
    """A companion, the torch that its wheel pins and the one that is there, what it uses and what torch has."""

    version: str
    pin: str
    torch: str
    uses: tuple[str, ...]
    has: tuple[str, ...]
    code: int
    found: list[tuple[str, str]]


FULL, SOME = (CXX, OTHER_CXX, C), (CXX,)
AUDIO = {
    "its own release": Pair("2.9.0", "2.9.0", "2.9.0", (CXX,), FULL, 0, []),
    "another patch release": Pair("2.9.0", "2.9.0", "2.9.1", (CXX,), FULL, 0, [("note", "TL609")]),
    "another patch release, nothing pinned": Pair("0.13.1", "", "1.13.0", (CXX,), FULL, 0, []),
    "an earlier patch release": Pair("2.1.2", "2.1.2", "2.1.0", (CXX,), FULL, 0, [("note", "TL609")]),
    "another patch release that lacks a symbol": Pair(
        "2.9.0", "2.9.0", "2.9.1", (CXX, OTHER_CXX), SOME, 1, [("error", "TL611")]
    ),
    "another patch release, no library": Pair("2.9.0", "2.9.0", "2.9.1", (), FULL, 0, [("warning", "TL609")]),
    "another minor release": Pair("2.8.0", "2.8.0", "2.9.1", (CXX,), FULL, 1, [("error", "TL101")]),
    "another minor release, no library": Pair("2.8.0", "2.8.0", "2.9.1", (), FULL, 1, [("error", "TL101")]),
    "another minor release by the C interface": Pair(
        "2.10.0", "2.10.0", "2.11.0", (C,), FULL, 0, [("note", "TL609")]
    ),
    "an earlier minor release by the C interface": Pair("2.11.0", "", "2.10.0", (C,), FULL, 0, []),
    "an earlier minor release that lacks it": Pair("2.11.0", "", "2.10.0", (C,), SOME, 1, [("error", "TL101")]),
    "a vendor's build of the same branch": Pair("2.8.0", "", "2.8.0a0+5228986c39.nv25.06", (CXX,), FULL, 0, []),
    "a vendor's build that lacks a symbol": Pair(
        "2.8.0", "", "2.8.0a0+5228986c39.nv25.06", (CXX, OTHER_CXX), SOME, 1, [("error", "TL611")]
    ),
}


@pytest.mark.parametrize("name", AUDIO)
def test_the_exit_code_is_what_the_symbols_say(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = AUDIO[name]
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    stage_torch(site, pair.torch, exports=pair.has)
    companion(site, "torchaudio", pair.version, pair.uses, pair.pin)
    report = run(capsys, "--path", site, "--ignore", "TL306", code=pair.code)
    found = bad(report)
    if pair.found == [("note", "TL609")]:
        assert found == []
        (pin,) = (each for each in report["files"][0]["findings"] if each["rule"] == "TL609")
        assert "installers follow this pin of its metadata" in pin["because"]
        return
    assert found == pair.found or (found[:1] == pair.found and pair.code), report["summary"]
    if "minor release, no library" in name:
        assert "only the rule says so" in first(report)["because"]


@pytest.mark.parametrize(
    ("name", "version", "pin"), [("torchvision", "0.20.0", "2.5.0"), ("torchtext", "0.15.1", "2.0.0")]
)
@pytest.mark.parametrize("pinned", [True, False])
def test_what_holds_of_torchaudio_holds_of_its_siblings(
    name: str, version: str, pin: str, pinned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    stage_torch(site, pin.removesuffix("0") + "1", exports=FULL)
    companion(site, name, version, (CXX,), pin if pinned else "")
    notes = run(capsys, "--path", site, code=0)
    assert bad(notes) == []
    assert ("TL609" in [each["rule"] for each in notes["files"][0]["findings"]]) == pinned
    remove(site, "torch")
    stage_torch(site, "2.8.0", exports=FULL)
    rule = {"torchvision": "TL103", "torchtext": "TL104"}[name]
    report = run(capsys, "--path", site, code=1)
    assert bad(report)[0] == ("error", rule)
    assert "the C++ interface differs between minor releases" in first(report)["because"]


def test_a_release_that_nothing_goes_with_by_rule_and_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchtext 0.16.2 was built for torch 2.1.2, and its metadata pins 2.2.0, where symbols are missing."""
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    companion(site, "torchtext", "0.16.2", (CXX,), "2.2.0")
    stage_torch(site, "2.2.0", exports=(C,))
    assert bad(run(capsys, "--path", site, code=1))[0] == ("error", "TL104")
    remove(site, "torch")
    stage_torch(site, "2.1.2", exports=FULL)
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_a_rule_that_names_a_prerelease_speaks_of_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "torchcodec", "0.0.0.dev0")
    assert ("warning", "TL102") in bad(run(capsys, "--path", site))


def test_a_finding_that_was_shown_comes_before_a_rule(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The libraries of torchaudio cannot be read, so that only a rule speaks of it; torch lacks a library."""
    remove(site, "torchaudio")
    companion(site, "torchaudio", "2.5.1", ())
    image(site)
    path = site / "torch" / "lib" / "libtorch_cpu.so"
    write(path, elf("libtorch_cpu.so", ["libgone.so.1"], [CXX]))
    report = run(capsys, "--path", site, code=1)
    assert [rule for _, rule in bad(report)][:2] == ["TL610", "TL101"]


# A log chooses among what was found.


def missing_symbol(site: Path) -> str:
    remove(site, "torch")
    stage_torch(site, "2.8.0a0+5228986c39.nv25.06", exports=())
    return f"OSError: /opt/x/libtorchaudio.so: undefined symbol: {CXX}"


def missing_symbol_of_a_vendors_other_release(site: Path) -> str:
    remove(site, "torch")
    stage_torch(site, "2.9.0a0+5228986c39.nv25.06", exports=())
    return f"OSError: /opt/x/libtorchaudio.so: undefined symbol: {CXX}"


def missing_library(site: Path) -> str:
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libtorch_cpu.so", "libtorch_cuda.so"]))
    return "OSError: libtorch_cuda.so: cannot open shared object file: No such file or directory"


def missing_library_of_torch(site: Path) -> str:
    image(site)
    write(site / "torch" / "lib" / "libtorch_cpu.so", elf("libtorch_cpu.so", ["libgomp.so.1"], [CXX]))
    return "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"


def old_c_library(site: Path) -> str:
    image(site)
    path = site / "torch" / "lib" / "libtorch_cpu.so"
    write(path, elf("libtorch_cpu.so", ["libc.so.6"], [CXX], needs=[("libc.so.6", "GLIBC_2.34")]))
    return "ImportError: /lib/libc.so.6: version `GLIBC_2.34' not found (required by /x/libtorch_cpu.so)"


def cut_off(site: Path) -> str:
    path = site / "torchaudio" / "lib" / "libtorchaudio.so"
    write(path, path.read_bytes()[:80])
    return "OSError: /x/torchaudio/lib/libtorchaudio.so: file too short"


def another_machine(site: Path) -> str:
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libtorch_cpu.so"], machine=183))
    return "OSError: /x/torchaudio/lib/libtorchaudio.so: cannot open shared object file: No such file or directory"


def another_minor_release(site: Path) -> str:
    remove(site, "torchaudio")
    stage_audio(site, "2.5.1+cpu", uses=(OTHER_CXX,))
    return f"OSError: /x/torchaudio/lib/libtorchaudio.so: undefined symbol: {OTHER_CXX}"


FAILURES = [
    missing_symbol,
    missing_symbol_of_a_vendors_other_release,
    missing_library,
    missing_library_of_torch,
    old_c_library,
    cut_off,
    another_machine,
    another_minor_release,
]


@pytest.mark.parametrize("stage", FAILURES, ids=lambda stage: str(stage.__name__))
def test_the_log_of_what_was_shown_changes_nothing(
    stage: Any, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log", f"Traceback (most recent call last):\n{stage(site)}\n")
    install(site, "speechtool", "1.0", headers="Requires-Dist: torchaudio<2.5\n")
    alone, by_log = run(capsys, "--path", site), run(capsys, "--path", site, "--log", log)
    assert first(by_log)["rule"] == first(alone)["rule"]
    assert first(by_log)["message"] == first(alone)["message"]
    assert first(by_log)["severity"] == first(alone)["severity"] == "error"


def test_a_rule_that_merely_fits_is_lifted_over_nothing_that_was_shown() -> None:
    rule = Finding("TL101", "error", "needs another", packages=(("torchaudio", "1"),), strength=Strength.MEASURED)
    shown = Finding("TL601", "error", "lacks a file", packages=(("torchaudio", "1"),))
    log = read_log("OSError: /x/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN3c106detail19maybe")
    assert [each.rule for each in chosen(log, [shown, rule])] == ["TL601", "TL101"]
    printed = Finding("TL611", "error", "uses", packages=(("torchaudio", "1"),), lacks=("_ZN3c106detail19maybe",))
    assert [each.rule for each in chosen(log, [rule, shown, printed])] == ["TL611", "TL601", "TL101"]


def test_what_bears_a_rule_out_lends_it_strength() -> None:
    rule = Finding(
        "TL101", "error", "x", packages=(("torchaudio", "1"), ("torch", "2")), strength=Strength.MEASURED
    )
    shown = Finding("TL611", "error", "y", packages=(("torchaudio", "1"), ("torch", "2")))
    other = Finding("TL607", "error", "z", packages=(("torch", "2"),))
    assert [each.rule for each in ranked([shown, rule])] == ["TL101"]
    assert [each.rule for each in ranked([rule, other])] == ["TL607", "TL101"]


def test_the_log_of_another_environment_accuses_nobody(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "ModuleNotFoundError: No module named 'torchaudio'\n"
    remove(site, "torchaudio")
    log = write(tmp_path / "log", text)
    assert bad(run(capsys, "--path", site, "--log", log, code=1)) == [("error", "TL615")]
    for strange in (
        "Python 3.9.2 (main)\n",
        '  File "C:\\other\\Lib\\site-packages\\torch\\__init__.py", line 1\n',
        "x 1.0 requires torch==2.7.0, but you have torch 2.6.0 which is incompatible.\n",
    ):
        log = write(tmp_path / "log", strange + text)
        assert bad(run(capsys, "--path", site, code=0)) == []
        assert main(["check", "--path", str(site), "--log", str(log)]) == 0
        assert "the log is from another environment" in capsys.readouterr().err


def test_the_folder_of_the_machine_that_a_log_is_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --root its paths are those of that machine."""
    monkeypatch.chdir(tmp_path)
    inner = "opt/app/env/lib/python3.11/site-packages"
    site = tmp_path / "root" / inner
    stage_torch(site)
    stage_audio(site)
    line = "OSError: libsox.so: cannot open shared object file: No such file or directory"
    for place in (f"/{inner}", str(site)):
        log = write(tmp_path / "log", f'  File "{place}/torchaudio/__init__.py", line 1\n{line}\n')
        main(["check", "--path", f"root/{inner}", "--root", "root", "--log", str(log)])
        assert "another environment" not in capsys.readouterr().err
    log = write(
        tmp_path / "log", f'  File "/opt/b/lib/python3.11/site-packages/torchaudio/x.py", line 1\n{line}\n'
    )
    main(["check", "--path", f"root/{inner}", "--root", "root", "--log", str(log)])
    assert "it has torchaudio in /opt/b/lib/python3.11, this is /opt/app/env" in capsys.readouterr().err


def test_of_two_dependents_that_comes_first_which_the_traceback_goes_through(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.9.1+cpu", exports=FULL)
    stage_audio(site, "2.9.1+cpu")
    for name, version, path in (
        ("speechbrain", "1.0.0", "speechbrain/io.py"),
        ("deepfilternet", "0.5.6", "df/io.py"),
    ):
        install(site, name, version, {path: ""})
    for name, path in (("speechbrain", "speechbrain/io.py"), ("deepfilternet", "df/io.py")):
        text = (
            f"  File \"site-packages/{path}\", line 8\nAttributeError: module 'torchaudio' has no attribute 'x'\n"
        )
        log = write(tmp_path / "log", text)
        assert first(run(capsys, "--path", site, "--log", log))["packages"][0]["name"] == name


def test_a_note_that_the_loader_denies_stays_one() -> None:
    note = Finding("TL305", "note", "not installed", packages=(("torchcodec", ""),))
    promote(read_log("ImportError: TorchCodec is required for load_with_torchcodec."), [note])
    assert note.severity == "warning"


@pytest.mark.parametrize("strength", list(Strength))
def test_what_is_only_declared_is_no_error(strength: Strength, site: Path) -> None:
    from support.site_folder import tree
    from torchlock.check import CheckContext

    finding = CheckContext(tree(site), live=False).finding("TL609", "error", "x", "torch", strength=strength)
    assert (finding.severity == "error") is (strength >= Strength.MEASURED)
    assert rules_below({"consequences": []}) == []


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        (
            "AttributeError: module 'torchaudio' has no attribute 'set_audio_backend'",
            "torchaudio.set_audio_backend",
        ),
        ("AttributeError: module 'torchaudio' has no attribute 'functional'", ""),
        ("ImportError: cannot import name 'AudioMetaData' from 'torchaudio' (/x)", "torchaudio.AudioMetaData"),
        ("ModuleNotFoundError: No module named 'torchaudio.backend'", "torchaudio.backend"),
        ("AttributeError: partially initialized module 'torchaudio' has no attribute 'info'", ""),
    ],
)
def test_a_caller_outside_of_site_packages_is_known_from_the_log(
    line: str, lost: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log is what ran; that torchaudio lacks the name is seen in its source."""
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.9.1+cpu", exports=FULL)
    stage_audio(site, "2.9.1+cpu")
    log = write(tmp_path / "log", f'  File "app/loader.py", line 8, in <module>\n{line}\n')
    report = run(capsys, "--path", site, "--log", log, code=0)
    found = [each for each in report["files"][0]["findings"] if each["rule"] in ("TL701", "TL702")]
    assert bool(found) is bool(lost)
    if lost:
        assert first(report)["message"].startswith(f"app/loader.py, line 8, uses {lost}, which torchaudio 2.9.1")
        assert "or change that line: " in first(report)["remedy"]["summary"]
