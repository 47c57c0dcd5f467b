"""Python scripts as the audit reads them: PEP 723, nox, Modal, and calls that run an installer."""

from __future__ import annotations

import pytest

from support.formats import asked, read, rules, scopes, stretches

NOX = "import nox\n\n@nox.session\ndef tests(session):\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import torch\nprint('pip install torch==2.0')\n",
        '"""To install: pip install torch==2.0"""\n',
        "raise ImportError('pip install torch==2.0')\n",
        "# /// other\n# dependencies = ['torch']\n# ///\n",
        "app.install('torch')\nsession.install('torch==2.0')\n",
        "import nox\ndef helper(app):\n    app.install('torch')\n",
        "def helper(session):\n    session.install('torch')\n",
        "subprocess.run(['ls', 'torch'])\nsubprocess.run('echo pip install torch', shell=True)\n",
        "os.environ.get('HOME', 'torch')\n",
    ],
)
def test_scripts_that_install_nothing(text: str) -> None:
    document = read("a.py", text)
    assert not document.entries
    assert not document.issues


# PEP 723.


def test_a_block_with_all_that_it_can_say() -> None:
    text = (
        "#!/usr/bin/env -S uv run --script\n# /// script\n# requires-python = '>=3.11'\n# dependencies = [\n"
        '#   "torch==2.7.0",\n#   "torchaudio>=2; sys_platform == \'linux\'",\n# ]\n#\n# [tool.uv.sources]\n'
        '# torch = { index = "pytorch" }\n#\n# [[tool.uv.index]]\n# name = "pytorch"\n'
        '# url = "https://example.org/whl/cpu"\n# explicit = true\n# ///\n# comment\nimport torch\n'
    )
    for ends in ("\n", "\r\n"):
        document = read("a.py", text.replace("\n", ends))
        assert asked(document) == [("torch", "==2.7.0"), ("torchaudio", ">=2")]
        assert stretches(document) == ["==2.7.0", ">=2"]
        assert [entry.index for entry in document.entries] == ["https://example.org/whl/cpu", None]
        assert [tuple(entry.place) for entry in document.entries] == [(5, 6), (6, 6)]
        assert document.python == ">=3.11"
        assert not document.issues


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# /// script\n# dependencies = ['torch']\nimport x\n", 1),
        ("# /// script\n# dependencies = []\n# ///\n\n# /// script\n# dependencies = []\n# ///\n", 5),
        ("# /// script\n# dependencies = ['torch=2.0']\n# ///\n", 2),
        ("# /// script\n# dependencies = ['torch'\n# ///\n", 2),
        ("# /// script\n# requires-python = 'three'\n# ///\n", 2),
    ],
)
def test_blocks_that_no_tool_reads(text: str, line: int) -> None:
    assert rules(read("a.py", text)) == [("TL501", "error", line)]


# Sessions of nox.


@pytest.mark.parametrize(
    "call",
    [
        "session.install('torch==2.0.1')",
        "session.install('-U', 'torch==2.0.1', silent=False)",
        "session.run('pip', 'install', 'torch==2.0.1')",
        "session.run_always('python', '-m', 'pip', 'install', 'torch==2.0.1', external=True)",
        "session.run('uv', 'pip', 'install', 'torch==2.0.1')",
        "session.install(*['torch==2.0.1'])",
        "session.install(*WANTED)",
    ],
)
def test_the_ways_to_install_in_a_session(call: str) -> None:
    document = read("noxfile.py", f"WANTED = ['torch==2.0.1']\n{NOX}    {call}\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]


def test_conda_in_a_session() -> None:
    document = read("noxfile.py", f"{NOX}    session.conda_install('pytorch=2.0', channel='pytorch')\n")
    assert [(entry.name, entry.channel) for entry in document.entries] == [("torch", "conda")]


def test_sessions_and_branches_are_apart() -> None:
    text = (
        f"{NOX}    session.install('torch==1')\n"
        f"    if session.python == '3.9':\n        session.install('scipy==1')\n"
        "\n@nox.session(python=['3.10'])\ndef lint(session):\n    session.install('black')\n"
    )
    assert scopes(read("noxfile.py", text)) == {
        "group:session-tests": ["torch"],
        "group:session-tests-line-7": ["scipy"],
        "group:session-lint": ["black"],
    }


def test_what_only_running_it_would_tell() -> None:
    text = f"V = '2.0.1'\n{NOX}    session.install(f'torch=={{V}}', f'numpy=={{session.python}}', *more())\n"
    document = read("noxfile.py", text)
    assert asked(document) == [("torch", "==2.0.1")]
    assert {rule for rule, _, _ in rules(document)} == {"TL902"}


def test_parameters_are_unknown_and_helpers_are_read() -> None:
    text = (
        "from nox import session as decorator\nversion = '1.0'\n\ndef torch(session, version='2.0'):\n"
        "    session.install(f'torch=={version}', f'torchaudio=={OTHER}', 'numpy==1')\n\nOTHER = '3.0'\n"
    )
    document = read("noxfile.py", text)
    assert asked(document) == [("torchaudio", "==3.0"), ("numpy", "==1")]
    assert rules(document) == [("TL902", "note", 5)]


# Images of Modal.


def test_images_are_apart_and_go_on_from_each_other() -> None:
    text = (
        "import modal\n"
        "base = modal.Image.debian_slim().apt_install('ffmpeg').pip_install('torch==2.0.1', ['numpy<2'], "
        "index_url='https://example.org/whl')\n"
        "image = base.run_commands('pip install torchaudio==2.0.2')\n"
        "other = (\n    modal.Image.debian_slim()\n    .uv_pip_install('torch==1.0')\n)\n"
    )
    document = read("app.py", text)
    assert scopes(document) == {
        "alone:image-base": ["torch", "numpy"],
        "alone:image-image": ["torch", "numpy", "torchaudio"],
        "alone:image-other": ["torch"],
    }
    assert document.entries[0].index == "https://example.org/whl"


# Calls that run an installer.


@pytest.mark.parametrize(
    "call",
    [
        "os.system('pip install torch==2.0.1')",
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'torch==2.0.1'])",
        "subprocess.run('pip install torch==2.0.1', shell=True, check=True)",
        "get_ipython().system('pip install torch==2.0.1')",
        "get_ipython().run_line_magic('pip', 'install torch==2.0.1')",
        "run_pip('install torch==2.0.1', 'torch')",
        "command = os.environ.get('TORCH_COMMAND', 'pip install torch==2.0.1')",
    ],
)
def test_the_ways_to_run_an_installer(call: str) -> None:
    document = read("launch.py", f"def prepare():\n    {call}\n\nif __name__ == '__main__':\n    prepare()\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]
    assert scopes(document) == {"": ["torch"]}


@pytest.mark.parametrize("text", ["print 'install'\n", "install(\n", "x = " + "(" * 300 + "'install'" + ")" * 300])
def test_what_is_not_python_3_is_told(text: str) -> None:
    assert [rule for rule, _, _ in rules(read("a.py", text))] == ["TL901"]


def test_the_python_of_an_image() -> None:
    text = (
        "import modal\n"
        'base = modal.Image.debian_slim(python_version="3.12").pip_install("torch==2.0.1")\n'
        'more = base.pip_install("torchaudio==2.0.2")\n'
        'other = modal.Image.from_registry("nvidia/cuda:12.4.0", add_python="3.11").pip_install("torch")\n'
        'last = modal.Image.debian_slim(python_version=PYTHON).pip_install("torch")\n'
    )
    document = read("app.py", text)
    found = [(entry.name, entry.marker) for entry in document.entries]
    twelve = "python_version == '3.12'"
    assert found == [
        ("torch", twelve),
        ("torch", twelve),
        ("torchaudio", twelve),
        ("torch", "python_version == '3.11'"),
        ("torch", ""),
    ]


@pytest.mark.parametrize(
    "call",
    [
        'run_command("pip install torch==2.0.1", "Installing PyTorch")',
        'self.run_cmd("python -m pip install torch==2.0.1")',
        'execute([sys.executable, "-m", "pip", "install", "torch==2.0.1"])',
        'command = "pip install torch==2.0.1"\nif not run_command(command):\n    raise SystemExit(1)',
    ],
)
def test_a_function_of_the_script_that_runs_commands(call: str) -> None:
    assert asked(read("install.py", f"import sys\n{call}\n")) == [("torch", "==2.0.1")]


@pytest.mark.parametrize(
    "call",
    [
        'print("pip install torch==2.0.1")',
        'run("python train.py")',
        'run_command(f"pip install {x}")',
        "run(x, y)",
    ],
)
def test_calls_that_install_nothing(call: str) -> None:
    assert not read("install.py", f"{call}\n").entries
