"""Fine-tuning on labels of whole clips: what is in a scene, read off [cls].

As EAT's fine-tuning (repository cwx-worst-one/EAT, `config/finetuning.yaml`): a linear layer on [cls], binary
cross-entropy, a share of the patches left out. It starts from a pre-trained mini encoder and knows of each
scene which classes sound in it, not where. The linear layer is dropped afterwards.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.encoders.mini import MiniConfig, MiniEncoder
from protoviz.encoders.vit import patchify, run_blocks
from protoviz.encoders.weights import fill, find_weights, read_weights
from protoviz.pretraining import masks
from protoviz.pretraining.objective import Batch, Objective, pick
from protoviz.pretraining.scene_store import PretrainError
from protoviz.scenes import ProceduralSources


@dataclass(frozen=True)
class LabelsConfig:
    """Fine-tuning on labels."""

    start: str = "mini-eat"  # whose weights it starts from
    left_out: float = 0.5  # of a clip's patches, at random; EAT: 0.2. Half of them cost less than half

    def visible(self, encoder: MiniConfig) -> int:
        """Return patches of a clip that the encoder sees."""
        return round(encoder.grid[0] * encoder.grid[1] * (1 - self.left_out))

    def check(self, encoder: MiniConfig) -> None:
        """Raise PretrainError if these settings do not fit the encoder."""
        if not encoder.cls:
            raise PretrainError("labels are read off [cls]; choose an encoder with cls=True")
        if not 0 < self.visible(encoder) <= encoder.grid[0] * encoder.grid[1]:
            raise PretrainError(f"left_out={self.left_out} leaves no patches to see; choose 0 to 0.95")


class FromLabels(Objective):
    """The mini encoder with a linear layer on [cls]; mean binary cross-entropy over classes."""

    def __init__(self, encoder: MiniEncoder, config: LabelsConfig = LabelsConfig()):
        super().__init__(encoder)
        self.config = config
        self.classes = ProceduralSources().classes
        self.head = nn.Linear(encoder.dim, len(self.classes))

    def begin(self) -> None:
        """Put in the weights to start from. Raise WeightsError if they are absent or differ."""
        path = find_weights(self.config.start)
        fill(self.encoder, read_weights(path)[0], path)

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return the mean binary cross-entropy of the labels of each clip."""
        encoder, visible = self.encoder, self.config.visible(self.encoder.config)
        times, freqs = encoder.grid
        places = self.here(masks.shuffled(rng, len(batch.features), times * freqs)[:, :visible])
        patches = pick(patchify(batch.features, encoder.config.patch_size), places)
        run = run_blocks(encoder.blocks, encoder.embed(patches, encoder.positions[places]))
        logits = self.head(encoder.norm(run.x)[:, 0]).float()
        return F.binary_cross_entropy_with_logits(logits, self.targets(batch.labels()).to(logits.device))

    def targets(self, present: list[tuple[str, ...]]) -> Tensor:
        """Return (b c) 1 for the classes that sound in each scene."""
        return torch.tensor([[float(name in labels) for name in self.classes] for labels in present])

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        config, encoder = self.config, self.encoder
        return {
            "objective": f"fine-tuned from {config.start}: binary cross-entropy, {len(self.classes)} classes",
            "[cls]": "a linear layer reads the labels off it",
            "view": f"{config.visible(encoder.config)} of {len(encoder.positions)} cells of whole clips",
            "labels": "which classes sound in a scene, not where",
        }
