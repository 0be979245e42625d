"""What evaluates in place of a network gives its scores."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from depression_vr.models.attention import ATTENTION
from depression_vr.models.baselines import R3D18
from depression_vr.models.inference import for_inference
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn
from depression_vr.models.stem_convolution import StemConvolution
from depression_vr.models.weights import from_release

FIXTURES = Path(__file__).parents[2] / "data" / "fixtures"
CLIPS = 50
POINTS = {torch.float32: 0.01, torch.bfloat16: 0.5}
Networks = dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]]

SMALL: Networks = {  # and the frames and the size of their clips
    **{
        name: (lambda name=name: StaDrn(name, base_planes=8, layers=(1, 1, 1, 1)), (8, 32))
        for name in ATTENTION
    },
    "one_group": (lambda: StaDrn(base_planes=8, layers=(1, 1, 1), groups=1), (13, 33)),
    "plegdf_fglscf": (lambda: PlegdfFglscf(32, base_planes=16, layers=(1, 1), plegdf_stages=(1, 2)), (8, 32)),
}
WHOLE: Networks = {
    **{name: (lambda name=name: StaDrn(name), (16, 64)) for name in ATTENTION},
    # at full depth bfloat16 rounds single clips to a point, with random weights, also of the network itself
    "plegdf_fglscf": (lambda: PlegdfFglscf(64, layers=(1, 1, 1, 1)), (8, 64)),
    "r3d_18": (R3D18, (8, 32)),
}


def clips(number: int, frames: int, size: int, seed: int) -> Tensor:
    """Noisy clips of slow shapes, of different contrast and colour."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn(number, 3, 2, 4, 4, generator=generator)
    contrast, colour = (torch.randn(number, n, 1, 1, 1, generator=generator) for n in (1, 3))
    slow = functional.interpolate(contrast * shapes + colour, (frames, size, size), mode="trilinear")
    return slow + 0.3 * torch.randn(slow.shape, generator=generator)


def views(network: nn.Module, number: int, shape: tuple[int, int], seed: int) -> list[Tensor]:
    regions = 1 + isinstance(network, PlegdfFglscf)
    return [clips(number, *shape, seed + region) for region in range(regions)]


def trained(build: Callable[[], nn.Module], shape: tuple[int, int]) -> nn.Module:
    """A network with running statistics of its own whose scores lie around 0..63.

    What its head looks at is what clips differ most in, as training would have it. A random direction differs
    by little, and to make scores of it would enlarge the rounding of bfloat16 as much.
    """
    torch.manual_seed(0)
    network = build()
    for norm in network.modules():
        if isinstance(norm, _BatchNorm):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.2)
    features: list[Tensor] = []
    *_, head = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        for seed in range(3):
            network(*views(network, 8, shape, 10 * seed))
        network.eval()
        hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        network(*views(network, 20, shape, 100))
        hook.remove()
        centred = features[0] - features[0].mean(0)
        head.weight.copy_(torch.linalg.svd(centred).Vh[:1])  # what clips differ most in
        head.weight.mul_(0.2 / (centred @ head.weight.T).std())
        head.bias.copy_(0.5 - features[0].mean(0) @ head.weight.T)
    return network


def scores(network: nn.Module, inputs: list[Tensor], dtype: torch.dtype) -> Tensor:
    """Of a network in place of this one, in points; a few clips at a time."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        replacement = for_inference(network)
        assert replacement is not network
        batches = zip(*(view.split(20) for view in inputs), strict=True)
        return torch.cat([63 * replacement(*batch).float().relu() for batch in batches])


def with_plain_stem(network: nn.Module) -> nn.Module:
    """A twin whose first convolution is PyTorch's, in whatever form ours computes."""
    twin = copy.deepcopy(network)
    for layer in twin.modules():
        if isinstance(layer, StemConvolution):
            layer._conv_forward = partial(nn.Conv3d._conv_forward, layer)
    return twin


def assert_same_scores(build: Callable[[], nn.Module], shape: tuple[int, int]) -> None:
    network = trained(build, shape)
    inputs = views(network, CLIPS, shape, 1000)
    with torch.no_grad():
        wanted = 63 * with_plain_stem(network)(*inputs).relu()
    assert wanted.std() > 8
    for dtype, points in POINTS.items():
        difference = (scores(network, inputs, dtype) - wanted).abs().max()
        assert difference < points, dtype


@pytest.mark.parametrize("name", SMALL)
def test_scores_stay_the_same(name: str) -> None:
    assert_same_scores(*SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_scores_of_whole_networks_stay_the_same(name: str) -> None:
    assert_same_scores(*WHOLE[name])


def test_without_onednn_the_scores_are_the_same() -> None:
    build, shape = SMALL["sta_fused"]
    network = trained(build, shape)
    inputs = views(network, 4, shape, 1000)
    expected = scores(network, inputs, torch.float32)
    with torch.backends.mkldnn.flags(enabled=False):
        plain = scores(network, inputs, torch.float32)
    torch.testing.assert_close(plain, expected, rtol=0, atol=1e-3)


def test_double_precision_stays_double() -> None:
    build, shape = SMALL["sta_fused"]
    network = trained(build, shape).double()
    inputs = [view.double() for view in views(network, 4, shape, 1000)]
    with torch.no_grad():
        expected, y = network(*inputs), for_inference(network)(*inputs)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)  # but for softmax, which is in float32
    assert y.dtype == torch.float64


@pytest.mark.parametrize("attention", ATTENTION)
def test_published_weights_give_the_published_output(attention: str) -> None:
    with np.load(FIXTURES / f"sta_drn_{attention}_tiny.npz") as content:
        figures = dict(content)
    with np.load(FIXTURES / "sta_drn_tiny_input.npz") as content:
        inputs = torch.from_numpy(content["input"].astype(np.float32))
    state = {
        key.removeprefix("state/"): torch.from_numpy(array)
        for key, array in figures.items()
        if key.startswith("state/")
    }
    network = StaDrn(attention, base_planes=2, layers=(1, 1, 1, 1))
    network.load_state_dict(from_release(state))
    with torch.no_grad():
        y = for_inference(network.float().eval())(inputs)
    np.testing.assert_allclose(63 * y, 63 * figures["eval_output"][:, 0], rtol=0, atol=0.01)
