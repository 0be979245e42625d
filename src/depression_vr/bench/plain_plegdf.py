"""The baseline of PLEGDF-FGLSCF: the network as it is described, layer after layer, in PyTorch's own modules.

Names and shapes of its parameters and buffers are those of `PlegdfFglscf`, in whatever form that computes.
"""

from torch import Tensor, nn

from depression_vr.bench.naive_relations import with_naive_relations
from depression_vr.bench.plain_layers import plain_conv_norm, plain_stem
from depression_vr.models.layers import Stem
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.plegdf_fglscf.slim_resnet import EXPANSION, Bottleneck


def plain(network: PlegdfFglscf) -> PlegdfFglscf:
    """The twin of a network: the same weights, statistics, precision and mode, contiguous in memory."""
    twin = with_naive_relations(network)
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Stem):
                setattr(parent, name, plain_stem(child.conv.out_channels, 2, child.norm.momentum))
            elif isinstance(child, Bottleneck):
                setattr(parent, name, _Bottleneck(child))
    twin.to(next(network.parameters()).dtype).load_state_dict(network.state_dict())
    return twin.train(network.training)


class _Bottleneck(nn.Module):
    """``(B, in, T, H, W)`` to ``(B, 4 * planes, T/stride, H/stride, W/stride)``."""

    def __init__(self, like: Bottleneck) -> None:
        super().__init__()
        in_planes, planes = like.reduce.conv.in_channels, like.reduce.conv.out_channels
        stride, momentum = like.conv.conv.stride[0], like.reduce.norm.momentum
        self.reduce = plain_conv_norm(in_planes, planes, 1, 1, momentum)
        self.conv = plain_conv_norm(planes, planes, 3, stride, momentum)
        self.expand = plain_conv_norm(planes, EXPANSION * planes, 1, 1, momentum)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_planes != EXPANSION * planes:
            self.shortcut = plain_conv_norm(in_planes, EXPANSION * planes, 1, stride, momentum)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        z = self.relu(self.reduce(x))
        z = self.relu(self.conv(z))
        return self.relu(self.expand(z) + self.shortcut(x))
