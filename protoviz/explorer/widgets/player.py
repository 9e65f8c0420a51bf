"""The player: sound in the browser, its play bar on the spectrogram, no server round trip while it plays."""

from pathlib import Path

import param
from panel.custom import JSComponent

from protoviz.audio import write_wav_bytes


class Player(JSComponent):
    """Plays a clip, or the sound of one cell of it, and moves the Bokeh `Span` named `bar-CHANNEL` along.

    It plays at full speed, at a half or at a tenth, and the pitch falls with the speed. Keys while no field
    has the focus: space plays and pauses, the arrows seek by a second, Escape goes back from a cell to the
    clip. To Python go the messages (`on_msg`) {"rank": n} for a key 1 to 9, {"step": true} for E,
    {"event": n} for the window event "protoviz:event" {channel, event}, and {"released": true} for going
    back. A window event "protoviz:seek" {channel, time} seeks in the clip.
    """

    origin = param.Number(default=0.0, doc="Where in its file the clip starts, seconds.")
    channel = param.String(doc="Ties player, play bar and picture of one page together.")
    clip = param.Bytes(default=b"", doc="The clip as a WAV file.")
    clip_label = param.String(doc="What the clip is; shown as text, never as HTML.")
    cell = param.Bytes(default=b"", doc="The sound of one cell or event as a WAV file.")
    cell_start = param.Number(default=0.0, doc="Where that cell lies in the clip, seconds.")
    cell_label = param.String(doc="What the cell is.")
    cell_loop = param.Boolean(default=False, doc="Over and over, until it is released.")
    elsewhere = param.Boolean(
        default=False, doc="The cell lies in another clip: the play bar is not drawn while it plays."
    )
    played = param.Integer(default=0, doc="Raised by Python: play the cell now; where there is none, stop.")

    _esm = Path(__file__).with_name("player.js")

    def load(self, waveform, sample_rate: int, label: str) -> None:
        """Load another clip: stop, and stand at its start; where a cell plays, for when it is left."""
        clip = write_wav_bytes(waveform, sample_rate) if len(waveform) else b""
        self.param.update(clip=clip, clip_label=label)

    def leave(self) -> None:
        """Leave the cell that is played or stood at, if there is one."""
        if self.cell:
            self.release()

    def play_cell(
        self,
        waveform,
        sample_rate: int,
        start: float,
        label: str,
        loop: bool = False,
        elsewhere: bool = False,
    ) -> None:
        """Play the sound of a cell that lies at `start` seconds of the clip.

        loop: until `release`; elsewhere: the cell is one of another clip. Without any sound nothing is done.
        """
        if not len(waveform):
            return
        self.param.update(
            cell=write_wav_bytes(waveform, sample_rate),
            cell_start=start,
            cell_label=label,
            cell_loop=loop,
            elsewhere=elsewhere,
            played=self.played + 1,
        )

    def release(self) -> None:
        """Stop a cell, and stand in the clip where it began."""
        self.param.update(cell=b"", cell_loop=False, played=self.played + 1)
