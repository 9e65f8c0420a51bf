"""Exercises of notebook 07."""

from protoviz.analysis.published import published
from protoviz.analysis.ranking import gap_closed, rank_agreement, ranks
from protoviz.course.checks import Exercise, choice


def _swapped() -> int:
    """Pairs of published encoders in another order under protobin than under linear."""
    ranking = ranks(published())
    tau = rank_agreement(ranking).set_index(["first", "second"]).tau["linear", "protobin"]
    return round(_pairs() * (1 - tau) / 2)


def _pairs() -> int:
    count = published().encoder.nunique()
    return count * (count - 1) // 2


def _swapped_hint(answer) -> str | None:
    count = float(answer)
    if count == _swapped():
        return None
    if count == _pairs() - _swapped():
        return "These are the pairs that keep their order."
    return "Two lines of the picture that cross are one such pair; and agree + disagree = all pairs."


def _share_hint(answer) -> str | None:
    scores, tuned = published("labels"), published("finetuning")
    shares = gap_closed(scores, tuned).query("dataset == 'as20k' and method == 'protobin'")
    shares = 100 * shares.set_index("encoder").share
    score = scores.query("dataset == 'as20k' and encoder == 'SSLAM' and method == 'protobin'").score.item()
    whole = 100 * score / tuned.query("dataset == 'as20k' and encoder == 'SSLAM'").score.item()
    value = float(answer)
    if abs(value - shares["SSLAM"]) <= 0.1:
        return None
    if abs(value - shares["SSLAM"] / 100) <= 0.001:
        return "The right share; give it in percent."
    if abs(value - whole) <= 0.1:
        return "That is a share of the fine-tuned score. The gap starts at linear, not at zero."
    if abs(value - shares["SSLAM"]) <= 0.6:
        return "Close: give one decimal."
    if abs(value - shares["EAT"]) <= 0.1:
        return "That is EAT's."
    return "Take linear from both the score and the fine-tuned score, then divide; the frame `gap` has it."


EXERCISES: dict[str, Exercise] = {
    "07.1": Exercise(
        "How many pairs of encoders stand in another order under protobin than under linear?", _swapped_hint
    ),
    "07.2": Exercise(
        "What share of the gap does protobin close for SSLAM on as20k (percent, one decimal)?",
        _share_hint,
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
