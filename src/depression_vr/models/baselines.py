"""Networks that a result has to stand against."""

from torch import Tensor, nn
from torchvision.models import video


class MeanBaseline(nn.Module):
    """Says 0 of every clip: on a scale standardised with the training labels, the training mean."""

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to zeros of shape ``(B,)``."""
        return clips.new_zeros(len(clips))


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
        self.network.fc = nn.Linear(self.network.fc.in_features, 1)

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)``, normalised, to y of shape ``(B,)``."""
        return self.network(clips).squeeze(1)
