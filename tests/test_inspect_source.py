"""Source that is read and not run: which names a module defines, which it takes, and which modules it loads."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from torchlock.inspect.import_graph import files_read, first_missing
from torchlock.inspect.module_names import ModuleNames, missing_uses
from torchlock.inspect.run_time import at_run_time
from torchlock.inspect.source import bound_names, defined_names, imports, uses


def tree(text: str) -> ast.Module:
    """What runs of a source."""
    module = ast.parse(dedent(text))
    return ast.Module(at_run_time(module.body), module.type_ignores)


def package(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


@pytest.mark.parametrize(
    ("text", "certain", "likely"),
    [
        ("import a.b", ["a.b"], []),
        ("from . import c", ["pkg"], []),
        ("from ..d import e", ["d"], []),
        ("with warnings.catch_warnings():\n    import a", ["a"], []),
        ("if new:\n    import a\nelse:\n    import b", [], ["a", "b"]),
        ("if TYPE_CHECKING:\n    import a", [], []),
        ("try:\n    import a\nexcept ImportError:\n    pass", [], []),
        ("with suppress(ImportError):\n    import a", [], []),
        ("with contextlib.suppress(ImportError):\n    import a", [], []),
        ("def f():\n    import a", [], []),
    ],
)
def test_imports_that_run_for_certain_and_under_a_condition(
    text: str, certain: list[str], likely: list[str]
) -> None:
    assert [each.module for each in imports(tree(text), "pkg.inner")] == certain
    assert [each.module for each in imports(tree(text), "pkg.inner", conditional=True)] == certain + likely


@pytest.mark.parametrize(
    "text",
    [
        "from other import *",
        "globals().update(a=1)",
        "import sys\nsys.modules[__name__] = Lazy()",
        "def __getattr__(name): ...",
        "if new:\n    def __getattr__(name): ...",
        "__getattr__, __dir__ = lazy()",
        "setattr(this, 'a', 1)",
    ],
)
def test_modules_whose_source_does_not_show_all_names(text: str) -> None:
    assert defined_names(tree(text)) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", "b"),
        ("if not t.TYPE_CHECKING:\n    import a\nelse:\n    import b", "a"),
        ("if TYPE_CHECKING and more:\n    import a", ""),
        ("if TYPE_CHECKING or more:\n    import a", "a"),
        ("try:\n    if TYPE_CHECKING:\n        import a\n    import b\nexcept E:\n    import c", "bc"),
        ("if more:\n    if TYPE_CHECKING:\n        import a\n    else:\n        import b", "b"),
        ("if more: import a", "a"),
    ],
)
def test_names_that_only_checkers_of_types_see(text: str, names: str) -> None:
    assert defined_names(tree(text)) == bound_names(tree(text)) == frozenset(names)


def test_every_way_to_define_a_name() -> None:
    text = """
        import a.b, c as d
        from e import f as g
        h: int = 1
        for i, (j, *k) in l: ...
        def m(): ...
        class n:
            def __getattr__(self, name): ...
        match o:
            case [p, *q]: ...
        print(r)
    """
    assert defined_names(tree(text)) == frozenset("adghijkmnpq") | {"__getattr__"}


@pytest.mark.parametrize(
    ("text", "at_import"),
    [
        ("import audio\naudio.info()", True),
        ("import audio\nif audio.info(): ...", True),
        ("import audio\nfor each in audio.info(): ...", True),
        ("import audio\nfor each in found:\n    audio.info()", False),
        ("import audio\nwhile more():\n    audio.info()", False),
        ("import audio\nclass A:\n    kind = audio.info", True),
        ("import audio\nx: audio.info = 1", True),
        ("from audio import info", True),
        ("import audio.info", True),
        ("def f():\n    import audio\n    audio.info()", False),
        ("import audio\nf = lambda: audio.info()", False),
    ],
)
def test_uses(text: str, at_import: bool) -> None:
    assert [(use.name, use.at_import) for use in uses(tree(text), "x.py", ["audio"])] == [
        ("audio.info", at_import)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import audio\nwith suppress(AttributeError):\n    audio.info()",
        "import audio\nhasattr(audio, 'info') and audio.info()",
        "import mine as audio\nimport audio\naudio.info()",
        "import audio\ntry:\n    import audio\nexcept ImportError:\n    from mine import audio\naudio.info()",
        "def f():\n    import audio\naudio = mine()\naudio.info()",
        "import audio\ndef f():\n    x: audio.info = 1",
        "from .audio import info",
        "from audio import *",
    ],
)
def test_what_is_no_use_for_certain(text: str) -> None:
    assert [use.name for use in uses(tree(text), "x.py", ["audio"]) if use.at_import] == []


def test_annotations_are_lazy_since_python_3_14() -> None:
    text = tree("import audio\ndef f(x: audio.info) -> audio.info: ...\ny: audio.info = 1\n")
    assert len(uses(text, "x.py", ["audio"])) == 3
    assert uses(text, "x.py", ["audio"], lazy_annotations=True) == []


def test_files_that_an_import_reads(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "from . import always\nif new:\n    from . import perhaps\n",
        "pkg/always.py": "with suppress(ImportError):\n    from . import guarded\nfrom .lost import name\n",
        "pkg/perhaps.py": "",
        "pkg/guarded.py": "",
        "pkg/unused.py": "",
    }
    folder = package(tmp_path, files) / "pkg"
    wanted = {name: str(folder / f"{name}.py") for name in ("always", "perhaps", "guarded", "unused", "lost")}
    certain, likely = files_read(str(folder), wanted.values())
    assert certain == {wanted["always"], wanted["lost"]}
    assert likely == {wanted["perhaps"]}


def test_the_first_name_that_an_import_misses(tmp_path: Path) -> None:
    files = {
        "site/pkg/__init__.py": "import helper\nfrom .inner import x\n",
        "site/pkg/inner.py": "import queue\nwith open('a'):\n    queue.Queue()\nfrom queue import Empty\n",
        "std/helper.py": "",
    }
    folder = package(tmp_path, files)
    folders = [str(folder / "site"), str(folder / "std")]
    assert first_missing(folders, "pkg", {"queue": {"Queue", "Empty"}}) is None
    missing = first_missing(folders, "pkg", {"queue": {"Empty"}})
    assert missing == ("queue", "Queue", str(folder / "site" / "pkg" / "inner.py"), False)


def test_an_extension_module_of_torchaudio_is_there(tmp_path: Path) -> None:
    files = {"torchaudio/__init__.py": "", "torchaudio/lib/__init__.py": "", "torchaudio/lib/_torchaudio.so": ""}
    names = ModuleNames(str(package(tmp_path, files) / "torchaudio"))
    user = tmp_path / "user.py"
    user.write_text("from torchaudio.lib import _torchaudio\nimport torchaudio.lib._other\n")
    found = missing_uses(str(user), names, lazy_annotations=False)
    assert [(use.line, use.name) for use in found] == [(2, "torchaudio.lib._other")]
