"""Own sound: a file that is dropped or chosen, and the microphone, over the state that all pages share."""

import panel_material_ui as pmui

from protoviz.explorer.clip import MAX_FILE_MB, MICROPHONE
from protoviz.explorer.pages.listen.microphone import Microphone
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import MICROPHONE_TROUBLE, not_taken
from protoviz.explorer.widgets.look import field


class OwnSound:
    """The file button and the record button; a page puts `widgets` on a line."""

    def __init__(self, state: ExplorerState):
        self.state = state
        self.file = pmui.FileInput(
            label="Own sound file",
            uploaded_label="Own sound file",
            variant="outlined",
            max_file_size=MAX_FILE_MB * 2**20,
            **field(170),
        )
        self.microphone = Microphone(seconds=state.workbench.seconds, height=36, **field(190))
        self.widgets = (self.file, self.microphone) if state.workbench.can.encode else ()
        self._take_message, self.file._handle_msg = self.file._handle_msg, self._hear_upload
        self._coming = 0  # bytes of the upload under way
        self.file.param.watch(self._take_file, "value")
        self.microphone.param.watch(self._take_recording, "wav")
        self.microphone.on_msg(self._tell_trouble)

    def _take_file(self, event) -> None:
        if event.new:
            name, data = self.file.filename or "your file", event.new
            self.file.clear()  # the same file may be dropped again
            self.state.open_file(name, data)

    def _hear_upload(self, message: dict) -> None:
        """What the button's browser side says of an upload; it shows no words of its own."""
        status = message.get("status")
        if status == "initializing":
            self._coming = 0
        elif status == "upload_event":
            self._coming += len(message["data"])
        if status == "error":
            self.state.message = not_taken(str(message.get("error", "")))
        elif self._coming > MAX_FILE_MB * 2**20:
            self.file._buffer.clear()
            self.file._file_buffer.clear()
            self.state.message = not_taken(f"larger than {MAX_FILE_MB} MB")
        elif status == "finished" and not self._coming:
            self.state.message = not_taken("it is empty (0 bytes)")
            self.file._send_msg({"status": "finished"})
        else:
            self._take_message(message)

    def _take_recording(self, event) -> None:
        if event.new:
            self.microphone.wav = b""  # two recordings may be alike
            self.state.open_file(MICROPHONE, event.new)

    def _tell_trouble(self, message) -> None:
        kind = message.data.get("trouble")
        self.state.message = MICROPHONE_TROUBLE.get(kind, MICROPHONE_TROUBLE["failed"])
