"""Where an encoder computes, and in which precision it can there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from protoviz.encoders.base import EncoderError

PRECISIONS = ("float32", "bfloat16")


def device_named(name: str = "auto") -> torch.device:
    """Return the device of that name ("cpu", "cuda", "cuda:1", "mps"); "auto": the first GPU, or else the
    processor.

    Raises EncoderError, with those that are here, for any other.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in (there := _devices()):
        raise EncoderError(
            f"device (--device) {name!r} is not here: choose {', '.join(there)}, or auto, which takes a GPU "
            "where there is one"
        )
    return torch.device(name)


def _devices() -> list[str]:
    """The names of what torch can compute on here."""
    found = ["cpu"]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        found += [kind, *(f"{kind}:{number}" for number in range(torch.accelerator.device_count()))]
    return found


def own_threads(count: int) -> None:
    """Let torch take so many threads in this thread of Python, for good.

    A thread that has computed nothing yet takes, at its first operation, the number that was set last by any
    other, even after one of its own. Asking for the number counts as an operation.
    """
    torch.get_num_threads()
    torch.set_num_threads(count)


@contextmanager
def torch_threads(count: int | None = None) -> Iterator[None]:
    """Let torch take so many threads inside a `with`, as many as it has for None, and as many as before
    after it, whatever ran inside: new threads of Python and other libraries change the number too.
    """
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies in bfloat16 itself; where it imitates that, float32 is faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    said = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in said and torch.ops.mkldnn._is_mkldnn_bf16_supported() and cpu_flag("avx512_bf16")


def cpu_flag(name: str) -> bool:
    """Return whether the processor has the instructions of that name, as far as this torch tells."""
    check = getattr(torch.cpu, f"_is_{name}_supported", None)
    return bool(check and check())
