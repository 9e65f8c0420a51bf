"""Where an encoder computes, and in which precision it can there."""

import torch

from protoviz.encoders.base import EncoderError

PRECISIONS = ("float32", "bfloat16")


def device_named(name: str = "auto") -> torch.device:
    """The device of that name ("cpu", "cuda", "cuda:1", "mps"); "auto": the first GPU, or else the processor.

    Raises EncoderError where torch has no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch says either, by device
        said = str(error).splitlines()[0]
        raise EncoderError(f"device {name!r} cannot be used: {said}; 'auto' takes what there is") from error
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 itself; where it only imitates that, float32 is faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    said = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in said and torch.ops.mkldnn._is_mkldnn_bf16_supported() and _cpu_flag("avx512_bf16")


def _cpu_flag(name: str) -> bool:
    check = getattr(torch.cpu, f"_is_{name}_supported", None)
    return bool(check and check())
