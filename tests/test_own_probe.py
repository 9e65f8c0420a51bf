"""A pooling of one's own by module:Class, wherever the name of a probe is; and one that is registered."""

import shutil
import subprocess
import sys
from dataclasses import replace

import grid_fakes
import pandas as pd
import pytest
import torch
from cache_fakes import FakeEncoder, fake_clips
from typer.testing import CliRunner

from protoviz import build_probe, fit, load_probe, save_probe
from protoviz.analysis.polyphony import grouped
from protoviz.analysis.results import results as own_results
from protoviz.analysis.scaling import Grid, Rates, clip_pass_seconds
from protoviz.cache import TokenCache
from protoviz.cli import app
from protoviz.encoders import load_encoder
from protoviz.experiments import FixedRates, compare
from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.recipe import read_recipe
from protoviz.experiments.run import run_grid
from protoviz.explorer.studies import served_studies
from protoviz.figures import FAMILY_COLOURS, probe_colour
from protoviz.paths import DATA
from protoviz.probes import PROBES, Method, Probe, ProbeError, family_of, titles, untrained
from protoviz.report.contents import contents
from protoviz.study.form import probe_file, read_facts, write_facts
from protoviz.training import FitConfig, TokenData

CODE = """
import torch
from protoviz.probes import Probe, Rates

class Sharp(Probe):
    name = "sharp pool"
    family = "attentive"
    reads = frozenset({"tokens", "cls"})
    rates = Rates((1e-2, 3e-2))
    few_rates = Rates((1e-2,))

    def __init__(self, dim, classes, grid=None, *, heat: float = 1.0, batch_norm: bool = False):
        super().__init__(dim, classes, grid, heat=heat, batch_norm=batch_norm)
        self.heat = heat
        self._add_classifier(2 * dim, batch_norm)

    def pool(self, tokens, cls, mask):
        tokens = tokens.to(self.dtype)
        weights = self.heat * (tokens * cls[:, None]).sum(2, keepdim=True)
        if mask is not None:
            weights = weights.masked_fill(~mask[..., None], torch.finfo(weights.dtype).min)
        return torch.cat([cls, (weights.softmax(1) * tokens).sum(1)], 1)

number = 3
"""
GRID = grid_fakes.GRID[: grid_fakes.GRID.index("[probes]")].replace("[0, 1]", "[0]")


@pytest.fixture
def mine(tmp_path, monkeypatch, request):
    """module:Class in a file of the current directory, which is no package."""
    module = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    yield f"{module}:Sharp"
    sys.modules.pop(module, None)


def grid_of(folder, probes, cut=True):
    path = folder / "grid.toml"
    path.write_text(GRID + probes)
    grid = read_grid(path)
    return replace(grid, datasets=grid.datasets[:1], encoders=grid.encoders[:1]) if cut else grid


def test_a_name_builds_it_with_its_options(mine):
    torch.manual_seed(0)
    probe = build_probe(mine, 8, 3, (4, 2), heat=2.0)
    assert probe.heat == 2.0
    again = untrained(probe, 0)
    assert torch.equal(again.classifier.weight, probe.classifier.weight)
    method = Method.named(f"{mine} + BatchNorm")
    assert (method.title, method.options) == ("sharp pool + BatchNorm", {"batch_norm": True})
    assert method.settings() == [(1e-2, None), (3e-2, None)]
    module = mine.partition(":")[0]
    for wrong, said in (
        ("nowhere:Sharp", "no module nowhere"),
        (f"{module}:Blunt", "has no Blunt; it has Sharp"),
        (f"{module}:number", "derived from protoviz.probes.Probe"),
        (f"{module}.py:Sharp", f"write {module}:Sharp"),
    ):
        with pytest.raises(ProbeError, match=said):
            build_probe(wrong, 8, 3)
    with pytest.raises(ProbeError, match=r"no option 'cold'.*heat"):
        Method.named(mine, options={"cold": 1})


def trained(where, **options):
    data = TokenData(torch.randn(12, 8, 6), None, None, torch.eye(3).repeat(4, 1))
    probe = build_probe(where, 6, 3, (4, 2), **options)
    fit(probe, data, data, FitConfig(1, 4))
    return probe


def test_a_file_is_loaded_where_its_module_is_allowed_and_never_imports_by_itself(mine, tmp_path):
    path = save_probe(trained(mine, heat=2.0), tmp_path / "mine.safetensors")
    module, tokens = mine.partition(":")[0], torch.randn(2, 8, 6)
    logits = load_probe(path, allow=[module])(tokens)
    with pytest.raises(ProbeError, match=rf"allow=\['{module}'\].*--allow {module}"):
        load_probe(path)  # also where something else has imported it
    with pytest.raises(ProbeError, match=module):
        load_probe(path, allow=["protoviz", f"{module}.part", module[:-1]])
    torch.save((tokens, logits), tmp_path / "expected.pt")
    code = f"""
import sys, torch, protoviz
try:
    protoviz.load_probe({str(path)!r})
    raise SystemExit("loaded unasked")
except ValueError as error:
    assert "allow=[{module!r}]" in str(error), error
assert {module!r} not in sys.modules
tokens, logits = torch.load({str(tmp_path / "expected.pt")!r})
probe = protoviz.load_probe({str(path)!r}, allow=[{module!r}])
torch.set_num_threads(1)
assert probe.heat == 2.0 and torch.equal(probe(tokens), logits)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_explorer_shows_it_where_its_module_is_allowed(mine, tmp_path, monkeypatch):
    demo, encoder = tmp_path / "demo", load_encoder("mini-mae")
    shutil.copytree(DATA / "demo", demo)
    facts = read_facts(demo)
    classes = next(iter(facts.datasets.values())).classes
    probe = build_probe(mine, encoder.dim, len(classes), encoder.grid)
    save_probe(probe, probe_file(demo, "mixed", "mini-mae", "sharp"), classes=classes)
    write_facts(demo, replace(facts, methods={**facts.methods, "sharp": mine}))
    without = served_studies([demo]).first()
    assert "sharp" not in without.probes
    assert "--allow" in without.remarks[0]
    monkeypatch.setenv("PROTOVIZ_ALLOW", mine.partition(":")[0])
    assert list(served_studies([demo]).first().probes)[-1] == "sharp"


def test_a_class_at_hand_is_allowed_itself(tmp_path):
    class Local(PROBES["linear"]):
        name = "local"

    path = save_probe(Local(6, 3), tmp_path / "local.safetensors")
    assert type(load_probe(path, allow=[Local])) is Local
    with pytest.raises(ProbeError, match="allow"):
        load_probe(path, allow=[PROBES["linear"]])


def test_it_runs_in_a_grid_and_is_shown_with_its_title_and_colour(mine, tmp_path):
    grid = grid_of(
        tmp_path,
        f'["{mine} + BatchNorm"]\nhyper = {{ heat = 2.0 }}\n[probes.linear]\n'.replace("[", "[probes.", 1),
    )
    cells = Cells(grid, tmp_path / "runs")
    assert set(plan(cells).state) == {"to do"}
    table = run_grid(grid, tmp_path / "runs", progress=False)["results"]
    assert cells.failures() == []
    probes = dict(zip(table.method, table.probe, strict=True))
    assert probes == {"sharp pool + BatchNorm": "sharp pool", "linear": "linear"}
    assert set(plan(cells).state) == {"done"}
    shown = own_results(tmp_path / "runs")
    assert set(shown.probe) == {"sharp pool", "linear"}
    rows = {row.labels[-1] for one in contents(tmp_path / "runs").tables for row in one.rows}
    assert "sharp pool + BatchNorm" in rows
    attentive = FAMILY_COLOURS["attentive"][0]
    assert probe_colour("sharp pool + BatchNorm") == probe_colour("sharp-pool-batchnorm") == attentive
    kept = next((tmp_path / "runs").rglob("sharp*/*.safetensors"))
    assert load_probe(kept, allow=[mine.partition(":")[0]]).metadata["title"] == "sharp pool + BatchNorm"


def test_a_grid_refuses_what_is_not_there(mine, tmp_path):
    for probes, said in (
        (f'[probes."{mine}"]\nhyper = {{ cold = 1 }}', "'cold'.*heat"),
        (f'[probes."{mine}"]\nhyper = {{ heat = "hot" }}', "heat.*number"),
        ('[probes."nowhere:Sharp"]', "no module nowhere"),
        (f'[probes."sharp pool"]\nuse = "linear"\n[probes."{mine}"]', "sharp pool"),
    ):
        with pytest.raises(GridError, match=said):
            grid_of(tmp_path, probes)


def test_other_code_is_another_result(mine, tmp_path):
    keys = []
    for code in (CODE, CODE.replace("softmax(1)", "softmax(1).square()")):
        module = mine.partition(":")[0]
        sys.modules.pop(module, None)
        (tmp_path / f"{module}.py").write_text(code)
        cells = Cells(grid_of(tmp_path, f'[probes."{mine}"]'), tmp_path / "runs")
        keys += [cells.search_key(task) for task in cells.tasks() if task.kind == "search"]
    assert len(set(keys)) == 2


@pytest.mark.slow
def test_workers_of_a_cluster_import_it(mine, tmp_path):
    grid = grid_of(tmp_path, f'[probes."{mine}"]')
    table = run_grid(grid, tmp_path / "runs", cluster="local", workers=1, progress=False)["results"]
    assert table.method.tolist() == ["sharp pool"]


def test_it_is_compared(mine, tmp_path):
    cache = TokenCache.create(tmp_path / "tokens", FakeEncoder(), fake_clips(40), progress=False)
    _, found = compare(cache, [mine, "linear"], 1, FixedRates(1, 8), seeds=[0])
    assert set(found.method) == {"sharp pool", "linear"}


def test_polyphony_takes_it(mine, monkeypatch):
    asked = []
    monkeypatch.setattr("protoviz.experiments.recipe.run_recipe", lambda grid, *_, **__: asked.append(grid))
    call = ["polyphony", "--encoders", "mini-random", "--small", "--methods"]
    CliRunner().invoke(app, [*call, f"linear,{mine} + BatchNorm"])
    assert [method.title for method in asked[0].probes] == ["linear", "sharp pool + BatchNorm"]
    done = CliRunner().invoke(app, [*call, "linear,nothing"])
    assert done.exit_code == 1
    assert "no probe 'nothing'" in done.output


def test_a_class_and_a_line_of_the_registry_are_all(monkeypatch, tmp_path):
    class Loudest(Probe):
        name, family = "loudest", "token map"

        def __init__(self, dim, classes, grid=None, *, batch_norm: bool = False):
            super().__init__(dim, classes, grid, batch_norm=batch_norm)
            self._add_classifier(dim, batch_norm)

        def pool(self, tokens, cls, mask):
            return tokens.to(self.dtype).amax(1)

    monkeypatch.setitem(PROBES, "loudest", Loudest)
    assert titles("loudest + BatchNorm")[-2:] == ("loudest", "loudest + BatchNorm")
    recipe = read_recipe("polyphony")
    assert recipe.probes[-1].title == "loudest"
    assert clip_pass_seconds("loudest", 512, 24, Grid(), Rates.measured()) > 0
    assert family_of("loudest + BatchNorm") == "token map"
    frame = pd.DataFrame({"method": [method.title for method in recipe.probes]})
    assert "loudest" in set(grouped(frame, "token map").method)
    probe = trained("loudest")
    assert probe.settings["name"] == "loudest"
    assert type(load_probe(save_probe(probe, tmp_path / "p.safetensors"))) is Loudest
