# %% [markdown]
# # 06 · Orthogonality
#
# **You will** compare the prototypes of three probes with what chance gives, and see what training changes.
# You ask how many prototypes a class needs, and measure what "32 times smaller" is 32 times smaller of.
#
# **Time** 35 minutes · **Needs** notebook 04 (or its formula); standard deviation · **In the explorer**
# `make app`, page *Orthogonality* (`http://localhost:5006/app?page=orthogonality&orthogonality.probe=protobin`)
#
# Own numbers are in the demo of `mini-mae`, a mini encoder trained on procedural sound: 24 classes, 20
# prototypes a class, width 192. Numbers marked *published* are from Rauch et al., ICLR 2026, as far as they
# could be read (`data/paper/README.md`); figures of them stand in a dashed frame.

# %%
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd

import protoviz
from protoviz.analysis.geometry import (
    corner_sd,
    group_rms,
    random_corners,
    spread,
)
from protoviz.analysis.pruning import prune
from protoviz.analysis.published import CITATION, published
from protoviz.analysis.ranking import gains
from protoviz.analysis.results import per_class, results
from protoviz.course import (
    check,
    setup,
    stated,
    study_clip,
    study_encoder,
    study_figure,
    study_results,
    study_with,
)
from protoviz.encoders import present_encoders
from protoviz.experiments.tokens import measured_tokens
from protoviz.figures import (
    cosine_histogram,
    gain_bars,
    pruning_curves,
    storage_bars,
    tokens_by_layer,
)
from protoviz.probes import save_probe, stored, untrained

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## Who serves whom: the classifier's weights
#
# The upper half of the paper's figure 4, for our probe: one row a class, one column a prototype. No
# prototype belongs to a class; protobin has only this matrix to say whom it serves. Columns are ordered by
# the class they argue for most.

# %%
clip = study_clip(study_with(study, "protobin"))
probe = clip.probe("protobin")
classes = probe.metadata["classes"]
vectors = probe.prototypes().detach().numpy()  # (j d), all -1 or +1
weight = probe.classifier.weight.detach().numpy()  # (c j)
cell = {"method": "protobin", "encoder": clip.encoder, "dataset": clip.dataset}
study_figure(clip.study, "weight_map", **cell)

# %% [markdown]
# ## All pairs
#
# The demo's 480 prototypes have 114,960 pairs. A pixel is the cosine of one,
# $\cos(p, q) = p \cdot q \,/\, (|p||q|)$; for ±1 vectors that is (agreeing − differing signs) / $D$.

# %%
study_figure(clip.study, "cosine_map", **cell)

# %% [markdown]
# Outside the diagonal there is noise, and here and there a faint block of prototypes that argue for the
# same class. They are nearly orthogonal, as in the lower half of figure 4, whose histogram peaks at 0
# (published). No loss asked protobin for that.
#
# **Predict:** did training make them orthogonal?
#
# ## What chance gives
#
# Draw two ±1 vectors at random. Their cosine is a mean of $D$ independent signs, so it has mean 0 and
#
# $$ \text{standard deviation} = 1/\sqrt{D}, $$
#
# which is **0.072** for the demo's $D = 192$. The dashed line below is this law exactly (binomial), the solid
# one the probe before its training, drawn anew from its seed.

# %%
seed = int(results(clip.study.folder).seed.min())
start = untrained(probe, seed)
cosine_histogram(vectors, before=start.prototypes().detach().numpy())

# %%
now, then = spread(vectors), spread(start.prototypes().detach().numpy())
print(stated("0.072", corner_sd(probe.dim), f"random corners, D = {probe.dim}"))
print(stated("0.072", then.rms, "protobin before training, root mean square cosine"))
print(stated("0.074", now.rms, "protobin after training, root mean square cosine"))

# %% [markdown]
# In the demo near-orthogonality was there from the random start (**0.072**). Training gave a little of it up
# (**0.074**): prototypes that serve the same sounds become somewhat alike. Wide vectors are nearly orthogonal
# for free.
#
# ## How much did training move?

# %%
turned = float(np.mean(vectors != start.prototypes().detach().numpy()))
print(stated("11 %", turned, "signs that turned over in training"))

# %% [markdown]
# In the demo **11 %** of all signs turned over; the others are as the generator drew them, and $W$ chooses
# among such near-random directions. (Behind a BatchNorm, with rates of its own, prototypes move farther: next
# table.)
#
# ## Float, binary, class-bound
#
# Three probes: **protobin** compares signs; its *real* vectors are the latent ones behind them. **proto** is
# the earlier probe, real vectors bound to one class each, with an orthogonality term in its loss.
#
# There are two measures of a set. One is the root mean square of its cosines (*rms*, 0 if all pairs were
# orthogonal). The other is its *effective rank*, exp of the entropy of the normalised singular values,
# between 1 and the width. It says how many directions are really used (Roy and Vetterli, 2007).
#
# **Predict:** which set is farthest from orthogonal: the one without, or the one with an orthogonality loss?

# %%
rows = {}
three = ("protobin", "protobin + BatchNorm", "proto")
for method in [one for one in three if one in clip.study.methods]:
    trained = clip.probe(method)
    for stage, one in (("before", untrained(trained, seed)), ("after", trained)):
        forms = {"real": one.prototype_parameters()[0]}
        if method != "proto":
            forms["binary"] = one.prototypes()
        for form, tensor in forms.items():
            measured = spread(tensor.detach().numpy())
            rows[method, form, stage] = measured.row()
corners = spread(random_corners(*vectors.shape))
rows[f"{len(vectors)} random corners", "binary", ""] = corners.row()
table = pd.DataFrame(rows).T.rename_axis(["probe", "form", "training"])
names = {"mean": "mean", "sd": "deviation", "rms": "rms"}
names["effective_rank"] = "effective rank"
table = table[list(names)].astype(float).rename(columns=names)
table.round({name: 1 if "rank" in name else 3 for name in table}) + 0.0  # no minus zero

# %%
print("effective rank")
print(stated("180.5", now.effective_rank, "protobin's binary prototypes"))
print(stated("180.9", corners.effective_rank, "as many random corners"))

# %% [markdown]
# In the demo protobin uses its 192 dimensions as evenly as random corners do: **180.5** against **180.9**.
# *proto* is far off, and the reason is its start, not its training. It draws its vectors from 0 to 1 (as the
# code it comes from), so all of them point into one corner of the space, with cosines about 0.75. Training
# drove them apart. Its loss asks for that only *within* a class; do pairs of two classes stay behind?

# %%
bound = study_clip(study_with(clip.study, "proto")).probe("proto")
own_class = np.repeat(np.arange(bound.classes), bound.per_class)
pairs = {"before": untrained(bound, seed), "after": bound}
apart = {
    stage: group_rms(one.vectors.detach().numpy(), own_class)
    for stage, one in pairs.items()
}
pd.DataFrame(apart, index=["pairs within a class", "pairs of two classes"]).round(3)

# %% [markdown]
# (Root mean square cosine.) In the demo they do not: both came apart equally far. And the probe with an
# orthogonality loss is still the one farthest from orthogonal: here, where a set starts decides more than
# what its loss asks for.
#
# ## Does it matter for the score?
#
# What changes when real prototypes (*protofloat*) are made binary (*protobin*), or bound to classes
# (*proto*)? Published first: EAT, mean over as20k (J = 10) and urban (J = 20).

# %%
three = ["protofloat", "proto", "protobin"]
paper = pd.concat([published("methods"), published("cells")], ignore_index=True)
paper = paper.query("method in @three and encoder == 'EAT'")
paper = paper.query("dataset in ['as20k', 'urban']")
paper_gains = gains(paper, baseline="protofloat")
gain_bars(paper_gains, published=f"{CITATION}, Table 7", baseline="protofloat")

# %% [markdown]
# And ours: in the demo `mini-mae` on mixed scenes, J = 20.

# %%
own = study_results(study, *three, source="poolings")
own = own.query("method in @three and dataset == dataset.iloc[0]")
difference = gains(own, baseline="protofloat")
gain_bars(difference, baseline="protofloat")

# %%
cost = difference.set_index("method").gain
paper_cost = paper_gains.set_index("method").gain
print("points of mAP over protofloat")
print(stated("−3.8", 100 * cost["protobin"], "protobin, own"))
print(stated("0.5", 100 * cost["proto"], "proto, own"))
print(stated("0.29", 100 * paper_cost["protobin"], "protobin, published"))

# %% [markdown]
# Published, on these two sets: binarising costs nothing (**0.29** points *more*), and binding to classes
# does not help. In the demo the first does not appear: with signs, mAP changes by **−3.8** points.
# Binding to classes gives **0.5** points, with an interval that holds 0. A guess, not a measurement: with
# 192 dimensions a prototype has a quarter of the bits that it has at 768.
#
# ## What tokens have in common
#
# A cosine has two sides. Scale every token to length 1 and take the mean of all: its length is their *common
# part*, 1 where all tokens point one way, near 0 where they cancel. The more they have in common, the less a
# prototype's cosine differs from cell to cell. The *effective rank* of the tokens, with their mean taken off,
# says over how many directions the rest spreads: exp of the entropy of the normalised *squared* singular
# values, which are shares of the variance.
#
# **Predict:** are tokens more alike in the first layers or in the last?

# %%
sounds = [protoviz.make_scene(seed, 4).waveform for seed in range(8)]
measured = []
for name in present_encoders():
    if name.startswith("mini-"):
        encoder = protoviz.load_encoder(name)
        measured.append(measured_tokens(encoder, sounds).assign(encoder=name))
shared = pd.concat(measured, ignore_index=True)
tokens_by_layer(shared, "common")

# %%
tokens_by_layer(shared, "rank")

# %% [markdown]
# One could take the common part off before anything is compared: `centre="clip"` of every method that reads
# tokens takes off the clip's own mean token, `centre="train"` that of all training clips. It is not in the
# paper. Where tokens have much in common it helps, and where they differ by themselves it costs, because the
# mean tells of the clip. `protoviz tokens` measures both, for weights of your own too.
#
# ## How many prototypes a class?
#
# Published, in words (figures 14 to 17, whose curves could not be read): the gain is steep from J = 1 to 10
# and then saturates.
#
# **Predict:** and here?

# %%
counted = study_with(study, "per_class_curves")
study_figure(counted, "per_class_curves")

# %%
curve = per_class(counted.folder)
at, none = curve[curve.method == "protobin"].set_index("per_class").score, float("nan")
print(stated("54.3 %", at.get(1, none), "test mAP at J = 1"))
print(stated("59.2 %", at.get(2, none), "at J = 2"))
print(stated("63.7 %", at.get(5, none), "at J = 5"))
print(stated("64.9 %", at.get(10, none), "at J = 10"))
print(stated("69.3 %", at.get(20, none), "at J = 20"))
doublings = np.diff(np.log2(at.index))
gained = (100 * at.diff()[1:] / doublings).round(1)
gained.rename("points a doubling of J").rename_axis("up to J =").to_frame()

# %% [markdown]
# In the demo it is steep at first: one prototype a class gives **54.3 %**, two **59.2 %**, five **63.7 %**.
# Ten (**64.9 %**) cannot be told from five, their intervals cross; twenty (**69.3 %**) is above both. So the
# saturation from J = 10 on that is published does not appear here. Part of the last step may be the rates:
# the search chose smaller ones for J = 20 than for 5 and 10, after runs of six epochs.
#
# The table behind it is `per-class` of the study, made by `protoviz per-class`. In the demo rates were
# searched anew for every J; there are 2,500 training scenes, 30 epochs and five seeds. Lines are 95 %
# intervals over seeds.
#
# **Or let the data choose.** Logits are $W s + b$, so a prototype can be taken away without the encoder:
# subtract its column of $W$ times its score. We remove, again and again, the prototypes without which mAP
# stays highest on some scenes, and look at the mAP of *other* scenes. (In each round a fifth of what is left
# goes. `protoviz per-class` removes one at a time, trains the classifier anew, and does so for five seeds.)
#
# **Predict:** at how many does the curve bend? Do all classes need as many?

# %%
made = study_clip(study_with(study, "scenes", "encoder", "protobin"))
encoder, pruned = study_encoder(made.study), made.probe("protobin")
classes = pruned.metadata["classes"]
scenes = [protoviz.make_scene(900_000 + i, 1 + i % 6) for i in range(96)]
heard = [
    encoder.encode([scene.waveform for scene in scenes[i : i + 24]])
    for i in range(0, 96, 24)
]
scores = np.concatenate(
    [pruned.explain(one.tokens, maps=False).numpy().scores for one in heard]
)
present = np.array(
    [[name in {e.label for e in scene.events} for name in classes] for scene in scenes]
)
weight, bias = (part.detach().numpy() for part in pruned.folded_classifier())
chooses, shown = slice(0, 48), slice(48, 96)
pruning = prune(scores[chooses], weight, bias, present[chooses], share=0.2)
pruning_curves(
    pruning.curve(scores[shown], weight, bias, present[shown], classes), pruning.best
)

# %% [markdown]
# The bold line is the mean over classes. Its mark is the number that is best on the scenes that chose, which
# need not be best on the scenes that are drawn: choosing uses up what it chooses on. A thin line is a class;
# point at it to read which.
#
# That was one probe and a few scenes. A study whose probes of several seeds were pruned (table `pruning`) has
# the same curve with a band, the 95 % interval over seeds, on its own test clips; and it says how many of the
# prototypes that are kept serve each class. Where it has none, a sentence says what makes them.

# %%
study_figure(counted, "pruning_curves")

# %%
study_figure(counted, "prototypes_needed")

# %% [markdown]
# The line of a class runs from the seed with the fewest to the one with the most; behind it stand the average
# precision of what is kept and, in brackets, of all. Compare the curve at 24, 48, 120 and 240 prototypes with
# the fixed J = 1, 2, 5 and 10 above, where both are drawn once the study has pruned probes.
#
# ## 32 times smaller: what?
#
# A trained protobin needs one bit a prototype weight instead of a float32 of 32 bits (published: storage 32
# times smaller). We save the same probe in both ways and count the bytes in the files.
#
# **Predict:** how much smaller is the *file*?

# %%
folder = Path(mkdtemp())
paths = {
    "float32": save_probe(probe, folder / "float32.safetensors"),
    "1 bit": save_probe(probe, folder / "packed.safetensors", packed=True),
}
files = {name: stored(path) for name, path in paths.items()}
storage_bars(files)

# %%
assert all(files[name].bytes.sum() == path.stat().st_size for name, path in paths.items())
latent = files["float32"].set_index("part").bytes["latent"]
bits = files["1 bit"].set_index("part").bytes["latent.bits"]
print(stated("32", latent / bits, f"prototypes: {latent:,} / {bits:,} bytes"))
tensors = {
    name: parts[parts.part != "header"].bytes.sum() for name, parts in files.items()
}
print(stated("7.2", tensors["float32"] / tensors["1 bit"], "all weights"))

# %% [markdown]
# The **prototypes** are exactly **32** times smaller. The probe is not: its dense classifier, $C \times CJ$
# float32 numbers, stays as it is, and all weights of the demo's shrink **7.2** times. The text part holds
# class names, settings and mean scores. And the packed probe gives the very same logits:

# %%
packed = protoviz.load_probe(paths["1 bit"])
tokens = clip.encoding.tokens
told = [one.explain(tokens, maps=False).numpy().logits for one in (packed, probe)]
assert np.array_equal(*told)
files["1 bit"].set_index("part")

# %% [markdown]
# (Bits are stored eight to a byte, type U8.) For as20k (C = 527, J = 10, D = 768) the same arithmetic gives a
# classifier of 11.1 MB in either form, beside prototypes of 16.2 MB in float32.
#
# ## Exercises
#
# **Exercise 06.1** ·
# What standard deviation do the cosines of random ±1 vectors have at the paper's width, D = 768?

# %%
answer = ...
check("06.1", answer)

# %% [markdown]
# **Exercise 06.2** ·
# How many bytes do protobin's packed prototypes take for as20k (527 classes, J = 10, D = 768)?

# %%
answer = ...
check("06.2", answer)

# %% [markdown]
# **Exercise 06.3** ·
# 480 vectors in 192 dimensions cannot all be orthogonal. What is the smallest root mean square
# cosine that they can have? (Then compare it with the table: how far above it are random corners?)

# %%
answer = ...
check("06.3", answer)
