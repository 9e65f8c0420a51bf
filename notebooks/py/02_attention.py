# %% [markdown]
# # 02 · Where [cls] looks
#
# **You will** draw the attention of [cls] on the exact grid and put a number on how far it spreads. You
# compare it with an untrained encoder and with the true events, and test whether attention explains a
# logit.
#
# **Time** 30 minutes · **Needs** notebook 01 · **In the explorer** `make app`, page *Attention*
# (`http://localhost:5006/app?page=attention&clip=scene-7-4`)
#
# Figure 1 of the paper (Rauch et al., ICLR 2026) shows that in EAT the attention of [cls] is diffuse in deep
# layers, and local after fine-tuning. It shows maps and reports no number. **All numbers below are ours**, in
# the demo of `mini-mae`, a mini encoder trained on procedural sound, and of `mini-random`, the same one
# untrained.

# %%
import numpy as np
import pandas as pd
import torch

from protoviz.analysis.attention import (
    by_layer,
    coverage,
    diffusion,
    mean_map,
    over_cells,
    over_clips,
)
from protoviz.analysis.occlusion import agreement, blocks, on_cells
from protoviz.course import (
    check,
    setup,
    stated,
    study_clip,
    study_encoder,
    study_scenes,
    study_with,
)
from protoviz.encoders import load_encoder
from protoviz.figures import attention_maps, cell_map, diffusion_by_layer
from protoviz.scenes import make_scene

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## One row of a softmax
#
# In every layer and head, [cls] asks all cells for their values and weighs them:
#
# $$a = \operatorname{softmax}\left(\frac{q_{\text{[cls]}} K^\top}{\sqrt{d_h}}\right), \qquad
# p_n = \frac{a_n}{\sum_m a_m}.$$
#
# The share that [cls] keeps for itself is dropped, so that $p$ sums to 1 over the cells. If [cls] looked at
# all of the demo's 512 cells alike, each would get 1/512.
#
# **Predict:** the last layer makes the [cls] that a linear probe reads. Do its heads look at the events?

# %%
scene = study_clip(study_with(study, "sound", "attention"))
grid = scene.grid
rows = [layer[0].numpy() for layer in scene.encoding.attention]  # a layer each, (h n)
real = scene.encoding.mask[0].numpy()  # the cells that the clip fills, in the demo all
attention_maps(rows[-1], grid, scene.waveform, scene.events, real, scene.bank)

# %% [markdown]
# A cell is coloured once it gets more than its equal share, fully at 64 times. In the demo's last layer the
# colour stays pale, and it follows rows rather than events.
#
# ## A number: effective tokens
#
# The entropy of the shares is
#
# $$H = -\sum_n p_n \ln p_n,$$
#
# and $e^H$ reads as a number of cells: so many cells with equal shares would be as spread. It is 1 when one
# cell gets all, and all cells (512 in the demo) when all get the same. By hand, and by the library:

# %%
p = rows[-1][0].astype(float)[real]  # last layer, first head
p /= p.sum()
summed = p[p > 0]  # p ln p goes to 0 with p: a share of 0 adds nothing
by_hand = np.exp(-(summed * np.log(summed)).sum())
inside = coverage(grid, scene.events).ravel()  # the share of each cell in true events
heads = diffusion(rows, real, inside if inside.any() else None)
last = heads[(heads["layer"] == len(rows)) & (heads["head"] == 1)]
by_library = last.effective.item()
print(f"{by_hand:.1f} and {by_library:.1f} effective tokens of {len(p)}")
assert np.isclose(by_hand, by_library, rtol=1e-9)

# %% [markdown]
# **Exercise 02.1** One cell of 512 gets half of the attention, the other 511 share the rest equally. How many
# effective tokens is that? Guess first: nearer to 2, to 50, or to 256?

# %%
answer = ...  # a number
check("02.1", answer)

# %% [markdown]
# ## Against the truth: mass and area
#
# The events of a scene are known, so we can ask how much of the attention lies on them. If it ignored them,
# that would be their share of the area.
#
# $$\text{mass} = \sum_n p_n\,c_n, \qquad \text{area} = \frac1N\sum_n c_n, \qquad
# \text{concentration} = \frac{\text{mass}}{\text{area}},$$
#
# where $c_n$ is the share of cell $n$ that lies in an event's box.

# %%
table = heads.rename(columns={"effective": "effective tokens"})
columns = ["effective tokens", "mass", "area", "concentration"]  # where events are known
table.set_index(["layer", "head"]).filter(columns).round(2)

# %% [markdown]
# **Exercise 02.2** Which (layer, head) looks least at the true events of the demo's scene, for their area?

# %%
answer = ...  # a pair (layer, head)
check("02.2", answer)

# %% [markdown]
# ## Many scenes, and the floor
#
# One scene is an anecdote. Here are the 32 scenes of the demo, four of each polyphony, and beside `mini-mae`
# the same network with random weights: whatever training gave has to differ from it.
#
# **Predict:** which of the two is more diffuse in the last layer?

# %%
made = study_with(study, "scenes", "encoder", "linear")
scene, scenes, encoder = study_clip(made), study_scenes(made), study_encoder(made)
grid = scene.grid
rows = [layer[0].numpy() for layer in scene.encoding.attention]
waveforms = np.stack([one.waveform for one in scenes])
frames = {}
for one in (encoder, load_encoder("mini-random")):
    many = one.encode(waveforms, attention=True).attention
    truth = [coverage(one.cell_grid(), scene.events).ravel() for scene in scenes]
    each = [
        diffusion([layer[i] for layer in many], inside=cells)
        for i, cells in enumerate(truth)
    ]
    frames[one.name] = pd.concat(each)
means = {name: over_clips(frame) for name, frame in frames.items()}  # of each head
diffusion_by_layer(means)

# %%
last = {name: by_layer(frame).iloc[-1] for name, frame in frames.items()}
trained, untrained = last[encoder.name], last["mini-random"]
print("last layer, mean over heads and scenes")
print(stated("318", trained.effective, f"effective tokens of {encoder.name}"))
print(stated("503", untrained.effective, "effective tokens of mini-random"))
print(stated("24 %", trained.mass, f"of {encoder.name}'s attention on true events"))
print(stated("29 %", trained.area, "of the area is theirs"))

# %% [markdown]
# A line is the mean of the heads, a dot one head, dashed what equal shares give. What the demo shows, and
# what it does not:
#
# - The last layer is diffuse: **318** of 512 effective tokens. Untrained it is **503**, so training did
#   gather it somewhat.
# - It does not gather on the events: **24 %** of the attention lies on them, and they are **29 %** of the
#   area. In masked autoencoding [cls] has no objective; nothing ever rewarded it for finding events.
# - Not every layer is diffuse. The earlier ones are far narrower, and one head looks mostly at events:

# %%
best = means[encoder.name].loc[means[encoder.name].concentration.idxmax()]
print(f"layer {int(best.layer)}, head {int(best['head'])}")
print(stated("75 %", best.mass, "of its attention on true events"))
print(stated("8", best.effective, "effective tokens"))
share = over_cells(rows[int(best.layer) - 1][int(best["head"]) - 1])
times = np.log2(
    np.maximum(share * share.size, 1)
)  # clear up to the equal share, as above
cell_map(times, grid, scene.events, label="log2 of times equal share", limits=(0, 6))

# %% [markdown]
# Over the demo's 32 scenes it puts **75 %** of its attention on events with **8** effective tokens. So what
# the paper's Figure 1 says of EAT holds here for the end of the network, not for all of it.
#
# ## Attention is not explanation
#
# A bright cell in a map of attention is where values were fetched. Whether the result rests on that cell is
# another question, and it can be measured: leave cells out and see what changes. `mini-mae` was trained with
# three quarters of the cells hidden, so leaving out 8 of 512 is nothing strange to it.
#
# We cut the grid into 64 blocks of 4 × 2 cells and leave out one at a time. Each time we read the logit of
# the linear probe for one event that is there.
#
# **Predict:** will the blocks with most attention be the ones that change the logit most?

# %%
probe = scene.probe("linear")
classes = probe.metadata["classes"]
masks = blocks(grid, times=4, freqs=2)  # (block n)


@torch.inference_mode()
def left_out(scene):
    """Last layer's attention in each block (k); how logits change without it (k c)."""
    features = encoder.features(scene.waveform)
    whole = encoder(features, attention=True)
    without = encoder(features.expand(len(masks), -1, -1), mask=torch.from_numpy(~masks))
    before, after = (probe(e.tokens, e.cls, e.mask) for e in (whole, without))
    looked = masks @ mean_map(over_cells(whole.attention[-1][0])[None])[0]
    return looked, (after - before).numpy()


looked, change = left_out(scene)
wanted = "engine" if "engine" in scene.labels else scene.labels[0]
percent = 100 * on_cells(looked, masks)
cell_map(percent, grid, scene.events, label="attention in the block, %")

# %%
of_class = change[:, classes.index(wanted)]
engine = [event for event in scene.events if event.label == wanted]
label = f"change of the logit of {wanted}"
cell_map(on_cells(of_class, masks), grid, engine, label=label, signed=True)

# %% [markdown]
# The second map is the answer to "what does this logit rest on": below zero (blue), the logit falls when the
# block is left out. To compare it with the first, take the rank correlation between attention and the size
# of the change: 1 if the most looked-at blocks are the ones that matter most, 0 if there is no relation. For
# every event of three scenes:

# %%
found = []
measured = {scene.name: (scene, looked, change)}
for seed in (3, 5):
    other = make_scene(seed, 4)
    measured[f"scene {seed}"] = other, *left_out(other)
for place, (one, attention, changes) in measured.items():
    for label in one.labels:
        size = np.abs(changes[:, classes.index(label)])
        found.append((place, label, agreement(attention, size)))
found = pd.DataFrame(found, columns=["scene", "event", "rank correlation"])
print(stated("0.04", found["rank correlation"].max(), "the largest"))
found.set_index(["scene", "event"]).round(2)

# %% [markdown]
# In the demo none is above **0.04**, many are below zero: in these scenes the attention of the last layer
# does not say what the logit rests on. Two reasons. Tokens of deep layers are mixtures, so an event is no
# longer only where it sounded. And attention says how much of a value is taken, not what is in it or where it
# goes next. That is no proof that attention never explains. It is a reason to test before one reads a map as
# a reason.
#
# **Exercise 02.3** Which measurement says whether a logit rests on a cell: `"entropy"`, `"mass"` or
# `"occlusion"`?

# %%
answer = ...  # one of the three words
check("02.3", answer)
