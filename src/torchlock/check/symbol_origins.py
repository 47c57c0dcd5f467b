"""What a symbol is that a log shows to be undefined, and what to look at: without an environment."""

from __future__ import annotations

import re

from torchlock.check.library_origins import Meaning
from torchlock.inspect.binaries.cxx_names import demangled

_OLDER = (
    "Unset LD_LIBRARY_PATH, and install torch again with all its NVIDIA packages; LD_DEBUG=libs shows from "
    "where each library is loaded."
)
_PAIR = (
    "Compare python -m pip list with the releases that belong together (torchlock lock torch torchaudio), and "
    "install that package for the installed torch. If they fit, look for a second torch on the import path."
)
_ROWS = (
    (
        re.compile(r"_{0,2}iJIT_\w{1,60}"),
        Meaning(
            "a function of MKL for profilers",
            "MKL does not have it since 2024.1, and a torch of conda's channels needs it",
            'Install an earlier MKL: conda install "mkl<2024.1".',
        ),
    ),
    (
        re.compile(
            r"_{0,3}(?:nccl|nvJitLink|cudnn|cublas|cusparse|cufft|cusolver|nvrtc|cuda|cupti|nvml)\w{1,100}|_ZN?K?5cudnn\w{1,400}"
        ),
        Meaning(
            "a symbol of an NVIDIA library",
            "the library that was loaded is of an older release than the one that its user was built with, "
            "usually from a folder of LD_LIBRARY_PATH or from another package",
            _OLDER,
        ),
    ),
    (
        re.compile(r"_?(?:torch_library_|aoti_torch_|torch_)\w{1,100}"),
        Meaning(
            "a symbol of torch's C interface",
            "the package was built for another torch than the one that was loaded, usually for a later one",
            "Install a later torch, or an earlier release of that package. python -m pip list shows both "
            "versions.",
        ),
    ),
    (
        re.compile(
            r"__?ZN?K?\d{0,2}\w{0,200}?(?:3c10|2at)4cuda\w{1,400}|\?[\w?@$]{1,200}@cuda@(?:c10|at)@[\w?@$]{0,200}"
        ),
        Meaning(
            "which only CUDA builds of torch have",
            "the package was built for CUDA, or for another release of torch, and the torch that was loaded does "
            "not fit",
            _PAIR,
        ),
    ),
    (
        re.compile(
            r"_{1,2}ZT?[ISV]?N?K?(?:3c10|2at|5torch|6caffe2)\w{1,400}|_THP\w{1,60}|THP\w{1,60}"
            r"|\?[\w?@$]{1,200}@(?:c10|at|torch|caffe2)@[\w?@$]{0,200}"
            # A function outside of a namespace: one of torch's own, or one that takes a value of torch.
            r"|_{1,2}Z\d{1,3}_{0,2}(?:THP|THC|TH[A-Z])\w{1,400}"
            r"|_{1,2}Z\d{1,3}\w{1,300}?(?:N2at|N3c10|N5torch)\d\w{0,300}"
        ),
        Meaning(
            "a symbol of torch's C++ interface",
            "the package was compiled against another release or build of torch than the one that was loaded: "
            "that interface changes with each release",
            _PAIR,
        ),
    ),
    (
        re.compile(r"_{1,2}Pa(?:Mac|Util|_)\w{0,60}"),
        Meaning(
            "a function of PortAudio",
            "PyAudio was compiled on this machine while its PortAudio was not there, or was for another processor",
            "Install PortAudio for this processor (brew install portaudio, with the Homebrew in /opt/homebrew on "
            "Apple silicon), and then compile PyAudio again without the cache: python -m pip install "
            "--force-reinstall --no-deps --no-cache-dir pyaudio",
        ),
    ),
    (
        re.compile(r"_{0,2}Py[A-Z_]\w{1,80}"),
        Meaning(
            "a symbol of Python",
            "the extension was built for another version of Python than the one that loads it",
            "Install that package again with this Python, without its cache.",
        ),
    ),
)


def meaning_of_undefined(symbol: str) -> Meaning | None:
    """The meaning of a symbol that no library defines, by its name; None if it is not known."""
    found = next((words for pattern, words in _ROWS if pattern.fullmatch(symbol)), None)
    return None if found is None else found._replace(what=f"{demangled(symbol)}, {found.what}")
