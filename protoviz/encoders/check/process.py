"""What all code of the process shares, and an encoder has to leave as it is."""

import random

import numpy as np
import torch


def settings() -> dict[str, object]:
    """Return name -> value of the settings that torch keeps for everybody."""
    return {
        "whether gradients are kept": torch.is_grad_enabled(),
        "the default type": torch.get_default_dtype(),
        "the number of threads": torch.get_num_threads(),
    }


def random_states() -> dict[str, object]:
    """Return name -> state of the random numbers that everybody draws from."""
    kind, drawn, place, *_ = np.random.get_state()  # noqa: NPY002 - this is the one that all share
    return {
        "the random numbers of torch": torch.get_rng_state().numpy().tobytes(),
        "the random numbers of NumPy": (kind, drawn.tobytes(), place),
        "the random numbers of Python": random.getstate(),
    }


def draw() -> None:
    """Return one number of each generator, so that a seed that is set once more shows."""
    torch.rand(1)
    np.random.rand()  # noqa: NPY002 - as above
    random.random()
