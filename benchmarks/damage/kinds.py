"""Every kind of file that the project reads, and which kinds each part of it that writes files is held by."""

import sys
from pathlib import Path

# The tests' small encoders, clips and copies of data sets are made for this as well.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from benchmarks.damage import models, pages, sounds, studies, tables, work

KINDS = {kind.name: kind for room in (sounds, models, work, tables, pages, studies) for kind in room.KINDS}

# Files that are never read again by anything here: for people, for other programs, or marks of a writer.
UNREAD = ("*.html", "*.tex", "*.md", "*.csv", "*.lock", "*.png")

# A module that writes files -> the kinds that hold what it writes; (): none of it is read again, or it only
# hands on what others ask it to write.
WRITERS = {
    "audio.reading": (),
    "experiments.cells": ("grid cells",),
    "experiments.tables": ("grid tables",),
    "experiments.work": ("grid cells", "grid probes", "scored cells"),
    "experiments.tuning": ("grid cells",),
    "experiments.written": ("grid TOML",),
    "cache.checking": ("cache",),
    "cache.cutting": ("cache",),
    "cache.encode": ("cache", "cache begun"),
    "cache.files": (),
    "cache.meta": ("cache", "cache begun"),
    "cache.shard": ("cache", "cache begun"),
    "cli.data": (),
    "cli.notebooks": (),
    "course.what_if": (),
    "experiments.adding": ("demo",),
    "experiments.demo": ("demo", "results"),
    "experiments.curves": ("results",),
    "experiments.detecting": ("results",),
    "experiments.marks": ("grid tables",),  # sealed as these are, and made again where damaged
    "experiments.tokens": ("results",),
    "experiments.layers": ("results",),
    "experiments.polyphony.recipe": ("results",),
    "experiments.polyphony.strong": ("results",),
    "encoders.weights": ("mini weights", "pre-training"),
    "experiments.keeping": ("study", "packed study"),
    "experiments.opening": ("study",),
    "datasets.folder.writing": (),
    "export.study_page": (),
    "cli.taking": (),
    "explorer.offers": (),
    "figures.saving": (),
    "export.copies": ("notebook copies",),
    "export.course": (),
    "export.running": ("kept notebooks",),
    "experiments.journal": ("search journal", "grid journal"),
    "files": (),
    "kept": (),
    "pretraining": ("mini weights", "pre-training"),
    "pretraining.loop": ("pre-training",),
    "pretraining.scene_store": ("scene store",),
    "probes.check": (),
    "probes.storage": ("probes",),
    "report.regions": (),
    "report.writing": (),
    "study.form": ("study",),
    "study.pack": ("packed study",),
    "study.tables": (),
    "training.checkpoint": ("checkpoints",),
}

# Studies hold a digest of each file, which `check_study` compares; tests/test_study.py harms them.
STUDIES = {"experiments.written", "experiments.keeping", "study.form", "study.pack", "study.tables"}
