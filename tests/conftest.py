"""What every test may use, and what makes its result its own: one thread, fixed seeds, no clock."""

import os

# Small arrays on a busy machine: threads that wait for each other cost many times the work.
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded; child processes inherit it

from pathlib import Path

import pytest
import torch
from golden_names import ENCODER_FILES
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from protoviz.processes import cores

UI = "tests/ui/"

SHARED = Path(__file__).resolve().parents[2] / "shared"

# The same examples in every run, and as much time as they take: a busy machine fails no test.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.hookimpl(optionalhook=True)  # pytest -p no:xdist
def pytest_xdist_auto_num_workers():
    """One process a core that may be used; each holds torch and its arrays, so not more than four."""
    return min(cores(), 4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # keep the order below
    return OneProcess(config, log)


class OneProcess(LoadFileScheduling):
    """A file stays in one process with what it builds once; so do all files that drive the browser."""

    def _split_scope(self, nodeid: str) -> str:
        return UI if nodeid.startswith(UI) else super()._split_scope(nodeid)


def pytest_collection_modifyitems(items):
    """The longest piece of work begins: started last, it would keep one process busy alone."""
    items.sort(key=lambda item: not item.nodeid.startswith(UI))


@pytest.fixture(scope="session")
def shared():
    """A function: path below the shared folder -> Path, or a skip that names what is absent."""

    def find(relative: str) -> Path:
        path = SHARED / relative
        if not path.exists():
            pytest.skip(f"needs ../shared/{relative}, which is not beside this checkout")
        return path

    return find


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """A folder as data/, with a small demo to be served."""
    from page_bench import write_demo

    place = tmp_path_factory.mktemp("shown")
    write_demo(place / "demo")
    return place


@pytest.fixture
def golden():
    """A function: name below the encoders' golden files -> Path."""
    return lambda name: ENCODER_FILES / name


@pytest.fixture(autouse=True)
def _one_of_many():
    """Each test begins with the same seed, and leaves this process as it was."""
    torch.manual_seed(0)
    before = _settings()
    yield
    after = _settings()  # libraries add variables of their own to the environment as they are loaded
    torch.set_num_threads(before["threads"])  # no later test of this process fails for this one
    assert [name for name, value in before.items() if after.get(name) != value] == [], "changed by this test"


def _settings() -> dict:
    """What later tests would work under."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"} | {
        "folder": Path.cwd(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
    }


@pytest.fixture(scope="session")
def three_studies(tmp_path_factory):
    """`three_studies.Three`, made once for the whole run."""
    from three_studies import make_three

    return make_three(tmp_path_factory.mktemp("three"))
