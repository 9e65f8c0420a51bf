"""A cache may be larger than the memory: what was read of it is nobody's, and a limit on workers holds."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cache_fakes import FakeEncoder, fake_clips
from grid_fakes import GRID, write_grid

from protoviz.cache import DamagedCacheError, TokenCache
from protoviz.experiments.grid import read_grid
from protoviz.experiments.run import run_grid

TESTS = Path(__file__).parent
READS = """
import json, sys
import psutil
from protoviz.cache import TokenCache
cache, process = TokenCache.open(sys.argv[1]), psutil.Process()
for batch in cache.batches(size=2, seed=0):
    pass
before = process.memory_info().rss
total = sum(float(batch.cls.double().sum()) for batch in cache.batches(size=2, seed=1))
print(json.dumps([process.memory_info().rss, process.memory_info().rss - before, total]))
"""


def reading(folder: Path) -> tuple[int, float, float]:
    """Bytes that a new process holds after reading a whole cache; those of a second pass; the sum of cls."""
    made = subprocess.run(
        [sys.executable, "-c", READS, str(folder)], capture_output=True, text=True, check=True
    )
    return tuple(json.loads(made.stdout))


@pytest.mark.slow
def test_what_was_read_of_a_cache_does_not_count_as_a_process_s_memory(tmp_path):
    caches = {}
    for count in (4, 100):
        encoder = FakeEncoder(grid=(64, 8), dim=1024)
        caches[count] = TokenCache.create(tmp_path / str(count), encoder, fake_clips(count), progress=False)
    held = {count: reading(tmp_path / str(count)) for count in caches}
    assert caches[100].nbytes > 100e6
    assert held[100][0] - held[4][0] < caches[100].nbytes / 4
    wanted = sum(float(caches[100].read(row).cls.double().sum()) for row in range(100))
    assert held[100][2] == pytest.approx(wanted)


def test_a_shard_that_shrinks_while_it_is_open_is_an_error_and_not_the_end(tmp_path):
    cache = TokenCache.create(tmp_path, FakeEncoder(), fake_clips(8), progress=False)
    before = cache.read(range(8))
    (shard,) = (tmp_path / "shards").glob("*.npy")
    os.truncate(shard, shard.stat().st_size - 5)
    np.testing.assert_array_equal(cache.read(range(7)).tokens, before.tokens[:7])
    with pytest.raises(DamagedCacheError, match=shard.name):
        cache.read(7)


@pytest.mark.slow
def test_a_grid_runs_on_a_cache_larger_than_its_workers_may_hold(tmp_path):
    """On a cluster that runs already, whose limits are not ours to set."""
    from distributed import LocalCluster

    text = GRID.replace('tiny = { use = "grid_fakes:tiny" }', 'tiny = { use = "grid_fakes:wide" }')
    text = text.replace("[datasets.bells]", "[datasets.bells]\noptions = { count = 3200 }")
    grid = read_grid(write_grid(tmp_path, text))
    grid = replace(grid, datasets=grid.datasets[:1], encoders=grid.encoders[:1], probes=grid.probes[:1])
    limit = 760 * 2**20
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, memory_limit=limit, dashboard_address=None, silence_logs="ERROR"
    )
    with cluster:
        frames = run_grid(grid, tmp_path / "run", cluster.scheduler_address, progress=False)
    held = sum(path.stat().st_size for path in (tmp_path / "run").rglob("shards/*.npy"))
    assert held > limit
    assert len(frames["results"]) == len(grid.seeds)
