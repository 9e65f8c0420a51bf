"""A study: a folder, or one file, that shows encoders on data sets without the data and the weights.

study = open_study("runs/mine")     # or a file of `protoviz study pack`
study.results["results"]            # tables, without torch
study.clips["mine"].array("tokens") # token maps (b n d) of the shown clips
study.probe("protobin")             # a trained probe
"""

from protoviz.study.check import Finding, check_study, wrong
from protoviz.study.form import Facts, StudyError
from protoviz.study.pack import pack_study
from protoviz.study.study import ShownClips, Study, open_study
from protoviz.study.tables import Tables

__all__ = [
    "Facts",
    "Finding",
    "ShownClips",
    "Study",
    "StudyError",
    "Tables",
    "check_study",
    "open_study",
    "pack_study",
    "wrong",
]
