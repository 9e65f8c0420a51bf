# %% [markdown]
# # 05 · Prototypes on spectrograms: solutions
#
# The exercises of notebook 05, with the reason and the answer computed.

# %%
import numpy as np

import protoviz
from protoviz.analysis.what_if import linear_logits, muted_logits
from protoviz.course import check, setup
from protoviz.paths import DATA

setup()

# %%
probe = protoviz.open_study(DATA / "demo").probe("protobin")
encoding = protoviz.load_encoder("mini-mae").encode(
    protoviz.make_scene(seed=7, polyphony=4).waveform
)
one = probe.explain(encoding.tokens, encoding.cls, encoding.mask, maps=False).numpy()
number = probe.metadata["classes"].index("plucked_string")

# %% [markdown]
# **Exercise 05.1** ·
# A contribution is weight × score; the strongest prototype is the largest of that class's row. It is
# not the one with the highest score: a high score with a small weight says little.

# %%
answer = int(one.contributions[0][number].argmax())
print("prototype", answer, "; highest score:", int(one.scores[0].argmax()))
assert check("05.1", answer).right

# %% [markdown]
# **Exercise 05.2** ·
# Only one score changes, so the logit changes by weight × (mean − score).

# %%
weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
means = np.array(probe.metadata["mean_scores"])
j = int(one.contributions[0][number].argmax())
answer = muted_logits(weight, bias, one.scores[0], [j], means)[number]
before = linear_logits(weight, bias, one.scores[0])[number]
assert abs(answer - (before + weight[number, j] * (means[j] - one.scores[0][j]))) < 1e-9
print(f"{before:.2f} -> {answer:.2f}")
assert check("05.2", answer).right

# %% [markdown]
# **Exercise 05.3** ·
# Only that this token is the most similar of all. Some token always is: that the place *finds* the
# class takes many clips and chance, that it *causes* the logit takes leaving it out.

# %%
assert check("05.3", "match").right
