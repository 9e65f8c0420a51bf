"""Many visits to a server of several processes."""

import pytest
from serving import Served
from test_served import TWO, open_all

from protoviz.paths import data_folder


@pytest.mark.slow
def test_twenty_opens_of_every_page_by_several_processes(tmp_path, open_page):
    running = Served(tmp_path, *TWO, PROTOVIZ_DATA=str(data_folder()))
    try:
        for _ in range(20):
            open_all(open_page, running.url)
    finally:
        running.end()
    assert "Traceback" not in running.log.read_text()
