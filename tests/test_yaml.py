"""YAML: values, their positions, and what is kept of a broken file, with and without libyaml."""

from __future__ import annotations

import pytest
import yaml

from torchlock.manifests.syntax.yaml import Node, parse


def value(node: Node) -> object:
    if node.mapping:
        return {str(value(key)): value(item) for key, item in node.pairs}
    if node.block:
        return tuple(node.block)
    return node.text if node.text is not None else [value(item) for item in node.items]


def scalars(node: Node) -> list[Node]:
    if node.text is not None:
        return [node]
    return [one for part in (*node.items, *(one for pair in node.pairs for one in pair)) for one in scalars(part)]


@pytest.fixture(params=["libyaml", "python"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may have."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    elif not hasattr(yaml, "CBaseLoader"):
        pytest.skip("this PyYAML was built without libyaml")


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    "text",
    [
        "a: &x b\nc: [*x, 'd', \"e\"]\n",
        "- !reference [.setup, script]\n- !Sub 'x ${y}'\n- &k !t plain words\n",
        "\ufeffa: b\n",
        "a: b\r\nc:\r\n- d # e\r\n",
        "a: ü\nb: '\U0001f600'\nc: d\n",
        "? a\n: b\n? [c]\n: d\n",
        "{a: b, 'c': [d, e: f]}\n",
    ],
)
def test_every_scalar_is_where_it_is_said_to_be(text: str) -> None:
    root, wrong = parse(text)
    assert not wrong
    found = [node for node in scalars(root) if node.exact]
    assert found
    for node in found:
        assert text[node.start : node.start + len(node.text or "")] == node.text


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: null\nb: ~\nc:\nd: 'null'\n", {"a": "", "b": "", "c": "", "d": "null"}),
        ("a: yes\nb: 1.10\n", {"a": "yes", "b": "1.10"}),
        ("a: |\n  x\n  y\nb: z\n", {"a": (7, 13, False), "b": "z"}),
        ("a: >-\n\n  x\n\nb: z\n", {"a": (9, 12, True), "b": "z"}),
        ("a: |\nb: z\n", {"a": "", "b": "z"}),
        ("a: !!python/object/apply:os.system ['exit 1']\n", {"a": ["exit 1"]}),
        ("---\na: b\n---\nc: d\n", {"a": "b"}),
        ("x: &a [b]\ny: *a\n", {"x": ["b"], "y": ["b"]}),
    ],
)
def test_values_are_texts_whatever_their_tag(text: str, expected: object) -> None:
    root, wrong = parse(text)
    assert (value(root), wrong) == (expected, [])


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("text", "line", "said", "kept"),
    [
        ("a:\n\t- b\n\t- c\nd: e\n", 2, "tab", {"a": ["b", "c"], "d": "e"}),
        ("a:\n  b: c\n\td: e\nf: g\n", 3, "tab", {"a": {"b": "c"}, "f": "g"}),
        ("a: `b`\nc: d\n", 1, "begins with '`'", {"c": "d"}),
        ("a: b: c\nd: e\n", 1, "colon", {"d": "e"}),
        ("a: - b\nc: d\n", 1, "line of its own", {"c": "d"}),
        ("a: 'b' c\nd: e\n", 1, "after the value", {"d": "e"}),
        ("a:\n  - b\n c: d\ne: f\n", 3, "indented", {"a": ["b"], "e": "f"}),
        ("a: 'b\nc: d\n", 1, "quote", {"c": "d"}),
        ('a: "\\q"\nc: d\n', 1, "escape", {"c": "d"}),
        ("a: {b\n", 1, "bracket", ""),
        ("a: ]\nb: c\n", 1, "value is missing", {"b": "c"}),
        ("a: *b\nc: d\n", 1, "anchor b", {"a": "", "c": "d"}),
        ("a: *\nc: d\n", 1, "name of an anchor", {"c": "d"}),
        ("a: !x!y b\nc: d\n", 1, "prefix", {"c": "d"}),
        ("a: b\x07\nc: d\n", 1, "U+0007", {"a": "b", "c": "d"}),
        ("a: \ud800\nc: d\n", 1, "U+D800", {"a": "", "c": "d"}),
        ("a: b\n<<<<<<< HEAD\nc: d\n=======\nc: e\n>>>>>>> x\n", 2, "merge conflict", {"a": "b", "c": "e"}),
    ],
)
def test_a_fault_is_reported_on_its_line_and_the_rest_is_kept(
    text: str, line: int, said: str, kept: object
) -> None:
    root, [first, *_] = parse(text)
    assert text.count("\n", 0, first.start) + 1 == line
    assert said in first.message
    assert value(root) == kept


@pytest.mark.usefixtures("either")
def test_what_precedes_the_last_fault_is_kept_however_many_there_are() -> None:
    text = "a: b\n" + "c: `\n" * 100 + "d: e\n"
    root, wrong = parse(text)
    assert len(wrong) == 10
    assert root.get("a") and not root.get("d")


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("text", ["- " * 200, "a: " + "[" * 200, "{b: " * 200])
def test_deep_nesting_is_refused(text: str) -> None:
    _, [first, *_] = parse(text)
    assert first.message == "nested too deeply"


@pytest.mark.usefixtures("either")
def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    root, [first, *_] = parse("\n".join(lines))
    assert first.message == "the value of this alias is too large"
    assert root.size < 100_000
    chain = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 300))])
    _, [first, *_] = parse(chain)
    assert first.message == "the value of this alias is too large"


@pytest.mark.usefixtures("either")
def test_an_alias_of_what_holds_it_is_unknown() -> None:
    _, [first] = parse("a: &x [*x]\n")
    assert "not defined above" in first.message
