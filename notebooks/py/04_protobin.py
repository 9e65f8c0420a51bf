# %% [markdown]
# # 04 · Build protobin from scratch
#
# **You will** write the probe *protobin* in a few lines of PyTorch and check every line against the
# library. You derive its gradient by hand, and train it on a handful of scenes.
#
# **Time** 30 minutes · **Needs** notebook 00; what a token map and a linear layer are ·
# **In the explorer** `make app`, page *Prototypes*
# (`http://localhost:5006/app?page=prototypes&clip=scene-7-4&class=engine`)
#
# `mini-mae`, the demo's, is a mini encoder trained on procedural sound, and so are its probes. Protobin
# itself is the method of Rauch et al., ICLR 2026 (section 3, figure 3); numbers of theirs are called
# *published*.

# %%
import torch
from torch.nn import functional as F

import protoviz
from protoviz.course import check, setup, stated, study_clip, study_with
from protoviz.figures import loss_curves, protobin_diagram, straight_through
from protoviz.losses import asymmetric_loss
from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## The whole of it
#
# An encoder gives one token $z_{t,f}$ for each cell of the spectrogram. Protobin learns $J$ vectors a class.
# Only their **signs** are compared with the tokens, and each keeps its best match:
#
# $$ s_j = \max_{t,f}\; \cos\bigl(\operatorname{sign}(v_j),\, z_{t,f}\bigr), \qquad
#    \text{logits} = W s + b $$
#
# Orange boxes are learnt. The numbers are sizes: in the demo 24 classes and $J = 20$, so 480
# prototypes. Every class reads all.

# %%
scene = study_clip(study_with(study, "protobin"))
probe = scene.probe("protobin").double()
protobin_diagram(probe.grid, probe.dim, probe.count, probe.classes)

# %% [markdown]
# We take the trained probe's weights and the clip of notebook 00, and go through the boxes one by one. All
# in float64, so that a difference to the library is a mistake and not a rounding.

# %%
tokens = (
    scene.encoding.tokens.double()
)  # (b n d); in the demo 1 clip, 64 x 8 cells, width 192
latent = probe.latent  # v (j d)
weight, bias = probe.classifier.weight, probe.classifier.bias  # W (c j), b (c)
library = probe.explain(tokens)  # what all steps have to agree with
shown = {"tokens": tokens, "latent": latent, "weight": weight, "bias": bias}
for name, value in shown.items():
    print(f"{name:7s}", tuple(value.shape))

# %% [markdown]
# ## 1 · Sign
#
# `torch.sign(0)` is 0, which is no sign. So zero counts as a plus.

# %%
signs = torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)
assert torch.equal(signs, probe.prototypes())
print("values:", signs.unique().tolist())

# %% [markdown]
# ## 2 · Straight through
#
# **Predict:** a step is flat on both sides. Which gradient reaches $v$ through it?

# %%
# where() compares, and a comparison has no slope
print("a gradient passes:", signs.requires_grad)

# %% [markdown]
# None: the prototypes would stay as they were drawn. The *straight-through estimator* runs the sign forward
# and pretends, backward, that it had been the identity, that is $\partial\operatorname{sign}(v)/\partial v
# = 1$ (Bengio et al., 2013). In code that is one line: add $v$ and take it away again, the second time
# without its gradient. (Blue in the figure: a common variant that lets nothing pass beyond ±1. Protobin, as
# its authors' later code has it, does not clip.)

# %%
straight_through()

# %%
binary = signs + (latent - latent.detach())  # the bracket is 0, its gradient is 1
slope = torch.autograd.grad(binary.sum(), latent)[0]
print("values:", binary.unique().tolist(), " slope:", slope.unique().tolist())

# %% [markdown]
# It is a lie that works as long as it points the right way. $v$ collects the wishes of many steps; when
# they add up past zero, its sign turns over. How large $v$ is plays no part forward; it says how many steps
# against it a sign withstands.
#
# ## 3 · Cosine
#
# Both sides get length 1, then a product: the similarity of every prototype with every token. The length of a
# token, which differs a lot between loud and quiet cells, is out of the game.

# %%
unit_tokens, unit_prototypes = F.normalize(tokens, dim=-1), F.normalize(binary, dim=-1)
similarity = unit_tokens @ unit_prototypes.T  # (b n j)
maps = similarity.transpose(1, 2).unflatten(2, probe.grid)  # (b j t f)
assert (maps - library.similarity).abs().max() < 1e-6
print("similarity maps (b j t f)", tuple(maps.shape))

# %% [markdown]
# ## 4 · Maximum over tokens
#
# One number a prototype, its *score*, and the cell where it was found, its *max location*. All other tokens
# are forgotten. No mean waters the score down: that is why a short event in a long clip keeps its weight.

# %%
scores, locations = similarity.max(dim=1)  # (b j); of equal maxima the first cell wins
assert (scores - library.scores).abs().max() < 1e-6
assert torch.equal(locations, library.locations)
print(f"scores from {scores.min():.2f} to {scores.max():.2f}")

# %% [markdown]
# Cosines in many dimensions, 192 in the demo, are small. The classifier lives on small differences between
# them.
#
# ## 5 · Linear

# %%
logits = scores @ weight.T + bias
difference = (logits - probe(tokens)).abs().max()
assert difference < 1e-6
print("logits as the library's, to 1e-6:", bool(difference < 1e-6))

# %% [markdown]
# ## All five steps


# %%
def protobin(tokens, latent, weight, bias):
    """Logits (b c) of tokens (b n d): sign, straight through, cosine, maximum, linear."""
    signs = torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)
    binary = signs + (latent - latent.detach())
    similarity = F.normalize(tokens, dim=-1) @ F.normalize(binary, dim=-1).T
    return similarity.max(dim=1).values @ weight.T + bias


assert (protobin(tokens, latent, weight, bias) - probe(tokens)).abs().max() < 1e-6

# %% [markdown]
# The library's version gives the same numbers without ever holding all similarities
# (`protoviz/probes/cosine_max.py`): clip by prototypes by tokens would not fit into memory for long.
#
# ## The gradient by hand
#
# Let $z^*$ be the winning token at length 1 and $p = \operatorname{sign}(v)$, whose length is $\sqrt D$. Only
# the winner gets a gradient. From $s = p\cdot z^* / |p|$, and with the sign passed straight through,
#
# $$ \frac{\partial s}{\partial v} = \frac{1}{\sqrt D}\Bigl(z^* - s\,\frac{p}{\sqrt D}\Bigr). $$

# %%
j = min(62, probe.count - 1)
by_autograd = torch.autograd.grad(scores[0, j], latent, retain_graph=True)[0][j]
winner, root = unit_tokens[0, locations[0, j]], probe.dim**0.5
by_hand = (winner - scores[0, j] * signs[j] / root) / root
assert (by_autograd - by_hand).abs().max() < 1e-6
print("by hand = by autograd, to 1e-6")

# %% [markdown]
# And the gradients of the whole loss in all three parameters, ours against the library's:

# %%
classes = probe.metadata["classes"]
targets = torch.tensor([[float(name in scene.labels) for name in classes]]).double()
parameters = {"v": latent, "W": weight, "b": bias}
ours = torch.autograd.grad(
    asymmetric_loss(protobin(tokens, latent, weight, bias), targets), parameters.values()
)
theirs = torch.autograd.grad(asymmetric_loss(probe(tokens), targets), parameters.values())
for name, one, other in zip(parameters, ours, theirs, strict=True):
    assert (one - other).abs().max() < 1e-6
    print(f"d loss / d {name}: largest difference below 1e-6")

# %% [markdown]
# ## How much is learnt
#
# $CJD$ latent weights, $C \cdot CJ$ in $W$, $C$ in $b$: **103,704** numbers in the demo (24 classes, 20
# prototypes a class, width 192). After training, a latent weight is worth one bit: only its sign is used.
# Notebook 06 measures that on disk.

# %%
count = sum(parameter.numel() for parameter in probe.parameters())
print(stated("103,704", count, "learnt numbers"))

# %% [markdown]
# ## Train it
#
# 64 scenes of two events each, made and encoded here, two prototypes a class, 30 epochs. The loss is the
# asymmetric one, as in the paper: in multi-label data most labels are absent, so easy absent ones count less.
#
# **Predict:** the same again with the prototypes fixed where they were drawn, so that only $W$ and $b$ learn.
# Does the loss fall at all?

# %%
scenes = [protoviz.make_scene(seed, polyphony=2) for seed in range(64)]
encoder = protoviz.load_encoder("mini-mae")
train_tokens = torch.cat([encoder.encode(one.waveform).tokens for one in scenes])
present = [[float(name in one.labels) for name in SCENE_CLASSES] for one in scenes]
train_targets = torch.tensor(present)


# %%
def train(learn_prototypes: bool, epochs: int = 30):
    """(mean loss of each epoch, latent before, latent after) of protobin as above."""
    torch.manual_seed(0)
    start = build_probe(
        "protobin", encoder.dim, len(SCENE_CLASSES), prototypes_per_class=2
    )
    latent = start.latent.detach().clone().requires_grad_(learn_prototypes)
    weight, bias = start.classifier.weight, start.classifier.bias
    groups = [{"params": [weight, bias], "lr": 0.1}]
    if learn_prototypes:
        groups.append({"params": [latent], "lr": 3e-3, "weight_decay": 0.0})
    optimiser, history = torch.optim.AdamW(groups), []
    for _ in range(epochs):
        losses = []
        for some in torch.randperm(len(train_tokens)).split(32):
            logits = protobin(train_tokens[some], latent, weight, bias)
            loss = asymmetric_loss(logits, train_targets[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return history, start.latent.detach(), latent.detach()


learnt, before, after = train(learn_prototypes=True)
fixed, _, _ = train(learn_prototypes=False)

# %%
loss_curves({"prototypes learnt": learnt, "prototypes fixed": fixed})

# %% [markdown]
# Both fall: random directions already carry something, and a linear layer finds it. Learning the prototypes
# falls further. These are losses on the very scenes that were trained on; with so few, a low one says that
# the gradient works and nothing about new scenes. The shipped probe saw 2,500 scenes.

# %%
turned = ((before >= 0) != (after >= 0)).float().mean().item()
assert learnt[-1] < 0.8 * fixed[-1] < 0.8 * fixed[0]
print(f"{turned:.0%} of all signs turned over in {len(learnt)} epochs")

# %% [markdown]
# The library's loop does the same with a cosine schedule, validation and the best epoch kept:
# `protoviz.fit(build_probe("protobin", ...), train, validation)`. Notebook 09 uses it.
#
# ## Exercises
#
# **Exercise 04.1** ·
# How many numbers does protobin learn in the paper's setting on urban: 10 classes, 20 prototypes a
# class, tokens of width 768? (Published: about 155 thousand.)

# %%
answer = ...
check("04.1", answer)

# %% [markdown]
# **Exercise 04.2** ·
# Clips differ in length, so a batch has padding. Write a function `scores(tokens, latent, mask)`
# that gives the scores (b j); `mask` (b n) is False at padding, and no such token may win, whatever it holds.

# %%
answer = ...  # answer = scores
check("04.2", answer)

# %% [markdown]
# **Exercise 04.3** ·
# Look at the formula of the gradient. To which vector is it orthogonal, whatever the clip: the
# winning `"token"`, the `"prototype"` $p$, or the `"latent"` vector $v$?

# %%
answer = ...
check("04.3", answer)
