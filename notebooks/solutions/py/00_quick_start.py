# %% [markdown]
# # 00 · Solutions

# %%
from protoviz import open_study
from protoviz.course import check
from protoviz.paths import DATA

# %% [markdown]
# **00.1** Each prototype has one score, its best cosine in the clip. 24 classes with J = 20 prototypes each.
# They are not bound to a class: every class sees all of them.

# %%
probe = open_study(DATA / "demo").probe("protobin")
answer = probe.prototypes().shape[0]
assert check("00.1", answer).right
answer, len(probe.metadata["classes"]) * 20
