"""Experiments: what to run -> token maps -> rates -> seeds -> scores -> a study.

    run_grid(read_grid("grid.toml"))        # here or on Dask; stopped, it goes on
    run_recipe(read_recipe("poolings"))     # the same, and the files of a shipped experiment
    compare(cache, ["linear", "mhca"])      # token maps at hand, a few rates

Optuna's search and Dask need the extra `benchmark`, and are imported where they are used.
"""

from protoviz.experiments.comparison import compare
from protoviz.experiments.rates import FixedRates, SearchConfig

__all__ = ["FixedRates", "SearchConfig", "compare"]
