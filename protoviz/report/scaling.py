"""The tables of docs/scaling.md: what the paper's whole grid takes, by `protoviz.analysis.scaling`."""

from protoviz.analysis import scaling
from protoviz.analysis.published import claims
from protoviz.report.formats import pipes

PRICE = 0.04  # of a core-hour in US dollars; an assumption, put in your own


def summary(price: float = PRICE) -> str:
    """Return the grid in one table: maps, operations, hours, cost, and what the paper states."""
    grid, rates = scaling.Grid(), scaling.Rates.measured()
    encoded, trained = scaling.encoding(), scaling.training()
    stated = claims().set_index("claim").value
    paper_tb = next(value for claim, value in stated.items() if claim.startswith("token maps"))
    paper_runs = next(value for claim, value in stated.items() if claim.startswith("training runs"))
    hours = {
        "encoding, once": encoded.hours.sum(),
        "training, every run alone": trained.alone_h.sum(),
        f"training, groups of {grid.group} (`fit_many`)": trained.together_h.sum(),
    }
    maps, passes = encoded.bytes.sum(), trained.passes.sum()
    rows = [
        ["training runs", _whole(trained.runs.sum()), f"published: at most {_whole(paper_runs)}"],
        ["clip passes (runs × epochs × clips)", f"{passes:.2e}", ""],
        ["token maps, float16", f"{maps / 1e12:.2f} TB", f"published: about {paper_tb:g} TB"],
        ["token maps, float32", f"{2 * maps / 1e12:.2f} TB", ""],
        ["encoding, operations", f"{encoded.flops.sum():.1e} FLOP", "forward pass of ViT-Base"],
        ["probes, operations", f"{trained.flops.sum():.1e} FLOP", "forward products only"],
        *(
            [f"{what}, {rates.cores} cores", f"{_whole(value)} hours", _price(value * rates.cores, price)]
            for what, value in hours.items()
        ),
    ]
    return pipes(["what", "by formula", "beside"], rows, words=3)


def by_dataset() -> str:
    """Return a row a data set: what is encoded and what its maps take."""
    table = scaling.encoding()
    rows = [
        [
            row.dataset,
            _whole(row.clips),
            str(row.tokens),
            f"{row.bytes / 1e9:,.0f} GB",
            f"{row.flops / 1e15:,.1f}",
            _whole(row.hours),
        ]
        for row in table.itertuples()
    ]
    cores = f"hours, {scaling.Rates.measured().cores} cores"
    heads = ["data set", "clips", "tokens a clip", "maps, float16", "PFLOP", cores]
    return pipes(heads, rows)


def by_method() -> str:
    """Return a row a pooling: hours alone and in groups, bytes read alone and in groups."""
    sums = ["flops", "alone_h", "together_h", "read", "read_together"]
    table = scaling.training().groupby("method", sort=False)[sums].sum()
    measured = scaling.Rates.measured().together
    rows = [
        [
            row.Index,
            f"{row.flops:.1e}",
            _whole(row.alone_h),
            _whole(row.together_h),
            f"{measured[row.Index]:g}" if row.Index in measured else "not measured",
            f"{row.read / 1e12:,.1f} TB",
            f"{row.read_together / 1e12:,.1f} TB",
        ]
        for row in table.itertuples()
    ]
    heads = ["pooling", "FLOP", "hours alone", "in groups", "share of alone", "read alone", "in groups"]
    return pipes(heads, rows)


def by_workers() -> str:
    """Return a row a number of workers: three bounds of grouped runs, hours, which binds; lone runs."""
    together, alone = scaling.workers(), scaling.workers(grouped=False)
    rows = [
        [
            _whole(row.workers),
            *(_whole(value) for value in (row.compute_h, row.store_h, row.longest_h)),
            f"{_whole(row.hours)} ({row.bottleneck})",
            f"{_whole(lone.hours)} ({lone.bottleneck})",
        ]
        for row, lone in zip(together.itertuples(), alone.itertuples(), strict=True)
    ]
    heads = ["workers", "compute / workers", "store", "longest task", "hours in groups", "hours in lone runs"]
    return pipes(heads, rows)


SECTIONS = {
    "scaling-summary": summary,
    "scaling-data": by_dataset,
    "scaling-poolings": by_method,
    "scaling-workers": by_workers,
}


def text(price: float = PRICE) -> str:
    """Return all tables of the document, one after the other; price: US dollars a core-hour."""
    parts = [f"{name}\n\n{make(price) if make is summary else make()}" for name, make in SECTIONS.items()]
    return "\n\n".join(parts)


def _price(core_hours: float, price: float) -> str:
    return f"{core_hours * price:,.0f} US dollars at {price:g} a core-hour"


def _whole(number: float) -> str:
    return f"{number:,.0f}"
