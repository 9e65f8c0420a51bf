"""Who runs the tasks of a grid: this process, or the workers of a Dask cluster."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from uuid import uuid4

import torch

from protoviz.cache import CacheInUseError
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.work import run_task
from protoviz.files import full_disk
from protoviz.named import install_hint
from protoviz.processes import keep_memory, release_memory, without_script
from protoviz.progress import Listener, Progress, silent

# Of the workers that we start. What they hold is a task's own, which Dask could not put on the disk: at these
# shares of its limit a worker would only stand still. Above the last one (0.95) it is ended, as before.
MEMORY = {f"distributed.worker.memory.{share}": False for share in ("target", "spill", "pause")}
PATIENCE = 0.5  # s between two looks at a cell that another process is working on


Ended = Callable[[Task, str | None, int], None]  # task, its error or None, workers that are there


class Here:
    """This process, which runs tasks in their order; what fails is noted and the rest goes on.

    A cell that another process is working on goes to the end of the queue, and is then waited for. `ended` is
    called after each; `progress` hears what is at work.
    """

    def __init__(self, cells: Cells, tasks: Sequence[Task], ended: Ended, progress: Listener = silent):
        self.cells, self.ended, self.progress, self.queue = cells, ended, progress, deque(tasks)
        self.left = {task.key for task in tasks}
        self.failed: dict[str, str] = {}
        self.tries: Counter[str] = Counter()

    def run(self) -> None:
        idle = 0
        while self.queue:
            task = self.queue.popleft()
            idle = 0 if self._got_on(task) else idle + 1
            if idle and idle >= len(self.queue):
                time.sleep(PATIENCE)
                idle = 0

    def _got_on(self, task: Task) -> bool:
        """Whether anything happened; a task that has to wait goes to the end of the queue."""
        if any(key in self.left for key in (*task.needs, *task.after)):
            self.queue.append(task)  # what it needs is being worked on elsewhere
            return False
        if error := _cause(task, self.failed):
            self.cells.note_failure(task, error)
            return self._ended(task, error)
        self.progress(Progress(text=str(task)))
        try:
            run_task(self.cells, task, self.progress)
        except CacheInUseError:
            self.queue.append(task)
            return False
        except Exception as error:  # an entry's code may raise anything, and the other cells go on
            if full_disk(error):  # no cell's fault, and each of them would meet it
                raise
            self.tries[task.key] += 1
            if self.tries[task.key] > self.cells.grid.retries:
                return self._ended(task, _said(error))
            self.queue.appendleft(task)
            return True
        return self._ended(task, None)

    def _ended(self, task: Task, error: str | None) -> bool:
        if error:
            self.failed[task.key] = error
        self.left.discard(task.key)
        self.ended(task, error, 1)
        return True


def _cause(task: Task, failed: dict[str, str]) -> str | None:
    key = next((key for key in task.needs if key in failed), None)
    if key is None:
        return None
    said = failed[key]
    return said if said.startswith("not run: ") else f"not run: {key} failed with {said}"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


# -- Dask


@contextmanager
def cluster_client(where: str, workers: int, grid: Grid) -> Iterator:
    """Yield a Dask client: where is "local", "slurm", or the address of a scheduler that runs already.

    local: `workers` processes on this machine, restarted when they die. slurm: as many jobs, with the options
    of the grid's table [slurm] (`dask_jobqueue.SLURMCluster`). The folder of the grid has to be on a file
    system that every worker sees.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise GridError(f"a cluster needs Dask: {install_hint('benchmark')}") from error
    if where == "local":
        # The dashboard at a free port, of this machine only: it may show what a grid is about.
        settings = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": "ERROR"}
        uses = [entry.use for entry in (*grid.datasets, *grid.encoders)] + [one.probe for one in grid.probes]
        with (
            nullcontext() if any(use.startswith("__main__:") for use in uses) else without_script(),
            dask.config.set(MEMORY),
            LocalCluster(n_workers=workers, processes=True, **settings) as cluster,
            Client(cluster) as client,
        ):
            yield client
    elif where == "slurm":
        with slurm_cluster(grid) as cluster, Client(cluster) as client:
            cluster.scale(jobs=workers)
            yield client
    else:
        with Client(where, timeout="30s") as client:
            yield client


def slurm_cluster(grid: Grid):
    """Return the SLURMCluster of the grid's table [slurm], without workers yet."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise GridError(f"SLURM needs dask-jobqueue: {install_hint('slurm')}") from error
    if not {"cores", "memory"} <= set(grid.slurm):
        raise GridError("[slurm] has to say cores and memory of a job, such as cores = 4, memory = '32GB'")
    # One task at a time in a worker, which has all cores of its job for itself.
    arguments = [*grid.slurm.get("worker_extra_args", []), "--nthreads", "1"]
    told = [f"export DASK_{name.replace('.', '__').upper()}={value}" for name, value in MEMORY.items()]
    prologue = [*grid.slurm.get("job_script_prologue", []), *told]
    return SLURMCluster(**{**grid.slurm, "worker_extra_args": arguments, "job_script_prologue": prologue})


def threads_a_worker(where: str, workers: int, grid: Grid) -> int:
    """Return torch's threads in each worker; 0: what the workers of a running cluster have set themselves."""
    if where == "local":
        return max(1, torch.get_num_threads() // workers)
    return grid.slurm["cores"] // grid.slurm.get("processes", 1) if where == "slurm" else 0


def run_on_dask(cells: Cells, tasks: Sequence[Task], ended: Ended, client, threads: int = 0) -> None:
    """Run the tasks on a cluster's workers; what fails is noted and the rest goes on.

    A task is lost with its worker and run again on another, where it goes on from the files that are there;
    Dask gives up a task that has taken four workers with it. threads: of torch in each worker; 0: its own
    setting.
    """
    from distributed import as_completed

    call, futures, by_key = uuid4().hex[:8], {}, {}
    running, waiting = as_completed(raise_errors=False), {task.key: task for task in tasks}

    def submit(over: set[str]) -> None:
        """Give the scheduler what it may run, which knows `needs` itself, and not `after`."""
        known = {task.key for task in tasks}
        for task in [one for one in waiting.values() if over.issuperset(known.intersection(one.after))]:
            del waiting[task.key]
            future = futures[task.key] = client.submit(
                _on_worker,
                (cells.grid, str(cells.folder.absolute())),
                task,
                threads,
                *[futures[key] for key in task.needs if key in futures],
                key=f"{task.key}-{call}",  # of this call: a task is known to be done by its files
                retries=cells.grid.retries,
                pure=False,
            )
            by_key[future.key] = task
            running.add(future)

    failed: dict[str, str] = {}
    over: set[str] = set()
    submit(over)
    for future in running:
        task, error = by_key[future.key], None
        if future.status != "finished":
            fault = future.exception() or RuntimeError(future.status)
            if full_disk(fault):
                raise fault
            error = _cause(task, failed) or _said(fault)
            failed[task.key] = error
            cells.note_failure(task, error)
        ended(task, error, len(client.nthreads()))
        over.add(task.key)
        submit(over)


_cells: dict[tuple, Cells] = {}  # of a worker process: encoders and clip tables stay between tasks


def _on_worker(place: tuple[Grid, str], task: Task, threads: int, *_needs: None) -> None:
    if threads:
        torch.set_num_threads(threads)
    key = repr(place)
    if key not in _cells:
        keep_memory()
        _cells.clear()
        _cells[key] = Cells(*place)
    try:
        while True:
            try:
                return run_task(_cells[key], task)
            except CacheInUseError:  # another driver's worker is at it: then its files will be there
                time.sleep(PATIENCE)
    finally:
        release_memory()
