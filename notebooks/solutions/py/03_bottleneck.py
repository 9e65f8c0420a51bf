# %% [markdown]
# # 03 · Solutions

# %%
from protoviz.analysis.results import results
from protoviz.course import check

# %% [markdown]
# **03.1** The share of the mean is the share of the cells, m / N. How loud the event is does not enter.

# %%
answer = 3 * 2 / (64 * 8)
assert check("03.1", answer).right
round(answer, 4)

# %% [markdown]
# **03.2** `abmilp` has one softmax: one set of weights, one mean, in which four events have to share. `mhca`
# has one such mean a head; `linpre` and `protobin` take maxima.

# %%
answer = "abmilp"
assert check("03.2", answer).right

# %% [markdown]
# **03.3** Both are means over the same five seeds and the same 1,500 clips, so their difference is one of
# the poolings alone.

# %%
own = results().query("source == 'poolings' and encoder == 'mini-mae' and polyphony == 0")
means = own[own.dataset == "mixed"].groupby("method").score.mean()
answer = 100 * (means["protobin"] - means["mhca"])
assert check("03.3", answer).right
round(answer, 1)
