"""Names that a page, a terminal or a browser could take for more than text, and a demo full of them."""

import copy
from dataclasses import replace
from functools import cache

import pandas as pd
import torch
from page_bench import clips, small_bench, small_table

from protoviz.analysis.results import results
from protoviz.explorer import workbench
from protoviz.explorer.pages.polyphony import state as polyphony
from protoviz.explorer.pages.ranks import state as ranks
from protoviz.explorer.workbench import Workbench
from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES, make_scene

HOSTILE = (
    "<img src=http://h.example/x.png onerror='injected=1'><b>bold</b>&amp;",
    "</script><script>injected=1</script><!--<script>",
    "![i](http://h.example/x.png) [a](http://h.example) *x* `c`",
    r"$$\frac{1}{2}$$ and \(x\) and \[y\]",
    ":material/home: and :material/delete@size=3em:",
    "[red]x[/red] [link=http://h.example]y[/link]",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "turned \u202egpj.wav",
    "one\ntwo\r\tthree",
    "nothing\0after",
    "long " * 100,
    "👩‍👩‍👧 é",
    "{label} %s {0} @tip $x @{a}",
    "alike_name",
    "alike name",
)
FILES = (*HOSTILE, "no bytes \udcff of a letter.wav")


def put_names(patch) -> Workbench:
    """A workbench whose classes, probes, encoder and note are so called; `patch` does scenes and results."""
    name = dict(zip(SCENE_CLASSES, HOSTILE * len(SCENE_CLASSES), strict=False))

    def scene(*chosen, **options):
        made = make_scene(*chosen, **options)
        return replace(made, events=tuple(replace(e, label=name[e.label]) for e in made.events))

    @cache
    def table(key):
        frame = small_table(key)
        return None if frame is None else frame.replace({c: name for c in {"label", "favourite"} & {*frame}})

    found = renamed_results()
    patch.setattr(workbench, "make_scene", scene)
    for module in (ranks, polyphony):
        patch.setattr(module, "results_of", lambda study: found)
    encoder = copy.copy(small_bench().encoder)
    encoder.name = HOSTILE[0]
    torch.manual_seed(3)
    probes = {}
    for key, title in zip(("linear", "protobin", "proto"), HOSTILE[:1] * 2 + HOSTILE[3:4], strict=True):
        probes[key] = build_probe(key, encoder.dim, len(HOSTILE), encoder.grid)
        probes[key].metadata.update(title=title, seed=4)
    listed = clips().assign(title=HOSTILE[:6])
    return Workbench(encoder, probes, HOSTILE, listed, HOSTILE[4], tables=table)


def renamed_results() -> pd.DataFrame:
    """The shipped results under other names."""
    frame, kept = results(), {"linear", "protobin", "mhca"}

    def names(column: str) -> dict[str, str]:
        return dict(zip(sorted(set(frame[column]) - kept), HOSTILE, strict=False))

    return frame.replace({column: names(column) for column in ("encoder", "dataset", "method")})
