"""The player: sound in the browser, its play bar on the spectrogram, no server round trip while it plays."""

from pathlib import Path

import param
from panel.custom import JSComponent

from protoviz.audio import write_wav_bytes


class Player(JSComponent):
    """Plays a clip, or the sound of one cell of it, and moves the Bokeh `Span` named `bar-CHANNEL` along.

    Keys while no field has the focus: space plays and pauses, the arrows seek by a second, 1 to 9 send the
    message {"rank": n} to Python (`on_msg`).
    A window event "protoviz:seek" {channel, time} seeks in the clip.
    """

    channel = param.String(doc="Ties player, play bar and picture of one page together.")
    clip = param.Bytes(default=b"", doc="The clip as a WAV file.")
    clip_label = param.String(doc="What the clip is; shown as text, never as HTML.")
    cell = param.Bytes(default=b"", doc="The sound of one cell as a WAV file.")
    cell_start = param.Number(default=0.0, doc="Where that cell lies in the clip, seconds.")
    cell_label = param.String(doc="What the cell is.")
    elsewhere = param.Boolean(
        default=False, doc="The cell lies in another clip: the play bar is not drawn while it plays."
    )
    played = param.Integer(default=0, doc="Raised by Python: play the cell now.")
    rank = param.Integer(
        default=0, doc="Raised by the browser: the number key that was pressed, times 1 or -1."
    )

    _esm = Path(__file__).with_name("player.js")

    def load(self, waveform, sample_rate: int, label: str) -> None:
        """Another clip: stop, and stand at its start."""
        self.param.update(clip=write_wav_bytes(waveform, sample_rate), clip_label=label, cell=b"")

    def play_cell(
        self, waveform, sample_rate: int, start: float, label: str, elsewhere: bool = False
    ) -> None:
        """Play the sound of a cell that lies at `start` seconds of the clip; elsewhere: of another clip."""
        sound = {"cell": write_wav_bytes(waveform, sample_rate), "cell_start": start, "cell_label": label}
        self.param.update(elsewhere=elsewhere, **sound, played=self.played + 1)
