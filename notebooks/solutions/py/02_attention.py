# %% [markdown]
# # 02 · Solutions

# %%
import numpy as np

import protoviz
from protoviz.analysis.attention import coverage, diffusion
from protoviz.course import check

# %% [markdown]
# **02.1** The entropy has one large term and 511 small ones, and those count: half of the attention spread
# over 511 cells is still very spread. It comes to $\sqrt{2 \cdot 2 \cdot 511}$.

# %%
p = np.array([0.5] + [0.5 / 511] * 511)
answer = np.exp(-(p * np.log(p)).sum())
assert check("02.1", answer).right
round(answer, 1), round(np.sqrt(2 * 2 * 511), 1)

# %% [markdown]
# **02.2** Least for their area: the smallest concentration. Mass alone gives the same head here, because all
# heads see the same scene and so the same area.

# %%
scene, encoder = (
    protoviz.make_scene(seed=7, polyphony=4),
    protoviz.load_encoder("mini-mae"),
)
rows = [layer[0] for layer in encoder.encode(scene.waveform, attention=True).attention]
heads = diffusion(rows, inside=coverage(encoder.cell_grid(), scene.events).ravel())
least = heads.sort_values("concentration").iloc[0]
answer = (int(least.layer), int(least["head"]))
assert check("02.2", answer).right
answer

# %% [markdown]
# **02.3** Only leaving the cell out tells what the logit would be without it. Entropy and mass describe the
# weights of one layer, and what flows from there may be small, or be cancelled on the way.

# %%
answer = "occlusion"
assert check("02.3", answer).right
