"""What is chosen in the explorer and what follows from it: param classes without a widget."""

from protoviz.explorer.state.address import open_link, to_link
from protoviz.explorer.state.clip import FIRST_FRESH_SEED, MAX_FILE_MB, MICROPHONE, ClipState
from protoviz.explorer.state.explorer import NO_PROTOTYPE, PAGES, ExplorerState

__all__ = [
    "FIRST_FRESH_SEED",
    "MAX_FILE_MB",
    "MICROPHONE",
    "NO_PROTOTYPE",
    "PAGES",
    "ClipState",
    "ExplorerState",
    "open_link",
    "to_link",
]
