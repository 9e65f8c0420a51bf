"""The microphone: records in the browser and hands over a WAV file."""

from pathlib import Path

import param
from panel.custom import JSComponent


class Microphone(JSComponent):
    """A button that records up to `seconds`, with a level meter, a countdown and a button to stop.

    What was recorded comes as `wav` (16-bit mono at the microphone's own rate). Where nothing could be
    recorded, the message {"trouble": KIND} comes instead (`on_msg`): "insecure", "denied", "absent", "busy",
    "silent", "short" or "failed".
    """

    seconds = param.Number(default=10.24, doc="The longest recording.")
    wav = param.Bytes(default=b"", doc="The last recording; whoever has taken it empties this.")

    _esm = Path(__file__).with_name("microphone.js")
