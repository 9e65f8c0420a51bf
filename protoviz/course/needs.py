"""What a lesson needs of a study: where a study lacks it, a sentence says what adds it, and nothing fails.

A figure then stays away. What later cells compute with is the demo's instead, and the sentence says so.
"""

from collections.abc import Callable

import pandas as pd

from protoviz.analysis.results import results, sources, whole_sets
from protoviz.course.studied import study_clip, study_encoder, study_method
from protoviz.encoders import EncoderError
from protoviz.figures.of_study import FIGURES, Figure, figure
from protoviz.study import Study, StudyError, open_study
from protoviz.study.form import add_command, run_command

DEMO, INSTEAD = "demo", "Until then, the demo is shown here."


def study_with(study: Study, *needs: str) -> Study:
    """Return the study, or the demo where it lacks one of `needs`; then a sentence says so.

    needs: "attention", "encoder" (ready for new sound), "events" (boxes in time and frequency), "prototypes",
    "scenes", "sound"; the title of a method whose probe it has; a name of FIGURES.
    """
    try:
        for need in needs:
            _CHECKS.get(need, _figure if need in FIGURES else _probe)(study, need)
    except (StudyError, EncoderError) as error:
        demo = open_study(DEMO)
        if study.folder.samefile(demo.folder):
            raise
        print(f"{_sentence(error)} {INSTEAD}")
        return demo
    return study


def study_figure(study: Study, name: str, **options) -> Figure | None:
    """Return `protoviz.figure(study, name)`; None, after a sentence, where the study lacks what it draws."""
    try:
        return figure(study, name, **options)
    except StudyError as error:
        print(_sentence(error))
        return None


def study_results(study: Study, *methods: str, source: str = "") -> pd.DataFrame:
    """Return the scores over whole test sets of one table of a study, of its first encoder there.

    methods: those that it needs; the demo's table is returned, after a sentence, where the study has not all
    of them. source: the table to prefer where there are several.
    """
    frame = whole_sets(results(study.folder))
    for name in sources(frame, source) if len(frame) else ():
        rows = frame[frame.source == name]
        rows = rows[rows.encoder == rows.encoder.iloc[0]]
        if set(methods) <= set(rows.method):
            return rows
    demo = open_study(DEMO)
    what = f"scores of {', '.join(methods)}" if methods else "scores"
    error = StudyError(
        f"{study.folder} has no {what}: name them in study.toml, and {run_command(study.folder)}"
    )
    if study.folder.samefile(demo.folder):
        raise error
    print(f"{_sentence(error)} Here, the demo stands in for it.")
    return study_results(demo, *methods, source=source)


def _sentence(error: Exception) -> str:
    return f"{str(error).splitlines()[0].rstrip('.:;')}."


def _attention(study: Study, need: str) -> None:
    clip = study_clip(study)
    if not clip.keeps_attention:
        raise StudyError(
            f"{study.folder} keeps no attention by {clip.encoder}: {add_command(study.folder, 'attention')} "
            "adds it, where the encoder has any"
        )


def _events(study: Study, need: str) -> None:
    clip = study_clip(study)
    if study.datasets[clip.dataset].knows != "boxes" or not clip.events:
        raise StudyError(
            f"{clip.dataset} of {study.folder} does not say where events lie in time and frequency: a "
            "folder with tables of events does (`protoviz study new --data folder`)"
        )


def _scenes(study: Study, need: str) -> None:
    if not any(study.datasets[name].made for name in study.clips):
        raise StudyError(
            f"{study.folder} shows no scenes, whose every event is known: `protoviz study new FOLDER --data "
            "scenes` makes a study of them"
        )


def _probe(study: Study, need: str) -> None:
    clip = study_clip(study)
    if (clip.dataset, clip.encoder, need) not in study.probes:
        raise StudyError(
            f"{study.folder} has no probe of {need}: name it in study.toml, and {run_command(study.folder)}"
        )


def _figure(study: Study, need: str) -> None:
    figure(study, need)


_CHECKS: dict[str, Callable[[Study, str], object]] = {
    "attention": _attention,
    "encoder": lambda study, need: study_encoder(study),
    "events": _events,
    "prototypes": lambda study, need: study_method(study),
    "scenes": _scenes,
    "sound": lambda study, need: study_clip(study).waveform,
}
