"""What installers, numba, torch.load and GPUs print: which finding a log gives, and when it gives none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.check import CXX, site, torch_files
from support.site_folder import install, write
from torchlock.check.installer_log import read_installation
from torchlock.check.log import read_log
from torchlock.cli.main import main

__all__ = ["site"]

PAGE = "https://download.pytorch.org/whl"
TIMEOUT = (
    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='example.org'): Read timed out."
)
DRIVER = "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU"
CUDA = {"version": "2.8.0+cu128", "cuda": "'12.8'"}


def collected(line: str) -> str:
    """A log of pip that ends with this line."""
    return (
        f"Collecting torch==2.8.0\n  Using cached torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl (88 "
        f"MB)\n{line}\n"
    )


def findings(site: Path, log: str, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    path = write(site.parents[3] / "log.txt", log)
    main(
        [
            "check",
            "--path",
            str(site),
            "--log",
            str(path),
            "--platform",
            "linux-x86_64",
            "--format",
            "json",
            *options,
        ]
    )
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    return found


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An environment with pip and nothing else."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    text = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.4\n"
    write(tmp_path / "env" / "pyvenv.cfg", text)
    return folder


@pytest.mark.parametrize(
    ("rule", "command", "log"),
    [
        pytest.param(
            "TL520",
            "cache purge && ",
            collected("zipfile.BadZipFile: Bad CRC-32 for file 'torch/lib/a.so'"),
            marks=pytest.mark.triggers("TL520"),
        ),
        pytest.param(
            "TL521",
            "venv .venv && ",
            collected(
                "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/usr/lib/x'"
            ),
            marks=pytest.mark.triggers("TL521"),
        ),
        pytest.param(
            "TL522",
            "--no-cache-dir",
            collected("OSError: [Errno 28] No space left on device"),
            marks=pytest.mark.triggers("TL522"),
        ),
        pytest.param("TL523", "--no-cache-dir", collected("Killed"), marks=pytest.mark.triggers("TL523")),
        pytest.param(
            "TL524", "", collected("  error: subprocess-exited-with-error"), marks=pytest.mark.triggers("TL524")
        ),
        pytest.param(
            "TL525",
            "venv .venv && ",
            "$ pip install torch\nerror: externally-managed-environment",
            marks=pytest.mark.triggers("TL525"),
        ),
        pytest.param("TL526", "--timeout", collected(TIMEOUT), marks=pytest.mark.triggers("TL526")),
        pytest.param(
            "TL527",
            "torchaudio==2.8.0",
            (
                "ERROR: Cannot install torch==2.8.0 and torchaudio==2.7.1 because these package versions "
                "have conflicting dependencies."
            ),
            marks=pytest.mark.triggers("TL527"),
        ),
        pytest.param(
            "TL528",
            "",
            "ERROR: No matching distribution found for example-package==9.9",
            marks=pytest.mark.triggers("TL528"),
        ),
        pytest.param(
            "TL529",
            "LongPathsEnabled",
            (
                "HINT: This error might have occurred since this system does not have Windows Long Path "
                "support enabled."
            ),
            marks=pytest.mark.triggers("TL529"),
        ),
        pytest.param(
            "TL520",
            f"--index-url {PAGE}/cu117 torch",
            f"Looking in indexes: {PAGE}/cu117\nCollecting torch\n"
            "zipfile.BadZipFile: Bad CRC-32 for file 'torch/a.py'",
            marks=pytest.mark.triggers("TL520"),
        ),
        pytest.param(
            "TL511",
            "pip<24.1",
            "WARNING: Ignoring version 2.0.6 of omegaconf since it has invalid metadata:",
            marks=pytest.mark.triggers("TL511"),
        ),
        pytest.param(
            "TL403",
            "python3.11 -m venv",
            "ERROR: No matching distribution found for torch==1.13.1",
            marks=pytest.mark.triggers("TL403"),
        ),
        pytest.param(
            "TL204",
            "torch==2.0.1+cu118",
            "ERROR: No matching distribution found for torch==2.0.1+cu121",
            marks=pytest.mark.triggers("TL204"),
        ),
        pytest.param(
            "TL205",
            f"--index-url {PAGE}/cu130",
            f"Looking in indexes: {PAGE}/cu131\nERROR: No matching distribution found for torch==2.10.0",
            marks=pytest.mark.triggers("TL205"),
        ),
        pytest.param(
            "TL502",
            "torchaudio==",
            "ERROR: No matching distribution found for torchaudio==2.3.2",
            marks=pytest.mark.triggers("TL502"),
        ),
        pytest.param(
            "TL507",
            f"--index-url {PAGE}/cu121 torch==2.4.1+cu121",
            "ERROR: No matching distribution found for torch==2.4.1+cu121",
            marks=pytest.mark.triggers("TL507"),
        ),
    ],
)
def test_what_an_installer_printed_comes_first(
    rule: str, command: str, log: str, empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = "3.12" if rule == "TL403" else "3.11"
    if python != "3.11":
        write(
            empty.parents[2] / "pyvenv.cfg",
            "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.12.1\n",
        )
        empty = empty.parent.rename(empty.parents[1] / "python3.12") / "site-packages"
    first = findings(empty, log, capsys)[0]
    assert (first["rule"], first["severity"]) == (rule, "error")
    assert [each["rule"] for each in first["consequences"]] == ["TL615"], "it keeps the release that was asked for"
    lines = [each["line"] for each in first["remedy"]["commands"]]
    assert command in (lines or [""])[0]


@pytest.mark.parametrize(
    ("rule", "log"),
    [
        pytest.param(
            "TL520",
            collected("zipfile.BadZipFile: Bad CRC-32 for file 'torch/lib/a.so'"),
            marks=pytest.mark.leaves_alone("TL520"),
        ),
        pytest.param(
            "TL521",
            "PermissionError: [Errno 13] Permission denied: '/data/out.wav'",
            marks=pytest.mark.leaves_alone("TL521"),
        ),
        pytest.param(
            "TL522",
            "OSError: [Errno 28] No space left on device: '/data/out.wav'",
            marks=pytest.mark.leaves_alone("TL522"),
        ),
        pytest.param(
            "TL523", "Successfully installed torch-2.8.0\nepoch 1\nKilled", marks=pytest.mark.leaves_alone("TL523")
        ),
        pytest.param(
            "TL524", collected("  error: subprocess-exited-with-error"), marks=pytest.mark.leaves_alone("TL524")
        ),
        pytest.param(
            "TL525", "the package is not externally managed by us", marks=pytest.mark.leaves_alone("TL525")
        ),
        pytest.param(
            "TL526",
            "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='example.org'): Read timed out.",
            marks=pytest.mark.leaves_alone("TL526"),
        ),
        pytest.param(
            "TL527",
            "torchaudio 2.8.0 requires torch==2.8.0, but you have torch 2.9.1 which is incompatible.",
            marks=pytest.mark.leaves_alone("TL527"),
        ),
        pytest.param(
            "TL528",
            "WARNING: No matching version of npm found",
            marks=pytest.mark.leaves_alone("TL528"),
        ),
        pytest.param(
            "TL529",
            "OSError: [Errno 2] No such file or directory: 'C:\\\\x'",
            marks=pytest.mark.leaves_alone("TL529"),
        ),
        pytest.param(
            "TL110",
            "RuntimeError: Error(s) in loading state_dict for Model",
            marks=pytest.mark.leaves_alone("TL110"),
        ),
        pytest.param(
            "TL109", "ImportError: cannot import name 'x' from 'numba'", marks=pytest.mark.leaves_alone("TL109")
        ),
        pytest.param(
            "TL226",
            "RuntimeError: nvrtc: error: invalid value for --gpu-architecture (-arch)",
            marks=pytest.mark.leaves_alone("TL226"),
        ),
        pytest.param(
            "TL227",
            "RuntimeError: Attempting to deserialize object on a CUDA device",
            marks=pytest.mark.leaves_alone("TL227"),
        ),
        pytest.param(
            "TL228",
            "NotImplementedError: Could not run 'aten::empty' with arguments from the 'CUDA' backend.",
            marks=pytest.mark.leaves_alone("TL228"),
        ),
        pytest.param(
            "TL229",
            "RuntimeError: The size of tensor a (3) must match the size of tensor b (4)",
            marks=pytest.mark.leaves_alone("TL229"),
        ),
    ],
)
def test_what_is_past_or_another_failure_is_left_alone(
    rule: str, log: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not [each for each in findings(site, log, capsys) if each["rule"] == rule]


@pytest.mark.triggers("TL109")
def test_numba_compares_the_version_of_numpy(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "f'Numba needs NumPy 2.0 or less. Got NumPy {numpy_version[0]}'"
    source = (
        f"    if numpy_version < (1, 22):\n        pass\n    if numpy_version > (2, 0):\n        msg = {told}\n"
    )
    install(site, "numpy", "2.2.0", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.2.0'\n"})
    install(site, "numba", "0.60.0", {"numba/__init__.py": source}, headers="Requires-Dist: numpy<2.1,>=1.22\n")
    first = findings(site, "nothing", capsys)[0]
    assert (first["rule"], first["severity"]) == ("TL109", "warning")
    assert first["says"] == "ImportError: Numba needs NumPy 2.0 or less. Got NumPy 2.2."
    assert "numpy>=1.22,<2.1" in first["remedy"]["commands"][0]["line"]


def test_an_earlier_numba_fails_before_it_compares(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/librosa/librosa/issues/1786: what Python prints is not known from its files"""
    source = "    if numpy_version > (1, 23):\n        raise ImportError('Numba needs NumPy 1.23 or less')\n"
    install(site, "numpy", "1.26.2", {"numpy/__init__.py": "", "numpy/version.py": "version = '1.26.2'\n"})
    install(site, "numba", "0.56.4", {"numba/__init__.py": source}, headers="Requires-Dist: numpy<1.24,>=1.18\n")
    first = findings(site, "nothing", capsys)[0]
    assert (first["rule"], first["says"]) == ("TL109", None)


@pytest.mark.parametrize(
    ("bound", "command", "words"),
    [
        (
            "numpy>=2.2",
            "",
            "Use a later numba (",
        ),
        ("numpy>=2.0", "numpy>=2.0,<2.1", "Install numpy>=2.0,<2.1"),
        ("numpy!=2.0.0", "!=2.0.0", "Install numpy>=1.22,<2.1,!=2.0.0"),
    ],
)
def test_the_numpy_for_numba_keeps_the_bounds_of_other_packages(
    site: Path, capsys: pytest.CaptureFixture[str], bound: str, command: str, words: str
) -> None:
    source = "    if numpy_version > (2, 0):\n        pass\n"
    install(site, "numpy", "2.2.0", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.2.0'\n"})
    install(site, "numba", "0.60.0", {"numba/__init__.py": source}, headers="Requires-Dist: numpy<2.1,>=1.22\n")
    install(site, "singer", "1.0", {"singer/__init__.py": ""}, headers=f"Requires-Dist: {bound}\n")
    found = next(each for each in findings(site, "nothing", capsys) if each["rule"] == "TL109")
    lines = [each["line"] for each in found["remedy"]["commands"]]
    assert found["remedy"]["summary"].startswith(words)
    assert (command in lines[0]) if command else not lines
    assert command or "singer needs numpy>=2.2" in found["remedy"]["summary"]


@pytest.mark.parametrize(
    "lines",
    [
        "Requires-Dist: numpy>=1.22\nRequires-Dist: numpy<2.5,>=1.22\n",  # as numba 0.65.1 has them
        "Requires-Dist: numpy<2.5,>=1.22\nRequires-Dist: numpy>=1.22\n",
        "Requires-Dist: numpy>=1.22\n",  # the limit is in the source only
        "Requires-Dist: numpy<2; python_version < '3.9'\nRequires-Dist: numpy>=1.22; python_version >= '3.9'\n",
    ],
)
def test_all_lines_of_numba_on_numpy_count(lines: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "    if numpy_version > (2, 4):\n        pass\n"
    install(site, "numpy", "2.5.0", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.5.0'\n"})
    install(site, "numba", "0.65.1", {"numba/__init__.py": source}, headers=lines)
    first = findings(site, "nothing", capsys)[0]
    assert first["message"].endswith("it needs numpy>=1.22,<2.5")
    assert '"numpy>=1.22,<2.5"' in first["remedy"]["commands"][0]["line"]


@pytest.mark.leaves_alone("TL109")
def test_a_numpy_within_the_limits_of_numba(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "numpy", "2.2.0", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.2.0'\n"})
    source = "    if numpy_version > (2, 2):\n        pass\n"
    install(site, "numba", "0.61.2", {"numba/__init__.py": source}, headers="Requires-Dist: numpy<2.2\n")
    assert "TL109" not in [each["rule"] for each in findings(site, "nothing", capsys)]


@pytest.mark.parametrize(
    ("numpy", "log", "wanted"),
    [
        ("2.2.0", "AttributeError: module 'numpy' has no attribute 'NaN'", "numpy<2"),
        ("1.26.4", "AttributeError: module 'numpy' has no attribute 'float'.", "numpy<1.24"),
        (
            "2.2.0",
            (
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 "
                "from C header, got 88 from PyObject"
            ),
            "numpy<2",
        ),
        (
            "1.26.4",
            (
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 88 "
                "from C header, got 96 from PyObject"
            ),
            "numpy>=2",
        ),
        (
            "1.19.5",
            (
                "ValueError: numpy.ndarray size changed, may indicate binary incompatibility. Expected 88 "
                "from C header, got 80 from PyObject"
            ),
            "numpy>=1.20",
        ),
        (
            "1.26.4",
            (
                "RuntimeError: module was compiled against NumPy C-API version 0x12 (NumPy 2.0) but the running "
                "NumPy has C-API version 0x11."
            ),
            "numpy>=2.0",
        ),
        ("2.4.0", "AttributeError: module 'numpy' has no attribute 'in1d'", "numpy<2.4"),
        (
            "1.21.6",
            "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xe",
            "numpy>=1.23",
        ),
        (
            "2.0.1",
            "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.1 as it may crash",
            "numpy<2",
        ),
    ],
)
def test_which_numpy_a_failure_asks_for(
    numpy: str, log: str, wanted: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "numpy", numpy, {"numpy/__init__.py": "", "numpy/version.py": f"version = '{numpy}'\n"})
    first = findings(site, log, capsys)[0]
    assert first["rule"] in ("TL106", "TL703")
    assert wanted in first["remedy"]["commands"][0]["line"]


@pytest.mark.parametrize(
    ("numpy", "log"),
    [
        ("2.0.2", "AttributeError: module 'numpy' has no attribute 'bool'."),
        (
            "1.26.4",
            (
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 "
                "from C header, got 88 from PyObject"
            ),
        ),
    ],
    ids=["numpy.bool is back in 2.0", "the sizes are those of NumPy 2"],
)
def test_a_log_of_another_numpy(numpy: str, log: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is advised for a failure that this NumPy cannot have; a note says what the log means alone."""
    install(site, "numpy", numpy, {"numpy/__init__.py": "", "numpy/version.py": f"version = '{numpy}'\n"})
    found = [each for each in findings(site, log, capsys) if each["rule"] in ("TL106", "TL703")]
    assert {each["severity"] for each in found} <= {"note"}
    assert not any(each["remedy"]["commands"] for each in found)


@pytest.mark.parametrize(
    ("rule", "log", "said"),
    [
        pytest.param(
            "TL110",
            "_pickle.UnpicklingError: Weights only load failed.",
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1",
            marks=pytest.mark.triggers("TL110"),
        ),
        pytest.param(
            "TL226",
            "RuntimeError: nvrtc: error: failed to open libnvrtc-builtins.so.12.8.",
            "nvidia-cuda-nvrtc-cu12==12.8.*",
            marks=pytest.mark.triggers("TL226"),
        ),
        pytest.param("TL227", DRIVER, "--gpus all", marks=pytest.mark.triggers("TL227")),
        pytest.param(
            "TL202",
            "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
            "cu118",
            marks=pytest.mark.triggers("TL202"),
        ),
        pytest.param(
            "TL208",
            "RuntimeError: CUDA error: no kernel image is available for execution on the device",
            "--gpu",
            marks=pytest.mark.triggers("TL208"),
        ),
        pytest.param(
            "TL229",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
            "smaller batch",
            marks=pytest.mark.triggers("TL229"),
        ),
    ],
)
def test_what_a_gpu_and_a_model_file_print(
    rule: str, log: str, said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in site.glob("torch*"):
        __import__("shutil").rmtree(path)
    install(site, "torch", "2.7.1+cu128", torch_files("2.7.1+cu128", "'12.8'", (CXX,)))
    first = next(each for each in findings(site, log, capsys) if each["rule"] == rule)
    assert first["severity"] == ("note" if rule == "TL229" else "warning")
    assert said in json.dumps(first["remedy"])


@pytest.mark.triggers("TL228")
def test_an_operator_of_a_cpu_build_on_a_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = "__version__ = '0.23.0+cpu'\ncuda = None\n"
    install(site, "torchvision", "0.23.0+cpu", {"torchvision/__init__.py": "", "torchvision/version.py": version})
    log = "NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' backend."
    assert "TL228" in [each["rule"] for each in findings(site, log, capsys)]


@pytest.mark.parametrize(
    ("log", "name", "version"),
    [
        (
            "ERROR: No matching distribution found for torch==2.0.1+cu118 (from -r requirements.txt (line 3))",
            "torch",
            "2.0.1+cu118",
        ),
        ("  Unable to find installation candidates for torch (2.0.1+cu118)", "torch", "2.0.1+cu118"),
        (
            "Because there is no version of torch==2.0.1+cu118 and you require torch==2.0.1+cu118",
            "torch",
            "2.0.1+cu118",
        ),
        ("Because torch==2.0.1 has no wheels with a matching Python ABI tag (e.g., `cp313`)", "torch", "2.0.1"),
        ("#11 3.2 ERROR: No matching distribution found for torchaudio==2.0.2", "torchaudio", "2.0.2"),
        (
            "ERROR: torch-2.0.1-cp310-cp310-win_amd64.whl is not a supported wheel on this platform.",
            "torch",
            "2.0.1",
        ),
        ("ERROR: No matching distribution found for torch[opt]>=2.0,<3", "torch", ""),
    ],
)
def test_the_requirement_that_an_installer_names(log: str, name: str, version: str) -> None:
    asked = read_installation(log, 1)
    assert (asked.name, asked.version) == (name, version)


def test_commands_that_installers_suggest_are_not_taken() -> None:
    log = (
        "$ pip install torch==2.0.1+cu118 && echo done\n"
        "[notice] To update, run: pip install --upgrade pip\n"
        "ERROR: No matching distribution found for torch==2.0.1+cu118\n"
    )
    assert read_installation(log, 3).command == "pip install torch==2.0.1+cu118"


def test_words_for_a_shell_in_a_log_are_never_offered(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = (
        "pip install $(touch x) torch==2.0.1+cu118\nERROR: No matching distribution found for torch==2.0.1+cu118\n"
    )
    lines = [each["line"] for each in findings(empty, log, capsys)[0]["remedy"]["commands"]]
    assert lines
    assert not any("$" in line or "touch" in line for line in lines)


def test_a_retry_is_no_failure() -> None:
    log = (
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"Read timed "
        "out.\")': /simple/\n"
    )
    assert read_log(log).first is None


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("AttributeError: module 'pkgutil' has no attribute 'ImpImporter'", "python3.10 -m venv"),
        ("ModuleNotFoundError: No module named 'pkg_resources'", "setuptools<82"),
        ("error: Microsoft Visual C++ 14.0 or greater is required.", "BuildTools"),
        ("fatal error: Python.h: No such file or directory", "apt-get install -y python3-dev"),
        ("error: command 'gcc' failed: No such file or directory", "apt-get install -y build-essential"),
    ],
)
def test_why_a_package_does_not_build(
    log: str, said: str, empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = (
        "Collecting example==1.0\n  Downloading example-1.0.tar.gz (1 MB)\n  error: subprocess-exited-with-error\n"
    )
    first = findings(empty, f"{head}      {log}\n", capsys, "--system", "debian-12")[0]
    assert first["rule"] == "TL524"
    assert first["message"].startswith("example 1.0 was compiled here and did not build")
    assert said in first["remedy"]["commands"][0]["line"]


def test_packages_of_debian_on_another_system(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "  error: subprocess-exited-with-error\n      fatal error: Python.h: No such file or directory\n"
    remedy = findings(empty, log, capsys, "--system", "fedora-42")[0]["remedy"]
    assert not remedy.get("commands")
    assert remedy["summary"].startswith("Install the header files of this Python")
    assert remedy["summary"].endswith("(on Debian and Ubuntu: python3-dev).")


def test_a_failure_that_is_not_ours_is_said_in_the_first_line(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        site.parents[3] / "log.txt", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n"
    )
    words = ["check", "--path", str(site), "--log", str(path), "--platform", "linux-x86_64"]
    assert main(words) == 0
    assert (
        "the memory of the GPU ran out: this is not a fault of the installed packages" in capsys.readouterr().err
    )
