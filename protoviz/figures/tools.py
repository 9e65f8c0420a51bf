"""What a reader does with the picture of a clip: zoom, pan, go back, and read what lies under the pointer."""

from typing import TYPE_CHECKING

from bokeh.models import (
    BoxZoomTool,
    CustomJS,
    CustomJSTickFormatter,
    PanTool,
    Range1d,
    ResetTool,
    Title,
    WheelZoomTool,
)

from protoviz.figures.canvas import CLOCK, FONT, TEXT

if TYPE_CHECKING:
    from protoviz.figures.picture import ClipPicture

# From a minute on the file's time is minutes:seconds, as in the words around the picture.
TICKS = """
return file.reset_end < 60 ? `${+tick.toFixed(3)}` : clock(tick, Number.isInteger(tick) ? 0 : 2)
"""
# What lies under the pointer, told above the picture; in the browser alone.
READ = """
const {x, y} = cb_obj, [image] = picture.data.image, {low: floor} = level
const inside = x >= 0 && x < seconds && y >= 0 && y < mels && cb_obj.event_name == "mousemove"
if (!inside) { said.setv({text: said.tags[0]}, {sync: false}); return }
const mel = (hertz) => Math.log1p(hertz / 700)
const hertz = 700 * Math.expm1(mel(low) + y / mels * (mel(high) - mel(low)))
const at = x + file.start - shown.start
const words = [file.reset_end < 60 ? `${at.toFixed(2)} s` : clock(at, 2), `${hertz.toFixed(0)} Hz`]
if (drawn.visible && image.shape) {
  const [rows, frames] = image.shape
  const byte = image[Math.floor(y / mels * rows) * frames + Math.floor(x / seconds * frames)]
  words.push(`${Math.round((1 - byte / 255) * floor) || 0} dB`.replace("-", "\u2212"))
}
if (times > 1) words.push(`t ${Math.floor(x / seconds * times)}, f ${Math.floor(y / mels * freqs)}`)
said.setv({text: words.join(" · ")}, {sync: false})
"""
# Bokeh's overlay is not cut off at the picture's edge: while zoomed, its parts move to a level that is.
ZOOM = """
const full = ({start, end, reset_start, reset_end}) => start <= reset_start && end >= reset_end
const whole = full(x) && full(y)
for (const part of parts) part.setv({level: whole ? "overlay" : "glyph"}, {sync: false})
"""


def clock_ticks(file: Range1d) -> CustomJSTickFormatter:
    """Return what writes the ticks of an axis that counts a file's seconds."""
    return CustomJSTickFormatter(args={"file": file}, code=f"{CLOCK}{TICKS}")


def add_tools(picture: "ClipPicture") -> Title:
    """Return the words above the picture, beside its tools: `tags[0]` where nothing is pointed at.

    Wheel and finger are the page's until a reader takes a tool.
    """
    plot, grid, bank = picture.figure, picture.grid, picture.bank
    plot.add_tools(PanTool(), BoxZoomTool(), WheelZoomTool(), ResetTool())
    plot.toolbar_location = "above"
    plot.toolbar.update(active_drag=None, active_scroll=None, logo=None)
    parts = [picture.boxes, picture.labels, picture.rectangles, picture.numbers]
    zoomed = CustomJS(args={"x": plot.x_range, "y": plot.y_range, "parts": parts}, code=ZOOM)
    for ends in (plot.x_range, plot.y_range):
        ends.js_on_change("start", zoomed)
        ends.js_on_change("end", zoomed)
    look = {"text_font": FONT, "text_font_size": TEXT, "text_font_style": "normal", "level": "overlay"}
    plot.title.update(tags=[""], **look)
    known = {
        "said": plot.title,
        "picture": picture.picture,
        "drawn": picture.image,
        "level": picture.level_bar.color_mapper,
        "file": picture.file,
        "shown": plot.x_range,
        "seconds": grid.seconds,
        "times": grid.times,
        "freqs": grid.freqs,
        "mels": bank.mels,
        "low": bank.low_hz,
        "high": bank.top_hz,
    }
    for moved in ("mousemove", "mouseleave"):
        plot.js_on_event(moved, CustomJS(args=known, code=f"{CLOCK}{READ}"))
    return plot.title
