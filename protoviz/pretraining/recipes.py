"""How each shipped mini encoder was trained: `protoviz pretrain NAME` does it again.

All see the same scenes. None of the numbers is the papers': they are for half an hour on
two processor cores.
"""

from protoviz.encoders.mini import MiniConfig
from protoviz.pretraining.codes import CodesConfig
from protoviz.pretraining.latents import LatentsConfig
from protoviz.pretraining.loop import PretrainConfig
from protoviz.pretraining.masked import MaskedConfig

WITHOUT_CLS = MiniConfig(cls=False)
BANDS = MiniConfig(patch=4, patch_mels=128, cls=False)  # 256 x 1 cells of 40 ms, as Dasheng

RECIPES: dict[str, PretrainConfig] = {
    "mini-mae": PretrainConfig(),
    # 16 clips, each under 4 masks: 64 passes of the student a step, as many as the others make.
    "mini-eat": PretrainConfig(objective=LatentsConfig(), batch=16, lr=1e-3),
    "mini-beats": PretrainConfig(encoder=WITHOUT_CLS, objective=CodesConfig()),
    # All 256 columns of a clip: they are as many tokens as half of a 64 x 8 grid.
    "mini-dasheng": PretrainConfig(encoder=BANDS, objective=MaskedConfig(window=256)),
}
