"""Exercises of notebook 07."""

from protoviz.analysis.published import published
from protoviz.analysis.ranking import gap_closed, rank_agreement, ranks
from protoviz.course.checks import Case, Cases, Exercise, choice


def _swapped() -> int:
    """Pairs of published encoders in another order under protobin than under linear."""
    ranking = ranks(published())
    tau = rank_agreement(ranking).set_index(["first", "second"]).tau["linear", "protobin"]
    return round(_pairs() * (1 - tau) / 2)


def _pairs() -> int:
    count = published().encoder.nunique()
    return count * (count - 1) // 2


def _counts() -> list[Case]:
    kept = Case((_pairs() - _swapped(),), "These are the pairs that keep their order.")
    return [Case((_swapped(),)), kept]


def _shares() -> list[Case]:
    scores, tuned = published("labels"), published("finetuning")
    shares = gap_closed(scores, tuned).query("dataset == 'as20k' and method == 'protobin'")
    shares = 100 * shares.set_index("encoder").share
    score = scores.query("dataset == 'as20k' and encoder == 'SSLAM' and method == 'protobin'").score.item()
    whole = 100 * score / tuned.query("dataset == 'as20k' and encoder == 'SSLAM'").score.item()
    right = float(shares["SSLAM"])
    of_score = "That is a share of the fine-tuned score. The gap starts at linear, not at zero."
    return [
        Case((right,), within=0.1),
        Case((right / 100,), "The right share; give it in percent.", 0.001),
        Case((whole,), of_score, 0.1),
        Case((right,), "Close: give one decimal.", 0.6),
        Case((float(shares["EAT"]),), "That is EAT's.", 0.1),
    ]


EXERCISES: dict[str, Exercise] = {
    "07.1": Exercise(
        "How many pairs of encoders stand in another order under protobin than under linear?",
        Cases(
            _counts,
            "Two lines of the picture that cross are one such pair; and agree + disagree = all pairs.",
        ),
    ),
    "07.2": Exercise(
        "What share of the gap does protobin close for SSLAM on as20k (percent, one decimal)?",
        Cases(
            _shares,
            "Take linear from both the score and the fine-tuned score, then divide; the frame `gap` has it.",
        ),
    ),
    "07.3": Exercise(
        "What do two intervals that meet say about the order?",
        choice(
            "not settled",
            {
                "a is better": "Draw the seeds once more and B may lead: look at where the intervals lie.",
                "they are equal": "Not seeing a difference is not the same as there being none.",
            },
        ),
    ),
}
