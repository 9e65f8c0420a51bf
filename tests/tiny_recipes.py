"""The shipped recipes on so few scenes that a test can run them."""

from collections.abc import Sequence

from protoviz.experiments.grid import Grid
from protoviz.experiments.recipe import read_recipe


def quick(seeds: Sequence[int] = (0, 1), batch_size: int = 8, per_class: int = 1, epochs: int = 1) -> dict:
    """One epoch of everything."""
    search = {"epochs": 1, "batch_size": batch_size}
    return {"seeds": list(seeds), "epochs": epochs, "prototypes_per_class": per_class, "search": search}


def demo_grid(name: str = "demo", probes: Sequence[str] = ("linear", "protobin", "mhca"), **recipe) -> Grid:
    """One of the recipes on the demo's scenes."""
    sizes = {"mixed": {"options": {"train": 24, "validation": 12, "test": 24}}}
    if name == "poolings":
        sizes["one event"] = {"options": {"train": 16, "validation": 8, "test": 8}}
    changes = quick(batch_size=128, per_class=2, epochs=2) | ({"recipe": recipe} if recipe else {})
    return read_recipe(name, **changes, encoders=["mini-random"], probes=list(probes), datasets=sizes)


def polyphony_grid(
    sizes: tuple[int, int, int, int],
    places: int,
    probes: Sequence[str],
    encoders: Sequence[str] | dict = ("mini-random",),
    seeds: Sequence[int] = (0, 1),
) -> Grid:
    """The recipe "polyphony"; sizes: of training, validation, test, and events at most."""
    options = dict(zip(("train", "validation", "test", "nested"), sizes, strict=True))
    return read_recipe(
        "polyphony",
        **quick(seeds),
        probes=list(probes),
        encoders=encoders if isinstance(encoders, dict) else list(encoders),
        scores={"places": {"scenes": places}},
        datasets={"procedural": {"options": options}},
    )


def strong_grid(encoder: str, labelled, birds: list) -> Grid:
    """The recipe "strong" on eight scenes."""
    options = {"train": 8, "validation": 4, "test": 4, "recordings": list(map(str, birds))}
    return read_recipe(
        "strong",
        **quick(seeds=(0,)),
        probes=["protobin + BatchNorm"],
        encoders=[encoder],
        scores={"events": {"labelled": str(labelled)}},
        datasets={"birds": {"options": options}},
    )


def frames_grid(**changes) -> Grid:
    """The recipe "frames" on a few scenes."""
    sizes = {"mixed": {"options": {"train": 4, "validation": 4, "test": 6}}}
    changes |= {"scores": {"frames": {"points": 8}}}
    probes = ["linear_frames", "protobin_frames", "protobin"]
    return read_recipe("frames", **quick(seeds=(0,)), probes=probes, datasets=sizes, **changes)
