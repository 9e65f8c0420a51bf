"""What a process that has nothing but packed studies reads of them."""

import ast
import subprocess
import sys
from pathlib import Path

LOOK = """
import sys
import numpy as np, torch
import protoviz

def look(path):
    study = protoviz.open_study(path)
    same, attention, sounds = [], {}, 0
    for row in study.results["shown"].itertuples():
        clips = study.clips[row.dataset]
        at, probe = clips.row(row.clip), study.probe(row.method, row.encoder, row.dataset)
        maps = [np.array(clips.array(name, row.encoder)[at : at + 1]) for name in ("tokens", "cls", "mask")]
        tokens, cls, mask = map(torch.from_numpy, maps)
        out = probe.explain(tokens.float(), cls=cls.float(), mask=mask)
        pairs = [(out.logits, row.logits), (out.scores, row.scores), (out.locations, row.locations)]
        same.append(all(mine is None or mine[0].tolist() == list(kept) for mine, kept in pairs))
    for name, clips in study.clips.items():
        for encoder in clips.encoders:
            found = clips.array("attention", encoder)
            attention[name, encoder] = None if found is None else found.shape
        heard = [clips.sound(clip) for clip in clips.table["clip"]]
        sounds += sum(one is not None and float(np.abs(one[0]).max()) > 0 for one in heard)
    return {"rows": len(same), "same": all(same), "attention": attention, "sounds": sounds,
            "scores": study.results["results"]["score"].tolist(), "imported": sorted(sys.modules)}

print([look(path) for path in sys.argv[1:]])
"""


def looked_at(folder: Path, *studies: Path) -> list[dict]:
    """Return of each study: rows of its table of what probes said, whether they are the same when computed
    again, attention (data set, encoder) -> shape, clips with sound, test scores, and what was imported.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *map(str, studies)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return ast.literal_eval(done.stdout)
