# %% [markdown]
# # 04 · Build protobin from scratch: solutions
#
# The exercises of notebook 04, with the reason and the answer computed.

# %%
import torch
from torch.nn import functional as F

from protoviz.course import check, setup
from protoviz.probes import build_probe

setup()

# %% [markdown]
# **Exercise 04.1** ·
# There are $CJ = 200$ prototypes. Each has 768 latent weights, each class reads all 200 of them, and
# each class has a bias: $200 \cdot 768 + 10 \cdot 200 + 10$. The published "about 155 thousand" is this sum,
# which says that the classifier is dense: every class sees every prototype.

# %%
answer = 200 * 768 + 10 * 200 + 10
probe = build_probe("protobin", 768, 10, prototypes_per_class=20)
print(answer, sum(parameter.numel() for parameter in probe.parameters()))
assert check("04.1", answer).right

# %% [markdown]
# **Exercise 04.2** ·
# A masked similarity has to lose against every real one. A zero would not do: cosines can all be
# negative, and then a padding cell would win.


# %%
def scores(tokens, latent, mask):
    """Scores (b j) over the real tokens of each clip."""
    signs = torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)
    similarity = F.normalize(tokens, dim=-1) @ F.normalize(signs, dim=-1).T
    return similarity.masked_fill(~mask[..., None], -torch.inf).max(dim=1).values


assert check("04.2", scores).right

# %% [markdown]
# **Exercise 04.3** ·
# $p \cdot (z^* - s\,p/\sqrt D) = p\cdot z^* - s\sqrt D = 0$, because $p\cdot z^* = s\sqrt D$ and
# $p\cdot p = D$. The gradient turns a prototype and never lengthens it: a cosine does not feel length.

# %%
draw = torch.Generator().manual_seed(0)
token = F.normalize(torch.randn(192, generator=draw, dtype=torch.float64), dim=0)
p = torch.where(torch.randn(192, generator=draw) >= 0, 1.0, -1.0).double()
gradient = (token - (p @ token / 192**0.5) * p / 192**0.5) / 192**0.5
assert abs(gradient @ p) < 1e-12
assert check("04.3", "prototype").right
