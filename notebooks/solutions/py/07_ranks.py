# %% [markdown]
# # 07 · Backbone ranks: solutions

# %%
from protoviz.analysis.published import published
from protoviz.analysis.ranking import gap_closed, rank_agreement, ranks
from protoviz.course import check

# %% [markdown]
# **Exercise 07.1** With 15 pairs, agree + disagree = 15 and (agree − disagree) / 15 = τ, so disagree = 15
# (1 − τ) / 2. In the picture these are the crossings: ASiT crosses everyone whom it falls behind.

# %%
tau = (
    rank_agreement(ranks(published()))
    .set_index(["first", "second"])
    .tau["linear", "protobin"]
)
swapped = round(15 * (1 - tau) / 2)
assert check("07.1", swapped).right
swapped

# %% [markdown]
# **Exercise 07.2** The gap runs from `linear` to fine-tuning, so `linear` is taken from both.

# %%
gap = gap_closed(published("labels"), published("finetuning"))
share = (
    100
    * gap.query(
        "dataset == 'as20k' and encoder == 'SSLAM' and method == 'protobin'"
    ).share.item()
)
assert check("07.2", share).right
round(share, 1)

# %% [markdown]
# **Exercise 07.3** The intervals meet, so other seeds could turn the order round. That is no proof that A
# and B are equal: more seeds may separate them.

# %%
assert check("07.3", "not settled").right
