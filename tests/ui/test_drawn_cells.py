"""The numbered cells that a browser draws, of three studies, beside kept tokens and prototypes."""

import random
import threading

import numpy as np
import panel as pn
import pytest
import torch
import waiting
from serving import shown

from protoviz.explorer.frame import Frame
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies

TRIPLES = 50  # of clip, class and prototype
ALIKE = 2e-3  # halves of kept tokens and floats of fresh ones may swap two cells that match so alike
# [[prototype, left, bottom, cells high]] as the browser holds them.
DRAWN = """(() => {
  const {prototype, left, bottom, top} = model("cells").data
  return Array.from(prototype, (j, i) => [j, left[i], bottom[i], top[i] - bottom[i]])
})()"""


@pytest.mark.parametrize("name", ["demo", "eat", "own"])
def test_drawn_cells_are_where_kept_tokens_and_prototypes_match_best(open_page, three_studies, name):
    studies = Studies(three_studies)
    choice, _ = studies.choose({"study": name})
    bench, study = studies.bench(choice), studies.study(name)
    clips, facts = study.clips[choice.data], study.encoders[choice.encoder]
    probe = study.probe("protobin", choice.encoder, choice.data)
    draw, frames, documents, checked = random.Random(7), [], [], 0

    def page():
        documents.append(pn.state.curdoc)
        frames.append(Frame(ExplorerState(bench), studies, choice))
        return frames[-1].page

    with shown(page) as address:
        opened = open_page(address)
        state, view = frames[-1].state, frames[-1].view
        while checked < TRIPLES:
            clip = draw.choice(clips.table["clip"].tolist())
            change(documents[-1], state, clip, draw.choice(bench.classes))
            sent = view.spectrogram.cells.data["prototype"]
            opened.until(lambda sent=sent: [row[0] for row in opened.tell(DRAWN)] == list(sent))
            opened.settle()
            cosines = cosines_by_hand(clips, probe, choice.encoder, clip)
            for prototype, left, bottom, height in opened.tell(DRAWN):
                column = round(left / (facts.cells.seconds / facts.grid[0]))
                cell, wanted = column * facts.grid[1] + round(bottom / height), cosines[:, prototype]
                assert wanted[cell] == pytest.approx(wanted.max(), abs=ALIKE)
                second, first = np.sort(wanted)[-2:]
                assert first - second <= ALIKE or cell == wanted.argmax()
                checked += 1


def change(document, state, clip: str, class_name: str) -> None:
    """Choose as a page does: with the document's lock, and sent when all of it is done."""
    done = threading.Event()

    def choose():
        state.choose_clip(clip)
        state.param.update(class_name=class_name, right="protobin")
        done.set()

    document.add_next_tick_callback(choose)
    assert done.wait(waiting.PATIENCE)


def cosines_by_hand(clips, probe, encoder: str, clip: str) -> np.ndarray:
    """Cosines (n j) of kept tokens and prototypes, by the tokens and the probe's own weights alone."""
    row = clips.row(clip)
    tokens, mask = (np.array(clips.array(name, encoder)[row]) for name in ("tokens", "mask"))
    with torch.no_grad():
        latent = probe.latent.numpy()
    signs = np.where(latent >= 0, 1.0, -1.0)
    lengths = np.linalg.norm(tokens.astype(float), axis=1, keepdims=True)
    cosines = (tokens / np.maximum(lengths, 1e-12)) @ (signs / np.sqrt(signs.shape[1])).T
    return np.where(mask[:, None], cosines, -np.inf)
