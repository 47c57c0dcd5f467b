"""What the failures of the stack print, and the rules that each may come from.

Every pattern is searched for in one line and takes time in proportion to it: a repeat in one has a bound.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# How much a line says. An echo follows an earlier failure; a headline opens a list of attempts; each attempt may
# fail for its own reason, and of those the one that was not bound to fail is the cause.
ECHO, HEADLINE, ATTEMPT, CAUSE = range(4)

# Names of libraries occur in the output of every installer: only beside such a word do they mean anything.
_FAILS = (
    r"cannot|could ?n[o']t|can't|no such file|not found|not loaded|unable to|failed|missing|error\b|\berr|"
    r"undefined symbol|symbol not found|wrong architecture|incompatible"
)
_UNDEFINED = r"undefined symbol|symbol not found|not defined in"


class Known(NamedTuple):
    """One failure: a line shows it if both patterns are in it. ``rules`` begin with the likeliest."""

    pattern: str
    rules: tuple[str, ...]
    beside: str = ""
    weight: int = CAUSE


# Asked in this order; the first that fits a line is the one.
SIGNATURES = (
    # Symbols: by the library that misses one, which the same mangled names do not tell.
    Known(r"torch_library_impl", ("TL101", "TL611", "TL606"), _UNDEFINED),
    Known(r"nvJitLink|libcu(sparse|solver|blas|fft|dnn)|nccl", ("TL613", "TL611", "TL610"), _UNDEFINED),
    Known(r"iJIT_NotifyEvent|libmkl_", ("TL611", "TL613"), _UNDEFINED),
    Known(r"libtorchcodec|torch_from_blob|torchcodec_ns", ("TL102", "TL611"), _UNDEFINED),
    Known(r"torchcodec_ns::", ("TL102", "TL611"), "could not run|no such operator"),
    Known(r"torchvision[/\\.]", ("TL103", "TL611", "TL606"), _UNDEFINED),
    Known(r"torchtext[/\\.]", ("TL104", "TL611", "TL606"), _UNDEFINED),
    Known(r"torchaudio|_torch_sox|libtorio", ("TL101", "TL611", "TL606", "TL201"), _UNDEFINED),
    Known(r"flash_attn|libc10|libtorch", ("TL611", "TL613", "TL606"), _UNDEFINED),
    Known(r"\b_?_ZN|aoti_", ("TL101", "TL102", "TL103", "TL104", "TL611"), _UNDEFINED),
    Known(r"version .?(GLIBC|GLIBCXX|CXXABI)_[\d.]{1,20}.{0,3} not found", ("TL612", "TL401", "TL613")),
    Known(_UNDEFINED, ("TL611", "TL101", "TL606"), "lib|torch|flat namespace|dlopen"),
    Known(r"WinError 127\b|specified procedure could not be found", ("TL101", "TL102", "TL611", "TL606")),
    # Builds.
    Known(r"compiled with different CUDA versions", ("TL201", "TL203")),
    Known(r"Torch not compiled with CUDA enabled", ("TL209", "TL203")),
    Known(r"NVIDIA driver on your system is too old", ("TL202",)),
    Known(r"sm_\d{2,4}", ("TL208",), "compatible"),
    Known(r"no kernel image is available", ("TL208",)),
    Known(r"libcudnn|cudnn_ops|cudnn64|cudnn_cnn", ("TL207", "TL610", "TL613"), _FAILS),
    Known(r"nppi?cc?(64)?_?\d{0,3}\.(so|dll)|libnpp|nvcuvid", ("TL610", "TL201", "TL102"), _FAILS),
    Known(
        r"libtorch_cuda|libc10_cuda|torch_cuda\.dll|c10_cuda\.dll", ("TL201", "TL101", "TL610", "TL606"), _FAILS
    ),
    Known(r"libtorch_hip|libamdhip64|libc10_hip|librocm|libroc", ("TL203", "TL610"), _FAILS),
    Known(
        r"lib(cudart|cublas|cufft|nccl|cusparse|cusolver|curand|nvrtc|cupti|nvToolsExt)",
        ("TL201", "TL610", "TL613"),
        _FAILS,
    ),
    Known(r"sndfile", ("TL608", "TL301", "TL607"), "architecture"),
    # Other files that do not fit this machine, or are broken.
    Known(
        r"incompatible architecture|wrong architecture|valid Win32 application|WinError 193\b|wrong ELF class"
        r"|Exec format error",
        ("TL608", "TL607"),
    ),
    Known(r"invalid ELF header|file too short|Bad CRC-32|not a mach-o file|ELF load command", ("TL607", "TL602")),
    Known(r"invalid distribution .{0,3}~|invalid distribution -", ("TL603", "TL601"), weight=HEADLINE),
    Known(r"no RECORD file was found|Cannot uninstall", ("TL604",), "record"),
    # What brings sound in and out.
    Known(r"No module named .?torchcodec\.", ("TL102", "TL604", "TL601")),
    Known(r"TorchCodec is required", ("TL305", "TL304")),
    Known(r"No module named .?torchcodec", ("TL305", "TL609", "TL615")),
    Known(r"Unsupported libav\w{1,20} version", ("TL304", "TL303")),
    Known(r"Could not load libtorchcodec", ("TL304", "TL102", "TL611", "TL610"), weight=HEADLINE),
    Known(r"libtorchcodec_core\d{1,2}\.dll", ("TL304", "TL610", "TL102"), _FAILS, ATTEMPT),
    Known(
        r"(lib)?(av(util|codec|format|filter|device)|sw(scale|resample))[.-]\w",
        ("TL304", "TL303"),
        _FAILS,
        ATTEMPT,
    ),
    Known(r"FFmpeg libraries are not|torio_ffmpeg|torchaudio_ffmpeg", ("TL303", "TL610"), _FAILS),
    Known(r"libsox|sox extension", ("TL302", "TL306"), _FAILS),
    Known(r"libsndfile|sndfile library", ("TL301", "TL608", "TL610"), _FAILS),
    Known(
        r"find appropriate backend|No audio (I/O )?backend is available|is not one of available backends",
        ("TL306", "TL303", "TL302", "TL305", "TL301"),
    ),
    # Siblings, dependents and what was removed under them.
    Known(r"operator torchvision::\w{1,40} does not exist", ("TL103", "TL201", "TL610", "TL611", "TL606")),
    Known(r"Failed to load image Python extension", ("TL103", "TL610"), weight=HEADLINE),
    Known(r"functional_tensor", ("TL705", "TL103"), "No module named|cannot import"),
    Known(
        r"_ARRAY_API not found|numpy is not available|compiled using NumPy 1|compiled against (ABI|API) version",
        ("TL105", "TL106"),
    ),
    Known(r"numpy\.(dtype|ufunc) size changed", ("TL106", "TL105")),
    Known(r"was removed in the NumPy 2|module 'numpy' has no attribute", ("TL703", "TL106")),
    Known(r"partially initialized module '(torch|torchaudio|torchvision)", ("TL606", "TL601"), weight=ECHO),
    Known(r"module 'torchaudio'? ?(\.\w+')?.{0,3}has no attribute", ("TL701", "TL702", "TL606", "TL601")),
    Known(r"No module named .?torchaudio\.(backend|io|sox_effects|kaldi_io)", ("TL701", "TL702")),
    Known(r"cannot import name .{1,60} from .?torchaudio", ("TL701", "TL702", "TL606")),
    Known(r"module 'torch[.\w]{0,40}' has no attribute", ("TL704", "TL606", "TL601", "TL101")),
    Known(r"No module named .?(pkg_resources|distutils)", ("TL107", "TL609")),
    Known(r"No module named .?torch\._C|Failed to load PyTorch C extensions", ("TL608", "TL606", "TL601")),
    Known(r"No module named .?(torch|torchaudio)\b", ("TL615", "TL108", "TL604", "TL601", "TL608")),
    Known(r"No module named", ("TL609", "TL601", "TL604")),
    Known(r"C\+\+ extension is not available", ("TL606", "TL601"), weight=HEADLINE),
    # What an installer says.
    Known(r"No matching distribution found|Could not find a version that satisfies", ("TL403", "TL204", "TL507")),
    Known(
        r"found distribution .{1,80} with neither wheels nor source|source distribution or wheel",
        ("TL403", "TL204"),
    ),
    Known(r"only has wheels for|no wheels? with a matching", ("TL403", "TL204")),
    Known(r"DO NOT MATCH THE HASHES|Hash mismatch for", ("TL509",)),
    Known(
        r"requires .{1,80}, but you have|which is not installed|is incompatible\.$", ("TL609", "TL101"), "requires"
    ),
    # The loader's words, when none of the above was named.
    Known(r"fbgemm\.dll|libomp140|vcruntime140|msvcp140|WinError 1114\b", ("TL610", "TL613")),
    Known(r"WinError 126\b|or one of its dependencies|DLL load failed", ("TL610", "TL201", "TL101")),
    Known(r"OMP: Error #15", ("TL613", "TL605")),
    Known(r"cannot open shared object file|Library not loaded|image not found", ("TL610", "TL201", "TL101")),
    Known(
        r"Segmentation fault|SIGSEGV|access violation|Illegal instruction|0xC0000005",
        ("TL101", "TL609", "TL613", "TL606"),
        weight=HEADLINE,
    ),
)

COMPILED = tuple(
    (known, re.compile(known.pattern, re.I), re.compile(known.beside, re.I) if known.beside else None)
    for known in SIGNATURES
)
# One of these is in every line that shows a failure: the other lines are passed over at once.
WORDS = (
    "error", "not ", "n't", "cannot", "no ", "missing", "undefined", "unable", "failed", "wrong", "invalid",
    "bad crc", "too ", "compiled", "incompatible", "unsupported", "partially", "removed", "only has", "different",
    "but you", "fault", "sigsegv", "violation", "illegal", "changed", "neither", "0xc0000005", "is required",
)  # fmt: skip
