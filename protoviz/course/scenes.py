"""The scenes that are shipped: those of the explorer and of every notebook that looks at more than one."""

from protoviz.paths import DATA
from protoviz.scenes import Scene, make_scene
from protoviz.study import open_study


def demo_scenes() -> list[Scene]:
    """Return the 32 scenes of the demo, four of each polyphony from 1 to 8, in the order of its table; held
    out.

    Made anew from their seeds: no shipped probe was trained on them.
    """
    clips = next(iter(open_study(DATA / "demo").clips.values())).table
    return [make_scene(int(seed), int(k)) for seed, k in zip(clips.seed, clips.polyphony, strict=True)]
