"""Which symbols and libraries are those of torch, by the names that compilers and wheels of each system give them.

A Mac writes one underscore before each name. Microsoft's compiler writes the namespaces last, up to ``@@``:
``?full@at@@…``; the types behind ``@@`` may be of torch while the function is not.
"""

from __future__ import annotations

from torchlock.patterns import pattern

# Functions that a template makes for a plain type (``??$data_ptr@M@…``) are read, too, and no other templates.
_MICROSOFTS = r"\?(?:\?_?[0-9A-Z]|\?\$\w{1,200}@_?[A-Z]@)?(?:\w{1,200}@){0,8}?"
# Methods of tensors, and operators: each build defines all of them, also those with a name like ``is_cuda``.
_OF_EVERY_BUILD = pattern(
    rf"_?_ZNK?2at(?:6Tensor|10TensorBase|4_ops)\d|{_MICROSOFTS}(?:Tensor|TensorBase|_ops)@at@@"
)
_OF_TORCH = pattern(
    r"_?_ZNK?(?:3c10|2at|5torch)|_?_ZTIN(?:3c10|5torch)|_?aoti_torch_|_?torch_library_|torch_"
    rf"|{_MICROSOFTS}(?:c10|at|torch)@@"
)
# Functions of the libraries c10_cuda and torch_cuda, which only a CUDA build has.
_OF_CUDA_BUILD = pattern(rf"_?_ZNK?(?:3c10|2at)4cuda|{_MICROSOFTS}cuda@(?:c10|at)@@")
# A name inside of a symbol: a namespace of torch, or a prefix of its C functions.
_NAMES_TORCH = pattern(r"(?:2at|3c10|5torch|6caffe2)(?![0-9a-z])|THP|torch|@(?:at|c10|caffe2)@@")
# Libraries of CUDA, which a CUDA build of torch brings or asks for.
_OF_CUDA = pattern(
    r"lib(?:cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|nvrtc|nvJitLink)\.so"
    r"|(?:cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|nvrtc|nvJitLink)_?\d\w{0,20}\.dll",
)


def is_torchs_symbol(name: str) -> bool:
    """Whether a symbol belongs to torch, to a part of it that every build has."""
    if _OF_EVERY_BUILD.match(name):
        return True
    if "cuda" in name or "cudnn" in name or "CUDA" in name:
        return False
    return _OF_TORCH.match(name) is not None


def names_torch(symbol: str) -> bool:
    """Whether a symbol belongs to torch, or names something of it, like a function that takes a tensor."""
    return _NAMES_TORCH.search(symbol) is not None or is_torchs_symbol(symbol)


def is_of_cuda_build(symbol: str) -> bool:
    """Whether a symbol belongs to the part of torch that only a CUDA build has."""
    return _OF_CUDA_BUILD.match(symbol) is not None


def is_of_cuda(library: str) -> bool:
    """Whether a library, by its file name, is one of CUDA itself."""
    return _OF_CUDA.match(library) is not None
