"""An index of two projects, locks of them, and the folder into which their files are fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Request, Server, entry, page, ranges, sha256
from support.small_wheels import small_wheel

ALPHA = small_wheel("alpha", "1.0", "py3-none-any", ["beta"], members={"alpha.py": "x = 1\n" * 40_000})
BETA = small_wheel("beta", "2.0+cpu", "py3-none-any", members={"beta.py": "y = 2\n"})
NAMES = {"alpha-1.0-py3-none-any.whl": ALPHA, "beta-2.0+cpu-py3-none-any.whl": BETA}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setattr("torchlock.index.transport.backoff", lambda attempt: 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """An index with two projects, whose files have strong tags and are served in ranges."""
    with Server() as found:
        for name, content in NAMES.items():
            project = name.partition("-")[0]
            hashes = {"sha256": sha256(content)}
            found.routes[f"/{project}/"] = page(
                entry(name, f"{found.url}files/{name}", hashes=hashes, size=len(content), requires_python=">=3.8")
            )
            found.routes[f"/files/{name}"] = tagged(content)
        yield found


def tagged(content: bytes, tag: str = '"one"') -> Callable[[Request], Reply]:
    """A route with an ETag, which serves a range only for the same tag."""
    whole = ranges(content)

    def route(request: Request) -> Reply:
        condition = request.headers.get("If-Range")
        reply = Reply(content) if condition not in (None, tag) else whole(request)
        return reply._replace(headers={**reply.headers, "ETag": tag})

    return route


def lock(server: Server | None, *, url: bool = False) -> Path:
    """A lock of both projects; with ``url``, one of them by its address."""
    lines = [f"--index-url {server.url}"] if server is not None else []
    beta = "beta-2.0+cpu-py3-none-any.whl"
    second = f"beta @ {server.url}files/{beta.replace('+', '%2B')}" if url and server else "beta==2.0+cpu"
    if url and server:
        server.routes[f"/files/{beta.replace('+', '%2B')}"] = server.routes[f"/files/{beta}"]
    lines += [f"alpha==1.0 --hash=sha256:{sha256(ALPHA)}", f"{second} --hash=sha256:{sha256(BETA)}"]
    path = Path("requirements.txt")
    path.write_text("\n".join(lines) + "\n")
    return path


def pylock(server: Server) -> Path:
    text = 'lock-version = "1.0"\ncreated-by = "test"\n'
    for name, content in NAMES.items():
        project, version, *_ = name.split("-")
        url = f"{server.url}files/{name}"
        text += (
            f'\n[[packages]]\nname = "{project}"\nversion = "{version}"\nwheels = [\n  {{ name = "{name}", '
            f'upload-time = 2025-01-01T00:00:00Z, url = "{url}", size = {len(content)}, '
            f'hashes = {{ sha256 = "{sha256(content)}" }} }},\n]\n'
        )
    path = Path("pylock.toml")
    path.write_text(text + '\n[tool.other]\nnote = "stays \\u007f"\nlist = [1, 2]\n')
    return path


def wheels(folder: str = "wheelhouse") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.whl")}
