"""The network with two streams, and its ablations."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depression_vr.bench.naive_relations import NaiveRelations, with_naive_relations
from depression_vr.errors import UserError
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.plegdf_fglscf.relations import RegionRelations
from depression_vr.models.plegdf_fglscf.slim_resnet import Bottleneck

FUSIONS = ("fglscf", "concat", "sum", "global_only", "local_only")


def small(size: int | Sequence[int] = 32, **settings: Any) -> PlegdfFglscf:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {"base_planes": 4, "layers": (1, 1, 1, 1), "reduction": 2}
    return PlegdfFglscf(size, **(defaults | settings))


def views(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def modules(network: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, kind)]


def untrained(network: nn.Module) -> list[str]:
    """The parameters that no gradient, or none that is a number, has reached."""
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("stages", [(1, 2, 3), (2,), (3, 1), ()], ids=str)
def test_gradients_reach_every_parameter(fusion: str, stages: tuple[int, ...]) -> None:
    network = small(64, fusion=fusion, plegdf_stages=stages, dropout=0.0)
    network(*views(2, 3, 4, 64, 64)).square().sum().backward()
    assert untrained(network) == []


def test_a_small_start_is_of_shortcuts_and_an_estimate_of_nothing() -> None:
    network = small(small_start=True, layers=(2, 1, 1, 1)).eval()
    generator = torch.Generator().manual_seed(2)
    blocks = [module for module in network.modules() if isinstance(module, Bottleneck)]
    assert len(blocks) == 10
    for block in blocks:
        maps = torch.randn((2, block.reduce.conv.in_channels, 2, 4, 4), generator=generator)
        assert torch.equal(block(maps), block.shortcut(maps).relu())
    assert network(*views(2, 3, 4, 32, 32)).abs().max() < 0.05
    assert small(layers=(2, 1, 1, 1)).eval()(*views(2, 3, 4, 32, 32)).abs().max() > 0.05


def test_a_small_start_comes_to_train_every_parameter() -> None:
    network = small(64, small_start=True, dropout=0.0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (network(*views(2, 3, 4, 64, 64)) - 1).square().sum().backward()
        optimizer.step()
    assert untrained(network) == []


@pytest.mark.parametrize(
    ("fusion", "stages", "related"),
    [
        ("fglscf", (1, 2, 3), [0, 1, 2]),
        ("sum", (3, 1), [0, 2]),
        ("global_only", (2,), [1]),
        ("concat", (), []),
        ("local_only", (1, 2, 3), []),
    ],
)
def test_regions_are_related_behind_the_asked_stages_of_the_global_stream(
    fusion: str, stages: tuple[int, ...], related: list[int]
) -> None:
    network = small(fusion=fusion, plegdf_stages=stages)
    expected = [f"streams.global.enhancements.{stage}" for stage in related]
    assert modules(network, RegionRelations) == expected


def test_the_face_goes_to_the_global_stream_and_the_region_to_the_local_one() -> None:
    face, region = views(2, 3, 4, 32, 32)
    both = small().eval()
    single = {name: small(fusion=f"{name}_only").eval() for name in ("global", "local")}
    for name, network in single.items():
        network.streams[name].load_state_dict(both.streams[name].state_dict())
        network.head.load_state_dict(both.head.state_dict())
    y = {name: network(face, region) for name, network in single.items()}
    assert torch.equal(y["global"], single["global"](face, torch.zeros_like(region)))
    assert torch.equal(y["local"], single["local"](torch.zeros_like(face), region))
    assert not torch.equal(y["global"], single["global"](region, region))
    assert not torch.equal(both(face, region), both(region, face))


@pytest.mark.parametrize("frames", [16, 8, 5, 1])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_takes_clips_of_any_length(fusion: str, frames: int) -> None:
    assert small(fusion=fusion).eval()(*views(2, 3, frames, 32, 32)).shape == (2,)


def test_takes_views_that_are_no_square() -> None:
    assert small((32, 64)).eval()(*views(1, 3, 4, 32, 64)).shape == (1,)


def test_a_network_of_default_settings_is_as_described() -> None:
    network = PlegdfFglscf().eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: shapes.update({name: tuple(output.shape)})

    for name, stream in network.streams.items():
        stream.register_forward_hook(keep(name))
        for stage, (blocks, enhancement) in enumerate(
            zip(stream.stages, stream.enhancements, strict=True), start=1
        ):
            blocks.register_forward_hook(keep(f"{name} {stage}"))
            enhancement.register_forward_hook(keep(f"{name} {stage} enhanced"))
    with torch.no_grad():
        network(*views(1, 3, 16, 128, 128))
    maps = {1: (1, 128, 8, 32, 32), 2: (1, 256, 4, 16, 16), 3: (1, 512, 2, 8, 8), 4: (1, 1024, 1, 4, 4)}
    for name in ("global", "local"):
        assert shapes[name] == (1, 1024)
        for stage, shape in maps.items():
            assert shapes[f"{name} {stage}"] == shapes[f"{name} {stage} enhanced"] == shape
    assert network.head[1].in_features == 1024


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({}, 23_465_921),
        ({"fusion": "concat"}, 23_466_945),
        ({"fusion": "global_only"}, 11_886_433),
        ({"fusion": "local_only"}, 11_580_513),
        ({"plegdf_stages": ()}, 23_160_001),
    ],
    ids=str,
)
def test_number_of_parameters(settings: dict[str, Any], parameters: int) -> None:
    assert sum(parameter.numel() for parameter in PlegdfFglscf(**settings).parameters()) == parameters


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_the_whole_network_is_that_with_every_pair_by_itself(training: bool) -> None:
    ours = small((32, 64), dropout=0.0).double().train(training)
    naive = with_naive_relations(ours)
    assert len(modules(naive, NaiveRelations)) == len(modules(ours, RegionRelations)) == 3
    assert modules(naive, RegionRelations) == []
    ours = ours.to(memory_format=torch.channels_last_3d)
    face, region = (view.double() for view in views(2, 3, 4, 32, 64))
    as_trained = (view.contiguous(memory_format=torch.channels_last_3d) for view in (face, region))
    torch.testing.assert_close(ours(*as_trained), naive(face, region), rtol=1e-9, atol=1e-9)


def test_dropout_leaves_evaluation_alone() -> None:
    clips = views(2, 3, 4, 32, 32)
    plain = small(dropout=0.0).eval()(*clips)
    assert torch.equal(small(dropout=0.9).eval()(*clips), plain)
    assert torch.equal(small(dropout=0.9, dropout_on="score").eval()(*clips), plain)


def test_dropout_on_features_leaves_the_bias_and_on_the_score_nothing() -> None:
    clips = views(2, 3, 4, 32, 32)
    on_features = small(dropout=1.0).train()
    on_score = small(dropout=1.0, dropout_on="score").train()
    for network in (on_features, on_score):
        nn.init.constant_(next(layer for layer in network.head if isinstance(layer, nn.Linear)).bias, 7.0)
    assert on_features(*clips).tolist() == [7.0, 7.0]
    assert on_score(*clips).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("size", [48, (64, 48), (48, 64)])
def test_a_map_with_an_odd_side_is_refused_where_regions_are_related(size: int | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"data\.size.* behind stage 3.*multiple of 32"):
        small(size)
    plain = small(size, plegdf_stages=[1, 2]).eval()
    height, width = (size, size) if isinstance(size, int) else size
    assert plain(*views(1, 3, 4, height, width)).shape == (1,)


@pytest.mark.parametrize("shape", [(32, 32), (64, 32), (63, 64)])
def test_clips_of_another_size_are_refused_where_regions_are_related(shape: tuple[int, int]) -> None:
    network = small([64, 64])
    with pytest.raises(UserError) as caught:
        network(*views(1, 3, 4, *shape))
    assert "64x64" in caught.value.what
    assert f"{shape[0]}x{shape[1]}" in caught.value.what
    assert "data.size" in caught.value.where


@pytest.mark.parametrize("settings", [{"plegdf_stages": ()}, {"fusion": "local_only"}], ids=str)
def test_without_relations_clips_of_any_size_are_taken(settings: dict[str, Any]) -> None:
    network = small(size=50, **settings).eval()
    assert network(*views(1, 3, 4, 50, 50)).shape == (1,)
    assert network(*views(1, 3, 4, 33, 47)).shape == (1,)


@pytest.mark.parametrize(
    "settings",
    [
        {"fusion": "product"},
        {"dropout_on": "everything"},
        {"dropout": 1.5},
        {"base_planes": 0},
        {"reduction": 0},
        {"layers": ()},
        {"layers": (1, 0)},
        {"plegdf_stages": (0,)},
        {"plegdf_stages": (1, 5)},
        {"size": [32]},
        {"size": [32, 32, 32]},
    ],
    ids=str,
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        small(**settings)
