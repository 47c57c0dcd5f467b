"""The remedy for a CUDA library of the machine that a torch for Jetson, or another build for ARM, needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.nvidia import copies_on_machine, required
from torchlock.check.packaged_libraries import recorded
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding

_OF_CUDA = re.compile(
    r"lib(?P<name>cudart|cublas|cublasLt|cudnn\w*|cufft|curand|cusolver|cusparse|cusparseLt|cudss|cupti|cufile|nccl"
    r"|nvrtc|nvJitLink|nvToolsExt|nvpl_\w+)\.so\.(?P<number>\d{1,3}(?:\.\d{1,3})?)"
)
_STAYS = "This torch stays: another build may have no code for the GPU of this device"
_CONTAINER = "a container of JetPack needs --runtime nvidia, which gives it the libraries of the device"
# Sources: gr00t-343, wyoming-whisper-trt-471.
_APART = {
    "cudss": "Install cuDSS of NVIDIA's CUDA repository (after cuda-keyring: apt-get install cudss)",
    "cusparseLt": "Install cuSPARSELt, of NVIDIA's CUDA repository or download page: JetPack 6 has none",
}


def of_machines_cuda(context: CheckContext, finding: Finding) -> Remedy | None:
    """Install what the machine lacks; None for a torch that contains CUDA, or requires the packages of NVIDIA."""
    target = context.target
    if finding.package != "torch" or target is None or target.platform.machine != "aarch64":
        return None
    found = next(filter(None, map(_OF_CUDA.match, finding.lacks)), None)
    if found is None or context.operating_system != "linux" or context.environment.conda or required(context):
        return None
    if any(recorded(context, each)[1] for each in finding.lacks):
        return None
    name, number = found["name"], found["number"]
    if name in _APART:
        return Remedy(f"{_APART[name]}. {_STAYS}.")
    if name.startswith("nvpl"):
        return Remedy(f"Install the NVIDIA Performance Libraries (NVPL) of NVIDIA's CUDA repository. {_STAYS}.")
    there = _other_versions(context, name, number)
    if there:
        listed = " and ".join(there)
        return Remedy(
            f"Install the torch that NVIDIA built for the JetPack of this machine: this one needs {found[0]}, and "
            f"the machine has {listed}. Do not link one of these names to the other."
        )
    return Remedy(
        "Install CUDA and cuDNN of the JetPack that this torch was built for (apt-get install nvidia-jetpack), "
        f"with {found[0]}; {_CONTAINER}. {_STAYS}."
    )


def _other_versions(context: CheckContext, name: str, number: str) -> list[str]:
    """The same library in other major versions, on the machine; that of CUDA 10 has the minor one in its name."""
    others = [str(major) for major in range(7, 16)] + [f"10.{minor}" for minor in range(3)] + ["11.0"]
    names = (f"lib{name}.so.{other}" for other in others if other != number)
    return [each for each in names if next(copies_on_machine(context, each), None) is not None]
