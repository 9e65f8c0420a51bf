# %% [markdown]
# # 07 · Backbone ranks
#
# **You will** rank encoders ("backbones") under several poolings, say how sure a rank is, and measure how
# much of the gap to fine-tuning a better pooling closes.
#
# **Time** 25 minutes · **Needs** 03 · **In the explorer** `make app`, page *Ranks*:
# `http://localhost:5006/app?page=ranks` (published numbers) and
# `http://localhost:5006/app?page=ranks&ranks.numbers=own`
#
# **Whose numbers.** The first half redraws the paper's tables: published numbers, drawn open, in dashed
# frames, never measured here. The second half shows own results of mini encoders, trained on procedural
# sound (one of them not at all). The two are never mixed in one figure.

# %%
from math import factorial

from protoviz.analysis.published import CITATION, claims, published
from protoviz.analysis.ranking import (
    gains,
    gap_closed,
    moves,
    rank_agreement,
    ranks,
    ranks_with_intervals,
    win_ranks,
)
from protoviz.analysis.results import results, settings, sources, whole_sets
from protoviz.analysis.tables import PAPER_METHODS
from protoviz.course import check, setup, stated, study_figure, study_with
from protoviz.figures import bump_chart, gain_bars, gap_bars

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## One table, three orders
#
# Table 2 of the paper scores six frozen encoders on five data sets of general sound. For each encoder $e$
# and pooling $m$ take the mean over the data sets, and count who is better:
#
# $$\bar s_{e,m} = \frac{1}{|S|}\sum_{d \in S} s_{e,m,d} \qquad
# \operatorname{rank}_m(e) = 1 + \#\{e' : \bar s_{e',m} > \bar s_{e,m}\}$$

# %%
table = published()
ranking = ranks(table)
means = ranking.pivot(index="encoder", columns="method", values="score")
means = (100 * means[list(PAPER_METHODS)]).sort_values("linear", ascending=False)
caption = f"PUBLISHED: {CITATION}, from Table 2"
means.style.format("{:.2f}").set_caption(f"{caption}: mean mAP of five data sets, %")

# %% [markdown]
# **Predict:** ASiT is second of six under `linear`, which reads one vector: [cls], or the mean token where an
# encoder has no [cls] (BEATs, Dasheng). Where will it be when the pooling reads every token?

# %%
table_2 = f"{CITATION}, Table 2"
bump_chart(ranking, PAPER_METHODS, followed=["ASiT", "SSLAM"], published=table_2)

# %%
moved = moves(ranking, "linear", "protobin").set_index("encoder")
asit, sslam = moved.loc["ASiT"], moved.loc["SSLAM"]
print(stated("2", asit.before, "ASiT, rank under linear"))
print(stated("6", asit.after, "ASiT, rank under protobin"))
print(stated("4", sslam.before, "SSLAM, rank under linear"))
print(stated("2", sslam.after, "SSLAM, rank under protobin"))
names = {"before": "under linear", "after": "under protobin", "up": "places gained"}
moved.rename(columns=names).style.set_caption(caption)

# %% [markdown]
# ASiT falls from rank **2** to rank **6**, the last; SSLAM climbs from **4** to **2**. No weight of any
# encoder changed. So a rank does not belong to an encoder. It belongs to an encoder *and* a pooling: a
# benchmark that reads one vector ranks how much of a clip reached that vector. (The paper's Figure 6 shows
# the same means as bars beside the years of publication.)
#
# ## How much do two orders agree?
#
# Kendall's $\tau$ looks at every pair of encoders. Two poolings agree on a pair if they put the same one
# first:
#
# $$\tau = \frac{\text{pairs in the same order} - \text{pairs in the other order}}{\text{all pairs}}$$
#
# 1 is the same order, 0 is no more agreement than by chance, −1 is the reverse.

# %%
agreement = rank_agreement(ranking)
tau = agreement.set_index(["first", "second"]).tau
print(stated("0.33", tau["linear", "protobin"], "linear and protobin"))
print(stated("0.07", tau["linear", "mhca"], "linear and mhca"))
print(stated("0.47", tau["mhca", "protobin"], "mhca and protobin"))
agreement.set_index(["first", "second"]).round(2)

# %% [markdown]
# `linear` and `protobin` agree by **0.33**; `linear` and the attentive `mhca` by **0.07**, next to nothing;
# the two poolings that read tokens by **0.47**.
#
# ## What the pooling itself is worth
#
# The gain of a pooling is its mean score minus that of `linear` on the same encoder. Figure 7 of the paper
# has it for all eleven poolings; 03 has our own.
#
# **Predict:** which encoder gains most, and which least?

# %%
gained = gains(table)
by_pooling = gained.groupby("method").gain.mean()
print("points gained over linear, mean of six encoders and five data sets (published)")
print(stated("14.41", 100 * by_pooling["protobin"], "protobin"))
gain_bars(gained, published=table_2)

# %% [markdown]
# Over six encoders and five data sets `protobin` gains **14.41** points on average, the paper's headline: so
# its two columns were read correctly, at least as a whole. A-MAE, weakest under `linear`, gains most; ASiT
# gains least. For seven sets of bird sounds the paper names a gain too, but its table could not be read:

# %%
birds = claims().query("claim.str.contains('BirdSet')")
birds = birds.set_index("claim")[["value", "unit", "status"]]
birds.style.format(precision=2).set_caption(f"PUBLISHED: {CITATION}")

# %% [markdown]
# ## How much of the gap to fine-tuning is pooling?
#
# Fine-tuning changes all weights of the encoder, and scores higher than any of these probes (the fine-tuned
# scores are those that the authors of the encoders reported). How much of that lead was there in the frozen
# tokens already, and only the pooling lost it? Notebook 03 has EAT under all eleven; here is how its bars
# were computed, for four encoders.
#
# $$\text{share} = \frac{s_m - s_{\mathrm{linear}}}{s_{\text{fine-tuned}} - s_{\mathrm{linear}}}$$

# %%
references = published("finetuning")
gap = gap_closed(published("labels").query("dataset == 'as20k'"), references)
gap_bars(gap, published=f"{CITATION}, Table 3")

# %%
eat = gap.query("encoder == 'EAT' and method == 'protobin'").share.item()
scores = table.query("method == 'protobin' and dataset == 'as20k'").set_index("encoder")
score = scores.score["EAT"]
tuned = references.query("dataset == 'as20k'").set_index("encoder").score["EAT"]
beats = gap.query("encoder == 'BEATs' and method == 'mhca'").share.item()
print(stated("62.8 %", eat, "of the gap, EAT on as20k with protobin"))
print(stated("78.8 %", score / tuned, "of the fine-tuned score"))
print(stated("−20.1 %", beats, "of the gap, BEATs on as20k with mhca"))

# %% [markdown]
# For EAT on as20k `protobin` closes **62.8 %** of the gap. That is not the same as
# reaching so much of the fine-tuned score: of that it reaches **78.8 %**. Say which of the two you mean.
# A share can be negative: for BEATs attention ends below `linear`, **−20.1 %**. "Reads all tokens" does not
# mean "is better".
#
# ## Own results
#
# Now the same figure from runs that you can repeat. Every probe was trained with several seeds, so a mean
# has an interval: draw the seeds again with replacement, many times, and keep the middle 95 % of the means.
# Where the intervals of two encoders meet, their order is not settled: **grey**. From so few seeds an
# interval is about their range, and too narrow rather than too wide.

# %%
shown = study_with(study, "score_intervals", "linear", "protobin")
own = results(shown.folder)
name = sources(own, "polyphony")[0]
rows = whole_sets(own[own.source == name])
made = settings(name, shown.folder)
own_ranks = ranks_with_intervals(rows)
encoders = own_ranks.encoder.drop_duplicates().tolist()
print("encoders, in the demo minis trained on procedural sound (mini-random: not):")
print(" ", ", ".join(encoders))
print("made by:")
print(" ", made.get("command"))
if made.get("reduced"):
    print("reduced settings: a first look")

# %% [markdown]
# **Predict:** will the minis change places, as ASiT did?

# %%
study_figure(shown, "bump_chart", source=name)

# %%
places = moves(own_ranks, "linear", "protobin")
n = len(places)
open_ranks = int(own_ranks.uncertain.sum())
print(
    f"{(places.up != 0).sum()} of {n} encoders change places between linear and protobin"
)
print(f"{open_ranks} of {len(own_ranks)} ranks are not settled by these seeds")
print(f"two random orders of {n} are equal once in {factorial(n)} times")
places.set_index("encoder").rename(columns=names)

# %% [markdown]
# Read the three lines before you draw a conclusion. If nobody changes places, the paper's effect does not
# show in this small world, and the lines say so. And few encoders can say little: if two random orders
# are often equal, agreement proves nothing.

# %%
study_figure(shown, "score_intervals", source=name)

# %% [markdown]
# Compare the steps between poolings with the widths of the intervals, and with chance (dashed). The encoder
# that was never trained, mini-random, is not at chance: its tokens are random functions of the spectrogram,
# and a pooling finds something in them. A floor like this belongs into every ranking.
#
# And the ceiling? With `fine_tune = true` in a study each encoder is trained too, with a linear layer, on
# the same clips (one seed; hours on a processor). Then the share of the gap can be told for every pooling,
# wherever fine-tuning beats `linear`, as above for EAT, whose **62.8 %** are published. Where a study has no
# fine-tuned encoder, a sentence says what adds it.

# %%
study_figure(shown, "gap_bars")

# %% [markdown]
# ## Do trained encoders want other poolings? (Figure 8)
#
# The paper ranks the *poolings* for each encoder by pairwise wins, before and after supervised training of
# the encoder ("+"). Its tables of the "+" encoders could not be read, so the figure cannot be redrawn. Its
# measure can be taken on own runs: a pooling wins against another where its mean over seeds is higher by
# more than one standard deviation of the other's scores.

# %%
rows = whole_sets(results(study_with(shown, "win_matrix").folder))
rows = rows[rows.source == sources(rows, "polyphony")[0]]
wins = win_ranks(rows)
encoders = rows.encoder.drop_duplicates().tolist()
all_methods = rows.method.drop_duplicates().tolist()
wins.pivot(index="method", columns="encoder", values="rank").loc[all_methods, encoders]

# %% [markdown]
# One column an encoder; 1 wins most, and equal counts share a rank. Compare `mini-random`, the untrained
# floor, with `mini-mae`.
#
# ## Exercises
#
# **Exercise 07.1** How many of the 15 pairs of encoders stand in another order under `protobin` than under
# `linear` (published)? Take it from the picture, or from $\tau$.

# %%
answer = ...
check("07.1", answer)

# %% [markdown]
# **Exercise 07.2** How much of the gap to fine-tuning does `protobin` close for SSLAM on as20k, in percent
# with one decimal?

# %%
answer = ...
check("07.2", answer)

# %% [markdown]
# **Exercise 07.3** Under one pooling encoder A has a mean of 70.1 (69.2 to 71.0) and B one of 69.8 (69.0 to
# 70.6). Which is true: `"A is better"`, `"they are equal"`, or `"not settled"`?

# %%
answer = ...
check("07.3", answer)
