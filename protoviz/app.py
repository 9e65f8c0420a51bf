"""The explorer's door: `panel serve protoviz/app.py`."""

from protoviz.explorer.page import explorer

explorer().servable()
