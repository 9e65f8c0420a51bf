"""Exercises of notebook 09."""

from protoviz.course.checks import Case, Cases, Exercise, choice

CLIPS, CELLS, WIDTH = 18_600, 512, 768  # of AudioSet's balanced set under a ViT-Base, as the exercise says


def _gigabytes() -> list[Case]:
    from protoviz.cache.files import row_dtype

    right = CLIPS * row_dtype(CELLS, WIDTH, "float16").itemsize / 1e9
    return [
        Case((right,), within=0.15),
        Case((2 * right,), "A number in float16 takes two bytes, not four.", 0.4),
        Case((right / 2,), "A number in float16 takes two bytes, not one.", 0.2),
    ]


def _encoder_hint(answer) -> str | None:
    from protoviz.encoders import Encoder
    from protoviz.encoders.check import check_encoder, failures

    if not isinstance(answer, Encoder):
        return f"{type(answer).__name__} is no Encoder: write class Mine(protoviz.encoders.Encoder)."
    found = failures(check_encoder(answer))
    if found:
        return f"First of {len(found)}, {found[0].name}: {found[0].says}."
    if answer.name == "mel-patches":
        return "It has no faults, but it is the notebook's own: change something, and its name."
    return None


EXERCISES: dict[str, Exercise] = {
    "09.1": Exercise(
        "How many gigabytes are 18,600 token maps of 512 × 768 in float16?",
        Cases(_gigabytes, "clips × tokens × width × bytes a number, divided by a billion."),
    ),
    "09.2": Exercise(
        "What can happen where padded cells are left in the mask?",
        choice(
            "a prototype matches silence",
            {
                "nothing": "The maximum runs over every cell that the mask lets through.",
                "training stops": "Nothing is infinite there: training goes on, and that is the trap.",
            },
        ),
    ),
    "09.3": Exercise("An encoder of your own without faults.", _encoder_hint),
}
