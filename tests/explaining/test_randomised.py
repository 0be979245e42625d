"""Networks whose weights are randomised part by part."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from depression_vr.explaining.partition.sanity_tables import ANOTHER_VIDEO, randomised_table
from depression_vr.explaining.sanity.checking import Checked
from depression_vr.explaining.sanity.deletion import Curves
from depression_vr.explaining.sanity.parts import parts
from depression_vr.explaining.sanity.randomised import cascade, rank_correlation, structural
from depression_vr.models.baselines import R3D18
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn


@pytest.fixture(scope="module")
def network() -> StaDrn:
    torch.manual_seed(0)
    network = StaDrn(base_planes=2, layers=(1, 1))
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm3d):
                assert norm.running_mean is not None
                norm.running_mean.uniform_()
    return network.eval()


@pytest.fixture(scope="module")
def clip() -> Tensor:
    return torch.rand(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def states_differ(one: nn.Module, other: nn.Module) -> bool:
    return any(
        not torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_parts_are_randomised_from_the_output_on(network: StaDrn, clip: Tensor) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    names = [part.name for part in parts(network)]
    assert names == ["stem", "stage 1", "stage 2", "head"]
    randomised = [*cascade(network, [(clip,)], seed=0)]
    for step, other in enumerate(randomised):
        changed = [
            one.name
            for one, two in zip(parts(network), parts(other), strict=True)
            if any(map(states_differ, one.modules, two.modules))
        ]
        assert changed == names[len(names) - 1 - step :]
        assert not any(module.training for module in other.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_weights_keep_their_values_and_lose_their_places(network: StaDrn, clip: Tensor) -> None:
    *_, last = cascade(network, [(clip,)], seed=0)
    trained, random = network.stem.conv.weight, last.get_parameter("stem.conv.weight")
    assert not torch.equal(trained, random)
    assert torch.equal(trained.flatten().sort().values, random.flatten().sort().values)


def test_the_seed_decides(network: StaDrn, clip: Tensor) -> None:
    scores = [[*cascade(network, [(clip,)], seed)][-1](clip).item() for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]
    assert np.isfinite(scores).all()


def test_batch_norms_have_the_statistics_of_what_they_get(network: StaDrn) -> None:
    views = torch.rand(4, 1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))
    *_, last = cascade(network, [(clip,) for clip in views], seed=0)
    checked = list[str]()

    def check(norm: nn.BatchNorm3d, given: tuple[Tensor, ...]) -> None:
        mean, variance = given[0].mean((0, 2, 3, 4)), given[0].var((0, 2, 3, 4))
        torch.testing.assert_close(norm.running_mean, mean, rtol=0.1, atol=0.05)
        torch.testing.assert_close(norm.running_var, variance, rtol=0.1, atol=0.05)
        checked.append("norm")

    norms = [module for module in last.modules() if isinstance(module, nn.BatchNorm3d)]
    for norm in norms:
        norm.register_forward_pre_hook(check)
    with torch.no_grad():
        last(views[:, 0])
    assert len(checked) == len(norms) > 0
    assert {norm.momentum for norm in norms} == {0.1}


def test_networks_that_wrap_others_and_streams_have_their_stages_as_parts() -> None:
    stages = [f"stage {number}" for number in (1, 2, 3, 4)]
    with torch.device("meta"):
        assert [part.name for part in parts(R3D18())] == ["stem", *stages, "fc"]
        network = PlegdfFglscf(32, base_planes=2, layers=(1, 1, 1), reduction=2)
    found = parts(network)
    assert [part.name for part in found] == ["streams.stem", *stages[:3], "head"]
    assert [len(part.modules) for part in found] == [2, 3, 3, 3, 1]  # of both streams, and relations
    of_parts = [parameter for part in found for each in part.modules for parameter in each.parameters()]
    assert {*map(id, of_parts)} == {*map(id, network.parameters())}
    line = nn.Linear(1, 1)
    assert [part.modules for part in parts(line)] == [(line,)]


def test_another_video_is_one_of_another_subject() -> None:
    rising = np.arange(4.0)
    none = np.zeros((1, 0))
    checked = [
        Checked(Curves(none, none), none, blocks[None], none, none)
        for blocks in (rising, rising, -rising, -rising)
    ]
    table = randomised_table(checked, ["made"], [], pd.Series([*"aabb"]), 99).set_index("randomised")
    assert table.loc[ANOTHER_VIDEO, "mean"] == pytest.approx(-1)
    assert table.loc[ANOTHER_VIDEO, "videos"] == 2  # pairs
    alone = randomised_table(checked, ["made"], [], pd.Series([*"aaaa"]), 99)
    assert alone["videos"].tolist() == [0] and alone["mean"].isna().all()


def test_intervals_of_other_videos_draw_pairs_that_share_nobody() -> None:
    rng = np.random.default_rng(0)
    none = np.zeros((1, 0))
    checked = [Checked(Curves(none, none), none, rng.random((1, 30)), none, none) for _ in range(10)]

    def of(subjects: str) -> pd.Series:
        table = randomised_table(checked, ["made"], [], pd.Series([*subjects]), 99)
        return table.set_index("randomised").loc[ANOTHER_VIDEO]

    five = of("abcdefghij")
    assert five["videos"] == 5
    assert five["low"] < five["mean"] < five["high"]
    assert np.isnan(of("abcdefgghh")["low"])  # ten videos, but four pairs of people


def test_likeness_of_maps() -> None:
    first = np.random.default_rng(0).random((12, 12))
    assert rank_correlation(first, first**3) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert np.isnan(rank_correlation(first, np.zeros((12, 12))))
    assert structural(first, 5 * first) == pytest.approx(1)
    assert structural(first, np.zeros((12, 12))) < 0.5
    assert np.isnan(structural(first[:6], first[:6]))  # too small for one value
