"""What the libraries of a GPU say while a program runs: what is known, and the step that decides."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.finding import Finding


def first_of(text: str) -> Finding:
    log = read_log(text)
    return by_log(context_of(log), log, [])[0]


@pytest.mark.triggers("TL237")
@pytest.mark.parametrize(
    ("line", "says", "fix"),
    [
        ("CUDA error: an illegal memory access was encountered", "illegal memory access", "CUDA_LAUNCH_BLOCKING"),
        ("CUDA error: an illegal instruction was encountered", "illegal instruction", "CUDA_LAUNCH_BLOCKING"),
        ("CUDA error: uncorrectable ECC error encountered", "could not correct", "Restart the machine"),
        (
            "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `x`",
            "CUBLAS_STATUS_NOT_INITIALIZED",
            "nvidia-smi",
        ),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "did not do a call of torch", "LD_LIBRARY_PATH"),
        ("GET was unable to find an engine to execute this computation", "cuDNN", "LD_LIBRARY_PATH"),
        ("cuFFT error: CUFFT_INTERNAL_ERROR", "torch.stft", "CUDA 11.8 or later"),
        ("cuBLAS failed with status CUBLAS_STATUS_NOT_SUPPORTED", "ctranslate2", "float16"),
        ("FlashAttention only supports Ampere GPUs or newer.", "Ampere", "sdpa"),
        ("0 active drivers ([]). There should only be one.", "triton", "TORCHDYNAMO_DISABLE"),
        ("CUDA error: peer access is not supported between these two devices", "peer access", "nvidia-smi"),
    ],
)
def test_a_status_of_a_library(line: str, says: str, fix: str) -> None:
    finding = first_of(f"RuntimeError: {line}\n")
    assert (finding.rule, finding.severity) == ("TL237", "warning")
    assert says in finding.message
    assert finding.remedy is not None
    assert fix in finding.remedy.summary


@pytest.mark.leaves_alone("TL237")
@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "TL229"),
        ("RuntimeError: CUDA error: invalid device ordinal", "TL229"),
        ("RuntimeError: CUDA error: no kernel image is available for execution on the device", "TL208"),
        ("RuntimeError: CUDA error: system not yet initialized", "TL235"),
        ("RuntimeError: cuDNN error: CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED", "TL231"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`", "TL613"),
        ("Illegal instruction (core dumped)", "TL608"),
    ],
)
def test_what_is_known_better(line: str, rule: str) -> None:
    assert first_of(f"{line}\n").rule == rule


@pytest.mark.parametrize(
    ("line", "gpu"),
    [
        (
            "    Found GPU0 NVIDIA GeForce GTX 1080 which is of cuda capability 6.1.",
            "NVIDIA GeForce GTX 1080 (sm_61)",
        ),
        ("    Found GPU1 Quadro K2200 which is of compute capability (CC) 5.0.", "Quadro K2200 (sm_50)"),
    ],
)
def test_a_gpu_of_which_torch_warns_in_other_words(line: str, gpu: str) -> None:
    """torch 2.13, torch/cuda/__init__.py, and releases before 1.8."""
    finding = first_of(f"UserWarning: \n{line}\n")
    assert (finding.rule, gpu in finding.message) == ("TL208", True)
