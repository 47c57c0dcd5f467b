"""A clone of an enemy: what lies in it is read, and none of it is run; nothing is written unasked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from support.site_folder import install
from torchlock.inspect.environment_choice import base_of
from torchlock.inspect.interpreter import NoAnswer, ask, find_executable
from torchlock.jobs.safe_path import can_share
from torchlock.runtime.programs import find_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="scripts and links of POSIX")
SOURCE = Path(__file__).parents[1] / "src"
# Modules that torchlock or Python itself may import, and those that tools find by their names.
MODULES = (
    "json", "tomli", "tomllib", "re", "argparse", "pathlib", "typing", "difflib", "subprocess", "threading",
    "multiprocessing", "concurrent", "socket", "selectors", "pickle", "packaging", "requests", "urllib3", "build",
    "torch", "torchaudio", "sitecustomize", "usercustomize", "setup", "conftest", "noxfile", "tasks", "backend",
)  # fmt: skip
PROGRAMS = ("python", "python3", "python3.12", "pip", "uv", "git", "nvidia-smi", "ffmpeg", "ldconfig")

# Runs torchlock and writes down everything that starts a program, imports or runs code of the clone, opens a
# connection, or changes a file elsewhere than where it may.
TRAP = r"""
import sys
del sys.path[0]  # -c puts the current folder there
import json, os
clone, log, allowed, *words = sys.argv[1:]
allowed = allowed.split(os.pathsep)
caught, armed = [], True
STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.forkpty",
          "os.startfile", "pty.spawn", "socket.connect", "socket.bind")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink",
           "os.truncate", "os.utime", "os.setxattr", "shutil.rmtree", "shutil.move", "shutil.copyfile")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def within(path, folders):
    path = os.path.realpath(os.fsdecode(path))
    return any(path == each or path.startswith(os.path.join(each, "")) for each in folders)
def catch(event, args):
    global armed
    if not armed:
        return
    armed = False
    try:
        if event in STARTS:
            caught.append([event, repr(args[:2])])
        elif event == "exec" and not args[0].co_filename.startswith("<") and within(args[0].co_filename, [clone]):
            caught.append([event, args[0].co_filename])
        elif event == "ctypes.dlopen" and args[0] and within(str(args[0]), [clone]):
            caught.append([event, str(args[0])])
        elif event == "open" and isinstance(args[0], (str, bytes)) and not within(args[0], allowed):
            if set(str(args[1] or "")) & set("wax+") or (args[2] or 0) & WRITES:
                caught.append([event, os.fsdecode(args[0])])
        elif event in CHANGES and isinstance(args[0], (str, bytes)) and not within(args[0], allowed):
            caught.append([event, os.fsdecode(args[0])])
    finally:
        armed = True
from torchlock.cli.main import main
sys.addaudithook(catch)
try:
    code = main(words)
except SystemExit as error:
    code = error.code
armed = False
files = {name: getattr(module, "__file__", None) or "/" for name, module in sys.modules.items()}
loaded = [name for name, path in files.items() if within(path, [clone])]
with open(log, "w") as file:
    json.dump({"caught": caught, "loaded": loaded}, file)
sys.exit(code)
"""


class Clone:
    """The folder of the clone; ``ran`` is a file that each piece of code in it would make."""

    def __init__(self, above: Path) -> None:
        self.folder = above / "clone"
        self.ran = above / "ran"
        self.above = above
        self.python = f"open({str(self.ran)!r}, 'a').write(__name__ + chr(10))\n"
        self.shell = f"#!/bin/sh\necho $0 >> {self.ran}\nexit 1\n"

    def put(self, name: str, text: str | bytes, *, executable: bool = False) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if executable:
            path.chmod(0o755)
        return path

    def state(self) -> dict[str, bytes | str]:
        """Everything in the clone and beside it, by its path."""
        found: dict[str, bytes | str] = {}
        for folder, folders, names in os.walk(self.above):
            if Path(folder).name == "allowed":
                folders.clear()
                continue
            for name in (*folders, *names):
                path = Path(folder, name)
                link = f"-> {path.readlink()}" if path.is_symlink() else "folder"
                found[str(path)] = path.read_bytes() if path.is_file() and not path.is_symlink() else link
        return found


def archive(code: str) -> bytes:
    """A source distribution whose requirements stand in its metadata, and whose setup.py is code."""
    metadata = "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nRequires-Dist: soundfile==0.12.1\n"
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in (("PKG-INFO", metadata), ("setup.py", code), ("setup.cfg", "[metadata]\nname = demo\n")):
            item = tarfile.TarInfo(f"demo-1.0/{name}")
            item.size = len(text)
            tar.addfile(item, BytesIO(text.encode()))
    return buffer.getvalue()


PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "x"
dynamic = ["dependencies"]
version = "1"

[project.optional-dependencies]
audio = ["torchaudio==2.7.1", "torch==2.7.1"]

[tool.setuptools.dynamic]
dependencies = { file = ["requirements.txt"] }

[tool.torchlock]
strict = true

[tool.uv]
cache-dir = "../cache"
python-preference = "only-system"
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    made = Clone(tmp_path)
    install_script = (
        "from setuptools import setup\nsetup(name='x', install_requires=['torch==2.7.1', 'torchaudio==2.5.1'])\n"
    )
    for name in MODULES:
        made.put(f"{name}.py", made.python + (install_script if name == "setup" else ""))
    made.put("torchlock/__init__.py", made.python)
    made.put("packaging/__init__.py", made.python)
    made.put("evil.pth", f"import os; {made.python}")
    made.put("._pth", ".\nimport site\n")
    for name in PROGRAMS:
        made.put(name, made.shell, executable=True)
    for name in ("pre-commit", "post-checkout", "fsmonitor"):
        made.put(f".git/hooks/{name}", made.shell, executable=True)
    made.put(".git/config", "[core]\n\tfsmonitor = .git/hooks/fsmonitor\n\tpager = ./python\n")
    made.put("pyproject.toml", PYPROJECT)
    made.put("setup.cfg", "[options]\ninstall_requires = file: requirements.txt\n")
    made.put("requirements.txt", "torch==2.7.1\ntorchaudio==2.7.1\n")
    made.put("requirements.in", "-c limits.txt\nsoundfile==0.12.1\n./dist/demo-1.0.tar.gz\n")
    made.put("limits.txt", "torch<2.8\n")
    made.put("requirements-local.txt", "-e .\n./dist/demo-1.0.tar.gz\n")
    made.put("dist/demo-1.0.tar.gz", archive(made.python))
    made.put("environment.yml", "dependencies:\n  - pip:\n    - torch==2.7.1\n")
    made.put("Dockerfile", "FROM python:3.12\nRUN pip install torch==2.7.1 torchaudio==2.5.1\n")
    made.put("Makefile", "X := $(shell ./python)\nall:\n\tpip install torch==2.7.1\n")
    made.put("install.sh", "#!/bin/sh\n./python\npip install torch==2.7.1\n", executable=True)
    made.put(".github/workflows/ci.yml", "jobs: {a: {steps: [{run: ./python && pip install torch==2.7.1}]}}\n")
    made.put("pip.conf", "[global]\nindex-url = https://example.org/simple\ncert = ../precious.txt\n")
    made.put("uv.toml", 'index-url = "https://example.org/simple"\n')
    environment(made)
    (tmp_path / "precious.txt").write_text("torch==1.0\n")
    (made.folder / "requirements-linked.txt").symlink_to("../precious.txt")
    (made.folder / "loop").symlink_to(".")
    (made.folder / "above").symlink_to("..")
    (tmp_path / "allowed").mkdir()
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_", "PYTHON"))]:
        monkeypatch.delenv(name)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "allowed" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "allowed"))
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", os.environ["PATH"]]))
    monkeypatch.chdir(made.folder)
    return made


def environment(clone: Clone) -> None:
    """A virtual environment with torch, the interpreter, the standard library and the site of which are code."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("python", "python3", version):
        clone.put(f".venv/bin/{name}", clone.shell, executable=True)
        clone.put(f"home/bin/{name}", clone.shell, executable=True)
    clone.put(".venv/bin/python._pth", ".\nimport site\n")
    clone.put(".venv/pyvenv.cfg", f"home = {clone.folder}/home/bin\nversion = {sys.version.split()[0]}\n")
    for name in ("os", "site", "encodings/__init__", "json"):
        clone.put(f"home/lib/{version}/{name}.py", clone.python)
    site = clone.folder / ".venv" / "lib" / version / "site-packages"
    for name in ("torch", "torchaudio"):
        install(
            site, name, "2.7.1", {f"{name}/__init__.py": clone.python}, tag="cp312-cp312-manylinux_2_28_x86_64"
        )
    clone.put(f"{site}/evil.pth", f"import os; {clone.python}")
    clone.put(f"{site}/sitecustomize.py", clone.python)


def trapped(
    clone: Clone, *words: str, prelude: str = ""
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """What the trap caught of one command, and how the command ended."""
    log = clone.above / "allowed" / "log"
    log.unlink(missing_ok=True)
    allowed = os.pathsep.join([str(clone.above / "allowed"), os.devnull])
    command = [sys.executable, "-B", "-c", prelude + TRAP, str(clone.folder), str(log), allowed, *words]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert log.exists(), process.stderr
    return json.loads(log.read_text()), process


COMMANDS = [
    (["audit"], 1),
    (["audit", "-R", "--format", "sarif"], 1),
    (["audit", "--diff"], 1),
    (["audit", "setup.py", "requirements-linked.txt", "noxfile.py"], 1),
    (["lock", "--offline", "--python", "3.12"], 0),
    (["lock", "--offline", "--python", "3.12", "-r", "requirements.in", "--no-hashes"], 0),
    (["lock", "--offline", "-r", "requirements-local.txt"], None),
    (["explain", "torchaudio==2.7.1", "torch==2.7.1", "--offline", "--python", "3.12"], 0),
    (["explain", "TL101"], 0),
    (["check", "--path", ".venv"], None),
    (["check", "--path", ".", "--deep", "--format", "json"], None),
    (["check", "--path", ".venv", "--export"], None),
]


@pytest.mark.parametrize(("words", "code"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_nothing_of_the_clone_is_run_and_nothing_is_written(
    words: list[str], code: int | None, clone: Clone
) -> None:
    before = clone.state()
    seen, process = trapped(clone, *words)
    assert seen == {"caught": [], "loaded": []}, process.stderr
    assert not clone.ran.exists(), clone.ran.read_text()
    assert clone.state() == before
    assert process.returncode in ((0, 1, 2) if code is None else (code,)), process.stderr
    assert "Traceback" not in process.stderr


def test_the_trap_works(clone: Clone) -> None:
    """What it is to catch, it catches."""
    code = (
        "import importlib.util, os, subprocess, sys\n"
        "def bad(words):\n"
        "    subprocess.run([sys.executable, '-c', ''])\n"
        "    open('new', 'w').close(); os.remove('new')\n"
        "    spec = importlib.util.spec_from_file_location('tasks', 'tasks.py')\n"
        "    sys.modules['tasks'] = module = importlib.util.module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n"
        "    return 0\n"
    )
    trap = TRAP.replace("code = main(words)", "code = bad(words)")
    log = clone.above / "allowed" / "log"
    words = [str(clone.folder), str(log), str(clone.above / "allowed")]
    script = trap.replace("from torchlock.cli.main import main", code)
    subprocess.run([sys.executable, "-B", "-c", script, *words], check=True)
    seen = json.loads(log.read_text())
    assert {event for event, _ in seen["caught"]} >= {"subprocess.Popen", "open", "os.remove", "exec"}
    assert seen["loaded"] == ["tasks"]
    assert clone.ran.exists()


@pytest.mark.parametrize(
    "words", [["audit", "-R"], ["lock", "--offline"], ["explain", "TL101"], ["check", "--path", ".venv"]]
)
def test_modules_in_the_current_folder_are_not_imported(words: list[str], clone: Clone) -> None:
    """``python -m`` puts that folder first on the path. (A ``torchlock`` that lies in it is what ``-m`` runs.)"""
    shutil.rmtree(clone.folder / "torchlock")
    command = [sys.executable, "-B", "-m", "torchlock", *words]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in process.stderr
    assert process.stdout
    assert not clone.ran.exists(), clone.ran.read_text()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_import_nothing_of_it_either(method: str, clone: Clone) -> None:
    """Those that are not forked are started with ``python -c``, which puts the current folder first as well."""
    for number in range(100):
        clone.put(f"many/requirements-{number}.txt", "torch==2.7.1\n")
    code = (
        "import sys\n"
        "if __name__ == '__main__':\n"
        "    import multiprocessing, os\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        "    os.cpu_count = lambda: 2\n"
        "    from torchlock.cli.main import main\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    script = clone.above / "allowed" / "run.py"
    script.write_text(code)
    command = [sys.executable, "-B", str(script), "audit", "-R", "many"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert process.returncode == 0, process.stderr
    assert "100 files" in process.stdout
    assert not clone.ran.exists(), clone.ran.read_text()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_cannot_be_kept_from_it_are_not_started(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.10 cannot be told to leave the current folder out."""
    monkeypatch.setattr("multiprocessing.get_start_method", lambda: method)
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    assert can_share() is (method == "fork")
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert can_share()


def test_the_environment_of_a_clone_is_read_where_nobody_names_it(clone: Clone) -> None:
    """A bare check takes the one with torch: ``.venv`` of the clone, unless torchlock's own has it."""
    own = "import sys; sys.prefix = '/nowhere'; sys.executable = '/nowhere/bin/python'\n"
    seen, process = trapped(clone, "check", prelude=own)
    assert "its files are read, and its interpreter is not run" in process.stderr
    assert seen == {"caught": [], "loaded": []}
    assert not clone.ran.exists(), clone.ran.read_text()


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
@pytest.mark.parametrize("words", [["audit", "-R"], ["lock", "--offline"], ["check", "--path", ".venv", "--deep"]])
def test_the_system_sees_no_program_start(words: list[str], clone: Clone) -> None:
    log = clone.above / "allowed" / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=execve,execveat", "-o", str(log)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    entry = "import sys; del sys.path[0]; from torchlock.cli import entry; entry()"
    subprocess.run([*command, sys.executable, "-B", "-c", entry, *words], capture_output=True, check=False)
    starts = [line for line in log.read_text().splitlines() if "exec" in line]
    assert len(starts) == 1, starts


# The Python that answers for an environment in the current folder.


def real_environment(clone: Clone) -> Path:
    shutil.rmtree(clone.folder / ".venv")
    venv.create(clone.folder / ".venv", with_pip=False, symlinks=True)
    return clone.folder / ".venv"


def test_the_base_answers_for_a_virtual_environment(clone: Clone) -> None:
    """The answer is that of the environment's own interpreter; nothing in the environment is run for it."""
    folder = real_environment(clone)
    base = base_of(str(folder))
    assert base == os.path.realpath(sys.executable)
    own = ask(str(folder / "bin" / "python"))
    assert not isinstance(own, NoAnswer)
    answer = ask(base, virtual=str(folder))
    assert not isinstance(answer, NoAnswer)
    assert answer._replace(executable=own.executable) == own
    (folder / "bin" / "python").unlink()
    clone.put(
        ".venv/bin/python", clone.shell, executable=True
    )  # the Windows way: a program, and home names the base
    base = base_of(str(folder))
    assert base is not None
    assert ask(base, virtual=str(folder)) == answer
    assert not clone.ran.exists()


def test_a_standard_library_of_the_clone_is_not_run(clone: Clone) -> None:
    """A true interpreter imports its first modules from where ``home`` of pyvenv.cfg is."""
    folder = real_environment(clone)
    settings = folder / "pyvenv.cfg"
    settings.write_text(f"home = {clone.folder}/home/bin\n")
    base = base_of(str(folder))
    assert base is not None
    answer = ask(base, virtual=str(folder))
    assert not isinstance(answer, NoAnswer)
    assert answer.prefix == str(folder)
    assert not clone.ran.exists()


@pytest.mark.parametrize("target", ["/bin/sh", "/usr/bin/env", "INSIDE", "REPOSITORY", "/nowhere/python3"])
def test_no_other_program_answers_for_an_environment(
    target: str, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = clone.folder / "sub"
    sub.mkdir()
    (clone.folder / ".venv").rename(sub / ".venv")
    monkeypatch.chdir(sub)
    clone.put("sub/inside/python3", clone.shell, executable=True)
    python = sub / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(
        {"INSIDE": sub / "inside" / "python3", "REPOSITORY": clone.folder / "python3"}.get(target, target)
    )
    for home in ("home/bin", ".", "/bin/../nowhere"):
        (sub / ".venv" / "pyvenv.cfg").write_text(f"home = {home}\n")
        assert base_of(str(sub / ".venv")) is None
    (sub / ".venv" / "pyvenv.cfg").unlink()
    assert base_of(str(sub / ".venv")) is None


@pytest.mark.parametrize("name", ["python3.99._pth", "python._pth", "anything._PTH"])
def test_a_pth_beside_any_link_to_an_interpreter_is_refused(name: str, clone: Clone) -> None:
    """Its lines are the path of modules, from which the first ones are imported before ``-I -S`` counts."""
    for folder in ("a", "b"):
        (clone.folder / folder).mkdir()
    (clone.folder / "b" / "python3.99").symlink_to(sys.executable)
    (clone.folder / "a" / "python").symlink_to("../b/python3.99")
    clone.put(f"b/{name}", f"{clone.folder}\nimport site\n")
    answer = ask(str(clone.folder / "a" / "python"))
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "unsafe"
    assert not clone.ran.exists()


def test_a_bare_name_is_no_file_of_the_current_folder(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do empty and relative entries of the PATH make it one."""
    assert find_program("uv") != str(clone.folder / "uv")
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "sub", "../clone"]))
    for name in PROGRAMS:
        assert find_program(name) is None
        assert find_executable(name) is None
    assert find_executable("./python") == "./python"
    monkeypatch.setenv("PATH", str(clone.folder))
    assert find_executable("python3.12") == str(clone.folder / "python3.12")
