"""TL520 to TL527, TL529: why an installer stopped, as its log shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.installer_findings import PURGE, Told, after, finding_of, install_again, is_there, words_of
from torchlock.check.installer_log import read_installation
from torchlock.finding import Command, Remedy
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

_PATH = re.compile(r"['\"]((?:[A-Za-z]:|/|\\\\)[^'\"\n]{1,300})['\"]")

# A path in the folder where an installer unpacks a source.
_UNPACKED = re.compile(r"[\\/](?:pip-(?:install|req-build|build-env|unpack)-|builds-v0[\\/])")

# uv renames in its cache.
_IN_CACHE = re.compile(r"[Ff]ailed to (?:rename|persist|move) [^\n]{0,200}[\\/]cache[\\/]|cache[\\/]archive-v\d")
_GIT = re.compile(r"RPC failed|fatal: |git clone |Cannot find command|executing command git|Git executable")


@rule("TL520", "TL521", "TL522", "TL523", "TL525", "TL526", "TL529", on="log")
def stopped(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A damaged file, a file in use, a full disk, no memory, a Python of the system, the network."""
    first = log.first
    if first is None or first.rules[0] not in (*_TELLING, *_NO_FILE):
        return
    asked = read_installation(log.text, first.line)
    tell = _TELLING.get("TL526" if asked.is_offline else first.rules[0])
    if tell is None or not asked.is_at_work or is_there(context, asked):
        return
    told = tell(context, asked, first)
    if told is not None:
        yield finding_of(context, found, asked, first.text, told)


def _damaged(context: CheckContext, asked: Installation, first: Signature) -> Told:
    what = asked.file or asked.requirement or "the file"
    origin = "the copy in the installer's cache" if _is_cached(asked) else "it"
    detail = re.search(
        r"Bad CRC-32 for file '[^']{1,200}'|Bad CRC \(got[^)]{0,80}\)|is not a zip file|Bad magic number",
        asked.near,
    )
    shown = f" ({detail[0]})" if detail else ""
    message = (
        f"the installer got a damaged file: {what} does not unpack, so {origin} was cut off or changed{shown}"
    )
    commands = after(install_again(context, words_of(asked), "--no-cache-dir"), PURGE)
    if asked.tool == "conda":
        commands = (Command("conda", "conda clean -y --all"),)
        return Told(
            "TL520", message, Remedy("Delete conda's cache, then run the same command again.", commands=commands)
        )
    return Told(
        "TL520", message, Remedy("Delete the installer's cache, and download the file again.", commands=commands)
    )


def _is_cached(asked: Installation) -> bool:
    return "cached" in asked.source


def _denied(context: CheckContext, asked: Installation, first: Signature) -> Told:
    path = _PATH.search(first.text)
    where = path[1].replace("\\\\", "\\") if path else "a file"
    if _IN_CACHE.search(asked.near):
        return _of_cache(context, asked)
    if _is_open_file(first.text):
        is_used = re.search(r"WinError 32\]|os error 32\)|used by another process", first.text)
        why = "a running program has this file open"
        why = why if is_used else f"Windows denies access, most often because {why}"
        message = f"the installer could not replace {where}: {why}"
        summary = (
            "Close every program that uses this environment (Python, Jupyter, an editor, a web "
            "interface), then run the same command again."
        )
        commands = install_again(context, words_of(asked))
        return Told("TL521", message, Remedy(summary, commands=commands), half=True)
    message = f"the installer may not write {where}: this user has no permission for this folder"
    summary = "Install into a virtual environment of your own, or give this user the folder; do not use sudo pip."
    return Told("TL521", message, Remedy(summary, commands=_into_venv(context, asked)), half=True)


def _of_cache(context: CheckContext, asked: Installation) -> Told:
    """Windows does not let the installer rename what it has just unpacked."""
    message = (
        "Windows denied the installer access to a file of its own cache, most often because a virus scanner reads "
        "what was just unpacked"
    )
    summary = (
        "Run the same command again. If it stays, except the cache from the virus scanner, or name another folder "
        "for it on the drive of the environment (UV_CACHE_DIR, PIP_CACHE_DIR)."
    )
    return Told("TL521", message, Remedy(summary, commands=install_again(context, words_of(asked))))


def _is_open_file(text: str) -> bool:
    """Whether Windows refuses to replace a file that is in use. Without write permission it says the same."""
    denied = re.search(r"WinError (?:5|32)\]|os error (?:5|32)\)|used by another process|Access is denied", text)
    return denied is not None and not re.search(r"Program ?Files|WindowsApps|ProgramData", text, re.IGNORECASE)


def _into_venv(context: CheckContext, asked: Installation) -> tuple[Command, ...]:
    words = " ".join(words_of(asked))
    windows = context.target is not None and context.target.platform.system == "windows"
    place = ".venv\\Scripts\\python" if windows else ".venv/bin/python"
    python = "python" if windows else "python3"
    if not words:
        return ()
    return (
        Command("pip", f"{python} -m venv .venv && {place} -m pip install {words}"),
        Command("uv", f"uv venv && uv pip install {words}"),
    )


def _full(context: CheckContext, asked: Installation, first: Signature) -> Told:
    what = f" while it installed {asked.requirement}" if asked.requirement else ""
    message = f"no space was left on a disk{what}; the packages are not at fault"
    commands = after(install_again(context, words_of(asked), "--no-cache-dir"), PURGE)
    summary = (
        "Free some gigabytes (the installer's cache is one place), or name a larger folder for temporary files "
        "with TMPDIR, and install without the cache. A CPU build of torch needs a tenth of a CUDA build."
    )
    return Told("TL522", message, Remedy(summary, commands=commands))


def _no_memory(context: CheckContext, asked: Installation, first: Signature) -> Told:
    named = asked.requirement or asked.file
    what = f" while it installed {named}" if named else ""
    message = f"the installer ran out of memory{what}; the packages are not at fault"
    commands = install_again(context, words_of(asked), "--no-cache-dir")
    summary = (
        "Install without the cache, which keeps a whole wheel in memory; or give the machine or the "
        "container more memory."
    )
    return Told("TL523", message, Remedy(summary, commands=commands))


def _managed(context: CheckContext, asked: Installation, first: Signature) -> Told:
    message = "the installer refuses to change this Python, because the distribution manages it (PEP 668)"
    return Told(
        "TL525", message, Remedy("Install into a virtual environment.", commands=_into_venv(context, asked))
    )


def _network(context: CheckContext, asked: Installation, first: Signature) -> Told:
    if _GIT.search(first.text):
        return _git(first.text)
    near = f"{first.text}\n{asked.near}"
    if re.search(r"SSL module is not available|ssl module in Python is not available", near):
        return _without_ssl()
    if re.search(r"certificate has expired|certificate is not yet valid|CertificateExpired|NotValidYet", near):
        message = (
            "the certificate of the index, or of a proxy before it, has expired, or the clock of this machine is "
            "wrong; the packages are not at fault"
        )
        summary = (
            "Look at the date of this machine (date). If it is right, wait until the server has a new "
            "certificate, or ask another index or network; the one who runs the proxy can replace its certificate."
        )
        return Told("TL526", message, Remedy(summary))
    if re.search(r"SSLError|SSLCert|CERTIFICATE_VERIFY|invalid peer certificate", near):
        message = (
            "the installer does not trust the certificate of the index: a proxy or an old set of "
            "certificates; the packages are not at fault"
        )
        summary = (
            "Give the installer the certificate of your network: pip with --cert or PIP_CERT, uv with "
            "SSL_CERT_FILE or --native-tls; and check the clock of the machine."
        )
        return Told("TL526", message, Remedy(summary))
    message = "the installer did not reach the index, or the download was too slow; the packages are not at fault"
    commands = install_again(
        context, words_of(asked), *(["--timeout", "120", "--retries", "10"] if asked.tool != "uv" else [])
    )
    lines = tuple(
        each._replace(line=f"UV_HTTP_TIMEOUT=300 {re.sub(r' --(timeout|retries) [0-9]+', '', each.line)}")
        if each.tool == "uv"
        else each
        for each in commands
    )
    return Told(
        "TL526",
        message,
        Remedy(
            "Run the same command again with a longer time limit; check the network and the proxy.", commands=lines
        ),
    )


def _without_ssl() -> Told:
    """The Python of the installer cannot use TLS: no index was asked."""
    message = "the Python that runs pip has no ssl module, without which it reaches no index"
    summary = (
        "A Python of conda on Windows finds OpenSSL only in an activated environment (conda activate NAME, or the "
        "Anaconda Prompt). A Python that was compiled here needs the header files of OpenSSL (libssl-dev) when it "
        "is built: build it again, or use a Python of uv, conda or the distribution."
    )
    return Told("TL526", message, Remedy(summary), "pip asks indexes over HTTPS only")


def _git(line: str) -> Told:
    """git, which fetches the source of a package, is missing, or did not reach its server, or was refused."""
    if re.search(r"Cannot find command|executing command git|executable not found", line):
        message = "the installer fetches the source of a package with git, which it does not find"
        summary = (
            "Install git and start a new shell; or give the installer the address of an archive (.zip) instead."
        )
    elif re.search(r"could not read", line):
        message = "git may not read the source of a package: its address is wrong, or it is private"
        summary = "Look at the address in a browser; a private one needs a key or a token."
    else:
        message = (
            "git did not fetch the source of a package: the network, a proxy or the server ended the transfer"
        )
        summary = (
            "Run the same command again; behind a proxy, set its address with git config --global http.proxy. "
            "Less is transferred by git clone --depth 1 and pip install of that folder, or for an archive (.zip)."
        )
    return Told("TL526", message, Remedy(summary))


def _long_path(context: CheckContext, asked: Installation, first: Signature) -> Told:
    message = "a path of the installation is longer than Windows allows (260 characters, 248 for a folder)"
    enable = (
        "New-ItemProperty -Path HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem -Name LongPathsEnabled "
        "-Value 1 -PropertyType DWORD -Force"
    )
    if _UNPACKED.search(asked.near):  # The path is that of the folder where a source is unpacked.
        message += "; it is in the folder for temporary files, where a source is unpacked"
        summary = (
            "Use a short folder for temporary files (PowerShell), or a release of this package that has a wheel; "
            "or enable long paths in Windows."
        )
        again = install_again(context, words_of(asked))
        line = f'mkdir -Force C:\\t; $env:TEMP = $env:TMP = "C:\\t"{f"; {again[0].line}" if again else ""}'
        return Told("TL529", message, Remedy(summary, commands=(Command("shell", line),)), half=True)
    summary = (
        "Enable long paths (PowerShell as administrator), start a new shell and run the same command "
        "again; or use an environment in a short folder such as C:\\venv."
    )
    return Told("TL529", message, Remedy(summary, commands=(Command("shell", enable),)), half=True)


# What pip says if no index answered.
_NO_FILE = ("TL403", "TL528")
_TELLING: dict[str, Callable[[CheckContext, Installation, Signature], Told | None]] = {
    "TL520": _damaged,
    "TL521": _denied,
    "TL522": _full,
    "TL523": _no_memory,
    "TL525": _managed,
    "TL526": _network,
    "TL529": _long_path,
}
