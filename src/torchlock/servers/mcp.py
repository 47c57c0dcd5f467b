"""``torchlock mcp``: the tools of ``servers/tools.py`` for assistants, by the Model Context Protocol."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.errors import InputError, TorchlockError
from torchlock.servers.tools import Tools

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations
except ImportError as error:
    raise InputError("the MCP server needs the package mcp, 2 or later", hint="install torchlock[mcp]") from error

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torchlock.cli.streams import Console

_INSTRUCTIONS = """\
torchlock knows which releases and builds of torch, torchaudio, torchvision, torchcodec and soundfile load
together. Use check for a traceback or an environment, audit_text or audit_files for requirements, and lock for
pins that load."""


def server(*, offline: bool = False) -> MCPServer:
    """A server with its tools, not started. ``offline``: no tool asks a package index."""
    made: MCPServer = MCPServer("torchlock", version=__version__, instructions=_INSTRUCTIONS)
    own = Tools(offline=offline)
    for tool in (own.audit_text, own.audit_files, own.fix_text, own.check, own.explain, own.lock):
        asks = tool in (own.explain, own.lock) and not offline
        made.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=asks))(_told(tool))
    return made


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve one assistant until it ends, and return the exit code."""
    server(offline=arguments.offline).run("stdio")
    return 0


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its errors as those of a tool, which the assistant reads."""

    @wraps(function)
    def tool(**values: Any) -> Any:
        try:
            return function(**values)
        except TorchlockError as problem:
            hint = f" ({problem.hint})" if problem.hint else ""
            raise ToolError(f"{problem}{hint}") from problem

    return tool
