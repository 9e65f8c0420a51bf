# %% [markdown]
# # 00 · Quick start
#
# **You will** make a scene whose events you know and turn it into a map of tokens. You ask two probes what
# they hear, and see where in the spectrogram the prototypes of one of them found it.
#
# **Time** ten minutes · **Needs** nothing but the installed package · **In the explorer** `make app`,
# page *Listen* (`http://localhost:5006/app?page=listen&clip=scene-7-4`)
#
# In the demo everything is made on this machine: procedural sound, and `mini-mae`, a mini encoder trained on
# procedural sound. Its numbers say how poolings differ in this small world; they are not the paper's.

# %%
from IPython.display import Audio

from protoviz.analysis.prototypes import (
    class_scores,
    prototype_table,
    strongest_prototypes,
    what_was_missed,
)
from protoviz.audio import box_sound
from protoviz.course import check, setup, study_clip, study_method, study_with
from protoviz.figures import class_bars

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## A scene
#
# In the demo it is `protoviz.make_scene(seed=7, polyphony=4)`: four events over coloured noise. The boxes are
# measured from the sound of each event, so they are the truth. Of your own study it is the shown clip with
# most labels.

# %%
scene = study_clip(study_with(study, "sound", "prototypes"))
print(f"{scene.name} of {scene.dataset}:", ", ".join(scene.labels))
for event in scene.events:
    band = f"{event.low_hz:5.0f}-{event.high_hz:5.0f} Hz"
    print(f"{event.label:14s} {event.onset:5.2f}-{event.offset:5.2f} s  {band}")
Audio(scene.waveform, rate=scene.sample_rate)

# %%
scene.spectrogram()

# %% [markdown]
# ## Its token map
#
# In the demo this is `protoviz.load_encoder("mini-mae").encode(scene.waveform)`. Its encoder cuts the log-mel
# spectrogram (1,024 frames × 128 mel rows) into 16 × 16 patches. Each of the 64 × 8 cells gets one token, a
# vector of 192 numbers, and one more vector, [cls], stands for the whole clip. (Letters: b clips, n tokens,
# d width; T columns in time, F rows in frequency.)

# %%
encoding = scene.encoding
print("tokens (b n d):", tuple(encoding.tokens.shape))
print("grid (T, F):   ", encoding.grid)
print("[cls] (b d):   ", tuple(encoding.cls.shape))

# %% [markdown]
# ## Two probes
#
# `linear` reads only [cls]. `protobin` compares binary prototypes with every token and keeps each
# prototype's best match, $s_j = \max_{t,f} \cos(\operatorname{sign}(v_j), z_{t,f})$; a linear layer turns
# the scores into logits.
#
# **Predict:** in the demo four events sound at once. Which probe will put all four among its first four
# classes?

# %%
method = study_method(scene.study)
names = [name for name in ("linear", method) if name in scene.study.methods]
probes = {name: scene.probe(name) for name in names}
classes = probes[method].metadata["classes"]
explained = {
    name: probe.explain(*encoding.inputs()).numpy() for name, probe in probes.items()
}
scores = class_scores(
    classes, {name: one.logits[0] for name, one in explained.items()}, scene.labels
)
for name, missed in what_was_missed(scores).items():
    print(f"{name} misses:", ", ".join(missed) or "none")

# %%
class_bars(scores)

# %% [markdown]
# ## Where the prototypes looked
#
# Dots mark the classes that are present. A logit, whose sigmoid the bars show, is in `protobin` a sum: one
# summand a prototype (weight × score, its *contribution*), plus a bias. So the strongest prototypes of a
# class are no guess: they are the largest summands, and each has one cell where it matched best.

# %%
one = explained[method]
wanted = scene.events[0].label if scene.events else scene.labels[0]
row = one.contributions[0][classes.index(wanted)]
boxes = [event for event in scene.events if event.label == wanted]
grid = scene.grid
strongest = strongest_prototypes(
    row, one.scores[0], one.locations[0], grid, k=5, boxes=boxes
)
number = classes.index(wanted)
total = row.sum() + one.bias[number]
print(f"{wanted}: logit {one.logits[0][number]:.3f}, contributions + bias {total:.3f}")
prototype_table(strongest)

# %%
scene.spectrogram(strongest)

# %% [markdown]
# Not every cell lies on its event, and a match is not yet a cause: notebook 05 tests both.
#
# ## Hear one cell
#
# The strongest prototype's: in the demo 160 milliseconds of one band.

# %%
cell = grid.box(int(strongest.t[0]), int(strongest.f[0]))
Audio(box_sound(scene.waveform, scene.sample_rate, cell), rate=scene.sample_rate)

# %% [markdown]
# **Exercise 00.1** How many prototypes does `protobin` of the demo compare with every token of the clip?

# %%
answer = ...  # a whole number
check("00.1", answer)

# %% [markdown]
# **Your turn.** Let `scene` be `protoviz.make_scene(seed=3, polyphony=8)`, with an `encoding` of the encoder,
# and run again. Does the number of missed classes grow with the polyphony? For which probe?
