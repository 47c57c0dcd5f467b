"""A pasted traceback: which failures it shows, and so which of several findings its author met."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.finding import Finding

# A log is read up to here; a line no further than this.
_MOST = 5 << 20
_LONGEST = 4000
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# What a line may say, and the rules that it may come from, the likeliest first. The order is that of asking.
_SIGNATURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"compiled with different CUDA versions", ("TL201", "TL203")),
    (r"lib(torch_cuda|torch_cuda_cpp|torch_cuda_cu|c10_cuda)\w*\.so", ("TL201", "TL101", "TL610", "TL606")),
    (r"lib(torch_hip|amdhip64|c10_hip)\S*\.so", ("TL203", "TL610")),
    (r"lib(cudart|cublas|cudnn|cufft|nccl|cusparse|curand|nvrtc)\S*\.so", ("TL201", "TL610", "TL613")),
    (r"__nvJitLink\w+|nvJitLink", ("TL613", "TL610")),
    (r"cudnn_ops\w*\.dll|libcudnn_\w+\.so", ("TL703", "TL610", "TL613")),
    (r"torch_library_impl", ("TL101", "TL611", "TL606")),
    (r"libtorchcodec\S*: undefined symbol|torch_from_blob|torchcodec_ns::", ("TL102", "TL611")),
    (r"No module named '?torchcodec\.decoders", ("TL102", "TL604")),
    (r"(nppicc|nppc|nvcuvid)\S*\.(so|dll)|nppicc64_\d+\.dll", ("TL610", "TL201", "TL102")),
    (
        r"(_torch_sox|torchaudio|torchvision|torchtext)\S*.{0,200}(undefined symbol|Symbol not found)",
        ("TL101", "TL103", "TL104", "TL611"),
    ),
    (r"undefined symbol: (_ZN|aoti_)", ("TL101", "TL102", "TL103", "TL611")),
    (r"operator torchvision::nms does not exist", ("TL103",)),
    (r"WinError 127", ("TL101", "TL102", "TL611", "TL606")),
    (r"version .GLIBC(XX)?_[\d.]+'? not found|version .CXXABI_[\d.]+'? not found", ("TL612", "TL401")),
    (r"Could not load libtorchcodec", ("TL304", "TL102", "TL611", "TL610")),
    (
        r"lib(av(util|codec|format|filter|device)|sw(scale|resample))\.\S+|FFmpeg libraries are not|torio_ffmpeg",
        ("TL304", "TL303"),
    ),
    (r"Unsupported libav\w+ version", ("TL304",)),
    (r"No matching distribution found|Could not find a version that satisfies", ("TL403", "TL204", "TL507")),
    (r"have a source distribution or wheel for the current platform", ("TL403", "TL204")),
    (r"LibsndfileError", ("TL301",)),
    (r"TorchCodec is required", ("TL305", "TL304")),
    (r"libsox\.(so|dylib)", ("TL302", "TL306")),
    (
        r"Couldn't find appropriate backend|No audio (I/O )?backend is available|is not one of available backends",
        ("TL306", "TL303", "TL302", "TL305", "TL301"),
    ),
    (r"sndfile library not found|cannot load library 'libsndfile|libsndfile", ("TL301", "TL608")),
    (
        r"incompatible architecture|is not a valid Win32 application|wrong ELF class|invalid ELF header",
        ("TL608", "TL607"),
    ),
    (r"file too short|Bad CRC-32|invalid distribution ~", ("TL607", "TL601", "TL603")),
    (
        r"_ARRAY_API not found|Numpy is not available|compiled using NumPy 1|compiled against (ABI|API) version",
        ("TL105",),
    ),
    (
        r"module 'torchaudio' has no attribute|No module named 'torchaudio\.(backend|io)",
        ("TL701", "TL702", "TL606"),
    ),
    (r"partially initialized module '(torch|torchaudio)'", ("TL606", "TL601")),
    (r"C\+\+ extension is not available", ("TL606", "TL601")),
    (r"fbgemm\.dll|libomp140|WinError 126", ("TL610", "TL201", "TL101")),
    (r"NVIDIA driver on your system is too old", ("TL202",)),
    (r"sm_\d+ (is )?not compatible|no kernel image is available", ("TL208",)),
    (r"Torch not compiled with CUDA enabled", ("TL207", "TL203")),
    (r"No module named '?(torch|torchaudio)'?(\.\w+)?", ("TL615", "TL108", "TL604", "TL601", "TL608")),
    (r"No module named", ("TL609", "TL601", "TL604")),
    (
        r"cannot open shared object file|Library not loaded|DLL load failed|Could not find module",
        ("TL610", "TL201", "TL101"),
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.I), rules) for pattern, rules in _SIGNATURES)
# Printed after a first failure, and by itself no cause.
_MASKS = re.compile(r"partially initialized module")
_PREFIX = re.compile(r'File "([^"]+?)[/\\](?:site|dist)-packages[/\\](torch|torchaudio)[/\\]')


class Signature(NamedTuple):
    """A line that tells something: its text, its number (from 1), and the rules that it may come from."""

    text: str
    line: int
    rules: tuple[str, ...]


class Log(NamedTuple):
    """What a log shows, in its order; ``prefixes`` are the folders that each package was imported from."""

    signatures: tuple[Signature, ...]
    prefixes: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> Signature | None:
        """The first failure that is not the echo of an earlier one."""
        real = [each for each in self.signatures if not _MASKS.search(each.text)]
        return (real or list(self.signatures) or [None])[0]  # type: ignore[list-item]


def read_log(text: str) -> Log:
    """Look for known failures line by line; at most one a line, and each once."""
    found: dict[str, Signature] = {}
    prefixes: dict[tuple[str, str], None] = {}
    for number, line in enumerate(_COLOUR.sub("", text[:_MOST]).splitlines(), 1):
        short = line[:_LONGEST]
        if place := _PREFIX.search(short):
            prefixes[place[2], place[1]] = None
        for pattern, rules in _PATTERNS:
            if pattern.search(short):
                found.setdefault(pattern.pattern, Signature(short.strip(), number, rules))
                break
    return Log(tuple(found.values()), tuple(prefixes))


def chosen(log: Log, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, those first that the log shows; among equals the order stays."""
    order = [rule for signature in _by_weight(log) for rule in signature.rules]

    def rank(finding: Finding) -> int:
        rules = [finding.rule, *(effect.rule for effect in finding.consequences)]
        return min((order.index(rule) for rule in rules if rule in order), default=len(order))

    severe = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: (severe.index(finding.severity) == 2, rank(finding)))


def promote(log: Log, findings: Sequence[Finding]) -> None:
    """What harms nobody by itself is a warning where the log shows that somebody met it."""
    likely = log.first.rules[:2] if log.first else ()
    for finding in findings:
        if finding.severity == "note" and finding.rule in likely:
            finding.severity = "warning"


def _by_weight(log: Log) -> list[Signature]:
    first = log.first
    return [] if first is None else [first, *(each for each in log.signatures if each is not first)]


def remarks(log: Log, findings: Sequence[Finding], folders: Sequence[str]) -> list[str]:
    """What to say about the log: that it shows nothing known, or is of another environment."""
    if log.first is None:
        return ["the log shows no failure that is known; it has no say in the order of findings"]
    told = []
    others = [(name, prefix) for name, prefix in log.prefixes if not any(_alike(prefix, each) for each in folders)]
    if others and folders:
        name, prefix = others[0]
        told.append(f"the log is of another environment: it has {name} in {prefix}, this is {folders[0]}")
    rules = {rule for signature in log.signatures for rule in signature.rules}
    bad = [each for each in findings if each.severity != "note"]
    shown = {rule for each in bad for rule in (each.rule, *(effect.rule for effect in each.consequences))}
    if not shown & rules:
        told.append(f"nothing was found here that would print: {log.first.text[:200]}")
    return told


def _alike(prefix: str, folder: str) -> bool:
    plain = prefix.replace("\\", "/").rstrip("/").lower()
    return folder.replace("\\", "/").lower().startswith(plain)
