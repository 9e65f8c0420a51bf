"""What makes tokens good for probes: encoders of other weights, probes with and without centring.

One row a way to train an encoder and a method: mAP by the number of events, how often its strongest places
lie on the event, and beside it what the encoder's tokens have in common and how far they spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.attention import by_layer, diffusion
from protoviz.analysis.localisation import hit_intervals
from protoviz.analysis.tokens import token_table
from protoviz.audio import read_audio
from protoviz.encoders import Encoder
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.recipe import RUNS, SCORES, settings_of, with_rates
from protoviz.experiments.scoring import HeldOut, Scorer, ScorerError
from protoviz.kept import write_frame, write_json
from protoviz.probes import Probe

BATCH = 8  # clips encoded at once: all layers of a mini's are 25 MB
LAST = -1  # layer of a method that reads the last one, or several
BY = ["dataset", "encoder", "method", "map", "measure"]
MEASURES = ("first", "first five")


def measured_tokens(encoder: Encoder, sounds: Sequence[np.ndarray]) -> pd.DataFrame:
    """Return `token_table` of an encoder's tokens in some clips, of every layer that it gives, and beside it
    `effective`: over how many cells the attention of the layer's block spreads.

    sounds: waveforms at the encoder's sample rate. Of an encoder that gives no single layers (`depth` None)
    there is one row, of layer -1. Layer 0 is what enters the first block; the last is after the final norm.
    effective is exp of the mean entropy over heads and clips, as in `analysis.attention.by_layer`; NaN at
    layer 0 and where an encoder gives no attention.
    """
    layers = None if encoder.depth is None else list(range(encoder.depth + 1))
    clips: dict[int, list[np.ndarray]] = {}
    spreads = []
    for start in range(0, len(sounds), BATCH):
        made = encoder.encode(list(sounds[start : start + BATCH]), attention=True, layers=layers)
        masks = made.mask.cpu().numpy()
        found = made.layers if layers else {-1: made.tokens}
        for layer, tokens in found.items():
            pairs = zip(tokens.float().cpu().numpy(), masks, strict=True)
            clips.setdefault(layer, []).extend(one[real] for one, real in pairs)
        rows = [one.float().cpu().numpy() for one in made.attention or ()]
        if rows:
            spreads += [diffusion([one[b] for one in rows], mask) for b, mask in enumerate(masks)]
    table = token_table(sorted(clips.items()))
    known = by_layer(pd.concat(spreads)).set_index("layer").effective if spreads else pd.Series(dtype=float)
    return table.assign(effective=table.layer.map(known))


@dataclass(frozen=True)
class TokenSpread(Scorer):
    """What tokens of test clips have in common, and how far they spread, by layer: see `token_table`."""

    scenes: int = 24  # test clips, evenly taken
    sound: str = ""  # a recording, measured as well (`clips` is 1)

    of_encoders = True

    def __post_init__(self) -> None:
        if self.scenes < 1:
            raise ScorerError(f"tokens of {self.scenes} scenes: give at least 1")

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        return pd.DataFrame()

    def of_encoder(self, test: HeldOut) -> pd.DataFrame:
        encoder, clips = test.pair.encoder, test.pair.clips
        rows = np.flatnonzero(clips.table["clip"].isin(test.maps.table["clip"]))
        taken = np.unique(np.linspace(0, len(rows) - 1, self.scenes).round().astype(int))
        frames = [measured_tokens(encoder, [clips.read(int(row)) for row in rows[taken]])]
        if self.sound:
            sound = read_audio(self.sound, encoder.sample_rate)[: int(encoder.seconds * encoder.sample_rate)]
            frames.append(measured_tokens(encoder, [sound]))
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class Tokens(Recipe):
    """tokens.parquet (a row a run and number of events), tokens-places.parquet (hits with intervals over
    scenes), tokens-spread.parquet (a row an encoder and layer) and tokens.json.
    """

    name = "tokens"

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        scores = with_rates(frames["measures"], frames, *RUNS)
        scores = scores[(scores.metric == "mAP")][["encoder", *RUNS, *SCORES]]
        read = {one.title: one.options.get("layers") for one in cells.grid.probes}
        one_layer = {title: layer if isinstance(layer, int) else LAST for title, layer in read.items()}
        scores = scores.assign(layer=scores.method.map(one_layer))
        # The column is called events: pages take a table with polyphony for runs to compare with others.
        write_frame(folder / "tokens.parquet", scores.rename(columns={"polyphony": "events"}))
        places = frames["places"]
        places = places[(places.method != "") & places.measure.isin(MEASURES)]
        write_frame(folder / "tokens-places.parquet", hit_intervals(places, BY).drop(columns="dataset"))
        spread = frames["tokens"].drop(columns=["dataset", "method"])
        write_frame(folder / "tokens-spread.parquet", spread)
        told = settings_of(cells.grid, cells.grid.datasets[0], "protoviz tokens")
        told["encoder"] = [one.name for one in cells.grid.encoders]
        write_json(folder / "tokens.json", told)
