"""What caching costs: mAP over the bytes of a cache that keeps training clips in several views."""

from pathlib import Path

from rich.filesize import decimal

from protoviz.analysis.tables import mean_sd_over_seeds, settings_file, table_file
from protoviz.analysis.views import ANEW
from protoviz.kept import read_frame, read_json
from protoviz.report.formats import DASH, as_code, as_read, pipes
from protoviz.report.tokens import Setting


def views_table(folder: Path) -> str:
    """Return a row a number of views: bytes of the cache, test mAP of each method in %, mean ± s.d. over
    seeds, as Markdown; the last row is of views that are encoded anew in every pass.
    """
    path = table_file(folder, "views")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: `python -m benchmarks views` makes it")
    runs, setting = read_frame(path), read_json(settings_file(path), Setting)
    marks = mean_sd_over_seeds(runs, ["views", "method"]).unstack("method")
    methods = runs.method.drop_duplicates().tolist()
    size, rows = runs.groupby("views").bytes.first(), []
    for views in runs.views.drop_duplicates():
        held = (DASH, "encoded anew in every pass") if views == ANEW else (decimal(int(size[views])), views)
        rows.append([*reversed(held), *marks.loc[views, methods].fillna(DASH)])
    seeds = ", ".join(map(str, setting["compare"]["seeds"]))
    note = f"Test mAP, %; seeds {seeds}; {as_code(setting['command'])}."
    heads = ["views of a training clip", "cache", *map(as_read, methods)]
    return "\n".join([pipes(heads, rows), "", note])
