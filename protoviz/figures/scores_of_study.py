"""Figures of a study's scores by name: ranks, gains, intervals, wins, curves over polyphony, prototypes,
training scenes and layers.
"""

from collections.abc import Sequence

import pandas as pd

from protoviz.analysis import layers, polyphony
from protoviz.analysis.learning import learning
from protoviz.analysis.pruning import chosen_counts, class_needs, pruned_means
from protoviz.analysis.ranking import comparable_methods, gains, ranks_with_intervals, win_matrix
from protoviz.analysis.results import gaps, per_class, results, results_of, sources, whole_sets
from protoviz.analysis.significance import critical_difference
from protoviz.analysis.tables import BASELINE, RankingError
from protoviz.analysis.views import by_views
from protoviz.figures import ranks
from protoviz.figures.asked import Asked, OfEncoder, OfGroup, OfProbe, OfTable
from protoviz.figures.by_layer import MEASURES, classes_by_layer, scores_by_layer, tokens_by_layer
from protoviz.figures.critical import critical_diagram
from protoviz.figures.curves import learning_curves, per_class_curves, views_curves
from protoviz.figures.polyphony import places_by_polyphony, polyphony_curves, recall_by_loudness
from protoviz.figures.probe_of_study import Made
from protoviz.figures.pruning import prototypes_needed, pruning_curves
from protoviz.study import Study, StudyError
from protoviz.study.form import add_command, run_command


def ranking(study: Study, asked: OfTable) -> Made:
    """Return `bump_chart` and its frame."""
    table = ranks_with_intervals(_whole(study, asked))
    if table.encoder.nunique() < 2:
        raise StudyError(
            f"a ranking needs two encoders, and this table has {table.encoder.iloc[0]} alone: add one to "
            f"study.toml, and {run_command(study.folder)}"
        )
    return ranks.bump_chart(table, table.method.drop_duplicates().tolist(), dark=asked.dark), table


def scores(study: Study, asked: OfTable) -> Made:
    """Return `score_intervals` and its frame."""
    rows = _whole(study, asked)
    table = ranks_with_intervals(rows)
    chance = float(rows.groupby("dataset").chance.first().mean())
    return ranks.score_intervals(table, chance, asked.dark), table


def gained(study: Study, asked: OfTable, baseline: str = BASELINE) -> Made:
    """Return `gain_bars` and its frame."""
    table = _rankable(gains, _whole(study, asked), baseline)
    return ranks.gain_bars(table, dark=asked.dark, baseline=baseline), table


def closed(study: Study, asked: OfTable) -> Made:
    """Return `gap_bars` of own runs and its frame."""
    found = gaps(results_of(study))
    if not found:
        raise StudyError(
            f"{study.folder} has no fine-tuned encoder: `fine_tune = true` in study.toml and "
            f"{run_command(study.folder)} add it"
        )
    table = found[_one_of(list(found), asked.source, "table of fine-tuned scores")]
    if asked.dataset is not None:
        table = table[table.dataset == _one_of(table.dataset.unique(), asked.dataset, "data set")]
    if table.empty:
        raise StudyError("fine-tuning does not beat linear in these scores, so there is no gap to close")
    return ranks.gap_bars(table, dark=asked.dark), table


def wins(study: Study, asked: OfTable) -> Made:
    """Return the figure `win_matrix` and its frame."""
    table = _rankable(win_matrix, _whole(study, asked))
    return ranks.win_matrix(table, dark=asked.dark), table.rename_axis("method").reset_index()


def critical(study: Study, asked: OfTable) -> Made:
    """Return `critical_diagram` and the average ranks."""
    found = _rankable(critical_difference, _whole(study, asked))
    return critical_diagram(found, dark=asked.dark), found.ranks.reset_index()


def by_polyphony(study: Study, asked: OfGroup, source: str | None = None, scale: str = "score") -> Made:
    """Return `polyphony_curves` of one encoder and its frame; scale: one of VIEWS, group: of GROUPS."""
    frame = results_of(study)
    frame = frame[frame.polyphony > 0]
    if frame.empty:
        raise _lacking(study, "scores by polyphony", add_command(study.folder, "polyphony"))
    frame = frame[frame.source == _one_of(polyphony.polyphony_tables(frame), source, "table of scores")]
    frame = _of_one(study, frame, asked)
    frame = frame[frame.metric == polyphony.metric_of(_one_of(list(polyphony.VIEWS), scale, "scale"))]
    if frame.empty:
        raise StudyError(f"these scores have no {polyphony.VIEWS[scale]}: choose another scale or source")
    table = polyphony.curves(polyphony.grouped(frame, asked.group), scale)
    return polyphony_curves(table, polyphony.VIEWS[scale], asked.dark), table


def by_loudness(study: Study, asked: OfGroup) -> Made:
    """Return `recall_by_loudness` of one encoder and its frame."""
    frame = polyphony.loudness(study.folder)
    if frame.empty:
        raise _lacking(study, "events by their level", "`protoviz polyphony`, for scenes,")
    frame = polyphony.grouped(_of_one(study, frame, asked), asked.group)
    table = polyphony.recall_curves(frame)
    return recall_by_loudness(table, asked.dark), table


def places(study: Study, asked: OfGroup) -> Made:
    """Return `places_by_polyphony` of one encoder and its frame."""
    frame = polyphony.localisation(study.folder)
    if frame.empty:
        raise _lacking(study, "places by polyphony", "`protoviz polyphony`, for scenes,")
    frame = _of_one(study, frame[frame.measure == "first"], asked)
    table = polyphony.grouped(frame, asked.group)
    return places_by_polyphony(table, dark=asked.dark), table


def by_prototypes(study: Study, asked: Asked) -> Made:
    """Return `per_class_curves` and its frame."""
    if "per-class" not in study.results or "per_class" not in study.results["per-class"]:  # a grid's has none
        raise _lacking(study, "scores by prototypes a class", "`protoviz per-class`, for scenes,")
    table = per_class(study.folder)
    return per_class_curves(table, asked.dark), table


def pruned(study: Study, asked: OfProbe) -> Made:
    """Return `pruning_curves` of one method over seeds and its frame."""
    rows = _pruned(study, asked)
    table = pruned_means(rows)
    return pruning_curves(table, chosen_counts(rows), asked.dark), table


def needed(study: Study, asked: OfProbe) -> Made:
    """Return `prototypes_needed` of one method and its frame."""
    table = class_needs(_pruned(study, asked))
    return prototypes_needed(table, asked.dark), table


def by_training(study: Study, asked: Asked, events: int | None = None) -> Made:
    """Return `learning_curves` of one number of events (the least if absent), and its frame."""
    if "curves" not in study.results:
        raise _lacking(study, "learning curves", "`protoviz curves`, for scenes,")
    table = learning(study.folder)
    table = table[table.encoder == table.encoder.iloc[0]]
    there = sorted(table.events.unique().tolist())
    events = there[0] if events is None else events
    if events not in there:
        raise StudyError(f"there are no learning curves at {events} events; there are some at {there}")
    return learning_curves(table, events, asked.dark), table[table.events == events]


def by_views_kept(study: Study, asked: Asked) -> Made:
    """Return `views_curves` and its frame."""
    if "views" not in study.results:
        raise _lacking(study, "scores by views", "`python -m benchmarks views`, in a checkout,")
    table = by_views(study.results["views"])
    return views_curves(table, asked.dark), table


def by_layer(study: Study, asked: Asked, measure: str = "common") -> Made:
    """Return `tokens_by_layer` of one of its measures, and its frame."""
    if measure not in MEASURES:
        raise StudyError(f"there is no measure {measure!r}; there are {', '.join(MEASURES)}")
    there = [name for name in ("layers-spread", "tokens-spread") if name in study.results]
    table = study.results[there[0]] if there else pd.DataFrame()
    if measure not in table:
        raise _lacking(study, "measures of tokens by layer", "`protoviz layers`, for scenes,")
    return tokens_by_layer(table[table.clips == table.clips.max()], measure, asked.dark), table


def scored_by_layer(
    study: Study, asked: Asked, method: str | None = None, events: int = layers.WHOLE
) -> Made:
    """Return `scores_by_layer` of one method and its frame; events: of scenes with so many, 0: of all."""
    if "layers" not in study.results:
        raise _lacking(study, "scores by layer", "`protoviz layers`, for scenes,")
    table = layers.by_layer(study.results["layers"], events)
    if not (singles := layers.of_layers(table)):
        there = sorted(study.results["layers"].events.unique().tolist())
        raise StudyError(f"there are no scores by layer at {events} events; there are some at {there}")
    table = table[table.method == _one_of(singles, method, "method")]
    return scores_by_layer(table, asked.dark), table


def classes_read(study: Study, asked: Asked, method: str | None = None, encoder: str | None = None) -> Made:
    """Return `classes_by_layer` of one encoder and method, and its frame."""
    if "layers-classes" not in study.results:
        raise _lacking(study, "classes by layer", "`protoviz layers`, for scenes,")
    table = layers.classes_by_layer(study.results["layers-classes"])
    table = table[table.encoder == _one_of(table.encoder.drop_duplicates().tolist(), encoder, "encoder")]
    table = table[table.method == _one_of(layers.of_layers(table), method, "method")]
    return classes_by_layer(table, dark=asked.dark), table


# -- which rows


def _pruned(study: Study, asked: OfProbe) -> pd.DataFrame:
    """The rows of one pruned method, on one data set by one encoder where the table names them."""
    table = study.results["pruning"] if "pruning" in study.results else pd.DataFrame()
    for column in ("dataset", "encoder", "method") if len(table) else ():
        if column in table:
            names = table[column].drop_duplicates().tolist()
            table = table[table[column] == _one_of(names, getattr(asked, column), column)]
    if table.empty:
        own = f'`scores = ["pruning"]` in study.toml and {run_command(study.folder)}'
        raise _lacking(study, "pruned probes", f"`protoviz per-class`, for scenes, or {own},")
    return table


def _whole(study: Study, asked: OfTable) -> pd.DataFrame:
    """The scores over whole test sets of one table, of methods that all encoders have."""
    frame = whole_sets(results(study.folder))
    if frame.empty:
        raise _lacking(study, "scores", run_command(study.folder))
    frame = frame[frame.source == _one_of(sources(frame), asked.source, "table of scores")]
    if asked.dataset is not None:
        frame = frame[frame.dataset == _one_of(frame.dataset.unique(), asked.dataset, "data set")]
    return frame[frame.method.isin(comparable_methods(frame))]


def _of_one(study: Study, frame: pd.DataFrame, asked: OfEncoder) -> pd.DataFrame:
    """The rows of one encoder (the study's own first) and one data set."""
    names = frame.encoder.drop_duplicates().tolist()
    own = [name for name in study.encoders if name in names]
    frame = frame[frame.encoder == _one_of([*own, *names], asked.encoder, "encoder")]
    return frame[frame.dataset == _one_of(sorted(frame.dataset.unique()), asked.dataset, "data set")]


def _rankable(made, *given):
    try:
        return made(*given)
    except RankingError as error:
        raise StudyError(str(error)) from error


def _one_of(names: Sequence[str], name: str | None, kind: str) -> str:
    if name is not None and name not in names:
        raise StudyError(f"there is no {kind} {name!r}; there are {', '.join(dict.fromkeys(names))}")
    return names[0] if name is None else name


def _lacking(study: Study, what: str, command: str) -> StudyError:
    return StudyError(f"{study.folder} has no {what}: {command} makes them")
