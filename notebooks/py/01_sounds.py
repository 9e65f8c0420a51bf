# %% [markdown]
# # 01 · Sounds, scenes, token maps
#
# **You will** follow a sound from samples to mel rows to 64 × 8 cells, and go from a cell to seconds and
# hertz and back. You hear what one cell holds, and measure what "polyphony" means for a cell.
#
# **Time** 25 minutes · **Needs** notebook 00 · **In the explorer** `make app`, page *Listen*
# (`http://localhost:5006/app?page=listen&clip=scene-7-4`)
#
# In the demo all sound is procedural: computed on this machine from a seed, so every event is known exactly.
# Its encoder is `mini-mae`, a mini encoder trained on procedural sound. Nothing here is a published number.

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Audio

import protoviz
from protoviz.analysis.overlap import (
    events_per_cell,
    overlap_table,
    seconds_together,
    sounding,
)
from protoviz.audio import Box, box_sound, log_mel, mel_to_hertz, silence_box
from protoviz.audio.picture import cell_decibels
from protoviz.course import check, setup, stated, study_clip, study_encoder, study_with
from protoviz.figures import cell_map, overlap_curves, waveform_curve

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## Samples
#
# In the demo a clip is 10.24 s at 16,000 samples a second, and the scene below,
# `protoviz.make_scene(seed=7, polyphony=4)`, holds four events over coloured noise. A bar under the curve is
# an event from onset to offset; where bars stand above each other, events sound together.

# %%
scene = study_clip(study_with(study, "sound"))
waveform_curve(scene.waveform, scene.sample_rate, scene.events)

# %%
Audio(scene.waveform, rate=scene.sample_rate)

# %% [markdown]
# ## Log-mel
#
# Frames of 25 ms, one every 10 ms, are Fourier transformed. 128 triangles sum the power over bands that are
# equally wide on the mel axis,
#
# $$m(f) = 1127\,\ln\left(1 + \frac{f}{700}\right),$$
#
# and the logarithm of each sum is kept. In the demo's 10.24 s there is room for **1,022** whole frames; two
# empty ones are added, so that 1,024 can be cut into equal cells.
#
# **Predict:** in the demo the axis runs from 20 to 8,000 Hz. Which frequency stands in its middle?

# %%
bank = scene.bank
print(stated("1,022", bank.frames(len(scene.waveform)), "frames that fit"))
low, high = (1127 * np.log1p(hertz / 700) for hertz in (bank.low_hz, bank.top_hz))
print(stated("1,803", mel_to_hertz((low + high) / 2), "hertz in the middle of the axis"))
scene.spectrogram()

# %% [markdown]
# It is **1,803** Hz: half of the picture is spent on less than a quarter of the hertz, as an ear does. The
# boxes of a scene are measured from the sound of each event before it was mixed, so they are the truth, also
# where a louder event covers it.
#
# ## Cells
#
# The encoder cuts frames × rows into squares of 16 × 16. In the demo that leaves 64 columns of 0.16 s and 8
# rows, and each of the 512 cells becomes one token.

# %%
grid = scene.grid
print(f"{grid.times} columns of {grid.seconds / grid.times:.2f} s, {grid.freqs} rows")
edges = grid.hertz_edges.round().astype(int)
rows = pd.DataFrame({"from Hz": edges[:-1], "to Hz": edges[1:]})
rows.rename_axis("row f")[::-1]

# %% [markdown]
# One number a cell, its mean level, is already a rough picture of the clip.


# %%
def levels_of(clip):
    """dB of each cell (t f)."""
    grid = clip.grid
    frames = grid.times * -(-round(100 * grid.seconds) // grid.times)  # whole cells
    return cell_decibels(
        log_mel(clip.waveform, clip.bank), grid.times, grid.freqs, frames=frames
    )


levels = levels_of(scene)
cell_map(levels, grid, scene.events, label="dB")

# %% [markdown]
# ## From a cell to seconds and hertz, and back
#
# Cells are numbered column by column, $n = t F + f$ with $F$ rows, 8 in the demo. `box` gives a cell's
# seconds and hertz, `cell` the cell that holds a point. There and back leads to the same cell, for all of
# them.

# %%
t, f = grid.cell(seconds=2.0, hertz=440)
print("2.0 s, 440 Hz lies in cell", (t, f), "which is token", grid.index(t, f))
place = grid.box(t, f)
print(f"it spans {place.onset:.2f} to {place.offset:.2f} s,", end=" ")
print(f"{place.low_hz:.0f} to {place.high_hz:.0f} Hz")
cells = range(grid.times * grid.freqs)
boxes = [grid.box(*grid.place(n)) for n in cells]
middles = [
    ((box.onset + box.offset) / 2, (box.low_hz + box.high_hz) / 2) for box in boxes
]
assert [grid.index(*grid.cell(*middle)) for middle in middles] == list(cells)

# %% [markdown]
# **Exercise 01.1** Which cell (t, f) of the demo's grid holds the point 3.5 s, 1,000 Hz? Work it out before
# you ask the grid.

# %%
answer = ...  # a pair (t, f)
check("01.1", answer)

# %% [markdown]
# ## What one cell sounds like
#
# `box_sound` keeps the samples of a box and only its band. First a whole event, then the single
# cell of it that rises highest above the usual level of its row.
#
# **Predict:** 0.16 s of one row: will you recognise what it is?

# %%
scene = study_clip(study_with(study, "sound", "events", "encoder"))
grid, levels = scene.grid, levels_of(scene)
event = scene.events[:3][-1]
box = Box(event.onset, event.offset, event.low_hz, event.high_hz)
print(f"{event.label}, {event.onset:.2f} to {event.offset:.2f} s")
Audio(box_sound(scene.waveform, scene.sample_rate, box), rate=scene.sample_rate)

# %%
inside = grid.overlap(box)
rise = levels - np.median(levels, axis=0)
most = inside >= min(0.5, inside.max())  # half of a cell, or what a short event fills
t, f = np.unravel_index(np.where(most, rise, -np.inf).argmax(), rise.shape)
place = grid.box(t, f)
print(f"cell ({t}, {f}): {place.onset:.2f} to {place.offset:.2f} s,", end=" ")
print(f"{place.low_hz:.0f} to {place.high_hz:.0f} Hz")
sound = box_sound(scene.waveform, scene.sample_rate, place, peak=0.5)
Audio(sound, rate=scene.sample_rate)

# %% [markdown]
# A cell alone is a blip. What makes a token useful is that the encoder lets all cells look at each other
# before it hands them out. So **a token is not only its cell**. To see that, empty the event's box (all that
# sounds in it), encode again, and measure how much every token turned:
#
# $$\Delta_n = 1 - \cos(z_n, z'_n).$$

# %%
encoder = study_encoder(scene.study)
quiet = silence_box(scene.waveform, scene.sample_rate, box)
encoding = encoder.encode([scene.waveform, quiet])
heard, emptied = encoding.tokens
change = 1 - torch.cosine_similarity(heard, emptied, dim=-1).numpy()
cell_map(change, grid, [event], label="1 − cosine")

# %%
touched = inside.ravel() > 0
print(f"mean change in the cells it touches:       {change[touched].mean():.3f}")
print(f"mean change in all cells it never touches: {change[~touched].mean():.3f}")

# %% [markdown]
# The event's cells turn most. The others turn far less, but not by zero: they knew of it. This is why a map
# of tokens, or of anything made from them, points to a place only roughly.
#
# ## Short clips and masks
#
# A shorter clip fills only the first columns. The rest is padding: its tokens are zero, `mask` says which
# cells are real, and no real cell looks at an empty one.
#
# **Exercise 01.2** How many of the demo's 512 cells are real in a clip of 3 s? (A column counts as soon as
# one of its frames holds sound.)

# %%
answer = ...  # a whole number
check("01.2", answer)

# %%
half = len(scene.waveform) // 2
short = encoder.encode(scene.waveform[:half])
print(
    f"real cells of {half / scene.sample_rate:.2f} s:",
    int(short.mask.sum()),
    "of",
    short.mask.numel(),
)
cell_map(short.mask[0].float().numpy(), grid, label="real", limits=(0, 1))

# %% [markdown]
# ## Polyphony
#
# $k$, the polyphony of a scene, is its number of events. It does not say that they all sound at once. Scene
# 7 with eight events holds the four of the demo's clip and four more.

# %%
grid = study_clip(study_with(study, "scenes")).grid
dense = protoviz.make_scene(seed=7, polyphony=8)
waveform_curve(dense.waveform, dense.sample_rate, dense.events)

# %%
Audio(dense.waveform, rate=dense.sample_rate)

# %%
print(sounding(dense.events, grid.seconds).round(2).to_string(index=False))
together = seconds_together(dense.events, grid.seconds)
print(f"two or more sound for {together:.2f} of {grid.seconds} s")

# %% [markdown]
# **Exercise 01.3** During how many seconds of this scene do at least three events sound at once?

# %%
answer = ...  # seconds
check("01.3", answer)

# %% [markdown]
# A cell may hold several events, which then have to share one token. The map counts them: each event adds
# the share of the cell that its box covers.

# %%
cell_map(events_per_cell(grid, dense.events), grid, dense.events, label="events")

# %% [markdown]
# **Predict:** with $k$ events, how much of the area under events is under two or more: does it grow like $k$?

# %%
scenes = [protoviz.make_scene(seed, k) for seed in range(12) for k in range(1, 9)]
shared = overlap_table(scenes, grid)
overlap_curves(shared)

# %%
names = {"together": "time with two or more, %", "covered": "area under events, %"}
names["shared"] = "of that, under two or more, %"
means = shared.groupby("polyphony")[list(names)].mean()
print(stated("37 %", means.shared[8], "of the area under events, two or more at k = 8"))
(100 * means).round(0).astype(int).rename(columns=names)

# %% [markdown]
# Even with eight events only **37 %** of the area under events is under two or more in the demo; a cell is
# rarely as crowded as the clip. This is the opening for a pooling that goes to single cells: the clip is
# polyphonic, most of its cells are not. Notebook 03 takes it up. Boxes are generous, too: an event fades and
# pauses inside its own, so this is the most that two events can share, not what they do share.
