# %% [markdown]
# # 06 · Orthogonality: solutions
#
# The exercises of notebook 06, with the reason and the answer computed.

# %%
import numpy as np

from protoviz.analysis.geometry import pair_cosines, random_corners, spread, welch_bound
from protoviz.course import check, setup

setup()

# %% [markdown]
# **Exercise 06.1** ·
# The cosine is the mean of 768 independent signs, each of variance 1; a mean of $D$ of them has the
# variance $1/D$.

# %%
answer = 768**-0.5
print(f"{answer:.4f}; drawn: {np.std(pair_cosines(random_corners(300, 768))):.4f}")
assert check("06.1", answer).right

# %% [markdown]
# **Exercise 06.2** ·
# $527 \cdot 10 \cdot 768$ bits, eight a byte. In float32 it would be four bytes a weight: 32 times
# as much.

# %%
answer = 527 * 10 * 768 // 8
print(f"{answer:,} bytes against {527 * 10 * 768 * 4:,}")
assert check("06.2", answer).right

# %% [markdown]
# **Exercise 06.3** ·
# Welch's bound, $\sqrt{(J - D) / (D (J - 1))}$ for $J > D$. Random corners are near $1/\sqrt D$:
# with 2.5 times as many vectors as dimensions, chance is already within a third of the best there is.

# %%
answer = welch_bound(480, 192)
print(f"{answer:.4f}; random corners {spread(random_corners(480, 192)).rms:.4f}")
assert check("06.3", answer).right
