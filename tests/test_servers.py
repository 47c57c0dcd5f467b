"""The language server and the MCP server, as an editor and an assistant use them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from pygls.lsp.client import LanguageClient

from torchlock.api import audit_text, fix_text
from torchlock.api.values import Change, Finding, Remedy
from torchlock.cli.main import main
from torchlock.servers.diagnostics import diagnostic, edits, fixes, shown, whole

BROKEN = "# \N{GRINNING FACE}\ntorch==2.9.1\ntorchaudio==2.8.0\n"
FIXED = BROKEN.replace("2.8.0", "2.9.1")
# For what takes longer on a busy machine; nothing is measured by it.
PATIENCE = 300


def at_position(text: str, position: types.Position) -> int:
    """The offset of a position; all test lines that are edited have characters of one UTF-16 unit alone."""
    return sum(map(len, text.splitlines(keepends=True)[: position.line])) + position.character


def applied(text: str, changes: list[types.TextEdit]) -> str:
    for edit in sorted(changes, key=lambda each: at_position(text, each.range.start), reverse=True):
        start, end = at_position(text, edit.range.start), at_position(text, edit.range.end)
        text = text[:start] + edit.new_text + text[end:]
    return text


def finding(line: int | None = 1, column: int | None = None, *changes: Change) -> Finding:
    remedy = Remedy("Write it so.", changes) if changes else None
    return Finding("TL101", "error", "it is wrong", "of a reason", line, column, remedy=remedy)


class Editor:
    """An editor that starts a language server and keeps what it says."""

    def __init__(self) -> None:
        self.client = LanguageClient("editor", "1")
        self.heard: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def _hear(said: types.PublishDiagnosticsParams) -> None:
            self.heard.put_nowait(said)

    async def __aenter__(self) -> Editor:
        await self.client.start_io(sys.executable, "-m", "torchlock", "lsp")
        await self.client.initialize_async(types.InitializeParams(capabilities=types.ClientCapabilities()))
        self.client.initialized(types.InitializedParams())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def open(self, uri: str, text: str) -> None:
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "plaintext", 1, text))
        )

    async def next(self) -> types.PublishDiagnosticsParams:
        return await asyncio.wait_for(self.heard.get(), PATIENCE)


def test_an_editor_shows_findings_and_applies_fixes(tmp_path: Path) -> None:
    uri = (tmp_path / "requirements.txt").as_uri()

    async def session() -> None:
        async with Editor() as editor:
            editor.open(uri, BROKEN)
            said = await editor.next()
            first = said.diagnostics[0]
            assert (first.code, first.severity, first.range.start) == (
                "TL101",
                types.DiagnosticSeverity.Error,
                types.Position(2, 0),
            )
            assert first.message.startswith("torchaudio 2.8.0 works with torch 2.8.0")
            wanted = types.CodeActionParams(
                types.TextDocumentIdentifier(uri), first.range, types.CodeActionContext([first])
            )
            actions = await editor.client.text_document_code_action_async(wanted) or []
            assert [each.kind for each in actions if isinstance(each, types.CodeAction)] == [
                "quickfix",
                "source.fixAll.torchlock",
            ]
            for action in actions:
                assert isinstance(action, types.CodeAction)
                assert action.edit is not None
                assert action.edit.changes is not None
                assert applied(BROKEN, list(action.edit.changes[uri])) == FIXED
            change = types.TextDocumentContentChangeWholeDocument(FIXED)
            version = types.VersionedTextDocumentIdentifier(uri=uri, version=2)
            editor.client.text_document_did_change(types.DidChangeTextDocumentParams(version, [change]))
            later = await editor.next()
            assert later.version == 2
            assert not [each for each in later.diagnostics if each.severity == types.DiagnosticSeverity.Error]
            editor.client.text_document_did_close(
                types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
            )
            assert not (await editor.next()).diagnostics

    asyncio.run(session())


def test_an_editor_gets_the_settings_of_the_project_and_no_words_about_other_files(tmp_path: Path) -> None:
    (tmp_path / "torchlock.toml").write_text('ignore = ["TL101"]\n', encoding="utf-8")
    poem = (tmp_path / "poem.txt").as_uri()

    async def session() -> None:
        async with Editor() as editor:
            editor.open(poem, "torch of the night\n")
            assert not (await editor.next()).diagnostics
            editor.open((tmp_path / "requirements.txt").as_uri(), BROKEN)
            assert "TL101" not in [each.code for each in (await editor.next()).diagnostics]

    asyncio.run(session())


def test_a_finding_stands_from_its_column_to_the_end_of_its_line() -> None:
    lines = ["a\n", "  torch==2.9.1   \n"]
    there = diagnostic(finding(2, 3), lines)
    assert there.range == types.Range(types.Position(1, 2), types.Position(1, 14))
    assert there.message == "it is wrong\nbecause of a reason"
    assert there.code_description is not None
    assert there.code_description.href.endswith("/rules/TL101/")


@pytest.mark.parametrize("lines", [[], ["a\n"]])
def test_a_finding_without_a_line_or_behind_the_end_stands_on_the_first_line(lines: list[str]) -> None:
    assert diagnostic(finding(None), lines).range.start == types.Position(0, 0)
    assert diagnostic(finding(9), lines).range.start == types.Position(0, 0)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_new_lines_stand_below_the_line_that_is_named(end: str) -> None:
    text = f"a{end}b{end}"
    lines = text.splitlines(keepends=True)
    change = [Change(1, "a", "x"), Change(1, None, "y")]
    assert applied(text, edits(finding(1, None, *change), lines)) == f"x{end}y{end}b{end}"


@pytest.mark.parametrize(
    "change", [Change(1, "old", "new"), Change(1, "a", "new", masked=True), Change(5, None, "new")]
)
def test_no_fix_is_offered_that_does_not_fit(change: Change) -> None:
    """The text has changed, the line has a secret that is not shown, or the line is not there."""
    assert not edits(finding(1, None, change), ["a\n"])


def test_fixes_are_those_of_the_lines_that_are_asked_for() -> None:
    lines = ["a\n", "b\n"]
    found = [finding(1, None, Change(1, "a", "x")), finding(2, None, Change(2, "b", "y"))]
    second = types.Range(types.Position(1, 0), types.Position(1, 1))
    assert [each.title for each in fixes("file:///r", found, lines, second)] == ["torchlock: Write it so."]


@pytest.mark.parametrize(
    "text,end",
    [("", (0, 0)), ("a", (0, 1)), ("a\n", (1, 0)), ("a\nbc", (1, 2))],
)
def test_a_whole_text_ends_where_it_ends(text: str, end: tuple[int, int]) -> None:
    assert whole(text.splitlines(keepends=True)).end == types.Position(*end)


def test_that_nothing_was_found_is_no_news() -> None:
    assert audit_text("", "requirements.txt").findings
    assert not shown(audit_text("", "requirements.txt").findings)


def test_a_text_is_fixed_as_the_command_fixes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(BROKEN, encoding="utf-8")
    main(["audit", "--fix", str(file)])
    assert fix_text(BROKEN) == file.read_text(encoding="utf-8") == FIXED
    assert fix_text(FIXED) == FIXED


def test_an_assistant_calls_the_tools() -> None:
    async def session() -> dict[str, Any]:
        command = StdioServerParameters(command=sys.executable, args=["-m", "torchlock", "mcp", "--offline"])
        async with stdio_client(command) as (read, write), ClientSession(read, write) as client:
            await client.initialize()
            tools = {each.name: each for each in (await client.list_tools()).tools}
            assert set(tools) == {"audit_text", "audit_files", "fix_text", "check", "explain", "lock"}
            assert all(each.annotations and each.annotations.read_only_hint for each in tools.values())
            log = "ImportError: libcudart.so.13: cannot open shared object file: No such file or directory"
            asked: dict[str, dict[str, Any]] = {
                "audit_text": {"content": BROKEN},
                "fix_text": {"content": BROKEN},
                "check": {"log": log},
                "explain": {"requirements": ["TL101"]},
                "lock": {"requirements": ["torchaudio"], "python": "3.12", "platform": "linux-x86_64"},
            }
            found: dict[str, Any] = {}
            for name, values in asked.items():
                answer = await client.call_tool(name, values)
                assert not answer.is_error, answer.content
                found[name] = answer.structured_content
            refused = await client.call_tool("check", {})
            assert refused.is_error
            found["refused"] = refused.content[0].text
            return found

    found = asyncio.run(session())
    assert found["audit_text"] == audit_text(BROKEN).to_dict()
    assert found["fix_text"] == {"result": FIXED}
    assert [each["rule"] for each in found["check"]["files"][0]["findings"]] == ["TL610"]
    assert "TL101" in found["explain"]["explained"][0]["headline"]
    assert "torchaudio==" in found["lock"]["text"]
    assert "nothing to check (give the text of a log, or the folder of an environment)" in found["refused"]


@pytest.mark.parametrize("command,package", [("lsp", "pygls"), ("mcp", "mcp")])
def test_without_its_extra_a_server_says_what_to_install(
    command: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] in ("pygls", "mcp", "lsprotocol")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, f"torchlock.servers.{command}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert main([command]) == 2
    assert f"install torchlock[{command}]" in capsys.readouterr().err
