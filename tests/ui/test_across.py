"""The view across clips in a browser: a tapped point is chosen, a clicked thumbnail is heard."""

import numpy as np
import pytest
from page_bench import small_bench, small_table
from test_listen import sound_in_player

from protoviz.audio import box_sound
from protoviz.datasets import scene_of
from protoviz.scenes import make_scene

RATE = 16000
QUERY = "?page=prototypes&scene=30&events=3&prototype=17"


def test_a_thumbnail_is_its_clip_and_a_click_plays_its_cell(open_page):
    opened = open_page(QUERY)
    rows = small_table("nearest")
    rows = rows[rows.prototype == 17].sort_values("rank").reset_index(drop=True)
    for row in rows.itertuples():  # made one by one after the page was drawn
        opened.wait(f"model('thumbnail-{row.rank}').data.image[0].length == 64 * 256")
        drawn = np.array(opened.tell(f"Array.from(model('thumbnail-{row.rank}').data.image[0])"))
        whole = small_bench().reading(row.clip).picture.astype(float)
        means = whole.reshape(64, 2, 256, 4).mean((1, 3))
        np.testing.assert_allclose(drawn.reshape(64, 256), means, atol=0.51)
    other = next(row for row in rows.itertuples() if row.clip != "scene-30-3")
    edges = "['left', 'right', 'bottom', 'top'].map((side) => model('nearest cells').data[side][%d])"
    left, right, bottom, top = opened.tell(edges % other.Index)
    opened.click_at("nearest", (left + right) / 2, (bottom + top) / 2)
    opened.page.locator(
        ".player .label", has_text=f"clip {other.rank}, scene {scene_of(other.clip)[0]}"
    ).wait_for()
    waveform = make_scene(*scene_of(other.clip)).waveform
    box = small_bench().grid.box(*divmod(int(other.cell), 8))
    heard, rate = sound_in_player(opened)
    assert rate == RATE
    np.testing.assert_allclose(heard, box_sound(waveform, RATE, box, peak=0.5), atol=1 / 32768)
    assert opened.state.scene[0] == 30, "the shown clip stays"
    opened.page.get_by_role("button", name="Open this clip").click()
    opened.until(lambda: opened.state.clip == other.clip)
    opened.until(lambda: opened.state.prototype == 17)
    opened.until(lambda: np.array_equal(sound_in_player(opened)[0], waveform))
    opened.wait(f"location.search.includes('neighbours.rank={other.rank}')")


def test_a_tapped_point_chooses_the_nearest_prototype_or_token(open_page):
    opened = open_page(QUERY)
    table = small_table("map-prototypes")
    x, y = table.x_response.to_numpy(), table.y_response.to_numpy()
    opened.wait(f"model('points').data.x.length == {len(table)}")
    opened.settle()
    opened.reveal("cloud")
    # On the screen the nearest point is another than in the map's own units: the map is wider than high.
    place = np.array(opened.tell(f"{np.stack([x, y], 1).tolist()}.map(([x, y]) => pixel('cloud', x, y))"))
    goal = place[200] + [3, 2]
    opened.page.mouse.click(*goal)
    nearest = int(np.hypot(*(place - goal).T).argmin())
    opened.until(lambda: opened.state.prototype == nearest)
    opened.wait(f"Math.abs(model('chosen point').data.x[0] - {x[nearest]}) < 1e-6")
    assert opened.tell("model('chosen point').data.y[0]") == pytest.approx(y[nearest])
    opened.page.get_by_role("button", name="Tokens").click()
    tokens = small_table("map-tokens")
    opened.wait(f"model('points').data.x.length == {len(tokens)}")
    opened.settle()
    row = tokens.loc[tokens.x.idxmax()]  # apart from the others
    opened.click_at("cloud", row.x, row.y)
    opened.page.locator(".player .label", has_text="token:").wait_for()
    assert (opened.state.clip, opened.state.own["neighbours"].cell) == (row["clip"], row.cell)
    box = small_bench().grid.box(*divmod(int(row.cell), 8))
    expected = box_sound(make_scene(*scene_of(row["clip"])).waveform, RATE, box, peak=0.5)
    np.testing.assert_allclose(sound_in_player(opened)[0], expected, atol=1 / 32768)
    assert opened.tell("model('here').data.x.length") == 512
