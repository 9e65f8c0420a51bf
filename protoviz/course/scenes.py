"""The scenes that are shipped: those of the explorer and of every notebook that looks at more than one."""

from protoviz.kept import read_frame
from protoviz.paths import DATA
from protoviz.scenes import Scene, make_scene


def demo_scenes() -> list[Scene]:
    """Return the 32 scenes of the demo, four of each polyphony from 1 to 8, in the order of its table; held
    out.

    Made anew from the seeds in data/demo/clips.parquet: no shipped probe was trained on them.
    """
    clips = read_frame(DATA / "demo" / "clips.parquet")
    return [make_scene(int(seed), int(k)) for seed, k in zip(clips.seed, clips.polyphony, strict=True)]
