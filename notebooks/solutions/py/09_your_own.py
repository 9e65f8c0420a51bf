# %% [markdown]
# # 09 · Your own encoder, your own sounds: solutions

# %%
import torch

from protoviz.audio import FilterBank, log_mel
from protoviz.course import check
from protoviz.encoders import Encoder, Encoding
from protoviz.encoders.check import check_encoder

# %% [markdown]
# **Exercise 09.1** Clips × tokens × width × 2 bytes. ([cls] and the mask add less than a hundredth.) The
# paper's caches of all data sets and encoders take about 3.6 TB.

# %%
gigabytes = 18_600 * 512 * 768 * 2 / 1e9
assert check("09.1", gigabytes).right
round(gigabytes, 1)

# %% [markdown]
# **Exercise 09.2** The maximum then also runs over padding. Silence is a pattern like any other: a
# prototype can match it in every short clip, and the probe learns how long clips are instead of what they
# hold.

# %%
assert check("09.2", "a prototype matches silence").right

# %% [markdown]
# **Exercise 09.3** For example one token a frame of 40 ms with all 64 mel rows: a grid with a single band,
# like Dasheng's.


# %%
class MelFrames(Encoder):
    name, dim, sample_rate, seconds = "mel-frames", 64, 16_000, 10.24
    grid, cls_kind = (256, 1), "mean token"

    def __init__(self):
        super().__init__()
        self.bank = FilterBank(sample_rate=16_000, mels=64)
        self.scale = torch.nn.Parameter(torch.tensor(1 / 7))

    def features(self, waveforms):
        clips = self.clips(waveforms)
        out = clips[0].new_zeros(len(clips), 1024, 64)
        for row, clip in zip(out, clips, strict=True):
            mels = (log_mel(clip, self.bank) + 5) * self.scale
            row[: len(mels)] = mels
        return out

    def mask(self, samples):
        frames = [[self.bank.frames(count)] for count in samples]
        frames = torch.tensor(frames, device=self.device)
        return torch.arange(256, device=self.device) * 4 < frames

    def front_end(self):
        return {
            "low_hz": self.bank.low_hz,
            "high_hz": self.bank.top_hz,
            "mels": 64,
            "shift": 5,
        }

    def shape(self):
        return {"frames": 4}

    def forward(self, features, attention=False, mask=None, layers=()):
        tokens = features.unflatten(1, (256, 4)).mean(2)
        if mask is None:
            mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        tokens = tokens.masked_fill(~mask[..., None], 0)
        return Encoding(
            tokens, tokens.sum(1) / mask.sum(1, keepdim=True), self.grid, mask
        )


encoder = MelFrames().eval().requires_grad_(False)
assert check("09.3", encoder).right
check_encoder(encoder)
