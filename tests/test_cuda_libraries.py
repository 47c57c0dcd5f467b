"""To which CUDA a library belongs."""

from __future__ import annotations

import pytest

from torchlock.knowledge.cuda_libraries import cuda_of_library, with_cuda


@pytest.mark.parametrize(
    ("name", "cuda"),
    [
        ("libcudart.so.13", "13"),
        ("libcudart.so.11.0", "11"),
        ("libcudart.so.10.2", "10.2"),
        ("libcudart.so.9.2", "9.2"),
        ("libnppicc.so.13", "13"),
        ("libnppig.so.10", "10"),
        ("libcublasLt.so.12", "12"),
        ("libnvrtc.so.11.2", "11"),
        ("cudart64_110.dll", "11"),
        ("cudart64_12.dll", "12"),
        ("cudart64_102.dll", "10.2"),
        ("cudart64_92.dll", "9.2"),
        ("nvrtc64_112_0.dll", "11"),
        ("nppicc64_12.dll", "12"),
        ("libcufft.so.11", ""),
        ("libcudnn.so.9", ""),
        ("libcudart.so", ""),
        ("libtorch_cuda.so", ""),
    ],
)
def test_the_name_says_the_version(name: str, cuda: str) -> None:
    assert cuda_of_library(name) == cuda
    assert with_cuda(name) == (f"{name} (CUDA {cuda})" if cuda else name)
