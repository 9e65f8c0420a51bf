"""The benchmark: poolings compared on one cache, and the grid of data sets, encoders and probes.

    compare(cache, ["linear", "mhca"], config, work)  # a few rates, one data set and encoder: the demo
    run_grid(read_grid("grid.toml"))                  # Optuna, seeds, one machine or many

The grid needs the extra `benchmark` and is imported by module: protoviz.benchmark.grid, .run.
"""

from protoviz.benchmark.comparison import CompareConfig, Runs, compare, epochs_of, score_rows

__all__ = [
    "CompareConfig",
    "Runs",
    "compare",
    "epochs_of",
    "score_rows",
]
