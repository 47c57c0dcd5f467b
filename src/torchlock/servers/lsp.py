"""``torchlock lsp``: the audit in an editor, by the Language Server Protocol over standard input and output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from torchlock import __version__
from torchlock.api import audit_text, fix_text
from torchlock.errors import InputError, TorchlockError
from torchlock.manifests.detection import format_of

try:
    from lsprotocol import types
    from pygls.lsp.server import LanguageServer
except ImportError as error:
    raise InputError("the language server needs pygls", hint="install torchlock[lsp]") from error

from torchlock.servers.diagnostics import SOURCE, diagnostic, fixes, shown, whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pygls.workspace import TextDocument

    from torchlock.api.values import Finding
    from torchlock.cli.streams import Console

# Seconds without a change after which a text is judged.
_PAUSE = 0.3
_FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.{SOURCE}"


class _Judged(NamedTuple):
    """The findings of one version of a document."""

    version: int | None
    findings: list[Finding]


class Server(LanguageServer):
    """A language server that knows the findings of the open documents, by their addresses."""

    def __init__(self, pause: float = _PAUSE) -> None:
        super().__init__(SOURCE, __version__)
        self.pause = pause
        self.judged: dict[str, _Judged] = {}

    async def judge(self, uri: str, *, wait: bool = False) -> None:
        """Audit a document and publish what is wrong; ``wait``: only if it does not change for a moment."""
        document = self.workspace.get_text_document(uri)
        version = document.version
        if wait:
            await asyncio.sleep(self.pause)
        text, path = document.source, document.path or uri
        if document.version != version or uri not in self.workspace.text_documents:
            return
        try:
            findings = await asyncio.get_running_loop().run_in_executor(None, _findings, text, path)
        except TorchlockError as problem:
            self.window_log_message(types.LogMessageParams(types.MessageType.Warning, f"{path}: {problem}"))
            findings = []
        if document.version == version and uri in self.workspace.text_documents:
            self.judged[uri] = _Judged(version, findings)
            self._publish(document, findings)

    def forget(self, uri: str) -> None:
        """Take the findings of a document back."""
        self.judged.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def actions(self, parameters: types.CodeActionParams) -> list[types.CodeAction]:
        """The fixes of the findings in a range, and the one that fixes all errors of the file."""
        uri = parameters.text_document.uri
        document = self.workspace.get_text_document(uri)
        known = self.judged.get(uri)
        if known is None or known.version != document.version:
            return []
        codec, lines = document.position_codec, document.lines
        only = parameters.context.only or [types.CodeActionKind.QuickFix, _FIX_ALL]
        found: list[types.CodeAction] = []
        if _is_asked(types.CodeActionKind.QuickFix.value, only):
            found += fixes(uri, known.findings, lines, parameters.range)
        if _is_asked(_FIX_ALL, only) and any(each.severity == "error" for each in known.findings):
            found += self._fix_all(document)
        for action in found:
            for edit in (action.edit.changes or {}).get(uri, []) if action.edit else []:
                edit.range = codec.range_to_client_units(lines, edit.range)
            for each in action.diagnostics or []:
                each.range = codec.range_to_client_units(lines, each.range)
        return found

    def _fix_all(self, document: TextDocument) -> list[types.CodeAction]:
        text = document.source
        try:
            fixed = fix_text(text, document.path or document.uri, settings="search")
        except TorchlockError:
            return []
        if fixed == text:
            return []
        edit = types.WorkspaceEdit(changes={document.uri: [types.TextEdit(whole(document.lines), fixed)]})
        return [types.CodeAction(title=f"{SOURCE}: fix all errors", kind=_FIX_ALL, edit=edit)]

    def _publish(self, document: TextDocument, findings: list[Finding]) -> None:
        codec, lines = document.position_codec, document.lines
        found = [diagnostic(each, lines) for each in findings]
        for each in found:
            each.range = codec.range_to_client_units(lines, each.range)
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, found, version=document.version)
        )


def server(pause: float = _PAUSE) -> Server:
    """A server with its features, not started. ``pause``: seconds without a change before a text is judged."""
    made = Server(pause)

    @made.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def _opened(own: Server, parameters: types.DidOpenTextDocumentParams) -> None:
        await own.judge(parameters.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def _changed(own: Server, parameters: types.DidChangeTextDocumentParams) -> None:
        await own.judge(parameters.text_document.uri, wait=True)

    @made.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def _saved(own: Server, parameters: types.DidSaveTextDocumentParams) -> None:
        await own.judge(parameters.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def _closed(own: Server, parameters: types.DidCloseTextDocumentParams) -> None:
        own.forget(parameters.text_document.uri)

    @made.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, _FIX_ALL]),
    )
    def _actions(own: Server, parameters: types.CodeActionParams) -> list[types.CodeAction]:
        return own.actions(parameters)

    return made


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve one editor until it ends, and return the exit code."""
    server().start_io()
    return 0


def _findings(text: str, path: str) -> list[Finding]:
    """The findings of a text; none if it is in no format that audit reads.

    Raises:
        TorchlockError: the configuration cannot be used, or the data are damaged.
    """
    try:
        if format_of(path, text[:4096]).guessed:
            return []
    except InputError:
        return []
    return shown(audit_text(text, path, settings="search").findings)


def _is_asked(kind: str, only: Sequence[types.CodeActionKind | str]) -> bool:
    """Whether a kind of action, or one of its parents, is asked for."""
    wanted = [str(getattr(each, "value", each)) for each in only]
    return any(kind == each or kind.startswith(f"{each}.") or not each for each in wanted)
