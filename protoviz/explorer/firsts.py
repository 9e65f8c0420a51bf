"""What pages show first, where a study has chosen it by rule (`protoviz study add FOLDER showing`)."""

from dataclasses import dataclass

from protoviz.explorer.workbench import Workbench
from protoviz.files import slug


@dataclass(frozen=True)
class First:
    """The clip that shows the point of a page; "" where none does. says: the rule; shown: how many of `clips`
    held-out clips keep it.
    """

    clip: str
    says: str
    shown: int
    clips: int


class Firsts:
    """The two probes that validation recommends, and the first clip of each page.

    left, right: names of probes, clip: of the page that is opened first; each "" where the study has chosen
    nothing, or it is not at hand. Use it as `workbench.shared(Firsts)`.
    """

    def __init__(self, bench: Workbench):
        self.left = self.right = self.clip = ""
        self.pages: dict[str, First] = {}
        table = bench.table("showing")
        if table is None or table.empty:
            return
        left, right = (slug(str(table[side].iloc[0])) for side in ("left", "right"))
        if not {left, right} <= set(bench.probes):
            return
        self.left, self.right = left, right
        for row in table.itertuples():
            if row.clip == "" or bench.has(row.clip):
                self.pages[row.page] = First(row.clip, row.says, int(row.shown), int(row.clips))
        self.clip = next((first.clip for first in self.pages.values()), "")
