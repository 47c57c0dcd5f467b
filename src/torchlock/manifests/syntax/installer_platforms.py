"""Platforms as installers name them on the command line: wheel tags (pip), triples and systems (uv)."""

from __future__ import annotations

import re

_LINUX, _MACOS, _WINDOWS = r"(?:many|musl)?linux\w*_{}", r"macosx_\w+_{}", r"win_{}"
_NAMES = {
    "linux-x86_64": rf"{_LINUX.format('x86_64')}|x86_64-(?:unknown|manylinux)[\w-]*|linux",
    "linux-aarch64": rf"{_LINUX.format('aarch64')}|aarch64-(?:unknown|manylinux)[\w-]*",
    "macos-arm64": rf"{_MACOS.format('arm64')}|aarch64-apple-darwin|macos",
    "macos-x86_64": rf"{_MACOS.format('x86_64')}|x86_64-apple-darwin",
    "windows-amd64": rf"{_WINDOWS.format('amd64')}|x86_64-pc-windows-\w+|windows",
    "windows-arm64": rf"{_WINDOWS.format('arm64')}|aarch64-pc-windows-\w+",
}
# The marker of each platform.
MARKERS = {
    "linux-x86_64": "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "linux-aarch64": "sys_platform == 'linux' and platform_machine == 'aarch64'",
    "macos-arm64": "sys_platform == 'darwin' and platform_machine == 'arm64'",
    "macos-x86_64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "windows-amd64": "sys_platform == 'win32' and platform_machine == 'AMD64'",
    "windows-arm64": "sys_platform == 'win32' and platform_machine == 'ARM64'",
}
_PATTERNS = {platform: re.compile(pattern, re.IGNORECASE) for platform, pattern in _NAMES.items()}


def platform_of(text: str) -> str | None:
    """The platform (of ``target.PLATFORMS``) in ``--platform`` or ``--python-platform``; None if unknown."""
    return next((platform for platform, pattern in _PATTERNS.items() if pattern.fullmatch(text)), None)
