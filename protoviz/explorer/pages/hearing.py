"""What the pages share on which one hears where prototypes found their best match."""

import pandas as pd

from protoviz.explorer import text as words
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.widgets.player import Player


class HearingView(PageView):
    """A page with numbered prototypes and a `player`, which plays the cell of each."""

    player: Player

    def numbered(self) -> pd.DataFrame:
        """Return `strongest_prototypes` of the chosen class, as the page numbers them."""
        return self.state.strongest()

    def hear(self, prototype: int) -> None:
        """Choose a prototype and play the sound of the cell in which it found its best match."""
        state = self.state
        state.prototype = prototype
        sound, start = state.sound_of(prototype)
        said = words.cell(prototype, state.cell_of(prototype))
        self.player.play_cell(sound, state.reading.sample_rate, start, said)

    def hear_rank(self, rank: int | None) -> None:
        """Play the same by its number, as a key says it; do nothing if the page has no such number."""
        rows = self.numbered()
        found = rows.prototype[rows["rank"] == rank]
        if len(found):
            self.hear(int(found.iloc[0]))
