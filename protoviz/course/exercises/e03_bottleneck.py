"""Exercises of notebook 03."""

from functools import cache

from protoviz.course.checks import Exercise, choice, number

CELLS = (3, 2)  # columns and rows that the short event of 03.1 fills


def _share() -> float:
    return CELLS[0] * CELLS[1] / (64 * 8)


@cache
def _scores():
    """Own runs of mini-mae on scenes of mixed polyphony: a row a method and seed."""
    from protoviz.analysis.results import results

    frame = results()
    chosen = (frame.source == "poolings") & (frame.encoder == "mini-mae") & (frame.polyphony == 0)
    return frame[chosen & (frame.dataset == "mixed")]


def _gain() -> float:
    mean = _scores().groupby("method").score.mean()
    return 100 * float(mean["protobin"] - mean["mhca"])


EXERCISES: dict[str, Exercise] = {
    "03.1": Exercise(
        "An event fills 3 columns and 2 rows of the 64 × 8 cells. What is its share of the mean token?",
        number(_share, 5e-4, "The share of the mean is m / N: the event's cells over all cells."),
    ),
    "03.2": Exercise(
        "Four events sound at once. Which pooling describes all of them by one weighted mean of the tokens: "
        "linpre, abmilp, mhca or protobin?",
        choice(
            "abmilp",
            {
                "linpre": "It takes a maximum for every class: each class may have a cell of its own.",
                "mhca": "Nearly: but each of its heads has weights of its own, so it takes several means.",
                "protobin": "It takes a maximum for every prototype, and averages nothing.",
            },
        ),
    ),
    "03.3": Exercise(
        "How many points of mAP does protobin lie above mhca on mixed scenes (mini-mae, mean over seeds)?",
        number(_gain, 0.06, "Take the mean over seeds for each method, subtract, and multiply by 100."),
    ),
}
