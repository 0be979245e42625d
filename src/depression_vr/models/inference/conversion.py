"""From a network to the one that evaluates in its place."""

import copy
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from depression_vr.models import sta_drn
from depression_vr.models.attention import FusedSpatialTemporalAttention
from depression_vr.models.float32 import trains_in_float32
from depression_vr.models.inference.blocks import FoldedBlock, JoinedAttention
from depression_vr.models.inference.convolution import CHANNELS_LAST, FoldedConvolution, folded
from depression_vr.models.inference.stem import FoldedStem
from depression_vr.models.layers import Stem
from depression_vr.models.plegdf_fglscf import slim_resnet

_KNOWN = ("depression_vr.models.", "torchvision.models.")  # networks that only call their layers


@torch.no_grad()
def for_inference(network: nn.Module) -> nn.Module:
    """A network that evaluates as this one does now, and stays so; this one stays as it is.

    What is not certain to be safe is left alone: of networks that are neither this project's nor
    torchvision's, all but such networks' parts in them; any network that is compiled, has hooks or a
    `forward` that is not its class's; and any whose weights or statistics are not all finite, for the fused
    ReLU makes 0 of NaN, and scores would no longer show it. Weights that are not folded are shared.

    Args:
        network: in evaluation mode; under autocast if it is to evaluate so.
    """
    if any(map(_is_watched, network.modules())) or not _is_finite(network):
        return network
    return _converted(network)


def _is_watched(module: nn.Module) -> bool:
    """Whether something else than its class decides what a module does."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    # what `train_in_float32` sets does in evaluation as the class does
    own_forward = "forward" in vars(module) and not trains_in_float32(module)
    # of what is compiled as `torch.compile(network)` or `network.compile()` does
    compiled = hasattr(module, "_orig_mod") or module._compiled_call_impl is not None
    return any(hooks) or own_forward or compiled


def _is_finite(network: nn.Module) -> bool:
    tensors = chain(network.parameters(), network.buffers())
    finite = [each.isfinite().all() for each in tensors if each.is_floating_point()]
    # one question for all: a GPU is waited for once
    return not finite or bool(torch.stack([each.to(finite[0].device) for each in finite]).all())


def _converted(module: nn.Module) -> nn.Module:
    # a class derived from one of ours may compute something else
    replacement = _FORMS.get(type(module), _convolution)(module)
    return _with_children_converted(module) if replacement is None else replacement


def _with_children_converted(module: nn.Module) -> nn.Module:
    # others may index their Sequentials, or read a layer's weight
    convert = _converted if type(module).__module__.startswith(_KNOWN) else _unless_sequential
    children = {name: child and convert(child) for name, child in module._modules.items()}
    if all(child is module._modules[name] for name, child in children.items()):
        return module
    twin = copy.copy(module)
    twin._modules = children
    return twin


def _unless_sequential(module: nn.Module) -> nn.Module:
    return _with_children_converted(module) if isinstance(module, nn.Sequential) else _converted(module)


def _convolution(module: nn.Module, relu: bool = False) -> FoldedConvolution | None:
    """Of a convolution and a batch norm, followed by ReLU where there is one or one is asked for."""
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        return None
    layers: list[nn.Module] = list(module)
    if len(layers) == 3 and type(layers[2]) is nn.ReLU:
        layers.pop()
        relu = True
    both = folded(layers[0], layers[1]) if len(layers) == 2 else None
    return FoldedConvolution(both, relu) if both else None


def _attention(module: FusedSpatialTemporalAttention) -> JoinedAttention | None:
    temporal, spatial = (
        folded(branch.conv, branch.norm) for branch in (module.temporal_features, module.spatial_features)
    )
    if temporal is None or spatial is None:
        return None
    weight, bias = (
        _joined(parts, temporal.groups)
        for parts in ((temporal.weight, spatial.weight), (temporal.bias, spatial.bias))
    )
    both = temporal._replace(weight=weight.contiguous(memory_format=CHANNELS_LAST), bias=bias)
    return JoinedAttention(
        FoldedConvolution(both, relu=True), module.temporal_attention, module.spatial_attention
    )


def _joined(branches: Sequence[Tensor], groups: int) -> Tensor:
    """Output channels of both branches, group by group."""
    return torch.cat([branch.unflatten(0, (groups, -1)) for branch in branches], dim=1).flatten(0, 1)


def _stem(module: Stem) -> FoldedStem | None:
    both = folded(module.conv, module.norm)
    return FoldedStem(both, module.pool) if both else None


def _chain(network: sta_drn.StaDrn | slim_resnet.SlimResNet3d) -> nn.Module:
    """Of a network whose blocks follow each other, with nothing but them looking at the maps in between."""
    converted = _with_children_converted(network)
    for block in converted.modules():
        if isinstance(block, FoldedBlock):
            block.owns_input = True
    return converted


def _sta_drn_block(module: sta_drn.Bottleneck) -> FoldedBlock | None:
    attention = _converted(module.attention)
    return _block(module, [module.reduce], [attention, module.norm, nn.ReLU(inplace=True)])


def _slim_resnet_block(module: slim_resnet.Bottleneck) -> FoldedBlock | None:
    return _block(module, [module.reduce, module.conv], [])


def _block(
    module: sta_drn.Bottleneck | slim_resnet.Bottleneck,
    convolutions: Sequence[nn.Module],
    behind: Sequence[nn.Module],
) -> FoldedBlock | None:
    """Of a bottleneck: convolutions that ReLU follows, what is behind them, and the last convolution."""
    first = [_convolution(each, relu=True) for each in convolutions]
    before = [each for each in first if each is not None]
    last = _convolution(module.expand, relu=True)
    if last is None or len(before) < len(first):
        return None
    return FoldedBlock(nn.Sequential(*before, *behind), last, _converted(module.shortcut))


_FORMS: dict[type, Callable[[Any], nn.Module | None]] = {
    FusedSpatialTemporalAttention: _attention,
    Stem: _stem,
    sta_drn.Bottleneck: _sta_drn_block,
    sta_drn.StaDrn: _chain,
    slim_resnet.Bottleneck: _slim_resnet_block,
    slim_resnet.SlimResNet3d: _chain,
}
"""What makes the form that stands for a module as a whole; None where it cannot."""
