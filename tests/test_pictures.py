"""The pictures of the matrix page and of an annotated diff: from what they are drawn, and their size."""

from __future__ import annotations

from pathlib import Path

import pytest

import take_pictures
from take_pictures import Annotation, annotations_of, diff_page
from torchlock.cli.main import main

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["matrix", "pull-request"])
def test_the_readme_shows_a_small_picture(name: str) -> None:
    assert f"](docs/assets/{name}.png)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "assets" / f"{name}.png").stat().st_size < take_pictures.LIMIT


def test_annotations_are_those_of_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words under the picture in the README are those of its finding."""
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text(take_pictures.AFTER, encoding="utf-8")
    main(["audit", "--format", "github", "requirements.txt"])
    found = annotations_of(capsys.readouterr().out)
    assert [(each.level, each.line, each.title) for each in found] == [("error", 2, "TL101")]
    assert found[0].text.split("\n")[0] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_annotation_stands_below_its_new_line() -> None:
    page = diff_page("a\nb\n", "x<y\nb\n", [Annotation("error", 1, "TL101", "it is\nwrong")])
    lines = page[page.index("<h1>") :].splitlines()
    assert lines[1:5] == [
        '<pre class="old"><i></i>- a</pre>',
        '<pre class="new"><i>1</i>+ x&lt;y</pre>',
        '<p class="error"><b>TL101</b> torchlock<br>it is<br>wrong</p>',
        '<pre class=""><i>2</i>  b</pre>',
    ]
