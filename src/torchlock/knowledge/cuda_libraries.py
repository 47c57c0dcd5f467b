"""To which CUDA a library belongs, by its name."""

from __future__ import annotations

import re

from torchlock.patterns import pattern

# The libraries whose names have the version of CUDA. Others, such as cuFFT and cuDNN, have versions of their own.
_LINUX = pattern(
    r"lib(?:cudart|cublas(?:Lt)?|nvrtc|nvJitLink|npp[a-z]{1,5})\.so\.(\d{1,2})(?:\.(\d{1,2}))?(?:\.\d+)*"
)
_WINDOWS = pattern(
    r"(?:cudart|cublas(?:Lt)?|nvrtc|nvJitLink|npp[a-z]{1,5})(?:64)?_(\d{2,3})(?:_\d{1,3})*\.dll", re.I
)


def cuda_of_library(name: str) -> str:
    """The version of CUDA in the name of a library: ``13`` of ``libcudart.so.13``; "" if it has none.

    Since CUDA 11, the libraries of all minor releases have the same name.
    """
    if found := _LINUX.fullmatch(name):
        major, minor = found[1], found[2]
    elif found := _WINDOWS.fullmatch(name):
        digits = found[1]
        major, minor = (digits[0], digits[1]) if digits[0] != "1" else (digits[:2], digits[2:])
    else:
        return ""
    return major if int(major) >= 11 or not minor else f"{major}.{minor}"


def with_cuda(name: str) -> str:
    """A library in words: ``libnppicc.so.13 (CUDA 13)``; the name alone if it does not say a version of CUDA."""
    cuda = cuda_of_library(name)
    return f"{name} (CUDA {cuda})" if cuda else name
