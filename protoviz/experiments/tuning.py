"""The task of a grid that fine-tunes an encoder: the reference that its probes are held to."""

import shutil
from dataclasses import asdict

import numpy as np

from protoviz.datasets.clips import SPLITS
from protoviz.encoders.devices import device_named
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.spent import Spent, scored, versions
from protoviz.kept import write_json
from protoviz.progress import Listener, Progress
from protoviz.training import SoundData, fine_tune, predict


def tune(cells: Cells, task: Task, progress: Listener) -> None:
    """Search the rate, train by it with the first seed, score the test clips; killed, it goes on.

    It is trained, chosen and scored on the clips of the probes, without their further views.
    """
    pair, config = cells.of(task), cells.of(task).tuning
    place = {clip: row for row, clip in enumerate(pair.clips.table["clip"])}
    rows = {name: [place[clip] for clip in cells.split(task, name).table["clip"]] for name in SPLITS}
    kept = cells.checkpoints(task)
    with Spent() as spent:
        encoder = pair.encoder.to(device_named(cells.grid.device))
        tuned = fine_tune(
            encoder,
            pair.clips,
            config,
            kept,
            rows=rows,
            say=lambda text: progress(Progress(text=f"{task}, {text}")),
        )
        test = SoundData(pair.clips, np.array(rows["test"]))
        logits = predict(tuned.probe, test, config.batch_size)
    tried, cost = config.search_epochs * len(config.rates), spent.record()
    share = tried / (tried + config.epochs)  # of the time: epochs are alike
    score, budget = float(tuned.trials.score.max()), asdict(config)
    best = {"lr": tuned.lr, "prototype_lr": config.head_lr, "weight_decay": config.weight_decay}
    trials = tuned.trials.astype(object).where(tuned.trials.notna(), None).to_dict("records")
    found = {"best": best, "score": score, "budget": budget, "epochs": tried, "trials": trials}
    clips = min(config.clips, len(rows["train"])) + len(rows["validation"])
    found |= {"search_seconds": round(share * cost["seconds"], 3), "clips": clips}
    write_json(cells.search_file(task), {**found, **cost})
    row = {
        **{"dataset": task.dataset, "encoder": task.encoder, "probe": task.probe, "method": task.probe},
        "parameters": sum(weights.numel() for weights in tuned.probe.parameters()),
        "maps": pair.maps_key,
        **best,
        "search_score": score,
        "search_epochs": tried,
        "encode_seconds": 0.0,
        "search_seconds": found["search_seconds"],
        "train_seconds": round((1 - share) * cost["seconds"], 3),
        "peak_mb": cost["peak_mb"],
        "train_clips": len(rows["train"]),
        "device": encoder.device.type,
        "config": {**asdict(config.fit(tuned.lr, config.epochs)), "seed": None, "search": budget},
        "versions": versions(),
        "seed": config.seed,
        **scored(tuned.result, logits, test.targets(), pair.loss),
        "classes": list(pair.clips.classes),
    }
    write_json(cells.seed_file(task, config.seed), row)
    shutil.rmtree(kept, ignore_errors=True)
