"""How each shipped mini encoder was trained: `protoviz pretrain NAME` does it again.

None of the numbers is the papers': they are for at most two hours of one processor core. All see the same
scenes and take as many steps.
"""

from protoviz.encoders.mini import MiniConfig
from protoviz.pretraining.codes import CodesConfig
from protoviz.pretraining.distilled import DistilledConfig
from protoviz.pretraining.labels import LabelsConfig
from protoviz.pretraining.latents import LatentsConfig
from protoviz.pretraining.loop import PretrainConfig
from protoviz.pretraining.masked import MaskedConfig
from protoviz.pretraining.mixtures import MixturesConfig

WITHOUT_CLS = MiniConfig(cls=False)
BANDS = MiniConfig(patch=4, patch_mels=128, cls=False)  # 256 x 1 cells of 40 ms, as Dasheng

RECIPES: dict[str, PretrainConfig] = {
    "mini-mae": PretrainConfig(),
    # 16 clips, each under 4 masks: 64 passes of the student a step, as many as the others make.
    "mini-eat": PretrainConfig(objective=LatentsConfig(), batch=16, lr=1e-3),
    # 8 clips and 8 mixtures: the passes of mini-eat's student, and half as many again of the teacher.
    "mini-sslam": PretrainConfig(objective=MixturesConfig(), batch=8, lr=1e-3),
    "mini-beats": PretrainConfig(encoder=WITHOUT_CLS, objective=CodesConfig()),
    # All tokens of two views run, corrupted in the student and clean in the teacher: 12 clips cost as much as
    # 64 of the others.
    "mini-asit": PretrainConfig(objective=DistilledConfig(), batch=12, lr=1e-3),
    # All 256 columns of a clip: they are as many tokens as half of a 64 x 8 grid.
    "mini-dasheng": PretrainConfig(encoder=BANDS, objective=MaskedConfig(window=256)),
    # It starts from mini-eat's weights: a quarter of the steps do.
    "mini-eat+": PretrainConfig(objective=LabelsConfig(), steps=1750, batch=32, lr=5e-4),
}
