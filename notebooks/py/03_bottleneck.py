# %% [markdown]
# # 03 · The pooling bottleneck
#
# **You will** compute exactly what a mean over tokens keeps of one short event, and compare eleven poolings
# on the same frozen tokens. You say which of the paper's results the mini world shows and which it does
# not.
#
# **Time** 45 minutes · **Needs** notebooks 01 and 02 · **In the explorer** `make app`, page *Ranks*
# (`http://localhost:5006/app?page=ranks&ranks.numbers=own&ranks.table=poolings&ranks.poolings=all`)
#
# Two kinds of numbers are used and never mixed. **Own**: in the demo `mini-mae`, a mini encoder trained on
# procedural sound, on procedural scenes. **Published**: Rauch et al., ICLR 2026, drawn as outlines in a
# dashed frame.

# %%
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from IPython.display import Audio, display

from protoviz.analysis.mean_loss import (
    cells_of,
    event_in_mean,
    events_in_means,
    hits_by_size,
)
from protoviz.analysis.published import CITATION, published
from protoviz.analysis.ranking import (
    gains,
    gap_closed,
    method_agreement,
    win_matrix,
)
from protoviz.analysis.results import by_method
from protoviz.course import (
    check,
    setup,
    stated,
    study_encoder,
    study_figure,
    study_results,
    study_scenes,
    study_with,
)
from protoviz.figures import (
    cell_map,
    gain_bars,
    gap_bars,
    hit_curves,
    mean_and_max,
)
from protoviz.figures import win_matrix as win_matrix_figure
from protoviz.probes import build_probe, titles

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## What a mean keeps
#
# Let an event fill $m$ of the $N$ cells, let $\bar z_\text{event}$ be the mean of its tokens and
# $\bar z_\text{rest}$ the mean of all others. Then, exactly,
#
# $$\bar z = \frac1N\sum_n z_n = (1 - a)\,\bar z_\text{rest} + a\,\bar z_\text{event}, \qquad a = \frac mN.$$
#
# So the event moves the mean token by $a\,\lVert \bar z_\text{event} - \bar z_\text{rest}\rVert$. The
# distance is the encoder's doing. The factor $a$ is not: it is the share of the cells, however loud the
# event.
#
# Of all events in the 32 scenes of the demo, take the one with the fewest cells.
#
# **Predict:** which share of the mean token is its own?

# %%
made = study_with(study, "scenes", "encoder", "linear", "protobin")
encoder, scenes = study_encoder(made), study_scenes(made)
grid = encoder.cell_grid()
encoding = encoder.encode(np.stack([scene.waveform for scene in scenes]))
tokens = encoding.tokens.numpy()
table = events_in_means(tokens, grid, scenes)
smallest = table.loc[table.cells.idxmin()]
cells = grid.times * grid.freqs
print(f"{smallest.label} in scene {smallest.seed}: {smallest.cells} of {cells} cells")
print(stated("0.6 %", smallest.share, "its share of the mean token"))

# %% [markdown]
# **0.6 %** of it, in the demo. A linear probe on the mean token has to hear the event in that. ([cls] is no
# mean: it is one vector that attention has filled, and what it kept of an event cannot be computed from its
# area. Whether it kept enough is measured below.)
#
# ## What a max keeps
#
# Read every token along the direction in which this event differs from the rest,
#
# $$p_n = \frac{(\bar z_\text{event} - \bar z_\text{rest})^\top (z_n - \bar z_\text{rest})}
# {\lVert \bar z_\text{event} - \bar z_\text{rest}\rVert^2}.$$
#
# The rest reads 0 on average and the event 1. The mean of all readings is exactly $a$; the largest is never
# below 1, because the event's own tokens have the mean 1. That is the whole argument for a maximum.

# %%
number = [one.seed for one in scenes].index(smallest.seed)
scene = scenes[number]
event = next(one for one in scene.events if one.label == smallest.label)
one = event_in_mean(tokens[number], cells_of(grid, event))
print(f"mean reading {one.mean:.4f}, m / N {one.share:.4f}")
print(f"the mean moved by {one.shift:.4f}, a × distance {one.share * one.apart:.4f}")
print(f"largest reading {one.best:.2f}")
assert np.allclose([one.mean, one.shift], [one.share, one.share * one.apart])
cell_map(one.reading, grid, [event], label="reading p", signed=True, mark=one.place)

# %%
Audio(scene.waveform, rate=scene.sample_rate)

# %% [markdown]
# The framed cell reads most. Listen for it: in the demo it comes early, and six other events follow. Now the
# same for every event of the 32 scenes, each along its own direction.
#
# **Predict:** does the maximum always lie in a cell of the event?

# %%
mean_and_max(table)

# %%
found = table.found.mean()
print(stated("67 %", found, "of the events: the max lies in one of their cells"))
names = {
    "label": "event",
    "cells": "cells",
    "mean": "mean reading",
    "best": "largest reading",
}
few = table.sort_values("cells").head(8)
few = few.assign(found=np.where(few.found, "yes", "no"))[[*names, "found"]]
few = few.rename(columns={**names, "found": "largest in its own cells"})
few.set_index("event").round(3)

# %% [markdown]
# The mean loses small events in proportion to their area; the maximum does not. But open points are events
# whose largest reading lies in *another* cell: only **67 %** are found in the demo, although the direction
# was made from the event itself. **A max over tokens is not localisation.** It keeps the event in the score;
# that the winning cell is the right place has to be checked (notebook 05 does).
#
# **Exercise 03.1** An event fills 3 columns and 2 rows of 64 × 8 cells. What is its share of the mean token?

# %%
answer = ...  # a share, like 0.25
check("03.1", answer)

# %% [markdown]
# ## Eleven poolings
#
# All read the same frozen tokens $z_n$, $n = 1 \dots N$, and [cls], $s$; all are trained on the same labels.
# $W$ and $b$ are the classifier.
#
# | name | in one sentence | formula |
# |---|---|---|
# | `linear` | A linear layer on [cls]. | $W s + b$ |
# | `mlp` | One hidden layer on [cls]. | $W\,\mathrm{GELU}(W_1 s + b_1) + b$ |
# | `linearc` * | A linear layer on [cls] beside the mean token. | $W [s; \bar z] + b$ |
# | `conv` * | A 3 × 3 convolution on the map, then the mean. | $W\,\frac1N\sum_n \mathrm{GELU}(k * z)_n + b$ |
# | `linpre` * | Classify every token, keep each class's best cell. | $\max_n (W z_n) + b$ |
# | `mhca` | One learned query with several heads, each a weighted mean. | $W\,\mathrm{concat}_h \sum_n a_{hn} (V z_n)_h$, $a_h = \mathrm{softmax}_n (u_h^\top (K z_n)_h / \sqrt{d_h})$ |
# | `ep` | 32 learned queries on raw tokens, each gives a slice of the values. | $W\,\mathrm{concat}_m \sum_n a_{mn} (V z_n)_m + b$, $a_m = \mathrm{softmax}_n (u_m^\top z_n / \sqrt D)$ |
# | `simpool` | The mean token asks, the normalised tokens $y_n$ answer. | $W \sum_n a_n y_n + b$, $a = \mathrm{softmax}_n ((Q \bar z)^\top K y_n / \sqrt D)$ |
# | `abmilp` | One learned score a token, one weighted mean. | $W \sum_n a_n z_n + b$, $a = \mathrm{softmax}_n (w^\top z_n)$ |
# | `proto` | Each class has its own prototypes; their best cosines add up. | $\sum_{j \in c} \mathrm{relu}(w_{cj})\, s_j + b_c$, $s_j = \max_n \cos(p_j, z_n)$ |
# | `protobin` | Binary prototypes that every class may use. | $W s + b$, $s_j = \max_n \cos(\mathrm{sign}(v_j), z_n)$ |
#
# \* The paper names these three without a definition that could be read; this is our reading, and
# `protoviz.probes` says why. The others follow their authors' published code. In the last two rows $s_j$
# are scores, not [cls].
#
# The first two never see a cell. `linearc` to `abmilp`, except `linpre`, hand the classifier one vector of
# means. `linpre` and the prototypes take a maximum.
#
# **Predict:** which needs most weights?

# %%
classes = len(made.probe("linear").metadata["classes"])
sizes = {}
for name in titles()[:11]:
    probe = build_probe(name, encoder.dim, classes, encoder.grid)
    sizes[name] = sum(weight.numel() for weight in probe.parameters())
pd.Series(sizes, name=f"weights, D = {encoder.dim}, C = {classes}").to_frame()

# %% [markdown]
# Keep the column in mind: the order of the results below is another one.
#
# **Exercise 03.2** Four events sound at once. Which pooling describes all of them by *one* weighted mean of
# the tokens: `"linpre"`, `"abmilp"`, `"mhca"` or `"protobin"`?

# %%
answer = ...  # one of the four names
check("03.2", answer)

# %% [markdown]
# ## Own results
#
# In the demo the eleven were trained on the tokens of `mini-mae`: rates by a search on validation clips, then
# five seeds. *mixed*: scenes of one to eight events, scored by mAP. *one event*: scenes of a single event,
# scored by accuracy.
#
# **Predict:** which family wins on mixed scenes, and does it still win with one event a clip?

# %%
shown = study_with(study, "score_intervals")
everything = study_results(shown, source="poolings")
source, sets = everything.source.iloc[0], everything.dataset.unique()
own = everything[everything.method.isin(titles()[:11])]
by_method(own)

# %% [markdown]
# Mean ± standard deviation over seeds. Read down a column, never across: the columns differ in metric
# and in chance. **Prevalence moves mAP**: the more classes are present in a clip, the more does guessing
# score (row *chance*). Notebook 08 takes that apart.

# %%
for dataset in sets:
    display(study_figure(shown, "score_intervals", source=source, dataset=dataset))

# %%
means = 100 * own.groupby(["dataset", "method"]).score.mean().unstack()
over = means.sub(means.get("linear", float("nan")), axis=0)
over = over.reindex(index=sets, columns=["protobin", "mhca"])
first, last = over.iloc[0], over.iloc[-1]
print(stated("23", first.protobin, f"points, protobin over linear, {first.name}"))
print(stated("20", first.mhca, f"points, mhca over linear, {first.name}"))
print(stated("45", last.protobin, f"points, protobin over linear, {last.name}"))

# %% [markdown]
# Dots are means over the seeds, lines 95 % intervals, dashed is chance; a colour is a family of poolings. On
# the demo's mixed scenes `protobin` is **23** points above `linear` and `mhca` **20**: from the same
# frozen tokens. The tokens held more than [cls] told.
#
# **Exercise 03.3** How many points of mAP does `protobin` lie above `mhca` on the demo's mixed scenes?

# %%
answer = ...  # points
check("03.3", answer)

# %% [markdown]
# ## Published results
#
# The paper's Table 2 has EAT under all eleven on three data sets. Its Figure 2 asks how much of the way from
# `linear` to the fine-tuned encoder each pooling goes on as20k (AudioSet, balanced).

# %%
paper = published("methods")
closed = gap_closed(paper[paper.dataset == "as20k"], published("finetuning"))
share = closed.set_index("method").share["protobin"]
print(stated("62.8 %", share, "of the gap closed by protobin, EAT on as20k (published)"))
gap_bars(closed, published=f"{CITATION}, Table 2")

# %% [markdown]
# `protobin` closes **62.8 %** of the gap without touching the encoder (the paper rounds to 63). There is no
# such figure for the demo's `mini-mae`: it was never fine-tuned. Notebook 07 has the formula and other
# encoders.
#
# ## Gains over linear (Figure 7)
#
# The paper has them for every encoder; notebook 07 redraws that. Here EAT alone, published, under all eleven:
# the mean of as20k, fsd50k and urban.

# %%
gain_bars(gains(paper), published=f"{CITATION}, Table 2")

# %% [markdown]
# And ours, in the demo `mini-mae` on mixed scenes, with a 95 % interval over seeds.

# %%
study_figure(shown, "gain_bars", source=source, dataset=sets[0])

# %% [markdown]
# ## Who beats whom (Figure 5)
#
# A cell counts the pairs of data set and encoder in which the row's pooling beats the column's by more than
# one standard deviation of the opponent. The demo has two pairs: `mini-mae` on mixed scenes and on one event.

# %%
study_figure(shown, "win_matrix", source=source)

# %% [markdown]
# The paper's Figure 5 rests on deviations that could not be read. What can be counted is EAT on three data
# sets, where a win is any higher score. That is a weaker rule, so the two matrices must not be compared cell
# by cell, only in their pattern.

# %%
where = f"{CITATION}; EAT, three data sets, any lead"
win_matrix_figure(win_matrix(paper, margin=0.0), published=where)

# %% [markdown]
# ## What the mini world shows, and what it does not

# %%
tau, shared = method_agreement(own[own.dataset == sets[0]], paper)
print(f"Kendall's tau between two orders of {len(shared)} poolings")
print(stated("0.6", tau, f"{sets[0]} here and EAT published"))
for one, other in combinations(paper.dataset.unique(), 2):
    tau, _ = method_agreement(*(paper[paper.dataset == name] for name in (one, other)))
    print(f"for comparison, published {one} and published {other}: {tau:.2f}")

# %% [markdown]
# Kendall's $\tau$ is 1 for the same order, 0 for no relation (notebook 07 takes it apart). On mixed scenes
# the demo **shows** the pattern: prototypes first, then `mhca`, [cls] alone last. The order of the
# eleven agrees with the published one at **0.6**, a little less than published data sets do with each
# other.
#
# It does **not** show:
#
# - *That the bottleneck needs many events.* With one event a clip `protobin` is even **45** points above
#   `linear`. [cls] of `mini-mae` had no objective, so it is a poor summary of any clip. In the paper, too,
#   better poolings help on clips of one label (Table 3; notebook 08 has it). But there `mhca` is ahead of
#   `protobin` for EAT and SSLAM; here it is behind.
# - *That binary prototypes beat real ones.* On mixed scenes `proto` is ahead of `protobin`; for EAT they are
#   within a point of each other.
# - *Anything about a published encoder.* One mini encoder, one kind of sound, five seeds.
#
# One more thing that the own table above leaves out: behind a BatchNorm on its scores, `protobin` does better
# here, and so does `linear` behind one on [cls]. Whether the paper normalises could not be read.

# %%
both = study_results(shown, "linear", "protobin", source=source)
by_method(both[both.probe.isin(["linear", "protobin", "protofloat"])])

# %% [markdown]
# ## Back to the small events
#
# Did the trained probes hear the event that is **0.6 %** of its clip? Each ranks all classes; up to the
# number of events in the clip, a rank is a hit.

# %%
probes = {method: made.probe(method) for method in made.methods}
with torch.inference_mode():
    logits = {
        title: probe(encoding.tokens, encoding.cls, encoding.mask)
        for title, probe in probes.items()
    }
names = probes["linear"].metadata["classes"]
at = names.index(event.label)
places = {}
for title, values in logits.items():
    places[title] = int((values[number] > values[number, at]).sum()) + 1
pd.Series(places, name=f"rank of {event.label}, {scene.polyphony} events").to_frame()

# %% [markdown]
# One clip proves nothing. So take all events of the 32 scenes, in thirds by the cells that they fill.
#
# **Predict:** which probe loses most from large to small events?

# %%
found = hits_by_size(table, scenes, names, logits)
print(stated("85 %", found.linear["large"], "of the large events hit by linear"))
print(stated("17 %", found.linear["small"], "of the small events hit by linear"))
print(stated("85 %", found.protobin["large"], "of the large events hit by protobin"))
print(stated("42 %", found.protobin["small"], "of the small events hit by protobin"))
hit_curves(found)

# %%
by_probe = found.drop(columns=["count", "fewest cells", "most cells"])
(100 * by_probe.T).round(0).astype(int).rename_axis("events hit, %")

# %% [markdown]
# In the demo the bottleneck shows as the formula says. On large events `linear` and `protobin` hit the same
# **85 %**; on small ones `linear` falls to **17 %**, `protobin` to **42 %**. Every probe loses, those that
# read [cls] most. These are 48 events a third, and small events are not only small (they are other sounds,
# in other scenes), so take the direction and not the digits.
