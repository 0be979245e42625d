"""What stands in for a network, and what is left alone."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from depression_vr.models.attention import ATTENTION
from depression_vr.models.baselines import R3D18, MeanBaseline
from depression_vr.models.inference import convolution, for_inference
from depression_vr.models.layers import ConvNorm
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import Bottleneck, StaDrn

CLIPS = torch.randn(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))


def small(attention: str = "sta_fused") -> StaDrn:
    torch.manual_seed(0)
    network = StaDrn(attention, base_planes=4, layers=(1, 1))
    network(CLIPS)
    return network.eval()


def norms(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, _BatchNorm)]


@pytest.mark.parametrize("attention", ATTENTION)
def test_of_sta_drn_only_the_norms_behind_attention_are_left(attention: str) -> None:
    left = norms(for_inference(small(attention)))
    assert len(left) == 4  # blocks
    assert all(name.endswith("before.2") for name in left)


def test_of_the_other_networks_those_are_left_that_no_3d_convolution_is_in_front_of() -> None:
    plegdf = PlegdfFglscf(32, base_planes=4, layers=(1, 1), plegdf_stages=(1,)).eval()
    left = norms(for_inference(plegdf))
    assert len(left) == 3
    assert all("enhancements" in name for name in left)
    assert norms(for_inference(R3D18().eval())) == []


def test_the_network_stays_as_it_is() -> None:
    network = small()
    state = copy.deepcopy(network.state_dict())
    names = [name for name, _ in network.named_modules()]
    for_inference(network)(CLIPS)
    assert [name for name, _ in network.named_modules()] == names
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    network.train()(CLIPS).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_its_scores_are_of_the_weights_that_the_network_had() -> None:
    network = small()
    replacement = for_inference(network)
    with torch.no_grad():
        before = replacement(CLIPS)
        network.stem.conv.weight.mul_(2)
        torch.testing.assert_close(replacement(CLIPS), before, rtol=0, atol=0)
        assert not torch.allclose(for_inference(network)(CLIPS), before)


class Dense(nn.Module):
    """A network that goes through its layers one by one, and uses what goes into a block again."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(3, 16, 3), nn.BatchNorm3d(16), nn.ReLU())
        self.second = ConvNorm(16, 16, 3, 1, 0.1)
        self.block = Bottleneck(ATTENTION["sta"], 16, 4, stride=1, groups=2, norm_momentum=0.1)

    def forward(self, clips: Tensor) -> Tensor:
        for layer in self.first:
            clips = layer(clips)
        x = self.second(clips) + self.first[0].weight.mean()
        return (x + 2 * self.block(x)).mean((1, 2, 3, 4))


def test_of_a_network_of_somebodys_own_only_our_blocks_are_folded() -> None:
    torch.manual_seed(0)
    network = Dense()
    network(CLIPS)
    network.eval()
    replacement = for_inference(network)
    assert norms(replacement) == ["first.1", "second.norm", "block.before.2"]
    with torch.no_grad():
        torch.testing.assert_close(replacement(CLIPS), network(CLIPS), rtol=1e-4, atol=1e-4)


class Louder(Bottleneck):
    """Computes something else than what it is derived from."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_a_derived_block_computes_its_own_way() -> None:
    network = small()
    for block in network.stages[0]:
        block.__class__ = Louder
    with torch.no_grad():
        torch.testing.assert_close(for_inference(network)(CLIPS), network(CLIPS), rtol=1e-4, atol=1e-5)


def test_a_network_without_convolutions_and_one_with_hooks_evaluate_themselves() -> None:
    constant = MeanBaseline().eval()
    assert for_inference(constant) is constant
    network = small()
    network.stages[0].register_forward_hook(lambda *_: None)
    assert for_inference(network) is network


def test_a_layer_with_a_forward_of_its_own_evaluates_itself() -> None:
    network = small()
    network.stem.conv.forward = lambda x: torch.zeros(len(x), 64, 8, 16, 16)  # type: ignore[method-assign]
    assert for_inference(network) is network


def test_clips_too_short_for_tiles_have_the_scores_of_the_network() -> None:
    network, short = small(), CLIPS[:, :, :5]
    with torch.no_grad():
        torch.testing.assert_close(for_inference(network)(short), network(short), rtol=1e-4, atol=1e-5)


class Shifted(nn.BatchNorm3d):
    """Not what it is derived from."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


def unfolded() -> dict[str, nn.Sequential]:
    return {
        "derived": nn.Sequential(nn.Conv3d(3, 4, 3), Shifted(4)),
        "dilation": nn.Sequential(nn.Conv3d(3, 4, 3, dilation=2), nn.BatchNorm3d(4)),
        "replicated": nn.Sequential(nn.Conv3d(3, 4, 3, padding_mode="replicate"), nn.BatchNorm3d(4)),
        "same": nn.Sequential(nn.Conv3d(3, 4, 3, padding="same"), nn.BatchNorm3d(4)),
        "without statistics": nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4, track_running_stats=False)),
    }


@pytest.mark.parametrize("name", unfolded())
def test_layers_that_are_not_certain_to_fold_are_not_folded(name: str) -> None:
    layers = unfolded()[name].eval()
    assert for_inference(layers) is layers


@pytest.mark.parametrize(
    "key",
    [
        "stem.conv.weight",
        "stem.norm.running_mean",
        "stem.norm.running_var",
        "stages.0.0.reduce.norm.weight",
        "stages.0.0.attention.temporal_features.norm.bias",
        "stages.0.0.attention.temporal_attention.logits.weight",
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_network_evaluates_itself_and_its_scores_show_it(key: str, value: float) -> None:
    network = small()
    network.state_dict()[key].flatten()[0] = value
    assert for_inference(network) is network


def test_a_network_in_training_mode_keeps_its_norms() -> None:
    network = small().train()
    assert norms(for_inference(network)) == norms(network)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
def test_pytorch_still_has_the_kernels_that_join_what_follows_a_convolution() -> None:
    assert convolution._has_fused_kernel(CLIPS)
    assert "add" in str(torch.ops.mkldnn._convolution_pointwise_.binary._schema)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_adds_before_relu(groups: int, relu: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x, added = (torch.randn(1, 4, 5, 6, 1, generator=generator) for _ in range(2))
    weight = torch.randn(4, 4 // groups, 3, 3, 3, generator=generator)
    bias = torch.randn(4, generator=generator)
    expected = functional.conv3d(x, weight, bias, padding=1, groups=groups) + added
    expected = expected.relu() if relu else expected
    y = convolution.convolve(x, weight, bias, (1, 1, 1), (1, 1, 1), groups, relu, added)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_folded_convolution_of_few_time_steps_is_whole(steps: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = ConvNorm(4, 6, 3, stride, 0.1)
    layer(torch.randn(2, 4, 8, 8, 8))
    layer.eval()
    x = torch.randn(2, 4, steps, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(for_inference(layer)(x), layer(x), rtol=1e-4, atol=1e-5)


def test_padding_as_large_as_the_kernel_is_kept() -> None:
    layers = nn.Sequential(nn.Conv3d(3, 4, (2, 3, 3), (6, 1, 1), padding=(3, 1, 1)), nn.BatchNorm3d(4)).eval()
    with torch.no_grad():
        x = CLIPS[:, :, :1]
        torch.testing.assert_close(for_inference(layers)(x), layers(x), rtol=1e-4, atol=1e-5)
