# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Prototypes on spectrograms
#
# **You will** see where the prototypes of a class found their best match, and add up what they say to the
# logit. You hear a cell, silence prototypes and predict what happens, and test how much a max location is
# worth.
#
# **Time** 35 minutes · **Needs** notebook 04 (or its formula) · **In the explorer** `make app`, page
# *Prototypes* (`http://localhost:5006/app?page=prototypes&scene=7&events=4&class=engine`)
#
# Everything is measured here: `mini-mae`, a mini encoder trained on procedural sound, and the probes that are
# shipped with it. Nothing on this page is a published number.

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Audio

from protoviz.analysis.hits import hit_rates, hit_table
from protoviz.analysis.prototypes import (
    class_scores,
    logit_parts,
    prototype_table,
    strongest_prototypes,
)
from protoviz.analysis.what_if import (
    chance_of_hit,
    class_changes,
    linear_logits,
    logits_without,
    muted_logits,
    region_cells,
    region_effects,
    region_of_box,
    scores_without,
    silent_prototypes,
)
from protoviz.audio import box_sound, silence_box
from protoviz.course import (
    check,
    setup,
    stated,
    study_clip,
    study_encoder,
    study_method,
    study_scenes,
    what_if_panel,
)
from protoviz.figures import (
    change_bars,
    class_bars,
    logit_steps,
    score_intervals,
    similarity_map,
    spectrogram,
)

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## A scene and its explanation
#
# Protobin's logits are $W s + b$ with $s_j = \max_{t,f}\cos(\operatorname{sign}(v_j), z_{t,f})$. `explain`
# returns everything that stands in this formula.

# %%
scene = study_clip(study)  # in the demo: make_scene(seed=7, polyphony=4)
grid, encoding = scene.grid, scene.encoding
method = study_method(study)
probe = study.probe(method, scene.encoder, scene.dataset)
classes = probe.metadata["classes"]
one = probe.explain(encoding.tokens, encoding.cls, encoding.mask).numpy()
print("scores (b j)", one.scores.shape, " contributions (b c j)", one.contributions.shape)
class_bars(class_scores(classes, {method: one.logits[0]}, scene.labels))

# %% [markdown]
# ## Where the strongest prototypes looked
#
# A *contribution* is weight × score: what a prototype adds to the logit of one class. Below are the five that
# argue most for *engine*, each on its *max location*. The green boxes are the true events.

# %%
name = "engine" if "engine" in scene.labels else scene.labels[0]
number = classes.index(name)
boxes = [event for event in scene.events if event.label == name]
row = one.contributions[0][number]
strongest = strongest_prototypes(
    row, one.scores[0], one.locations[0], grid, k=5, boxes=boxes
)
seconds = grid.seconds
spectrogram(scene.waveform, scene.events, strongest, seconds=seconds)

# %%
prototype_table(strongest)

# %% [markdown]
# Mind the signs. A prototype with a negative score and a negative weight argues *for* the class as well: it
# matched nothing here, and that speaks for *engine*. Its max location is the least bad of 512 bad matches.
#
# ## They add up, exactly
#
# $$ \text{logit}_c = \sum_j W_{cj}\,s_j + b_c $$

# %%
logit_steps(logit_parts(row, one.bias[number], strongest))

# %%
total = row.sum() + one.bias[number]
assert abs(total - one.logits[0][number]) < 1e-4
print(f"sum of {len(row)} contributions and the bias = the logit, to 1e-4")
print(f"for {name}: {row[row > 0].sum():+.1f} from {(row > 0).sum()} prototypes")
print(f"against:    {row[row < 0].sum():+.1f} from {(row < 0).sum()} prototypes")

# %% [markdown]
# Mind the grey bar. Five prototypes are an excerpt: the others are many small voices for and against, which
# happen to cancel. A list of the strongest tells no lie, and not the whole truth either.
#
# ## One prototype's map
#
# Before the maximum is taken there is a whole map of similarities. The strongest prototype is like many low
# cells of the engine; its max location is only the best of several that come close. Outside the box, too,
# most of the map is not far below: a cosine is no yes or no.

# %%
first = strongest.prototype[0]
similarity_map(one.similarity[0][first], strongest[:1], boxes, seconds=grid.seconds)

# %% [markdown]
# ## Hear the cell, then the event
#
# 160 milliseconds and one band of the spectrogram; then the whole event, cut out by its box.

# %%
cell = grid.box(int(strongest.t[0]), int(strongest.f[0]))
rate = scene.sample_rate
Audio(box_sound(scene.waveform, rate, cell, peak=0.8), rate=rate)

# %%
if not boxes:
    raise ValueError(f'nobody says where {name} lies: STUDY = "demo" knows')
event = boxes[0]
box = (event.onset, event.offset, event.low_hz, event.high_hz)
Audio(box_sound(scene.waveform, rate, box, peak=0.8), rate=rate)

# %% [markdown]
# ## Mute
#
# Take a prototype's score away and read the logits of all classes again. No new pass: $W s + b$ is all there
# is, so the answer is exact. But what does a silent prototype score?
#
# - its **mean** over the training clips: it no longer says anything about *this* clip;
# - or **zero**: as if its column of $W$ were gone. The level that its scores always have goes too, and the
#   bias had learnt to live with it.
#
# **Predict:** the five strongest of *engine* are muted (mean). Which other classes move, and which way?

# %%
weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
scores = one.scores[0]
means = np.array(probe.metadata["mean_scores"])
before = linear_logits(weight, bias, scores)
muted = strongest.prototype.to_numpy()
after = muted_logits(weight, bias, scores, muted, means)
changes = class_changes(classes, before, after)
most = changes.loc[changes.change.abs().nlargest(8).index]
change_bars(most, scene.labels, now="with five muted")

# %% [markdown]
# Bars are the new probabilities, outlines the old ones; at the right is what each logit changed by.
# The logit of *engine* falls from **1.9** to **0.2**, and other classes move too: protobin's prototypes
# belong to no class, each has a weight for every one of them.

# %%
print(stated("1.9", before[number], "engine, all speak"))
print(stated("0.2", after[number], "engine, five muted (mean)"))

# %% [markdown]
# Is it exact? Do it the hard way: set those columns of the classifier to zero and run the probe again. That
# is the baseline zero.

# %%
again = study.probe(method, scene.encoder, scene.dataset)
with torch.no_grad():
    again.classifier.weight[:, muted.tolist()] = 0
    hard_way = again(encoding.tokens).numpy()[0]
zero = muted_logits(weight, bias, scores, muted, 0.0)
assert np.abs(hard_way - zero).max() < 1e-4
pd.DataFrame({"mean": after, "zero": zero}, index=classes).loc[scene.labels, :].round(2)

# %% [markdown]
# The same silence, two answers: which one is meant has to be said. The explorer starts with the mean.
#
# ## Solo
#
# The other way round: only those five speak, all others score their mean. And for comparison nobody: what the
# probe says of *engine* when it knows nothing of the clip.

# %%
silent = silent_prototypes(len(scores), muted=(), solo=muted.tolist())
alone = muted_logits(weight, bias, scores, silent, means)
nobody = muted_logits(weight, bias, scores, range(len(scores)), means)
told = {"all speak": before, "five alone": alone, "nobody speaks": nobody}
for who, logits in told.items():
    print(f"{name}, {who}: {logits[number]:+.1f}")

# %% [markdown]
# Five of the 480 go about half of the way; the other half is the sum of many small voices.
#
# ## Your turn with the mixer
#
# The same sums for any prototypes and any class: **M** mutes, **S** lets only these speak, the number keys
# play a cell. It works in the exported page too: logits are $W s + b$, and both are inside it.

# %%
what_if_panel(probe, one, scene.waveform, scene.events, grid, class_name=name)

# %% [markdown]
# ## Hit or miss, and by chance
#
# A *hit*: the cell shares some area with a true event of the class. In this scene **4** of the 5 are hits. A
# cell drawn at random would hit *engine* in **13 %** of draws: always say both.

# %%
print(stated("4", strongest.hit.sum(), f"hits among {len(strongest)}"))
print(stated("13 %", chance_of_hit(grid, boxes), "chance"))

# %% [markdown]
# One scene is an anecdote. Here are the 32 held-out scenes of the explorer, every class that sounds in them,
# and three probes.
#
# **Predict:** will hits grow rarer when more events sound at once?

# %%
scenes = study_scenes(study)
encoder = study_encoder(study)
events = [s.events for s in scenes]
maps = encoder.encode(np.stack([s.waveform for s in scenes]))
tables = {}
compared = ("proto", "protobin", "protobin + BatchNorm")
for title in [one for one in compared if one in study.methods]:
    other = study.probe(title)
    told = other.explain(maps.tokens, maps.cls, maps.mask, maps=False).numpy()
    tables[title] = hit_table(events, told.contributions, told.locations, classes, grid)
rates = hit_rates(tables, scene.encoder)
drawn = score_intervals(rates, chance=rates.chance.mean())
drawn.opts(xlabel="strongest prototypes on a true event, %")

# %%
by_polyphony = {
    title: table.groupby("polyphony").share.mean() for title, table in tables.items()
}
by_polyphony["chance"] = next(iter(tables.values())).groupby("polyphony").chance.mean()
(100 * pd.DataFrame(by_polyphony)).round(0).astype(int).rename_axis("events; hits, %")

# %% [markdown]
# Far above chance (dashed), far from always, and rarer with many events than with one. Lines are 95 %
# intervals over scenes; where they overlap, the order of the probes is open.
#
# ## A max over tokens is not localisation
#
# It is tempting to read a max location as "here is the sound, and this is why". Three tests.
#
# **1 · There is always a maximum.** *whistle* is not in this scene. Its strongest prototypes have places all
# the same, and the places say nothing of it.

# %%
other = next(one for one in ("whistle", *classes) if one not in scene.labels)
absent = one.contributions[0][classes.index(other)]
ghost = strongest_prototypes(absent, scores, one.locations[0], grid, k=5, boxes=[])
spectrogram(scene.waveform, scene.events, ghost, seconds=seconds)

# %% [markdown]
# **2 · A hit need not depend on the event.** Forbid all cells that the event touches and take the maximum
# over the rest. A prototype that heard the event falls back to what it scores in any clip, its mean, or
# below.
#
# **Predict:** will all four hits fall?

# %%
region = region_of_box(grid, boxes[0])
left_out = region_cells(grid, region)
rest = scores_without(one.similarity[0], left_out)
told = {"prototype": muted, "score": scores[muted], "without the event": rest[muted]}
told |= {"mean score": means[muted], "hit": np.where(strongest.hit, "yes", "no")}
pd.DataFrame(told).set_index("prototype").round(3)

# %% [markdown]
# Those with a positive score fall below their mean: they did hear the engine. The two with a negative score
# stay where they were. The cell of one of them just touches the engine's box and counts as a hit, but the
# next best cell elsewhere is as good.
#
# **3 · Other cells have heard it.** The encoder's attention lets every token take something from every other.
# Leaving cells out of the maximum leaves that in place. So take the event out of the *sound*, in its band and
# time, and encode anew.

# %%
quiet = encoder.encode(silence_box(scene.waveform, scene.sample_rate, box))
explained = probe.explain(quiet.tokens, quiet.cls, quiet.mask, maps=False).numpy()
without = logits_without(weight, bias, one.similarity[0], left_out)
effects = region_effects(classes, before, without, explained.logits[0])
names = {
    "original": "logit",
    "left_out": "cells left out",
    "taken_out": "sound taken out",
}
effects = effects.set_index("class").rename(columns=names)
effects.loc[list(scene.labels)].round(2)

# %% [markdown]
# For *engine* the two agree here. For two sounds that overlap its box they do not: *plucked_string*, whose
# low tones lie in the same cells, loses far more when the cells are left out, *clock_tick* when the sound
# is taken out. The difference is what other tokens had heard, and what the encoder makes of the hole; no
# sum can tell the two apart.
#
# So what does a max location show? Where the best match is. That it is *the* cause takes a test such as
# these, and that it *finds* events takes boxes and chance.
#
# ## Exercises
#
# **Exercise 05.1** ·
# Which prototype (its number) adds most to the logit of *plucked_string* in this scene?

# %%
answer = ...
check("05.1", answer)

# %% [markdown]
# **Exercise 05.2** ·
# Mute that prototype, its mean score in its place. What is the logit of *plucked_string* then?

# %%
answer = ...
check("05.2", answer)

# %% [markdown]
# **Exercise 05.3** ·
# The strongest prototype of a class has its max location on an event of the class. What does that
# alone show: `"match"` (this cell is the most similar of all), `"localisation"` (the probe finds this class)
# or `"cause"` (without the event the logit would fall)?

# %%
answer = ...
check("05.3", answer)
