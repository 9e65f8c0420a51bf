"""What an encoder and a clip give for a study to keep, and maps and sound that need not be kept.

Those of scenes, by the encoders that travel with the package, are made when they are asked for.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from protoviz.audio import FilterBank, fit_length, log_mel
from protoviz.audio.picture import mel_picture, quiet_top
from protoviz.encoders import Encoder, load_encoder
from protoviz.encoders.base import weights_digest
from protoviz.scenes import make_scene
from protoviz.study.form import EncoderFacts, StudyError


def made_sound(clips: pd.DataFrame, row: int) -> tuple[np.ndarray, int]:
    """Return (waveform (s,) float32, Hz) of the scene in a row of the shown clips."""
    scene = make_scene(int(clips["seed"].iloc[row]), int(clips["polyphony"].iloc[row]))
    return scene.waveform, scene.sample_rate


def shipped_encoder(name: str, facts: EncoderFacts) -> Encoder:
    """Return the encoder of a study. Raise StudyError if that of its name here has other weights."""
    try:
        encoder = load_encoder(facts.use)
    except ValueError as error:
        raise StudyError(f"the study keeps no maps by {name}, and they cannot be made: {error}") from error
    if weights_digest(encoder.state_dict()) != facts.weights:
        raise StudyError(
            f"the study keeps no maps by {name}, and {facts.use} has other weights here: install the version "
            "of protoviz that made the study"
        )
    return encoder


def made_arrays(encoder: Encoder, clips: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the ARRAYS of shown scenes, half precision as a token cache keeps them."""
    return stacked(_made(encoder, made_sound(clips, row)[0]) for row in range(len(clips)))


def _made(encoder: Encoder, waveform: np.ndarray) -> dict[str, np.ndarray | None]:
    encoding = encoder.encode(waveform).on_grid(tuple(encoder.grid))
    maps = {
        "tokens": encoding.tokens[0].half().numpy(),
        "cls": encoding.cls[0].half().numpy(),
        "mask": encoding.mask[0].numpy(),
    }
    return maps | seen(encoder, waveform, encoding.mask.shape[1])


def stacked(found: Iterable[dict[str, np.ndarray | None]]) -> dict[str, np.ndarray]:
    """Return what every clip has, one array a name."""
    found = list(found)
    names = [name for name in found[0] if all(one[name] is not None for one in found)]
    return {name: np.stack([one[name] for one in found]) for name in names}


def seen(encoder: Encoder, waveform: np.ndarray, cells: int) -> dict[str, np.ndarray | None]:
    """Return attention (l h n), cls_to_cls (l h), pictures (m f) and spans of a clip; None: there is none."""
    grid = encoder.cell_grid()  # a picture spans what the cells span
    bank = FilterBank(encoder.sample_rate, low_hz=grid.low_hz, high_hz=grid.high_hz)
    frames = round(grid.seconds * encoder.sample_rate / bank.shift_samples)
    encoding = encoder.encode(waveform, attention=True)
    attention = kept_by_cls = None
    if encoding.attention:
        maps = np.stack([layer[0].float().cpu().numpy() for layer in encoding.attention])
        attention = np.zeros((*maps.shape[:2], cells), np.float16)
        attention[..., : maps.shape[-1]] = maps[..., :cells]
        kept_by_cls = np.stack([layer[0].float().cpu().numpy() for layer in encoding.cls_to_cls])
    heard = fit_length(waveform, max(len(waveform), bank.frame_samples))
    picture, span = mel_picture(log_mel(heard, bank).numpy(), frames, quiet_top(bank.frame_samples))
    spans = np.float32(span)
    return {"attention": attention, "cls_to_cls": kept_by_cls, "pictures": picture, "spans": spans}
