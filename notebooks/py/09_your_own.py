# %% [markdown]
# # 09 · Your own encoder, your own sounds
#
# **You will** write an encoder in forty lines and check it. You turn a folder of labelled sound files into
# token maps, train and compare probes on them, and see where a prototype found your class. At the end you
# know what it takes to use a published checkpoint, and have a study of your own, open in the explorer.
#
# **Time** 30 minutes, or a project · **Needs** 00, 03 · **In the explorer** your recordings:
# `PROTOVIZ_RECORDINGS=/path/to/folder make app`, page *Listen*: `http://localhost:5006/app?page=listen`
#
# Everything measured here is own: procedural sound, a mini encoder trained on procedural sound, and an
# encoder that nobody trained. The list of checkpoints near the end is of what others published.

# %%
import tempfile
from pathlib import Path

import pandas as pd
import soundfile
import torch
from IPython.display import Audio

import protoviz
from protoviz.analysis.prototypes import prototype_table, strongest_prototypes
from protoviz.analysis.ranking import ranks_with_intervals
from protoviz.audio import FilterBank, box_sound, log_mel
from protoviz.cache import estimate_bytes
from protoviz.course import check, setup, stated, study_figure
from protoviz.datasets import folder_clips, scene_clips
from protoviz.encoders import Encoder, EncoderError, Encoding
from protoviz.encoders import rows as encoder_rows
from protoviz.encoders.check import check_encoder, failures
from protoviz.experiments import FixedRates, compare
from protoviz.figures import score_intervals, spectrogram
from protoviz.metrics import accuracy
from protoviz.scenes import ProceduralSources, SceneConfig, recorded_sources

STUDY = "demo"  # or your own, which the end then shows: the folder of a study, such as "runs/mine"
study = setup(STUDY, threads=1)  # small batches gain nothing from a second one

# %% [markdown]
# ## An encoder in forty lines
#
# An encoder turns waveforms into tokens on a grid. This one cuts the log-mel spectrogram into 16 × 16
# patches, as a spectrogram transformer does in its first step, and projects each with a fixed random matrix:
#
# $$z_{t,f} = P^\top \operatorname{vec}(X_{t,f}), \qquad P \in \mathbb{R}^{256 \times 64}$$
#
# No block follows, nothing is trained. `Encoder` asks for five methods. Cells without sound get no token
# (mask False, zeros), and where there is no [cls] the mean of the real tokens stands in. Every tensor is made
# where the weights lie, or the encoder would fail on a GPU.


# %%
class MelPatches(Encoder):
    name, dim, sample_rate, seconds = "mel-patches", 64, 16_000, 10.24
    grid, cls_kind = (64, 8), "mean token"

    def __init__(self, seed: int = 0):
        super().__init__()
        self.bank = FilterBank(sample_rate=self.sample_rate, mels=128)
        draw = torch.Generator().manual_seed(seed)
        matrix = torch.randn(256, self.dim, generator=draw) / 16
        self.projection = torch.nn.Parameter(matrix)
        self.eval().requires_grad_(False)  # frozen

    def features(self, waveforms):
        clips = self.clips(waveforms)  # checked: float32, mono, not too long
        out = clips[0].new_zeros(len(clips), 1024, 128)  # on the device of the clips
        for row, clip in zip(out, clips, strict=True):
            mels = (log_mel(clip, self.bank) + 5) / 7  # roughly mean 0
            row[: len(mels)] = mels
        return out

    def mask(self, samples):
        frames = [[self.bank.frames(count)] for count in samples]
        frames = torch.tensor(frames, device=self.device)  # (b 1)
        starts = torch.arange(64, device=self.device) * 16
        return (starts < frames).repeat_interleave(8, dim=1)

    def front_end(self):
        band = {"low_hz": self.bank.low_hz, "high_hz": self.bank.top_hz}
        return {**band, "mels": 128, "shift": 5, "scale": 7}

    def shape(self):
        return {"dim": self.dim, "patch": 16}

    def forward(self, features, attention=False, mask=None, layers=()):
        patches = features.unfold(1, 16, 16).unfold(2, 16, 16)  # (b 64 8 16 16)
        patches = patches.flatten(3).flatten(1, 2)  # (b n 256), time-major: n = t * 8 + f
        tokens = patches @ self.projection  # (b n d)
        if mask is None:
            mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        tokens = tokens.masked_fill(~mask[..., None], 0)
        cls = tokens.sum(1) / mask.sum(1, keepdim=True)
        return Encoding(tokens, cls, self.grid, mask)


mine = MelPatches()
print("failures:", failures(check_encoder(mine)))

# %% [markdown]
# `check_encoder` plays noises, alone and in batches, tones at known places, and silence. It does so on a
# device, too, that only pretends to be a GPU. Then it lists what would go wrong later (on the command line:
# `protoviz check-encoder my_module:MyEncoder`): nothing here. Had the last line of `__init__` been forgotten:

# %%
for failure in failures(check_encoder(MelPatches().train().requires_grad_(True))):
    print(f"{failure.name}: {failure.says}")
encoding = mine.encode(protoviz.make_scene(seed=3, polyphony=2).waveform)
print("tokens (b n d)", tuple(encoding.tokens.shape), " grid", encoding.grid)

# %% [markdown]
# ## Your own sounds
#
# One folder a label. With folders `train`, `validation` and `test` above them, those are the splits:
#
#     my_sounds/train/siren/001.wav
#     my_sounds/test/horn/017.wav
#
# Here the files are made on the spot: four classes that are easily confused, one event a file, four seconds.
# With your own recordings start at `folder_clips`.

# %%
temporary = tempfile.TemporaryDirectory(prefix="protoviz-", ignore_cleanup_errors=True)
work = Path(temporary.name)  # gone when the notebook is closed
folder = work / "my_sounds"
labels = ("siren", "horn", "cricket", "bird_trill")
sources, four = ProceduralSources(labels), SceneConfig(seconds=4.0)
made = scene_clips(64, 32, 64, polyphony=1, sources=sources, config=four, seed=9)
for i, row in made.table.iterrows():
    file = folder / row.split / row["labels"][0] / f"{i:03d}.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, made.read(i), 16_000)

clips = folder_clips(folder, seconds=4.0)
first = clips.table["labels"].str[0].rename("files")
clips.table.groupby(["split", first]).size().unstack()

# %% [markdown]
# Each clip goes through each encoder once. The token maps are kept in a folder and read from there ever
# after: a frozen encoder says the same each time. The folder remembers encoder and files; asked with others
# it refuses.

# %%
encoders = {"mini-mae": protoviz.load_encoder("mini-mae"), "mel-patches": mine}
caches = {
    name: protoviz.TokenCache.create(work / name, encoder, clips, progress=False)
    for name, encoder in encoders.items()
}
megabytes = estimate_bytes(encoders["mini-mae"], 1) / 1e6
print(stated("0.2", megabytes, "MB a clip"))
for name, cache in caches.items():
    print(f"{name}: {len(cache)} clips, width {cache.dim}, {len(cache.classes)} classes")

# %% [markdown]
# A clip takes **0.2** MB: 512 cells, width 192, two bytes a number. (Padded cells are stored too. The mask
# says which they are, and no probe reads them.)
#
# ## Train a probe and look
#
# A probe is built for the width, the classes and the grid of a cache. With one label a clip the loss is
# cross-entropy and the score accuracy.

# %%
cache = caches["mini-mae"]
torch.manual_seed(0)
shape = cache.dim, len(cache.classes), cache.grid
probe = protoviz.build_probe("protobin", *shape, prototypes_per_class=20, batch_norm=True)
config = protoviz.FitConfig(
    epochs=20, batch_size=16, lr=1e-2, prototype_lr=3e-3, loss="cross_entropy", seed=0
)
fitted = protoviz.fit(probe, cache.split("train"), cache.split("validation"), config)
test = cache.split("test")
score = accuracy(protoviz.predict(probe, test), test.targets())
chance = test.targets().mean(axis=0).max()  # always the commonest class
print(f"best epoch {fitted.best_epoch}")
print(f"test accuracy {100 * score:.0f} %, chance {100 * chance:.0f} %")

# %% [markdown]
# **Predict:** the probe has only heard *which* class a file holds, never *where*. Will its strongest
# prototypes lie on the event?

# %%
i = int(test.table.index[test.table["labels"].str[0] == "siren"][0])
label, waveform = "siren", protoviz.read_audio(test.table.path[i])
batch = test.read(i)
one = probe.explain(batch.tokens, batch.cls, batch.mask).numpy()
number = cache.classes.index(label)
grid = encoders["mini-mae"].cell_grid()
number_of_file = int(Path(test.table.path[i]).stem)
truth = made.events(number_of_file)  # known only because we made the file
strongest = strongest_prototypes(
    one.contributions[0][number], one.scores[0], one.locations[0], grid, k=5, boxes=truth
)
for name, logit in zip(cache.classes, one.logits[0], strict=True):
    print(f"logit of {name:10s} {logit:5.2f}")
spectrogram(waveform, truth, strongest, seconds=4.0)

# %%
prototype_table(strongest)

# %%
cell = grid.box(int(strongest.t[0]), int(strongest.f[0]))
Audio(box_sound(waveform, 16_000, cell), rate=16_000)

# %% [markdown]
# The last column says which of them share some area with the true box. Even where all do, remember notebook
# 05: the maximum over tokens is where the *best match* is, a token has seen its surroundings, and a large
# box is easily hit. A max over tokens is not localisation.
#
# ## Compare poolings and encoders fairly
#
# One run with one rate compares nothing. `compare` searches rates on the validation clips for each method,
# then trains several seeds and scores the test clips.
#
# **Predict:** will random patches with prototypes beat the mini encoder with [cls]?

# %%
methods = ["linear", "protobin + BatchNorm"]
search = FixedRates(epochs=5, batch_size=16, loss="cross_entropy")
frames = []
for name, cache in caches.items():
    _, found = compare(
        cache, methods, 15, search, seeds=(0, 1, 2), prototypes_per_class=10
    )
    frames.append(found.assign(encoder=name, dataset="my_sounds"))
scores = pd.concat(frames, ignore_index=True)
drawn = score_intervals(ranks_with_intervals(scores), chance=float(scores.chance.mean()))
drawn.opts(xlabel="test accuracy, %")

# %% [markdown]
# Read the figure with its intervals: where they meet, the order is open; 64 test clips are few, and the
# intervals are over seeds only. With
# your own recordings, let no recording lie in two splits: the probe would know it by its background.
#
# ## Your sounds as scenes
#
# Files with one label each say nothing about overlapping sounds. Mix them: events are cut from the files of
# one split, so every place is known again.

# %%
sources = recorded_sources(folder / "train", "train")
scene = protoviz.make_scene(seed=2, polyphony=4, sources=sources)
spectrogram(scene.waveform, scene.events)

# %%
Audio(scene.waveform, rate=scene.sample_rate)

# %% [markdown]
# A box is measured from the sound of its event, and these files have noise under the event: so the boxes take
# in the noise too. Record where it is quiet, and boxes fit tighter.
#
# `scene_clips(500, 100, 300, sources={"train": ..., "test": ...})` makes a whole data set of them, for
# `TokenCache` and `compare` as above.
#
# ## A published checkpoint
#
# The architectures of the paper's encoders are built in; their weights are their authors' and are not
# shipped. What there is, under which licence:

# %%
table = pd.DataFrame(encoder_rows())
table = table[table.source.str.startswith("https://")]
table["tokens"] = [f"{times} × {freqs}" for times, freqs in table.cells]
table["source"] = table.source.str.replace("https://", "")
table["source"] = table.source.str.replace("huggingface.co", "hf.co")
columns = {"name": "name", "licence": "licence", "megabytes": "MB", "tokens": "tokens"}
columns["source"] = "source"
shown = table[list(columns)].rename(columns=columns)
shown.style.hide(axis="index").format(precision=0, na_rep="-")

# %% [markdown]
# BEATs and Dasheng have no [cls]; the mean token stands in for it.
#
# Download a file from its page in a browser (or let `load_encoder("eat")` fetch it where there is a network
# and the extra `hub` is installed). Then name the file:
#
# ```python
# encoder = protoviz.load_encoder("eat", weights="~/eat/model.safetensors")
# cache = protoviz.TokenCache.create("runs/eat", encoder, clips)
# ```
#
# From there on every cell above works as it stands. Before you trust the tokens, compare them with features
# that the authors published for a clip (EAT and SSLAM ship one with their code):
#
# ```
# protoviz verify eat test.wav test.npy --weights ~/eat/model.safetensors
# ```
#
# It says how far apart the two token maps are, and whether only rounding stands between them. A
# missing or wrong file says at once what is wrong:

# %%
try:
    protoviz.load_encoder("eat", weights="weights/eat/model.safetensors")
except EncoderError as error:
    print(error)

# %% [markdown]
# Check a licence before you publish results or weights: one of the list is not for commercial use, and one
# encoder's authors give no licence at all.
#
# ## A study of your own
#
# All of the above in one go is a *study*: a folder that says which encoder heard which clips, with the
# trained probes, their scores, and the clips that it shows. It needs neither the data nor the weights to be
# looked at, so it is what you send to a colleague (`protoviz study pack`). Here is one of your sounds, a
# first look with one seed and fixed rates (on the command line: `protoviz study new`). study.toml, which it
# writes, says every setting and its reason.

# %%
own = protoviz.new_study(
    work / "study",
    "mini-mae",
    "folder",
    ["linear", "protobin"],
    root=folder,
    show=8,
    sound=True,
    quick=True,
)
own = protoviz.run_study(own, progress=False)
own.results["results"].groupby("method").score.mean()

# %% [markdown]
# Every figure of the house takes a study: `protoviz.figure(study, NAME)`. With `STUDY` in the first cell this
# one is yours.

# %%
shown = own if STUDY == "demo" else study
study_figure(shown, "spectrogram")

# %% [markdown]
# And so does the explorer, in a window of your browser:
#
# ```python
# server = protoviz.serve(shown)  # server.stop() ends it; in a terminal: protoviz serve runs/mine
# ```
#
# `protoviz export page runs/mine` writes one page of it that works offline, to send.
#
# ## Exercises
#
# **Exercise 09.1** The token maps of AudioSet's balanced set: 18,600 clips, 512 tokens of width 768, in
# float16. How many gigabytes ($10^9$ bytes)?

# %%
answer = ...
check("09.1", answer)

# %% [markdown]
# **Exercise 09.2** Someone's encoder leaves the padded cells of a short clip in the mask (True everywhere).
# What can happen in a prototype probe: `"nothing"`, `"a prototype matches silence"`, or `"training stops"`?

# %%
answer = ...
check("09.2", answer)

# %% [markdown]
# **Exercise 09.3** Write an encoder of your own that has no faults: another width, other patches, another
# front end, whatever you like, but not called `mel-patches`. The answer is the encoder.

# %%
answer = ...
check("09.3", answer)
