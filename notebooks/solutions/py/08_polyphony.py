# %% [markdown]
# # 08 · Polyphony: solutions

# %%
import numpy as np

from protoviz.analysis.published import published
from protoviz.course import check
from protoviz.metrics import average_precision
from protoviz.scenes import SCENE_CLASSES

# %% [markdown]
# **Exercise 08.1** With six different events of $C$ classes, a class is in 6 of $C$ scenes.

# %%
chance = 100 * 6 / len(SCENE_CLASSES)
assert check("08.1", chance).right
chance

# %% [markdown]
# **Exercise 08.2** The second + comes behind one + and four −, at rank 6: AP = (1/1 + 2/6) / 2.

# %%
copies = [1, 4, 1, 4]
score, holds = np.repeat([0.9, 0.8, 0.7, 0.6], copies), np.repeat([1, 0, 1, 0], copies)
ap = average_precision(score[:, None], holds[:, None])[0]
assert check("08.2", ap).right
round(ap, 3)

# %% [markdown]
# **Exercise 08.3** For BEATs on esc50 `protobin` is ahead, by less than a point. The others have `mhca`
# ahead. So the paper's sentence holds for most of the pairs, not for all.

# %%
single = published("labels").query("metric == 'accuracy'")
wide = single.pivot(index=["dataset", "encoder"], columns="method", values="score")
ahead = (wide.mhca > wide.protobin).sum()
assert check("08.3", ahead).right
ahead
