"""Networks that a result has to stand against."""

import torch
from torch import Tensor, nn
from torchvision.models import video

from depression_vr.models.float32 import Float32Linear


class MeanBaseline(nn.Module):
    """Says the same of every clip: 0, which is the training mean on a standardised scale.

    The constant is a parameter so that the training loop is that of every network; its recipe has a
    learning rate of 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(()))

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to the constant, shape ``(B,)``."""
        return self.constant.expand(clips.shape[0])


class R3D18(nn.Module):
    """torchvision's 18-layer 3D ResNet with one output.

    Source: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.

    Args:
        weights: a name of torchvision's (``KINETICS400_V1``; downloaded at first use), or nothing for
            random initialisation.
    """

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.network = video.r3d_18(weights=weights)
        self.network.fc = Float32Linear(self.network.fc.in_features, 1)

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)``, normalised, to y of shape ``(B,)``."""
        return self.network(clips).squeeze(1)

    def stages_by_view(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The stages of the only view; the output of each is a map."""
        network = self.network
        return ((network.layer1, network.layer2, network.layer3, network.layer4),)
