"""Experiments: what to run -> token maps -> rates -> seeds -> scores -> a study.

    run_grid(read_grid("grid.toml"))                  # here or on Dask; stopped, it goes on
    compare(cache, ["linear", "mhca"], config, work)  # a few rates, one data set and encoder

The search needs the extra `benchmark`: what uses it is imported by module (`.grid`, `.run`).
"""

from protoviz.experiments.comparison import CompareConfig, Runs, compare, epochs_of, score_rows

__all__ = ["CompareConfig", "Runs", "compare", "epochs_of", "score_rows"]
