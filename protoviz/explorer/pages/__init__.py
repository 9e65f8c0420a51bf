"""The pages of the explorer: one file a page, called as its key in `PAGES`."""

from importlib import import_module

from protoviz.explorer.pages.view import PageView
from protoviz.explorer.state import PAGES


def _view(key: str) -> type[PageView]:
    """Return the page that is written in the file of that name."""
    file = import_module(f"{__name__}.{key}")
    return next(
        one
        for one in vars(file).values()
        if isinstance(one, type) and issubclass(one, PageView) and one.__module__ == file.__name__
    )


VIEWS: dict[str, type[PageView]] = {key: _view(key) for key in PAGES}

__all__ = ["VIEWS", "PageView"]
