"""Weights of this project and of the published code load; everything else is refused."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from conftest import ReleaseState
from depression_vr.errors import UserError
from depression_vr.models.sta_drn import StaDrn
from depression_vr.models.weights import NETWORK_PREFIX, from_release, load_state, read_state


def as_network(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(NETWORK_PREFIX): tensor for key, tensor in state.items()}


@pytest.mark.parametrize("variant", ["ta", "sa", "sta", "sta_fused"])
def test_every_published_key_has_its_place_and_shape(variant: str, release_state: ReleaseState) -> None:
    network = StaDrn(variant)
    load_state(network, from_release(release_state(variant)), Path("best.pth"))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_checkpoint_is_read_with_and_without_dataparallel_prefix(
    tmp_path: Path, prefix: str, release_state: ReleaseState
) -> None:
    state = release_state("sta_fused")
    file = tmp_path / "best.pth"
    torch.save({prefix + key: tensor for key, tensor in state.items()}, file)
    network = StaDrn()
    load_state(network, as_network(read_state(file)), file)
    torch.testing.assert_close(network.head.weight, state["fc.weight"])
    torch.testing.assert_close(
        network.stages[3][3].attention.spatial_attention.logits.bias,
        state["layer_4.3.conv2.fc_spatial.bias"],
    )


def test_a_checkpoint_of_ours_keeps_its_scale(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    state = {"network.head.bias": torch.ones(1), "scale.offset": torch.tensor(15.0)}
    torch.save({"epoch": 3, "state_dict": state}, file)
    assert read_state(file).keys() == state.keys()


@pytest.mark.parametrize("part", [NETWORK_PREFIX, "scale."])
def test_bare_weights_of_a_network_with_a_part_of_our_names_are_bare(tmp_path: Path, part: str) -> None:
    torch.save({f"{part}weight": torch.ones(1), "head": torch.ones(1)}, tmp_path / "bare.pth")
    assert read_state(tmp_path / "bare.pth").keys() == {f"network.{part}weight", "network.head"}


def test_the_error_names_missing_unexpected_and_misshaped_keys() -> None:
    network = nn.Linear(3, 1)
    state = {"weight": torch.zeros(1, 4), "gain": torch.zeros(1)}
    with pytest.raises(UserError) as caught:
        load_state(network, state, Path("best.pth"))
    assert [str(problem) for problem in caught.value.problems] == [
        "bias: is missing",
        "gain: is unexpected",
        "weight: has the shape (1, 4), the network wants (1, 3)",
    ]
    assert "best.pth" in str(caught.value)


def test_of_many_keys_that_differ_the_first_are_named() -> None:
    state = {f"extra.{number}": torch.zeros(1) for number in range(12)}
    with pytest.raises(UserError, match="12 keys differ") as caught:
        load_state(nn.Identity(), state, Path("best.pth"))
    told = [str(problem) for problem in caught.value.problems]
    assert told[9:] == ["extra.9: is unexpected", "and: 2 keys more"]


class Dropper:
    """Unpickling this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_pickled_code_is_refused_and_not_executed(tmp_path: Path) -> None:
    file, dropped = tmp_path / "best.pth", tmp_path / "executed"
    torch.save({"conv_1.weight": Dropper(dropped)}, file)
    with pytest.raises(UserError, match="needs pickled code"):
        read_state(file)
    assert not dropped.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_refused_and_not_executed(tmp_path: Path, protocol: int) -> None:
    file, dropped = tmp_path / "best.pth", tmp_path / "executed"
    file.write_bytes(pickle.dumps({"conv_1.weight": Dropper(dropped)}, protocol))
    with pytest.raises(UserError, match=r"needs pickled code|not a checkpoint"):
        read_state(file)
    assert not dropped.exists()


@pytest.mark.parametrize(
    "content", [b"", b"path,label\n", b"PK\x03\x04 no archive", bytes(range(256)) * 8, b"\x80\x02}q\x00."]
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "best.pth"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"not a checkpoint|no state dict|pickled code"):
        read_state(file)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path, release_state: ReleaseState) -> None:
    file = tmp_path / "best.pth"
    torch.save(release_state("ta"), file)
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(UserError, match="not a checkpoint, or it is damaged"):
        read_state(file)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "best.pth"
    torch.save({"epoch": 3}, file)
    with pytest.raises(UserError, match="holds no state dict"):
        read_state(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.pth"):
        read_state(tmp_path / "nowhere.pth")
