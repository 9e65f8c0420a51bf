"""Classes as a user writes them, in modules of her own."""

import re
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "py" / "09_your_own.py"
HEAD = """import torch
from protoviz.audio import FilterBank, log_mel
from protoviz.encoders import Encoder, Encoding


"""


def notebooks_encoder() -> str:
    """Return the text of a module that holds the encoder of notebook 09, MelPatches."""
    text = NOTEBOOK.read_text()
    begin = text.index("class MelPatches(Encoder)")
    end = begin + re.search(r"\n(?=\S)", text[begin:]).start()
    return HEAD + text[begin:end]
