"""Exercises of notebook 01."""

from functools import cache

from protoviz.course.checks import Case, Cases, Exercise, number

POINT = (3.5, 1000.0)  # seconds, hertz
SHORT_S = 3.0
SCENE = (7, 8)  # seed, polyphony


@cache
def _encoder():
    from protoviz.encoders import load_encoder

    return load_encoder("mini-random")  # the geometry is that of every mini encoder


def _cells() -> list[Case]:
    t, f = _encoder().cell_grid().cell(*POINT)
    return [
        Case((t, f)),
        Case((f, t), "The order is (t, f): time first."),
        Case(
            (t, None), "t is right. Rows are equally high in mel, not in hertz: look at `grid.hertz_edges`."
        ),
        Case(
            (None, f), "f is right. A cell lasts `grid.seconds / grid.times` seconds, and the first is t = 0."
        ),
    ]


def _real_cells() -> float:
    encoder = _encoder()
    return int(encoder.mask([round(SHORT_S * encoder.sample_rate)]).sum())


def _together() -> float:
    from protoviz.analysis.overlap import seconds_together
    from protoviz.scenes import make_scene

    scene = make_scene(*SCENE)
    return seconds_together(scene.events, len(scene.waveform) / scene.sample_rate, 3)


EXERCISES: dict[str, Exercise] = {
    "01.1": Exercise(
        "Which cell (t, f) holds the point 3.5 s, 1,000 Hz?",
        Cases(
            _cells,
            "A cell lasts `grid.seconds / grid.times` seconds; its row follows from `grid.hertz_edges`.",
        ),
    ),
    "01.2": Exercise(
        "How many of the 512 cells are real in a clip of 3 s?",
        number(
            _real_cells,
            0,
            "Count the frames that fit (25 ms, every 10 ms), then the columns they reach.",
        ),
    ),
    "01.3": Exercise(
        "During how many seconds of scene 7 with eight events do at least three of them sound at once?",
        number(_together, 0.02, "Sum the stretches of `sounding(...)` whose count is high enough."),
    ),
}
