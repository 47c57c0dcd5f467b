"""The command that mends an environment: what it keeps, which builds it takes, and how it is spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, first, remove, run, stage_audio, stage_torch
from support.libraries import elf
from support.site_folder import install, write
from torchlock.check import CheckContext
from torchlock.check.fix.commands import install as install_command
from torchlock.check.fix.commands import shell, uninstall, unset
from torchlock.check.fix.plan import Plan
from torchlock.check.fix.quoting import quoted
from torchlock.inspect.environment import Environment, PathEntry
from torchlock.inspect.interpreter import Interpreter
from torchlock.runtime.files import Tree
from torchlock.target import Platform

GONE = ("_ZN5torch4gone3newEv",)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def lines(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """The command in each spelling."""
    remedy = first(run(capsys, "--path", site, *words))["remedy"]
    return {command["tool"]: command["line"] for command in remedy["commands"]}


def test_torch_stays_and_its_companions_follow(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.8.0", cuda="'12.8'")
    stage_audio(site, "2.5.1", uses=GONE)
    assert lines(site, capsys)["pip"] == "python -m pip install torchaudio==2.8.0"


def test_torch_gives_way_where_no_companion_goes_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch 1.0.1 is older than the first torchaudio that had wheels."""
    site = tmp_path / "env" / "lib" / "python3.7" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "1.0.1", cuda="'9.0'")
    stage_audio(site, "0.3.0", uses=GONE)
    line = lines(site, capsys)["uv"]
    assert "torch==1.2.0" in line
    assert "torchaudio" not in line


def test_a_torch_of_a_cuda_that_no_torchaudio_was_built_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Older builds of the same release are looked for, among releases of which no list of builds is known too."""
    stage_torch(site, "2.12.0+cu132", cuda="'13.2'", exports=("torch_library_impl",))
    stage_audio(site, "2.11.0+cu130", uses=("torch_library_impl",))
    assert "torch==2.12.0+cu130" in lines(site, capsys)["uv"]


def test_what_others_ask_for_is_kept(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.13.0", cuda="'13.0'", exports=("torch_library_impl",))
    stage_audio(site, "2.8.0", uses=GONE)
    install(site, "speechtool", "1.0", headers="Requires-Dist: torchaudio<2.9\n")
    line = lines(site, capsys)["pip"]
    assert "torch==2.8.0" in line
    assert "torchaudio" not in line


def test_what_others_ask_for_gives_way_where_nothing_else_is_left(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_torch(site, "2.8.0", cuda="'12.8'")
    stage_audio(site, "2.5.1", uses=GONE)
    install(site, "one", "1.0", headers="Requires-Dist: torchaudio<2.6\n")
    install(site, "other", "1.0", headers="Requires-Dist: torch>=2.7\n")
    assert "torchaudio==2.8.0" in lines(site, capsys)["pip"]


@pytest.mark.parametrize(("build", "label"), [("cpu", "+cpu"), ("cu126", "+cu126")])
def test_the_build_of_torch_is_kept(
    build: str, label: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_torch(site, f"2.8.0+{build}", cuda="None" if build == "cpu" else "'12.6'")
    stage_audio(site, f"2.5.1+{build}", uses=GONE)
    found = lines(site, capsys)
    assert f"--torch-backend={build} torchaudio==2.8.0{label}" in found["uv"]
    page = f"https://download.pytorch.org/whl/{build}"
    assert found["pip"] == f"python -m pip install --index-url {page} torchaudio==2.8.0{label}"
    assert f"from {page}" in first(run(capsys, "--path", site))["remedy"]["summary"]


def test_another_build_can_be_asked_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.8.0+cpu")
    stage_audio(site, "2.8.0+cu128", needed=("libtorch_cuda.so",))
    line = lines(site, capsys, "--accelerator", "cu126")["uv"]
    assert "torch==2.8.0+cu126" in line
    assert "torchaudio==2.8.0+cu126" in line
    line = lines(site, capsys, "--accelerator", "pypi")["pip"]
    assert "--force-reinstall" in line
    assert "--no-deps" not in line


def test_nobody_replaces_a_vendors_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.9.0a0+145a3a7bda.nv25.10", cuda="'13.0'")
    stage_audio(site, "2.8.0+cu128", uses=GONE)
    report = run(capsys, "--path", site, code=1)
    assert bad(report)[0][1] == "TL611"
    address = "git+https://github.com/pytorch/audio@v2.9.0"
    assert report["command"].endswith(f"--force-reinstall --no-deps --no-build-isolation --no-cache-dir {address}")
    summary = first(report)["remedy"]["summary"]
    assert "Install the torchaudio from where torch 2.9.0a0+145a3a7bda.nv25.10 came" in summary


def test_a_pre_release_of_a_vendor_takes_the_tag_of_its_own_release(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/Qengineering/Jetson-Nano-Ubuntu-20-image/issues/82: not the last patch release of it."""
    stage_torch(site, "1.13.0a0+git7c98e70", cuda="'10.2'")
    stage_audio(site, "0.13.0", uses=GONE)
    report = run(capsys, "--path", site, code=1)
    assert report["command"].endswith("git+https://github.com/pytorch/audio@v0.13.0")


def test_a_damaged_package_is_installed_once_more_without_the_cache(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_torch(site, "2.8.0", cuda="'12.8'")
    stage_audio(site, "2.8.0")
    (site / "torchaudio" / "functional.py").unlink()
    line = lines(site, capsys)["pip"]
    assert line == "python -m pip install --force-reinstall --no-deps --no-cache-dir torchaudio==2.8.0"
    remove(site, "torch")


def test_what_is_installed_again_leaves_what_it_needs_alone(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch is damaged, and torchaudio a build that does not go with it."""
    stage_torch(site, "2.8.0+cpu")
    for path in (site / "torch" / "lib").iterdir():
        path.unlink()
    stage_audio(site, "2.8.0+cu128")
    for line in lines(site, capsys).values():
        assert "--no-deps" in line, line


def context(stdlib: Path, *, virtual: bool) -> CheckContext:
    site = PathEntry(str(stdlib / "site-packages"), "site", "")
    interpreter = Interpreter("/usr/bin/python3", "3.11.2", stdlib=(str(stdlib),), virtual=virtual)
    return CheckContext(Environment(interpreter, (site,), Tree()))


def test_a_python_that_a_distribution_manages_gets_an_environment(tmp_path: Path) -> None:
    plan = Plan({"torch": "2.8.0"})
    write(tmp_path / "EXTERNALLY-MANAGED", "")
    managed = {command.tool: command.line for command in install_command(context(tmp_path, virtual=False), plan)}
    assert managed["pip"] == "/usr/bin/python3 -m venv .venv && .venv/bin/python -m pip install torch==2.8.0"
    own = {command.tool: command.line for command in install_command(context(tmp_path, virtual=True), plan)}
    assert own["pip"] == "/usr/bin/python3 -m pip install torch==2.8.0"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("torch==2.8.0", "torch==2.8.0"),
        ("numpy>=1,<2", '"numpy>=1,<2"'),
        ("/a folder/python", '"/a folder/python"'),
        ("$(reboot)", "'$(reboot)'"),
        ("`reboot`", "'`reboot`'"),
        ("a\\b", "'a\\b'"),
        ("~root/python", '"~root/python"'),
        ("a!b", "'a!b'"),
        ("a'b", "'a'\"'\"'b'"),
    ],
)
def test_words_are_quoted_for_a_shell(word: str, shown: str) -> None:
    assert quoted(word) == shown


def test_words_for_windows_keep_their_backslashes() -> None:
    assert quoted("C:\\py\\python.exe", windows=True) == "C:\\py\\python.exe"
    assert quoted("C:\\Program Files\\python.exe", windows=True) == '"C:\\Program Files\\python.exe"'


def test_an_environment_of_its_own_gets_the_whole_stack(tmp_path: Path) -> None:
    """torchaudio 2.11 does not ask for torch: alone in a new environment it would find none."""
    write(tmp_path / "EXTERNALLY-MANAGED", "")
    here = context(tmp_path, virtual=False)
    site = tmp_path / "site-packages"
    stage_torch(site, "2.13.0", cuda="'13.0'")
    stage_audio(site, "2.10.0")
    commands = {command.tool: command.line for command in install_command(here, Plan({"torchaudio": "2.11.0"}))}
    assert commands["pip"].endswith(".venv/bin/python -m pip install torch==2.13.0 torchaudio==2.11.0")
    assert uninstall(here, ["torch"]) == ()


def test_a_name_that_no_project_can_have_gets_no_command(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.8.0+cpu")
    name = "x; touch pwned #"
    info = install(site, "evil", "1.0", {"evil_C.abi3.so": elf("", ["libtorch_cpu.so"], [], ["_ZN5torch4goneE"])})
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: torch\n"
    (info / "METADATA").unlink()
    write(info / "METADATA", metadata)
    report = run(capsys, "--path", site, code=0)
    assert ("warning", "TL611") in bad(report)
    assert [
        command
        for each in report["files"][0]["findings"]
        for command in (each["remedy"] or {}).get("commands", [])
    ] == []


def test_a_line_of_a_pth_file_is_what_must_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, other = tmp_path / "lib" / "python3.11" / "site-packages", tmp_path / "lib" / "other"
    for folder in (site, other):
        folder.mkdir(parents=True)
    stage_torch(site)
    stage_audio(other, "2.5.1+cpu")
    stage_audio(site)
    write(site / "mine.pth", f"import sys; sys.path.insert(0, '{other}')\n")
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL606"
    assert first(report)["remedy"]["summary"].startswith(f"Remove line 1 of {site / 'mine.pth'}")


@pytest.mark.parametrize(("defined", "torch"), [("GLIBC_2.27", "torch==2.6.0"), ("GLIBC_2.12", None)])
def test_a_system_with_an_old_glibc_gets_a_release_that_runs_on_it(
    tmp_path: Path, defined: str, torch: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "2.8.0", cuda="'12.8'")
    stage_audio(site, "2.8.0")
    library = elf("libtorch_python.so", ["libc.so.6"], needs=[("libc.so.6", "GLIBC_2.28")])
    (site / "torch" / "lib" / "libtorch_python.so").unlink()
    write(site / "torch" / "lib" / "libtorch_python.so", library)
    write(tmp_path / "etc" / "os-release", "ID=ubuntu\nVERSION_ID=18.04\n")
    write(tmp_path / "lib64" / "libc.so.6", elf("libc.so.6", defines=["GLIBC_2.2.5", defined]))
    report = run(capsys, "--path", site, "--ignore", "TL602", code=1)
    assert first(report)["rule"] == "TL612"
    if torch is None:
        assert "later glibc" in first(report)["remedy"]["summary"]
    else:
        assert torch in report["command"]


def test_variables_are_cleared_as_the_shell_of_the_platform_does(tmp_path: Path) -> None:
    here = context(tmp_path, virtual=True)
    assert unset(here, "PYTHONPATH") == "unset PYTHONPATH"
    here.platform = Platform.parse("windows-amd64")
    assert unset(here, "PYTHONPATH") == 'set "PYTHONPATH="'
    assert [each.line for each in shell(here, "mv", "C:\\a b", "C:\\c")] == ['move "C:\\a b" C:\\c']
    assert shell(here, "mv", "C:\\a\nb", "C:\\c") == ()


def test_releases_that_go_together_and_were_built_apart(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """conda's torch has another C++ ABI than the public index's torchaudio of the same release."""
    stage_torch(site, "2.8.0+cpu", exports=("_ZN5torch3jit17parseSchemaOrNameERKNSt7__cxx1112basic_stringE",))
    stage_audio(site, "2.8.0+cpu", uses=("_ZN5torch3jit17parseSchemaOrNameERKSs",))
    finding = first(run(capsys, "--path", site, code=1))
    assert finding["rule"] == "TL611"
    assert "from one source" in finding["remedy"]["summary"]
    for command in finding["remedy"]["commands"]:
        assert "torch==2.8.0+cpu" in command["line"] and "torchaudio==2.8.0+cpu" in command["line"]
        assert "--no-deps" not in command["line"]


def test_uv_does_not_look_into_the_folder_of_the_user(tmp_path: Path) -> None:
    folder = tmp_path / "user"
    stage_audio(folder, "2.8.0+cpu")
    entry = PathEntry(str(folder), "user", "it is the user's")
    named = CheckContext(Environment(Interpreter(executable="/opt/bin/python"), (entry,), Tree()), True)
    assert [command.tool for command in uninstall(named, ["torchaudio"])] == ["pip"]
    assert {command.tool for command in uninstall(named, ["torch"])} == {"pip", "uv"}


def test_what_a_consequence_brings_is_of_the_same_root(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torchaudio and torchvision are both of another build: one root, and nothing beside it without a remedy."""
    stage_torch(site, "2.8.0+cpu")
    stage_audio(site, "2.8.0+cu128", needed=("libc10_cuda.so", "libtorch_cpu.so"))
    files: dict[str, bytes | str] = {
        "torchvision/__init__.py": "",
        "torchvision/version.py": "__version__ = '0.23.0+cu128'\ncuda = '12.8'\n",
        "torchvision/_C.so": elf("", ["libc10_cuda.so", "libtorch_cpu.so"]),
    }
    headers = "Requires-Dist: torch (==2.8.0)\n"
    install(site, "torchvision", "0.23.0+cu128", files, headers=headers, tag="cp311-cp311-manylinux_2_28_x86_64")
    report = run(capsys, "--path", site, code=1)
    assert [rule for severity, rule in bad(report) if severity == "error"] == ["TL201"]
    told = [(each["rule"], each["packages"][0]["name"]) for each in first(report)["consequences"]]
    assert ("TL610", "torchvision") in told
