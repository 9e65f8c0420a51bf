"""What a recipe leaves of a finished grid, by name."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from protoviz.named import find

if TYPE_CHECKING:
    from protoviz.experiments.cells import Cells
    from protoviz.experiments.grid import Grid

RECIPES = {
    "demo": "protoviz.experiments.demo:Demo",
    "poolings": "protoviz.experiments.demo:Poolings",
    "per-class": "protoviz.experiments.demo:PerClass",
    "polyphony": "protoviz.experiments.polyphony.recipe:Polyphony",
    "strong": "protoviz.experiments.polyphony.strong:Strong",
    "frames": "protoviz.experiments.detecting:Detections",
    "curves": "protoviz.experiments.curves:Curves",
    "tokens": "protoviz.experiments.tokens:Tokens",
    "layers": "protoviz.experiments.layers:Layers",
}


@dataclass(frozen=True)
class Recipe(ABC):
    """What is written of a finished grid. Its fields are its options."""

    name: ClassVar[str]

    def spread(self, grid: "Grid") -> "Grid":
        """Return the grid that is run, of what its file says; of that grid itself it is the same."""
        return grid

    def begin(self, grid: "Grid") -> None:  # noqa: B027 - most have nothing to refuse
        """Raise what would stand in the way at the end, before any work."""

    @abstractmethod
    def finish(self, cells: "Cells", frames: dict[str, pd.DataFrame], folder: Path) -> None:
        """Write the files into `folder`; frames: of `run_grid`."""


def recipe_class(name: str) -> type[Recipe]:
    """Return the class of a name in RECIPES; ValueError for another."""
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return find(RECIPES[name], Recipe, ValueError, "MyRecipe")
