# %% [markdown]
# # 05 · Prototypes on spectrograms
#
# **You will** see where the prototypes of a class found their best match, and add up what they say to the
# logit. You hear a cell, silence prototypes and predict what happens, and test how much a max location is
# worth.
#
# **Time** 35 minutes · **Needs** notebook 04 (or its formula) · **In the explorer** `make app`, page
# *Prototypes* (`http://localhost:5006/app?page=prototypes&clip=scene-7-4&class=engine`)
#
# Everything is measured here: in the demo `mini-mae`, a mini encoder trained on procedural sound, and the
# probes that are shipped with it. Nothing on this page is a published number.

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
    study_with,
    what_if_panel,
)
from protoviz.figures import (
    change_bars,
    class_bars,
    logit_steps,
    score_intervals,
    similarity_map,
)

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## A scene and its explanation
#
# Protobin's logits are $W s + b$ with $s_j = \max_{t,f}\cos(\operatorname{sign}(v_j), z_{t,f})$. `explain`
# returns everything that stands in this formula.

# %%
scene = study_clip(study_with(study, "sound", "prototypes"))
grid, method = scene.grid, study_method(scene.study)
probe = scene.probe(method)
classes = probe.metadata["classes"]
one = probe.explain(*scene.encoding.inputs()).numpy()
print("the clip:", scene.name, " by", method)
print("scores (b j)", one.scores.shape, " contributions (b c j)", one.contributions.shape)
class_bars(class_scores(classes, {method: one.logits[0]}, scene.labels))

# %% [markdown]
# ## Where the strongest prototypes looked
#
# A *contribution* is weight × score: what a prototype adds to the logit of one class. Below are the five that
# argue most for a class, in the demo *engine*, each on its *max location*. The green boxes are the true
# events.


# %%
def strongest_five(scene, one, classes):
    """A class of the clip, its number, its true boxes, and the five prototypes that argue most for it."""
    name = "engine" if "engine" in scene.labels else scene.labels[0]
    row = one.contributions[0][classes.index(name)]
    boxes = [event for event in scene.events if event.label == name]
    told = one.scores[0], one.locations[0]
    strongest = strongest_prototypes(row, *told, scene.grid, k=5, boxes=boxes)
    return name, classes.index(name), boxes, strongest


name, number, boxes, strongest = strongest_five(scene, one, classes)
row = one.contributions[0][number]
scene.spectrogram(strongest)

# %%
prototype_table(strongest)

# %% [markdown]
# Mind the signs. A prototype with a negative score and a negative weight argues *for* the class as well: it
# matched nothing here, and that speaks for the class. Its max location is the least bad of many bad matches.
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
# Before the maximum is taken there is a whole map of similarities. In the demo the strongest prototype is
# like many low cells of the engine; its max location is only the best of several that come close. Outside the
# box, too, most of the map is not far below: a cosine is no yes or no.

# %%
first = strongest.prototype[0]
similarity_map(one.similarity[0][first], strongest[:1], boxes, scene.bank, grid.seconds)

# %% [markdown]
# ## Hear the cell, then the event
#
# In the demo 160 milliseconds and one band of the spectrogram; then the whole event, cut out by its box.
# (Where nobody says where the event lies, it is the cell once more.)

# %%
cell = grid.box(int(strongest.t[0]), int(strongest.f[0]))
rate = scene.sample_rate
Audio(box_sound(scene.waveform, rate, cell, peak=0.8), rate=rate)

# %%
places = [(one.onset, one.offset, one.low_hz, one.high_hz) for one in boxes]
box = (places or [cell])[0]
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
# **Predict:** the five strongest of the class are muted (mean). Which other classes move, and which way?


# %%
def classifier_of(probe):
    """Weights (c j), bias (c) and mean scores (j)."""
    weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
    return weight, bias, np.array(probe.metadata["mean_scores"])


weight, bias, means = classifier_of(probe)
scores, muted = one.scores[0], strongest.prototype.to_numpy()
before = linear_logits(weight, bias, scores)
after = muted_logits(weight, bias, scores, muted, means)
changes = class_changes(classes, before, after)
most = changes.loc[changes.change.abs().nlargest(8).index]
change_bars(most, scene.labels, now="with five muted")

# %% [markdown]
# Bars are the new probabilities, outlines the old ones; at the right is what each logit changed by. In the
# demo the logit of *engine* falls from **1.9** to **0.2**, and other classes move too: protobin's prototypes
# belong to no class, each has a weight for every one of them.

# %%
print(stated("1.9", before[number], f"{name}, all speak"))
print(stated("0.2", after[number], f"{name}, five muted (mean)"))

# %% [markdown]
# Is it exact? Do it the hard way: put zeros in the place of those scores, inside the probe, and run it again.
# That is the baseline zero.

# %%
again, speaks = scene.probe(method), torch.ones(len(scores))
speaks[muted.tolist()] = 0
pool = again.pool  # the scores
again.pool = lambda *inputs: pool(*inputs) * speaks
with torch.inference_mode():
    hard_way = again(*scene.encoding.inputs()).numpy()[0]
zero = muted_logits(weight, bias, scores, muted, 0.0)
assert np.abs(hard_way - zero).max() < 1e-4
both = pd.DataFrame({"mean": after, "zero": zero}, index=classes)
both.loc[list(scene.labels)].round(2)

# %% [markdown]
# The same silence, two answers: which one is meant has to be said. The explorer starts with the mean.
#
# ## Solo
#
# The other way round: only those five speak, all others score their mean. And for comparison nobody: what the
# probe says of the class when it knows nothing of the clip.

# %%
silent = silent_prototypes(len(scores), muted=(), solo=muted.tolist())
alone = muted_logits(weight, bias, scores, silent, means)
nobody = muted_logits(weight, bias, scores, range(len(scores)), means)
told = {"all speak": before, "five alone": alone, "nobody speaks": nobody}
for who, logits in told.items():
    print(f"{name}, {who}: {logits[number]:+.1f}")

# %% [markdown]
# In the demo five of the 480 go about half of the way; the other half is the sum of many small voices.
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
# A *hit*: the cell shares some area with a true event of the class. In the demo's scene **4** of the 5 are
# hits. A cell drawn at random would hit *engine* in **13 %** of draws: always say both.

# %%
scene = study_clip(study_with(scene.study, "events", "encoder"))
grid, probe = scene.grid, scene.probe(study_method(scene.study))
one, classes = (
    probe.explain(*scene.encoding.inputs()).numpy(),
    probe.metadata["classes"],
)
name, number, boxes, strongest = strongest_five(scene, one, classes)
print(stated("4", strongest.hit.sum(), f"hits among {len(strongest)}"))
print(stated("13 %", chance_of_hit(grid, boxes), "chance"))

# %% [markdown]
# One scene is an anecdote. Here are the held-out scenes of the explorer, 32 in the demo, every class that
# sounds in them, and three probes.
#
# **Predict:** will hits grow rarer when more events sound at once?

# %%
made = study_with(study, "scenes", "encoder", "prototypes")
scenes, encoder, clip = study_scenes(made), study_encoder(made), study_clip(made)
events = [s.events for s in scenes]
maps = encoder.encode(np.stack([s.waveform for s in scenes]))
tables = {}
compared = ("proto", "protobin", "protobin + BatchNorm")
names = clip.probe(study_method(made)).metadata["classes"]
for title in [one for one in compared if one in made.methods]:
    told = clip.probe(title).explain(*maps.inputs(), maps=False).numpy()
    place = told.contributions, told.locations
    tables[title] = hit_table(events, *place, names, clip.grid)
rates = hit_rates(tables, clip.encoder)
drawn = score_intervals(rates, chance=rates.chance.mean())
drawn.opts(xlabel="strongest prototypes on a true event, %")

# %%
by_polyphony = {
    title: table.groupby("polyphony").share.mean() for title, table in tables.items()
}
by_polyphony["chance"] = next(iter(tables.values())).groupby("polyphony").chance.mean()
(100 * pd.DataFrame(by_polyphony)).round(0).astype(int).rename_axis("events; hits, %")

# %% [markdown]
# In the demo far above chance (dashed), far from always, and rarer with many events than with one. Lines are
# 95 % intervals over scenes; where they overlap, the order of the probes is open.
#
# ## A max over tokens is not localisation
#
# It is tempting to read a max location as "here is the sound, and this is why". Three tests.
#
# **1 · There is always a maximum.** Take a class that is not in this scene, in the demo *whistle*. Its
# strongest prototypes have places all the same, and the places say nothing of it.

# %%
known = ("whistle", *classes) if "whistle" in classes else classes
other = next((label for label in known if label not in scene.labels), known[-1])
print(other, "sounds in" if other in scene.labels else "does not sound in", scene.name)
weight, bias, means = classifier_of(probe)
scores, muted = one.scores[0], strongest.prototype.to_numpy()
before = linear_logits(weight, bias, scores)
absent = one.contributions[0][classes.index(other)]
ghost = strongest_prototypes(absent, scores, one.locations[0], grid, k=5, boxes=[])
scene.spectrogram(ghost)

# %% [markdown]
# **2 · A hit need not depend on the event.** Forbid all cells that the event touches and take the maximum
# over the rest. A prototype that heard the event falls back to what it scores in any clip, its mean, or
# below.
#
# **Predict:** will all hits fall?

# %%
region = region_of_box(grid, boxes[0])
left_out = region_cells(grid, region)
rest = scores_without(one.similarity[0], left_out)
told = {"prototype": muted, "score": scores[muted], "without the event": rest[muted]}
told |= {"mean score": means[muted], "hit": np.where(strongest.hit, "yes", "no")}
pd.DataFrame(told).set_index("prototype").round(3)

# %% [markdown]
# In the demo those with a positive score fall below their mean: they did hear the engine. The two with a
# negative score stay where they were. The cell of one of them just touches the engine's box and counts as a
# hit, but the next best cell elsewhere is as good.
#
# **3 · Other cells have heard it.** The encoder's attention lets every token take something from every other.
# Leaving cells out of the maximum leaves that in place. So take the event out of the *sound*, in its band and
# time, and encode anew.

# %%
event = boxes[0]
box = (event.onset, event.offset, event.low_hz, event.high_hz)
silenced = silence_box(scene.waveform, scene.sample_rate, box)
quiet = study_encoder(scene.study).encode(silenced)
explained = probe.explain(*quiet.inputs(), maps=False).numpy()
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
# In the demo the two agree for *engine*. For two sounds that overlap its box they do not: *plucked_string*,
# whose low tones lie in the same cells, loses far more when the cells are left out, *clock_tick* when the
# sound is taken out. The difference is what other tokens had heard, and what the encoder makes of the hole;
# no sum can tell the two apart.
#
# So what does a max location show? Where the best match is. That it is *the* cause takes a test such as
# these, and that it *finds* events takes boxes and chance.
#
# ## Exercises
#
# **Exercise 05.1** ·
# Which prototype (its number) adds most to the logit of *plucked_string* in the demo's scene?

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
