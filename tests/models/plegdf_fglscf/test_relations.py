"""Relations between regions are what the description says, computed without building the affinities."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from depression_vr.bench.naive_relations import NaiveRelations
from depression_vr.models.layers import initialise
from depression_vr.models.plegdf_fglscf.relations import RegionRelations, from_quadrants, to_quadrants

MOMENTUM = 0.1
SHAPES = [
    (2, 16, 3, 8, 12),
    (1, 16, 3, 8, 8),
    (2, 8, 1, 12, 8),
    (1, 8, 1, 4, 6),
]
SMALLEST = (2, 3, 2, 2, 2)  # one position per quadrant; fewer channels than the reduction
# what feeds a single channel has no gradient in training: batch norm divides it out
CASES = [(SMALLEST, False), *((shape, training) for shape in SHAPES for training in (False, True))]


def relations(planes: int, height: int, width: int) -> RegionRelations:
    """A module as after some training: no weight, bias or running statistic has its first value."""
    module = RegionRelations(planes, (height, width), reduction=8, norm_momentum=MOMENTUM)
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    initialise(module)
    for norm in norms(module).values():
        norm.weight.data.uniform_(-2, 2, generator=generator)
        norm.bias.data.uniform_(-0.5, 1, generator=generator)
        norm.running_mean.uniform_(-0.5, 0.5, generator=generator)
        norm.running_var.uniform_(0.5, 3, generator=generator)
    return module


def norms(module: nn.Module) -> dict[str, nn.Module]:
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm3d)
    }


def outcome(module: nn.Module, x: Tensor, cotangent: Tensor) -> dict[str, Tensor]:
    """Output and every gradient."""
    x = x.detach().clone().requires_grad_()
    y = module(x)
    (y * cotangent).sum().backward()
    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    return {"output": y.detach(), "input": x.grad, **gradients}


def assert_close(ours: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Within the tolerance of each tensor's largest value."""
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        limit = tolerance * value.abs().max().item()
        torch.testing.assert_close(
            ours[name], value, rtol=0, atol=limit, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize(("shape", "training"), CASES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["float32", "float64"]
)
def test_output_and_gradients_are_those_of_every_pair_by_itself(
    shape: tuple[int, ...], training: bool, dtype: torch.dtype, tolerance: float
) -> None:
    ours = relations(shape[1], *shape[3:]).to(dtype).train(training)
    naive = NaiveRelations(relations(shape[1], *shape[3:])).to(dtype).train(training)
    naive.load_state_dict(ours.state_dict())
    generator = torch.Generator().manual_seed(3)
    # positive, as behind a ReLU; gradients that are sums over a whole map do not cancel then
    x, cotangent = (torch.rand(shape, generator=generator, dtype=dtype) for _ in range(2))
    assert_close(outcome(ours, x, cotangent), outcome(naive, x, cotangent), tolerance)


@pytest.mark.parametrize("shape", [*SHAPES, SMALLEST], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_running_statistics_after_training_are_those_over_all_pairs(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    ours = relations(shape[1], *shape[3:]).to(dtype)
    naive = NaiveRelations(copy.deepcopy(ours))
    before = copy.deepcopy(norms(ours))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=dtype)
    with torch.no_grad():
        ours(x), naive(x)
    positions = shape[0] * math.prod(shape[2:])
    for name, norm in norms(naive).items():
        mean, variance = norm.running_mean, norm.running_var
        if name.startswith("projections"):  # counted three times by the naive one
            kept = (1 - MOMENTUM) * before[name].running_var
            correction = positions / (positions - 1) * (3 * positions - 1) / (3 * positions)
            variance = kept + (variance - kept) * correction
        after = norms(ours)[name]
        assert not torch.equal(after.running_mean, before[name].running_mean)
        torch.testing.assert_close(after.running_mean, mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(after.running_var, variance, rtol=1e-5, atol=1e-6)


# four quadrants of 1x2 positions
THETA = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
PHI = [[1.0, 10.0, 100.0, 1000.0], [2.0, 3.0, 5.0, 7.0]]
AFFINITIES = {
    (0, 1): [[100.0, 1000.0], [200.0, 2000.0]],
    (1, 0): [[3.0, 30.0], [4.0, 40.0]],
    (1, 2): [[6.0, 9.0], [8.0, 12.0]],
    (1, 3): [[15.0, 21.0], [20.0, 28.0]],
    (2, 0): [[5.0, 50.0], [6.0, 60.0]],
    (3, 2): [[14.0, 21.0], [16.0, 24.0]],
}
"""Of the ordered pair (i, j): theta at position n of quadrant i times phi at position m of quadrant j."""


def hand_made(rows: float, columns: float) -> tuple[RegionRelations, Tensor]:
    """theta is the first channel, phi the second; relation m is a weighted sum of A[n, m] and A[m, n]."""
    module = RegionRelations(2, (2, 4), reduction=2, norm_momentum=MOMENTUM).eval()
    for norm in norms(module).values():
        norm.eps = 0.0
    module.projections.conv.weight.data = torch.eye(2).reshape(2, 2, 1, 1, 1)
    module.relation.conv.weight.data = torch.cat([rows * torch.eye(2), columns * torch.eye(2)], 1)[..., None]
    return module, torch.tensor([THETA, PHI])[None, :, None]  # (1, 2, 1, 2, 4)


def related(module: RegionRelations, x: Tensor, i: int, j: int) -> Tensor:
    """Relations of quadrant i to quadrant j: channel m of position n at ``[m, n]``."""
    others = [other for other in range(4) if other != i]
    return module.relations(x)[others.index(j), i, 0].mT


@pytest.mark.parametrize(("pair", "affinity"), AFFINITIES.items(), ids=str)
def test_the_first_relations_of_a_position_are_its_row_of_the_affinities(
    pair: tuple[int, int], affinity: list[list[float]]
) -> None:
    module, x = hand_made(rows=1, columns=0)
    torch.testing.assert_close(related(module, x, *pair), torch.tensor(affinity).T)


@pytest.mark.parametrize(("pair", "affinity"), AFFINITIES.items(), ids=str)
def test_the_other_relations_of_a_position_are_its_column_of_the_affinities(
    pair: tuple[int, int], affinity: list[list[float]]
) -> None:
    module, x = hand_made(rows=0, columns=1)
    torch.testing.assert_close(related(module, x, *pair), torch.tensor(affinity))


def test_a_map_of_relations_sums_over_rows_and_columns() -> None:
    module, x = hand_made(rows=0, columns=0)
    module.relation.conv.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, -9.0, 0.5]])[..., None]
    # position 0 of the pair (1, 0): row 3, 30, column 3, 4; position 1: row 4, 40, column 30, 40
    # channel 1: -9 * 3 + 0.5 * 4 < 0 and -9 * 30 + 0.5 * 40 < 0
    expected = [[3.0 + 2 * 30 + 3 * 3 + 4 * 4, 4.0 + 2 * 40 + 3 * 30 + 4 * 40], [0.0, 0.0]]
    torch.testing.assert_close(related(module, x, 1, 0), torch.tensor(expected))


def test_maps_are_joined_in_the_order_of_the_other_quadrants_and_weigh_their_quadrant() -> None:
    module, x = hand_made(rows=1, columns=0)
    # the first relation to each other quadrant, as three channels
    module.join.conv.weight.data = torch.eye(6)[::2, :, None]
    module.weight.conv.weight.data = torch.tensor([[[0.1], [-0.01], [0.001]]])
    # quadrant 1, positions 0 and 1: A[n, 0] of the pairs (1, 0), (1, 2), (1, 3)
    logits = [0.1 * 3 - 0.01 * 6 + 0.001 * 15, 0.1 * 4 - 0.01 * 8 + 0.001 * 20]
    weights = [1 / (1 + math.exp(-logit)) for logit in logits]
    torch.testing.assert_close(module.weights(x)[0, 1, 0], torch.tensor(weights))
    expected = x[0, :, 0, 0, 2:] * torch.tensor(weights)  # quadrant 1 is the right half of the first row
    torch.testing.assert_close(module(x)[0, :, 0, 0, 2:], expected)


def test_frames_and_clips_do_not_mix() -> None:
    module = relations(8, 4, 6).eval()
    x = torch.randn(2, 8, 3, 4, 6, generator=torch.Generator().manual_seed(5))
    together = module(x)
    for clip in range(2):
        for frame in range(3):
            alone = module(x[clip : clip + 1, :, frame : frame + 1])
            torch.testing.assert_close(together[clip : clip + 1, :, frame : frame + 1], alone)


def test_quadrants_are_top_left_top_right_bottom_left_bottom_right_by_rows() -> None:
    # pixel value: 100 * frame + 10 * row + column
    x = (torch.arange(2)[:, None, None] * 100 + torch.arange(4)[:, None] * 10 + torch.arange(6))[None, None]
    first, second = to_quadrants(x)[:, :, 0].tolist()
    assert first == [
        [0, 1, 2, 10, 11, 12],
        [3, 4, 5, 13, 14, 15],
        [20, 21, 22, 30, 31, 32],
        [23, 24, 25, 33, 34, 35],
    ]
    assert second == [[100 + value for value in quadrant] for quadrant in first]


@pytest.mark.parametrize("shape", [(2, 3, 5, 4, 6), (1, 1, 1, 2, 2), (3, 2, 4, 8, 2)])
def test_quadrants_return_to_their_places(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    quadrants = to_quadrants(x)
    assert quadrants.shape == (shape[0] * shape[2], 4, shape[1], shape[3] * shape[4] // 4)
    assert torch.equal(from_quadrants(quadrants, shape[2], (shape[3], shape[4])), x)


def test_a_marked_position_ends_where_it_should() -> None:
    quadrants = torch.zeros(2 * 3, 4, 1, 6)  # two clips of three frames; 2x3 positions a quadrant
    quadrants[4, 2, 0, 5] = 1  # second clip, second frame, bottom left, last position
    (place,) = from_quadrants(quadrants, 3, (4, 6)).nonzero().tolist()
    assert place == [1, 0, 1, 3, 2]


@pytest.mark.parametrize("size", [(3, 4), (4, 3), (5, 5)])
def test_a_map_without_four_equal_quadrants_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
        RegionRelations(8, size, reduction=8, norm_momentum=MOMENTUM)
