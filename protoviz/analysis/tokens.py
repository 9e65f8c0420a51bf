"""How much tokens have in common, and how many directions they spread over: by encoder and layer.

Tokens that share one long direction are alike to any prototype, and those that spread over few directions
tell little apart. Letters: b clip, n token, d width, l layer.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import exp_entropy, squared_values, unit

TOKENS = ["layer", "clips", "common", "rank", "clip_common", "clip_rank", "width"]


def common_part(tokens) -> float:
    """Return the length of the mean of the unit tokens (n d): 1 where all point one way, near 0 where none.

    A token of zero length counts as zero.
    """
    return float(np.linalg.norm(unit(tokens).mean(axis=0)))


def token_rank(tokens) -> float:
    """Return exp of the entropy of the normalised squared singular values of the centred tokens (n d).

    Between 1 (all on one line, or all equal) and min(n - 1, d). Unlike `geometry.effective_rank`, which is of
    prototypes, tokens are centred and keep their lengths, and values are squared: shares of the variance.
    """
    tokens = np.asarray(tokens, dtype=float)
    return exp_entropy(squared_values(tokens - tokens.mean(axis=0)))


def token_table(layers: Iterable[tuple[int, Sequence[np.ndarray]]]) -> pd.DataFrame:
    """Return a frame: TOKENS: a row a layer, of its clips' real tokens, each (n d).

    common, rank: of the tokens of all clips together; clip_common, clip_rank: means over clips of a clip's
    own. The first two also count what tells clips apart.
    """
    rows = []
    for layer, clips in layers:
        together = np.concatenate(clips)
        own = np.array([(common_part(clip), token_rank(clip)) for clip in clips]).mean(axis=0)
        told = common_part(together), token_rank(together), *own.tolist(), together.shape[1]
        rows.append((layer, len(clips), *told))
    return pd.DataFrame(rows, columns=TOKENS)
