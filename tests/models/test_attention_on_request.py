"""Networks give the attention that they compute, from the pass that computes y, to whoever asks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depression_vr.models.attention import AttentionVector, GroupedFeatures
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn

VARIANTS = ("ta", "sa", "sta", "sta_fused")
FUSIONS = ("fglscf", "concat", "sum", "global_only", "local_only")
DEPTHS = [2, 4]
"""Blocks of the stages of `sta_drn`."""


def sta_drn(attention: str, groups: int = 2) -> StaDrn:
    torch.manual_seed(0)
    return StaDrn(attention, base_planes=4, layers=[depth // 2 for depth in DEPTHS], groups=groups)


def plegdf(**settings: Any) -> PlegdfFglscf:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {"base_planes": 4, "layers": (1, 1, 1), "reduction": 2, "dropout": 0.0}
    return PlegdfFglscf(32, **(defaults | settings))


def clips(count: int = 1) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn((2, 3, 4, 32, 32), generator=generator) for _ in range(count))


def output_and_gradients(network: nn.Module, views: tuple[Tensor, ...], **asked: bool) -> list[Tensor]:
    """y and the gradients of all parameters and views of a training pass."""
    views = tuple(view.clone().requires_grad_() for view in views)
    answer = network(*views, **asked)
    y = answer.y if asked else answer
    assert isinstance(y, Tensor)
    of = [*network.parameters(), *views]
    return [y, *torch.autograd.grad(y.square().sum(), of, materialize_grads=True)]


@pytest.mark.parametrize(
    "build",
    [
        *(pytest.param(lambda name=name: (sta_drn(name), 1), id=name) for name in VARIANTS),
        *(pytest.param(lambda name=name: (plegdf(fusion=name), 2), id=name) for name in FUSIONS),
        pytest.param(lambda: (plegdf(plegdf_stages=()), 2), id="no relations"),
    ],
)
def test_asking_changes_no_bit(build: Callable[[], tuple[nn.Module, int]]) -> None:
    network, count = build()
    views = clips(count)
    plain = output_and_gradients(network.train(), views)
    asked = output_and_gradients(build()[0].train(), views, with_attention=True)
    assert all(map(torch.equal, plain, asked))
    with torch.no_grad():
        assert torch.equal(network.eval()(*views), network(*views, with_attention=True).y)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("variant", VARIANTS)
def test_sta_attention_is_of_every_block_and_sums_to_one_over_groups(variant: str, groups: int) -> None:
    network = sta_drn(variant, groups).eval()
    stages = network(*clips(), with_attention=True).stages
    assert [len(stage) for stage in stages] == [depth // 2 * groups for depth in DEPTHS]
    for number, stage in enumerate(stages):
        inner, frames, side = (8 if number else 4) // groups, 4 // (number + 1), 8 // (number + 1)
        for block in stage:
            shapes = {"temporal": (2, groups, inner, frames), "spatial": (2, groups, inner, side, side)}
            for part, shape in shapes.items():
                found = getattr(block, part)
                if (part == "temporal" and variant == "sa") or (part == "spatial" and variant == "ta"):
                    assert found is None
                else:
                    assert found.shape == shape
                    torch.testing.assert_close(found.sum(1), torch.ones_like(found[:, 0]))


def by_hand(features: GroupedFeatures, vector: AttentionVector, x: Tensor, over: tuple[int, ...]) -> Tensor:
    """Attention written out group by group: ``(B, groups, C / groups, ...)``."""
    conv, norm = features.conv, features.norm
    assert norm.running_mean is not None and norm.running_var is not None and vector.logits.bias is not None
    z = nn.functional.conv3d(x, conv.weight, conv.bias, conv.stride, conv.padding, groups=conv.groups)
    z = nn.functional.batch_norm(z, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
    means = z.mean(over)  # (B, C, ...)
    groups, inner = vector.groups, z.shape[1] // vector.groups
    logits = []
    for group in range(groups):
        own = slice(group * inner, (group + 1) * inner)
        weight = vector.logits.weight[own].flatten(1)
        bias = vector.logits.bias[own].view(1, -1, *[1] * (means.dim() - 2))
        logits.append(torch.einsum("oi,bi...->bo...", weight, means[:, own]) + bias)
    exponents = torch.stack(logits, 1).exp()
    return exponents / exponents.sum(1, keepdim=True)


def test_the_values_are_those_of_the_formulas() -> None:
    network = sta_drn("sta_fused").eval().double()
    views = tuple(view.double() for view in clips())
    with torch.no_grad():
        found = network(*views, with_attention=True).stages[0][0]
        block = network.stages[0][0]
        x = block.reduce(network.stem(*views)).relu()
        module = block.attention
        temporal = by_hand(module.temporal_features, module.temporal_attention, x, (3, 4))
        spatial = by_hand(module.spatial_features, module.spatial_attention, x, (2,))
        weighed = module(x)
        sum_of_both = module.temporal_features(x) + module.spatial_features(x)
    torch.testing.assert_close(found.temporal, temporal)
    torch.testing.assert_close(found.spatial, spatial)
    fused = found.temporal[..., None, None] * found.spatial.unsqueeze(3)
    torch.testing.assert_close(weighed, sum_of_both * fused.flatten(1, 2))


@pytest.mark.parametrize(
    ("settings", "related", "gated"),
    [
        ({}, [1, 2, 3], True),
        ({"plegdf_stages": (3, 1)}, [1, 3], True),
        ({"plegdf_stages": ()}, [], True),
        ({"fusion": "concat"}, [1, 2, 3], False),
        ({"fusion": "global_only"}, [1, 2, 3], False),
        ({"fusion": "local_only"}, [], False),
    ],
)
def test_relations_and_gates_are_given_where_there_are_any(
    settings: dict[str, Any], related: list[int], gated: bool
) -> None:
    found = plegdf(**settings).eval()(*clips(2), with_attention=True)
    assert sorted(found.relations) == related
    for stage, weights in found.relations.items():
        side = 16 // 2**stage
        assert weights.shape == (2, 1, -(-2 // 2 ** (stage - 1)), side, side)
        assert ((weights >= 0) & (weights <= 1)).all()
    assert (found.gates is not None) == gated


def test_relations_lie_where_they_weigh_and_gates_follow_their_formulas() -> None:
    network = plegdf(plegdf_stages=(2,)).eval()
    face, region = clips(2)
    with torch.no_grad():
        found = network(face, region, with_attention=True)
        whole, local = network.streams["global"], network.streams["local"]
        x = whole.stages[1](whole.stages[0](whole.stem(face)))
        torch.testing.assert_close(whole.enhancements[1](x), x * found.relations[2])
        g = whole.stages[2](x * found.relations[2]).mean((2, 3, 4))
        features = local(region)
        w = torch.sigmoid(g * features)
        v = torch.sigmoid(((1 + w) * g + features) * ((1 + w) * g + g))
    torch.testing.assert_close(found.gates.correlation, w)
    torch.testing.assert_close(found.gates.semantics, v)
