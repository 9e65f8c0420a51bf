"""The log-mel filter bank on one clip of 10 s: ours, the step-by-step form, and the floor.

Step-by-step form: what `torchaudio.compliance.kaldi.fbank` does, in its source's order: one clip a
call, window and mel triangles built anew each time, a pass over the frames for each step, magnitude
before power, the full mel matrix. Where torchaudio itself can be imported, it is measured too. The
floor is one float32 transform of the padded frames and the full mel matrix, nothing else; ours
transforms in float64 (its reason stands there) and skips most of the matrix. All take turns in one
loop, so that a busy machine is equally busy for each; the fastest turn is the figure that other
processes disturb least.
"""

import math
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from protoviz.audio import FilterBank, log_mel, mel_triangles

SECONDS, BATCH = 10, 8
TURNS, WARM_UP = 40, 3


def step_by_step(waveform: torch.Tensor) -> torch.Tensor:
    """Log-mel rows (frames 128) of one 16 kHz waveform (s,), one step after the other."""
    size, shift, padded, mels = 400, 160, 512, 128
    frames = waveform.as_strided((1 + (len(waveform) - size) // shift, size), (shift, 1))
    frames = frames - frames.mean(dim=1).unsqueeze(1)
    torch.max(
        frames.pow(2).sum(1), torch.tensor(2.0**-23)
    ).log()  # the raw energy, computed and not asked for
    before = torch.nn.functional.pad(frames.unsqueeze(0), (1, 0), mode="replicate").squeeze(0)
    frames = frames - 0.97 * before[:, :-1]
    frames = frames * torch.hann_window(size, periodic=False).unsqueeze(0)
    frames = torch.nn.functional.pad(frames.unsqueeze(0), (0, padded - size)).squeeze(0)
    power = torch.fft.rfft(frames).abs().pow(2.0)
    low, high = (1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (20.0, 8000.0))
    step = (high - low) / (mels + 1)
    row = torch.arange(mels).unsqueeze(1)
    left, centre, right = low + row * step, low + (row + 1.0) * step, low + (row + 2.0) * step
    mel = (1127.0 * (1.0 + 16000 / padded * torch.arange(padded // 2) / 700.0).log()).unsqueeze(0)
    up, down = (mel - left) / (centre - left), (right - mel) / (right - centre)
    triangles = torch.max(torch.zeros(1), torch.min(up, down))
    triangles = torch.nn.functional.pad(triangles, (0, 1))
    return torch.max(torch.mm(power, triangles.T), torch.tensor(2.0**-23)).log()


def _torchaudio() -> Callable | None:
    """torchaudio's own function where it is installed and works, else None."""
    try:
        from torchaudio.compliance.kaldi import fbank
    except (ImportError, OSError):
        return None
    return lambda clip: fbank(
        clip[None], htk_compat=True, use_energy=False, window_type="hanning", num_mel_bins=128, dither=0.0
    )


def _forms(clip: torch.Tensor) -> dict[str, tuple[Callable, int]]:
    """Each form as (what to call, how many clips it treats)."""
    bank = FilterBank(sample_rate=16000)
    frames = torch.randn(bank.frames(len(clip)), bank.fft_samples)
    matrix = torch.nn.functional.pad(mel_triangles(bank), (0, 1)).T.contiguous()
    batch = clip.repeat(BATCH, 1)
    forms = {
        "ours, one clip": (lambda: log_mel(clip, bank), 1),
        f"ours, batch of {BATCH}": (lambda: log_mel(batch, bank), BATCH),
        "step-by-step form": (lambda: step_by_step(clip), 1),
        "floor: transform and mel matrix": (lambda: torch.fft.rfft(frames).real @ matrix, 1),
    }
    if theirs := _torchaudio():
        forms["torchaudio"] = (lambda: theirs(clip), 1)
    return forms


def rows() -> list[dict]:
    """One row a form: fastest and median ms a clip, and how many times as fast as the step-by-step form."""
    torch.manual_seed(0)
    clip = torch.randn(16000 * SECONDS) * 0.1
    worst = float((log_mel(clip) - step_by_step(clip)).abs().max())
    if worst > 5e-3:
        raise RuntimeError(f"the forms differ by {worst:.1e}: nothing to compare")
    forms = _forms(clip)
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(WARM_UP + TURNS):
        for name, (call, clips) in forms.items():
            start = time.perf_counter()
            call()
            if turn >= WARM_UP:
                taken[name].append(1e3 * (time.perf_counter() - start) / clips)
    naive = min(taken["step-by-step form"])
    return [
        {"form": name, "ms": min(times), "median_ms": statistics.median(times), "speed": naive / min(times)}
        for name, times in taken.items()
    ]


def main() -> dict:
    """Print the table; gives the rates of `protoviz.analysis.scaling.SPEED`."""
    title = f"log-mel filter bank, {SECONDS} s at 16 kHz, 128 bands, ms a clip"
    table = Table("form", "fastest, ms", "median, ms", "x step by step", title=title)
    found = rows()
    for row in found:
        table.add_row(row["form"], f"{row['ms']:.2f}", f"{row['median_ms']:.2f}", f"{row['speed']:.1f}")
    Console().print(table)
    named = {row["form"]: row for row in found}
    ours, floor = named["ours, one clip"], named["floor: transform and mel matrix"]
    return {"ms": ours["ms"], "speed": ours["speed"], "floor_ms": floor["ms"]}


if __name__ == "__main__":
    main()
