"""A figure as a file: HTML that needs no network, PNG and SVG drawn by a browser, CSV of its table.

Nothing but Chromium or Chrome is needed for PNG and SVG: no driver and no package. Its page may ask no host.
"""

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from protoviz.figures.canvas import Drawn, ground
from protoviz.figures.engine import holoviews
from protoviz.files import write_bytes, write_text

KINDS = (".html", ".png", ".svg", ".csv")
BROWSER = "PROTOVIZ_CHROMIUM"  # the variable that names one
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PATIENCE_S = 300  # for a browser that starts on a busy machine
SCALE = 2  # pixels of a PNG in one of the page
# Panel's models, once they are loaded, have Bokeh name a script of theirs that no figure needs.
LINKED = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>")
# When all is drawn, the page is nothing but what Bokeh exports, between two marks.
EXPORT = """
const done = () => window.Bokeh && Bokeh.documents.length && Bokeh.documents.every((d) => d.is_idle)
const asked = setInterval(() => {
  if (!done()) return
  clearInterval(asked)
  const [view] = Object.values(Bokeh.index.roots ?? Bokeh.index)
  const layer = view.export("KIND")
  const text = "KIND" == "svg" ? layer.ctx.get_serialized_svg(true) : layer.canvas.toDataURL()
  document.body.innerHTML = ""
  document.body.textContent = "protoviz:" + btoa(unescape(encodeURIComponent(text))) + ":protoviz"
}, 20)
"""


class SavingError(RuntimeError):
    """A figure cannot be saved; the message says what is missing."""


def save_figure(drawn, path: str | Path, width: int = 900, table: pd.DataFrame | None = None) -> Path:
    """Write a figure, `width` pixels wide, and return its path.

    The suffix is one of KINDS. HTML holds Bokeh's script and asks no host. PNG has two pixels for one of the
    screen, SVG keeps words as words. table: of a CSV. Raises SavingError for another suffix, or without a
    browser.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in KINDS or (kind == ".csv" and table is None):
        raise SavingError(f"{path} is no kind of file that a figure is saved as: {', '.join(KINDS)}")
    if kind == ".csv":
        write_text(path, table.to_csv(index=False))
    elif kind == ".html":
        write_text(path, page_of(drawn, width))
    else:
        write_bytes(path, _exported(drawn, kind[1:], width))
    return path


def page_of(drawn, width: int = 900, script: str = "", backend: str = "canvas") -> str:
    """Return one HTML page with a figure and all that it needs."""
    from bokeh.embed import file_html
    from bokeh.models import Column, Plot
    from bokeh.resources import INLINE

    model = model_of(drawn)
    ground(model)
    for plot in model.select({"type": Plot}):
        plot.output_backend = backend
    grows = "stretch" in (getattr(model, "sizing_mode", None) or "stretch")
    html = file_html(Column(model, **({"width": width} if grows else {})), INLINE, "figure")
    html = LINKED.sub("", html)
    return html.replace("</body>", f"<script>{script}</script></body>") if script else html


def model_of(drawn):
    """Return the Bokeh model of a figure: `Drawn`, of HoloViews, or Bokeh's own."""
    if isinstance(drawn, Drawn):
        return drawn.figure
    return drawn if hasattr(drawn, "references") else holoviews().render(drawn, backend="bokeh")


def _exported(drawn, kind: str, width: int) -> bytes:
    """What the browser draws: an SVG's text, or a PNG."""
    browser = _browser()
    script = EXPORT.replace("KIND", kind)
    html = page_of(drawn, width, script, "svg" if kind == "svg" else "canvas")
    with TemporaryDirectory(prefix="protoviz-", ignore_cleanup_errors=True) as place:
        page = Path(place) / "figure.html"
        page.write_text(html, encoding="utf-8")
        told = _told(browser, page)
    found = re.search(r"protoviz:([A-Za-z0-9+/=]+):protoviz", told)
    if not found:
        raise SavingError(f"{browser} did not draw the figure: save it as HTML, print that from a browser")
    text = base64.b64decode(found[1])
    return text if kind == "svg" else base64.b64decode(text.partition(b",")[2])


def _told(browser: str, page: Path) -> str:
    """The page as the browser leaves it."""
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [
        browser,
        "--headless",
        *root,
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing is asked of a network
        f"--user-data-dir={page.parent / 'profile'}",
        f"--force-device-scale-factor={SCALE}",
        "--window-size=1600,2400",
        "--virtual-time-budget=20000",
        "--dump-dom",
        page.as_uri(),
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SavingError(f"{browser} did not draw it ({error}): name another in {BROWSER}") from error


def _browser() -> str:
    named = os.environ.get(BROWSER) or next(filter(None, map(shutil.which, BROWSERS)), None)
    if named is None:
        raise SavingError(
            "PNG and SVG are drawn by a browser, and there is none: install Chromium or Chrome, or name one "
            f"in {BROWSER}; HTML and CSV need none"
        )
    return named
