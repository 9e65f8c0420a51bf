"""What the section on the gap to fine-tuning says; every number in it is computed."""

import pandas as pd

from protoviz.analysis.published import CITATION
from protoviz.explorer.text import in_code, plain
from protoviz.figures.style import percent
from protoviz.study import Study
from protoviz.study.form import run_command

SENTENCE = (
    "Fine-tuning changes all weights of the encoder. How much of its lead over linear is there in the frozen "
    "tokens already, for another pooling to find?"
)
QUESTION = "How much of the gap to fine-tuning is pooling?"
HELP = """
Share = (score − linear) / (fine-tuned − linear), of mean scores over seeds: 0 where a probe scores as linear,
1 where it scores as the fine-tuned encoder, negative below linear. Drawn is every encoder and data set on
which fine-tuning beats linear. The encoder is trained with a linear layer on its [cls], on the training clips
of the probes; its rate is searched on the validation clips, and one seed is run.<br>
Source of the measure: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, figure 2; its fine-tuned scores are
those of the encoders’ own papers.
"""


def lacking(study: Study | None) -> str:
    """Return what stands where no encoder was fine-tuned, with what adds one."""
    if study is None:
        return "No encoder was fine-tuned here."
    run = in_code(run_command(study.folder))
    return (
        f"No encoder of this study was fine-tuned: write <code>fine_tune = true</code> into "
        f"{plain(str(study.folder / 'study.toml'))}, and {run} adds it (on a processor an hour or two)."
    )


def measured(table: pd.DataFrame) -> str:
    """Return what the best method closes of each gap; a frame of `own_gap`."""
    if table.empty:
        return "Fine-tuning beats linear nowhere in this table, so there is no gap to close."
    told = []
    for (encoder, dataset), rows in table.groupby(["encoder", "dataset"], sort=False):
        best = rows.loc[rows.share.idxmax()]
        where = f"{plain(encoder)} on {plain(dataset)}"
        told.append(f"<b>{plain(best.method)}</b> closes {percent(best.share, 0)} % for {where}")
    return f"{'; '.join(told)}. The fine-tuned encoder has one seed."


def published(share: float) -> str:
    """Return the paper's share, marked as such."""
    return (
        f'<span class="quiet"><b>Published</b>, to compare: {percent(share, 0)} % by protobin for EAT on '
        f"as20k ({CITATION}). Another encoder on other clips.</span>"
    )
