"""The pages of the explorer: one file a page, and one line of `VIEWS`."""

from protoviz.explorer.pages.attention import Attention
from protoviz.explorer.pages.listen import Listen
from protoviz.explorer.pages.orthogonality import Orthogonality
from protoviz.explorer.pages.polyphony import Polyphony
from protoviz.explorer.pages.prototypes import Prototypes
from protoviz.explorer.pages.ranks import Ranks
from protoviz.explorer.pages.view import PageView

VIEWS: dict[str, type[PageView]] = {
    view.key: view for view in (Listen, Attention, Prototypes, Orthogonality, Ranks, Polyphony)
}

__all__ = [
    "VIEWS",
    "Attention",
    "Listen",
    "Orthogonality",
    "PageView",
    "Polyphony",
    "Prototypes",
    "Ranks",
]
