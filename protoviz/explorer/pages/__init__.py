"""The pages of the explorer: one file a page, and one line of `VIEWS`."""

from protoviz.explorer.pages.listen import Listen
from protoviz.explorer.pages.prototypes import Prototypes
from protoviz.explorer.pages.view import PageView

VIEWS: dict[str, type[PageView]] = {view.key: view for view in (Listen, Prototypes)}

__all__ = ["VIEWS", "Listen", "PageView", "Prototypes"]
