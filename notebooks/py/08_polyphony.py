# %% [markdown]
# # 08 · Polyphony
#
# **You will** hear scenes fill up, read curves of mAP over the number of events, and tell what the probe
# does from what the measure does.
#
# **Time** 30 minutes · **Needs** 03 · **In the explorer** `make app`, page *Polyphony*:
# `http://localhost:5006/app?page=polyphony`
#
# The curves are own results, in the demo of `mini-mae`, a mini encoder trained on procedural sound. The table
# near the end is the paper's: published, and marked so.

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Audio, display

from protoviz.analysis.detection import Timed, best_thresholds, told_events
from protoviz.analysis.learning import crossings, learning
from protoviz.analysis.polyphony import METRICS, SCALES, labelled_hits, lead, strong
from protoviz.analysis.published import CITATION, published
from protoviz.course import (
    check,
    setup,
    stated,
    study_encoder,
    study_figure,
    study_with,
)
from protoviz.figures import detections, spectrogram
from protoviz.metrics import (
    auroc,
    average_precision,
    calibrated_average_precision,
    random_average_precision,
)
from protoviz.probes import frame_wise
from protoviz.scenes import SCENE_CLASSES, make_scene

STUDY = "demo"  # or your own: the folder of a study, such as "runs/mine"
study = setup(STUDY)

# %% [markdown]
# ## One event, eight events
#
# The *polyphony* $k$ of a scene is the number of its events. Listen first: what do you hear in each?

# %%
one, eight = (make_scene(seed=118, polyphony=k) for k in (1, 8))
for scene in (one, eight):
    print(f"k = {scene.polyphony}:", ", ".join(scene.labels))
    display(Audio(scene.waveform, rate=scene.sample_rate))

# %%
spectrogram(eight.waveform, eight.events)

# %% [markdown]
# A probe gets the same number of tokens for both, 512 in the demo. [cls] is one vector either way: with eight
# events it has to hold eight answers.
#
# ## The first picture
#
# The test scenes are sorted by $k$, and each group is scored by itself. mAP is the mean over classes of the
# average precision. To get it, rank all clips of the group by a class's score, and take the mean of the
# precision at each clip that holds the class,
#
# $$\mathrm{AP} = \frac{1}{P} \sum_{i \,:\, \text{clip } i \text{ holds the class}}
# \frac{\text{clips with the class among the first } i}{i}$$
#
# **Predict:** which probe loses most as scenes fill up? Does any probe *gain*?

# %%
curves = study_with(study, "polyphony_curves")
study_figure(curves, "polyphony_curves")

# %% [markdown]
# Follow `linear` to the right. Did reading one vector get *easier* with more events? Look at the dotted line
# before you believe it.
#
# ## Prevalence moves mAP
#
# The dotted line is **chance**. A random order has an average precision of about the share of clips that
# hold the class, its *prevalence*. With $k$ different events of $C$ classes that is $k / C$.

# %%
classes = len(SCENE_CLASSES)
print(stated("4.2 %", 1 / classes, "k / C with one event"))
print(stated("33.3 %", 8 / classes, "k / C with eight events"))

# %% [markdown]
# It rises from **4.2 %** to **33.3 %** without any probe doing anything. To see that this is the measure and
# not the sound, take an example that fits on a hand. Four clips, ordered by a probe's score; + holds the
# class:
#
# $$+ \; - \; + \; - \qquad \mathrm{AP} = \tfrac12\left(\tfrac11 + \tfrac23\right)$$
#
# Now put nine copies in the place of every −. The scores do not change, nor how well they separate + from −.
# Only the class became rare.
#
# **Predict:** what happens to the AP?

# %%
score, holds = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0])
copies = np.where(holds, 1, 9)
common = score[:, None], holds[:, None]
rare = np.repeat(score, copies)[:, None], np.repeat(holds, copies)[:, None]
print(stated("50 %", common[1].mean(), "prevalence"))
print(stated("0.833", average_precision(*common)[0], "average precision"))
print(stated("0.75", auroc(*common)[0], "area under the ROC curve"))
print("after copying")
print(stated("10 %", rare[1].mean(), "prevalence"))
print(stated("0.591", average_precision(*rare)[0], "average precision"))
print(stated("0.75", auroc(*rare)[0], "area under the ROC curve"))

# %% [markdown]
# At a prevalence of **50 %** the AP is **0.833**, at **10 %** it is **0.591**. The area under the ROC curve,
# which asks in how many pairs of a + and a − the + is higher, is **0.75** both times. So a higher mAP on
# other clips does not mean a better probe. Compare mAP only between probes on the *same* clips.
#
# ## The same curves without chance
#
# Take chance off, and then also what is left above it:

# %%
study_figure(curves, "polyphony_curves", scale="above chance")

# %%
study_figure(curves, "polyphony_curves", scale="normalised")

# %% [markdown]
# On this last scale, (mAP − chance) / (1 − chance), 0 is guessing and 100 % a perfect order, at every $k$.
# What each method gains or loses on the way, on the three scales:

# %%
change = {}
for scale, name in zip(SCALES, ("mAP", "mAP − chance", "normalised"), strict=True):
    told = study_figure(curves, "polyphony_curves", scale=scale).table
    score = told.pivot(index="method", columns="polyphony", values="score")
    first, last = score.columns.min(), score.columns.max()
    change[name] = 100 * (score[last] - score[first])
table = pd.DataFrame(change).loc[told.method.drop_duplicates()]
table.round(1).rename_axis(f"points from k = {first} to {last}")

# %% [markdown]
# Where the first column is positive and the last negative, the measure rose and the probe fell.
#
# A finer point: "about the share" is exact for many clips only. In a finite group a random order does a
# little better, because its first hit counts in full:

# %%
clips = told.drop_duplicates("polyphony").set_index("polyphony")[["clips"]]
clips["share"] = clips.index / classes
exact = [
    random_average_precision(max(1, round(row.share * row.clips)), row.clips)
    for row in clips.itertuples()
]
shares = clips.assign(exact=exact).round(3).rename_axis("events k")
shares.rename(columns={"share": "share k / C", "exact": "random order, exactly"})

# %% [markdown]
# The fewer the clips, the larger the extra: much of what chance is at the left end, little at the right end.
# The dotted line is the share, or this exact mean where `protoviz polyphony` made the table.
#
# ## Measures that prevalence does not move
#
# Instead of taking chance off, one can measure something that prevalence leaves alone. The area under the ROC
# curve is one. The other keeps precision, but asks what it *would* be at one fixed prevalence $\pi_0$. Where
# the class is in a share $\pi$ of the clips, false hits count
#
# $$w = \frac{\pi \, (1 - \pi_0)}{\pi_0 \, (1 - \pi)} \qquad
# \text{precision}_c = \frac{TP}{TP + w \, FP}$$
#
# times: as if every clip without the class were there $w$ times (Siblini et al., 2020). With $\pi_0$ = 10 %
# the four clips from before, of which half hold the class, have $w = 9$. These are the nine copies:

# %%
calibrated = calibrated_average_precision(*common, prevalence=0.1)[0]
print(f"{calibrated:.3f} from the four clips as they are")
print(f"{average_precision(*rare)[0]:.3f} from the clips with copies")

# %% [markdown]
# **Predict:** which of the curves above keep their slope on these two scales?

# %%
drawn = [study_figure(curves, "polyphony_curves", scale=metric) for metric in METRICS]
display(*filter(None, drawn))

# %% [markdown]
# ## Loud and masked
#
# Why does a probe lose events? In a full scene some are loud and some are *masked*. The next figure sorts the
# events by their level against the loudest other event of their scene. An event is found where its class
# scores above all but 5 % of the scenes with as many events that lack the class. So chance is near 5 % in
# every bin, whatever the number of events.
#
# **Predict:** is a probe that finds more events better at loud ones, or at masked ones?

# %%
study_figure(study, "recall_by_loudness")

# %% [markdown]
# ## Did it look at the event?
#
# A probe may name a class for the wrong reason. The *pointing game* asks whether the first place of its map
# lies on the event. For prototypes that is the max location of the one that argues most for the class. For
# *cells* it is the cell that adds most to the class's logit, for attention the cell with most weight.
# Attention has one map for all classes: with $k$ events it cannot be on all of them. What each cell adds
# under that attention is a map for each class again. Chance is the share of the cells that the event
# touches; *loudest cell* needs no probe.

# %%
study_figure(study, "places_by_polyphony")

# %% [markdown]
# The same question to recordings in which people marked when birds sing. The probes learned "bird" from other
# birds, mixed into procedural scenes. People marked times and no bands, so a cell hits where it shares time
# with an event, and chance is high: birds sing most of the time. The intervals are over clips.
#
# **Predict:** which of the three maps does best here, and what does that say about the two others?

# %%
labelled = strong(study.folder)
if len(labelled):
    hits = labelled_hits(labelled).query("measure == 'first'").drop(columns="measure")
    display(
        hits.set_index(["method", "map"]).style.format(
            "{:.1%}", subset=["score", "low", "high", "chance"]
        )
    )
else:
    print(
        "labelled recordings: `protoviz polyphony --strong FOLDER --birds FOLDER` measures them"
    )

# %% [markdown]
# The loudest cell is no model, and where nothing but birds is loud it is hard to beat. It knows nothing of
# the class: in the scenes above, with eight kinds of sound, it is at a loss.

# %% [markdown]
# ## When does it sound?
#
# A probe that learned from labels of whole clips was never told *when*. But each prototype has a similarity
# to every cell, so the same classifier can be asked for one frame at a time: the prototypes' best match *in
# that frame*, times the same weights. `frame_wise` does that. A class is detected where its logit is above a
# threshold, and each class has the one that finds most events, for the fewest false alarms, in 24 other
# scenes.
#
# **Predict:** which of the eight events from above will it find, and will it find where they end?

# %%
made = study_with(study, "scenes", "encoder", "protobin + BatchNorm")
encoder = study_encoder(made)
detector = frame_wise(made.probe("protobin + BatchNorm"))
names, grid = detector.metadata["classes"], encoder.cell_grid()


def over_time(scenes):
    encoding = encoder.encode([scene.waveform for scene in scenes])
    with torch.inference_mode():
        return detector(*encoding.inputs()).numpy()


others = [make_scene(seed, polyphony=6) for seed in range(400, 424)]
scores = over_time(others)
known = Timed(
    names, grid, [scene.events for scene in others], np.ones(scores.shape[:2], bool)
)
thresholds = best_thresholds(scores, known)
(found,) = over_time([eight])
told = told_events(found, thresholds, grid, names)
detections(found, thresholds, grid, names, eight.events, told)

# %% [markdown]
# Frames are what sounds, bars what is detected; the last rows are classes that are not there. Look at the
# long events: are they found whole, or in pieces, where they are most like a prototype? The maximum over a
# clip needs one good cell, and training asked for no more. `protoviz frames` measures how far that goes,
# beside probes that learned from the times of events.
#
# ## Attention or prototypes?
#
# The paper finds attention (`mhca`) ahead where a clip has one label, in most cases, and prototypes
# (`protobin`) ahead where it has many. Its Table 3, first with one label a clip (sc2, esc50: accuracy),
# then with many (as20k: mAP):

# %%
labels = published("labels")
wide = 100 * labels.pivot_table(
    index=["dataset", "encoder"], columns="method", values="score", sort=False
)
eat = (wide.protobin - wide.mhca).xs("EAT", level="encoder")
print(stated("−2.8", eat["sc2"], "protobin minus mhca, EAT on sc2 (published)"))
print(stated("+5.56", eat["as20k"], "protobin minus mhca, EAT on as20k (published)"))
wide["protobin − mhca"] = wide.protobin - wide.mhca
wide.style.format("{:.2f}").set_caption(f"PUBLISHED: {CITATION}, Table 3, %")

# %% [markdown]
# With EAT the lead of `protobin` turns from **−2.8** points of accuracy (one word a clip) to **+5.56**
# points of mAP (many sounds). Do own scenes show the same turn?

# %%
both = study_with(curves, "protobin", "mhca")
every = study_figure(both, "polyphony_curves").table
leads = lead(every, "protobin", "mhca")
one_event, many = leads.iloc[0], leads.iloc[-1]
ahead = {True: "protobin", False: "mhca"}
for row in (one_event, many):
    sure = "" if row.settled else " (intervals cross)"
    points = f"{100 * abs(row.lead):.1f} points{sure}"
    print(f"k = {row.polyphony}: {ahead[row.lead > 0]} leads by {points}")
settled = one_event.settled and many.settled
turns = settled and one_event.lead < 0 < many.lead
seen = "appears" if turns else "does not appear"
print(f"the turn of the paper {seen} in the mini world")
leads["lead"] = (100 * leads.lead).round(1)
leads["settled"] = leads.settled.map({True: "yes", False: "intervals cross"})
leads.set_index("polyphony").rename(columns={"lead": "protobin − mhca, points of mAP"})

# %% [markdown]
# The last line is computed from the curves above, whatever table they are. Where it says that the turn does
# not appear, remember what differs. Here both ends are mAP, a lone event fills few of 512 cells of a long
# clip, and the encoder is a mini. A single event at $k = 1$ is not the same as one *label* of a clip that
# is full of one word. An effect that does not appear is a result too.
#
# ## With more training scenes
#
# The curves above are of probes that learned from one number of scenes. Attention has to learn where to look,
# so it may need more of them. Below, every probe learns from the first so many scenes of one large set, with
# equally many steps at every size and rates searched for each.
#
# **Predict:** with one event a scene, does the lead of one method grow or shrink as scenes are added?

# %%
learned = learning(study.folder)
counts = sorted(learned.events.unique().tolist()) if len(learned) else [None]
drawn = [study_figure(study, "learning_curves", events=events) for events in counts]
display(*filter(None, drawn))

# %%
if len(learned):
    display(crossings(learned, "protobin + BatchNorm", "mhca").round(3))

# %% [markdown]
# The table says for each number of events which method leads with the most scenes (`leader`), from how many
# on (`clips`; empty: from the fewest), its lead with the fewest and the most, and whether the intervals stay
# apart with the most (`settled`).
#
# ## Exercises
#
# **Exercise 08.1** What is chance at $k = 6$, in percent?

# %%
answer = ...
check("08.1", answer)

# %% [markdown]
# **Exercise 08.2** In + − + −, put four copies in the place of every −. What is the AP?

# %%
answer = ...
check("08.2", answer)

# %% [markdown]
# **Exercise 08.3** Table 3 has five pairs of an encoder and a data set with one label a clip. In how many
# is `mhca` ahead of `protobin`?

# %%
answer = ...
check("08.3", answer)
