"""Exercises of notebook 06."""

from protoviz.analysis.geometry import corner_sd, welch_bound
from protoviz.course.checks import Exercise, number

AS20K = (527, 10, 768)  # classes, the paper's J there, width
DEMO = (480, 192)  # prototypes of the demo's probes, width


def _packed_bytes() -> float:
    classes, per_class, dim = AS20K
    return classes * per_class * -(-dim // 8)


EXERCISES: dict[str, Exercise] = {
    "06.1": Exercise(
        "What standard deviation do the cosines of random ±1 vectors have at the paper's width, D = 768?",
        number(
            lambda: corner_sd(768),
            5e-4,
            "The cosine is a mean of D independent signs. What happens to the deviation of a mean when D "
            "grows fourfold?",
        ),
    ),
    "06.2": Exercise(
        "How many bytes do protobin's packed prototypes take for as20k: 527 classes, J = 10, D = 768?",
        number(
            _packed_bytes,
            0.5,
            "One bit a weight, eight of them a byte; the classifier and the names are not asked for.",
        ),
    ),
    "06.3": Exercise(
        "480 vectors in 192 dimensions cannot all be orthogonal. What is the smallest root mean square "
        "cosine that they can have?",
        number(
            lambda: welch_bound(*DEMO),
            5e-4,
            "protoviz.analysis.geometry has a bound with a name: Welch's. Random corners are above it.",
        ),
    ),
}
