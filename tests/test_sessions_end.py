"""What a visit took is given back when it ends: pages, models, an own file, watchers."""

import gc
import time
import weakref

import numpy as np
import panel as pn
import pytest
import torch
import waiting
from bokeh.client import pull_session
from page_bench import small_bench, wav, write_demo
from serving import shown

from benchmarks import soak
from protoviz.explorer.frame import Frame
from protoviz.explorer.pages import PAGES
from protoviz.explorer.session import ExplorerState
from protoviz.processes import spawned

QUICK = {"unused_session_lifetime_milliseconds": 100, "check_unused_sessions_milliseconds": 100}


def watchers() -> int:
    """How many callbacks Panel's state, which outlives every session, holds."""
    kinds = pn.state.param.watchers.values()
    return sum(len(found) for by_name in kinds for found in by_name.values())


def test_a_closed_session_gives_everything_back():
    """In a process of its own: pytest keeps what is logged, and with it what the records name."""
    with spawned(1, torch.set_num_threads, 1) as pool:
        assert pool.submit(left_behind).result() == []


def left_behind() -> list[str]:
    """Visit every page with an own file, leave, and name what is still there half a minute later."""
    bench, opened, kept, ended = small_bench(), [], [], []

    def one_page():
        frame = Frame(ExplorerState(bench))
        frame.state.open_file("a.wav", wav(np.full(16000 * 25, 0.1, np.float32)))
        for key in PAGES:
            frame.state.page = key
        pn.state.curdoc.on_session_destroyed(lambda _: ended.append(True))
        kept.extend(map(weakref.ref, [frame, frame.state, *frame.views.values(), frame.page]))
        opened.append(frame)
        return frame.page

    before = watchers()
    with shown(one_page, **QUICK) as address:
        session = pull_session(url=address)
        waiting.until(lambda: opened[0].state.own_file)
        kept.append(weakref.ref(opened[0].state.own_file))
        opened.clear()
        session.close()
        del session
        waiting.until(lambda: ended)
        for _ in range(30):
            gc.collect()
            found = [type(one()).__name__ for one in kept if one() is not None]
            found += ["watchers"] * (watchers() - before)
            if not found:
                break
            time.sleep(1)
    return found


@pytest.mark.slow
def test_two_hundred_visits_and_five_large_uploads_leave_the_memory_flat(tmp_path):
    write_demo(tmp_path / "demo")
    found = soak.curve(visits=200, every=20, uploads=5, PROTOVIZ_DATA=str(tmp_path))
    assert soak.grown(found) <= soak.FLAT, found
    assert soak.kept(found) < soak.UPLOAD_MB, found
