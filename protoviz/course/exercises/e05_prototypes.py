"""Exercises of notebook 05."""

from functools import cache

import numpy as np

from protoviz.analysis.what_if import muted_logits
from protoviz.course.checks import Exercise, choice, number
from protoviz.paths import shipped_folder

SEED, POLYPHONY, CLASS = 7, 4, "plucked_string"  # the scene of the notebook, and another class of it


@cache
def _decision() -> tuple[int, float]:
    """The strongest prototype of CLASS in the notebook's scene, and the logit while it is muted (mean)."""
    import protoviz

    probe = protoviz.open_study(shipped_folder() / "demo").probe("protobin")
    encoding = protoviz.load_encoder("mini-mae").encode(protoviz.make_scene(SEED, POLYPHONY).waveform)
    found = probe.explain(encoding.tokens, encoding.cls, encoding.mask, maps=False).numpy()
    row = probe.metadata["classes"].index(CLASS)
    strongest = int(found.contributions[0][row].argmax())
    weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
    means = np.asarray(probe.metadata["mean_scores"])
    return strongest, float(muted_logits(weight, bias, found.scores[0], [strongest], means)[row])


EXERCISES: dict[str, Exercise] = {
    "05.1": Exercise(
        f"Which prototype (its number) adds most to the logit of {CLASS} in this scene?",
        number(
            lambda: _decision()[0],
            0,
            f"A contribution is weight × score. Take the row of {CLASS} in one.contributions[0] and ask for "
            "the place of its largest value; the rank is not the number.",
        ),
    ),
    "05.2": Exercise(
        f"Mute that prototype, its mean score in its place. What is the logit of {CLASS} then?",
        number(
            lambda: _decision()[1],
            0.02,
            "muted_logits gives the logits of all classes; the baseline is means, not 0.",
        ),
    ),
    "05.3": Exercise(
        "The strongest prototype of a class has its max location on an event of the class. What does "
        "that alone show: 'match', 'localisation' or 'cause'?",
        choice(
            "match",
            {
                "localisation": "A maximum lies somewhere in every clip, also where the class is silent.",
                "cause": "Look again at what the score did when the event's cells were left out.",
            },
        ),
    ),
}
