# %% [markdown]
# # 01 · Solutions

# %%
import numpy as np

import protoviz
from protoviz.analysis.overlap import sounding
from protoviz.audio import FilterBank
from protoviz.course import check

# %% [markdown]
# **01.1** A column lasts 10.24 s / 64 = 0.16 s, so t is 3.5 / 0.16 without its fraction. The rows are
# equally high in mel: take the mel of 1,000 Hz as a share of the mel axis, times 8.

# %%
low, here, high = 1127 * np.log1p(np.array([20, 1000, 8000]) / 700)
answer = (int(3.5 / 0.16), int(8 * (here - low) / (high - low)))
assert check("01.1", answer).right
answer

# %% [markdown]
# **01.2** A frame fits while its 25 ms do. The last one reaches into a column of 16 frames, which counts,
# and each column has 8 cells.

# %%
frames = FilterBank().frames(3 * 16000)
answer = int(np.ceil(frames / 16)) * 8
assert check("01.2", answer).right
frames, answer

# %% [markdown]
# **01.3** `sounding` cuts the scene wherever an event begins or ends. The stretches with a count of three
# or more are summed.

# %%
stretches = sounding(protoviz.make_scene(seed=7, polyphony=8).events, 10.24)
crowded = stretches[stretches["count"] >= 3]
answer = (crowded.offset - crowded.onset).sum()
assert check("01.3", answer).right
round(answer, 2)
