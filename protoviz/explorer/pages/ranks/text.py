"""What the page Ranks says, as small pieces of HTML; every number in it is computed from the shown table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from protoviz.analysis.ranking import DRAWS, LEVEL
from protoviz.explorer.text import count, in_code, plain
from protoviz.figures.style import minus, percent
from protoviz.study import Study
from protoviz.study.form import run_command

SENTENCE = (
    "Encoders ranked by their mean score under each pooling, the best on top: where a line falls or climbs, "
    "the rank says as much about the pooling as about the encoder."
)
UNRANKED = (
    "How well each pooling does on the same frozen tokens, and how the paper’s encoders changed their order "
    "from one pooling to the next."
)
HELP = f"""
An encoder's <b>score</b> under a pooling is the mean over data sets of its mean over runs; ranks order
the encoders by it. <b>Kendall’s τ</b> compares two orders: 1 the same, −1 the reverse. <b>Gain</b> =
score − score of linear. <b>Gap closed</b> = (score − linear) / (fine-tuned − linear), with the fine-tuned
scores that the encoders’ own papers report. <b>Own results</b> carry {percent(LEVEL, 0)} % bootstrap
intervals over the seeds ({DRAWS:,} draws); an encoder whose interval crosses another’s is grey: these runs
do not settle which is better. With three seeds an interval is about their whole range, which is too narrow.
A method <b>beats</b> another on a pair of data set and encoder where its mean is higher by more than one
standard deviation of the other’s seeds.<br>
Source of the published numbers: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, Tables 2 and 3, read
in public notes of the paper (data/paper/README.md); measures after its Figures 5 to 7.
"""
NAMED = 6  # ranks that are not settled: more than that are counted
SIDES = {"own": "This study", "published": "Published"}


def question(numbers: str, rankable: bool) -> str:
    """Return what to find out."""
    if numbers == "published":
        return "Which encoder would you have dropped, had you only seen its rank under one pooling?"
    if rankable:
        return "Which of these ranks would you still expect if every probe were trained again?"
    return "Which pooling gets most out of the same frozen tokens, and is the difference settled?"


def heading(numbers: str, metric: str, dataset: str | None, sets: list[str], encoders: dict[str, str]) -> str:
    """Return over the large chart, and of own numbers what the encoders (name -> what it is) are."""
    one = dataset or (sets[0] if len(sets) == 1 else None)
    over = f"on {plain(one)}" if one else f"mean over {plain(', '.join(sets))}"
    if numbers == "published":
        return f"<b>Published</b> ranks of the paper’s encoders, {metric}, {over}"
    what = "ranks of the encoders" if len(encoders) > 1 else "scores of every pooling"
    return (
        f"<b>Own results</b>: {what}, {plain(metric)}, {over}. <span class='quiet'>{_kinds(encoders)}.</span>"
    )


def _kinds(encoders: dict[str, str]) -> str:
    """What the encoders are; what several have in common is said once."""
    found: dict[str, list[str]] = {}
    for name, told in encoders.items():
        what, _, how = told.partition(" (")
        found.setdefault(what, []).append(f"{name} ({how}" if how else name)
    return "; ".join(f"{plain(what)}: {plain(', '.join(names))}" for what, names in found.items())


def story(moved: pd.DataFrame, ends: tuple[str, str], tau: float, unsure: list[str]) -> str:
    """Return who climbs and who falls between two poolings; a frame of `moves`."""
    first, second = map(plain, ends)
    told = []
    for row, verb, some in (
        (moved.iloc[-1], "falls", moved.up.min() < 0),
        (moved.iloc[0], "climbs", moved.up.max() > 0),
    ):
        if some:
            told.append(f"<b>{plain(row.encoder)}</b> {verb} from rank {row.before} to {row.after}")
    steps = " and ".join(told) if told else "no encoder changes its rank"
    order = minus(f"{tau:.2f}")
    words = f"From {first} to {second}, {steps}. Kendall’s τ between the two orders: {order}."
    if unsure:
        named = ", ".join(map(plain, unsure)) if len(unsure) <= NAMED else f"{len(unsure)} ranks"
        words += f" Not settled by these runs (grey): {named}."
    return words


def one_encoder(names: list[str], study: Study | None) -> str:
    """Return the text that stands where nothing can be ranked, with what adds the rest."""
    if not names:
        return f"There are no scores of whole test sets yet: {_run(study)} makes them."
    return (
        f"This table holds {plain(names[0])} alone, so there is no ranking to draw yet: name another "
        f"encoder in study.toml, and {_run(study)} adds what is missing."
    )


def one_seed(study: Study | None) -> str:
    """Return what stands where each probe was trained once."""
    return (
        "Each probe was trained once, so there are no intervals and no order is settled: name more seeds in "
        f"study.toml, and {_run(study)} trains the rest."
    )


def beside(dataset_count: int) -> str:
    """Return over the published ranking that stands beside a study's own."""
    return (
        f"<b>Published</b>, to compare: the paper’s encoders, mAP, mean over its {dataset_count} data sets. "
        "Other encoders on other clips: compare how lines move, not their height."
    )


def _run(study: Study | None) -> str:
    return in_code(run_command(study.folder if study else Path("FOLDER")))


def made(
    settings: dict, frame: pd.DataFrame, chance: float | None = None, left_out: Sequence[str] = ()
) -> str:
    """Return how the own runs were made, what the dashed line of chance is, and which methods are left
    out.
    """
    runs = settings.get("compare")
    runs = runs if isinstance(runs, dict) else {}
    told = {name: value for name, value in (settings | runs).items() if isinstance(value, int)}
    parts = [
        f"{told['train']:,} training scenes" if "train" in told else "",
        f"{told['test']:,} test scenes" if "test" in told else "",
        f"{told['scenes']:,} test scenes at each number of events" if "scenes" in told else "",
        count(told["epochs"], "epoch") if "epochs" in told else "",
        count(frame.seed.nunique(), "seed"),
    ]
    reduced = " <b>Reduced settings: a first look, not a result.</b>" if settings.get("reduced") else ""
    command = f", <code>{plain(str(settings['command']))}</code>" if "command" in settings else ""
    line = "" if chance is None else f" Dashed: chance, {percent(chance)} %."
    if left_out:
        line += f" Left out, because not every encoder has it: {plain(', '.join(left_out))}."
    return f'<span class="quiet">Made with {", ".join(filter(None, parts))}{command}.{line}</span>{reduced}'


def gains(table: pd.DataFrame | None) -> str:
    """Return over the gains."""
    if table is None:
        return "<b>Gain over linear</b>: this table has no scores of linear."
    means = table.groupby("method", sort=False).gain.mean()
    told = ", ".join(f"{plain(name)} {percent(gain, sign=True)}" for name, gain in means.items())
    who = "mean over encoders" if table.encoder.nunique() > 1 else plain(table.encoder.iloc[0])
    return f"<b>Gain over linear</b>, points; {who}: {told}"


def gap(table: pd.DataFrame) -> str:
    """Return over the published gap; the sentence on EAT only where the table holds it."""
    best = table[(table.dataset == "as20k") & (table.encoder == "EAT") & (table.method == "protobin")]
    told = f": {percent(best.share.iloc[0], 0)} % by protobin for EAT on as20k" if len(best) else ""
    return (
        f"<b>Gap to fine-tuning closed</b>{told}. esc50 and sc2 have one label a clip (accuracy); "
        "the fine-tuned scores are those of the encoders’ own papers."
    )


def wins(table: pd.DataFrame | None, pairs: int) -> str:
    """Return over the own win matrix."""
    if table is None:
        return "<b>Wins</b>: a win needs the deviation over seeds; these runs have one seed each."
    return (
        f"<b>Wins</b> of {count(pairs, 'pair')} of data set and encoder, by more than one standard deviation "
        "of the opponent."
    )
