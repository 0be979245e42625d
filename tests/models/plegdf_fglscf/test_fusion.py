"""The fusion of both streams is the stated formula; numbers by hand."""

import pytest
import torch

from depression_vr.models.plegdf_fglscf.fusion import FUSIONS

G = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
L = torch.tensor([[0.0, 2.0, 1.0], [0.0, 0.0, -3.0]], dtype=torch.float64)


def test_fglscf_is_the_formula() -> None:
    # g =  1, l = 0: w = 1/2, g' = 3/2, v = sigmoid(3/2 * 5/2), f = v (3/2 + 5/2)
    # g =  0, l = 2: w = 1/2, g' = 0, v = sigmoid(2 * 0) = 1/2, f = (2 + 0) / 2
    # g = -1, l = 1: w = sigmoid(-1) = 0.26894142, g' = -1.26894142, v = sigmoid(-0.26894142 * -2.26894142)
    #                  = 0.64798924, f = v (-0.26894142 - 2.26894142)
    expected = [[4 * 0.97702263, 1.0, 0.64798924 * -2.53788284], [0.0, 4 * 0.97702263, 0.5 * -3]]
    torch.testing.assert_close(
        FUSIONS["fglscf"].combine(G, L), torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=0
    )


def test_concat_puts_the_global_features_first() -> None:
    expected = [[1.0, 0.0, -1.0, 0.0, 2.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0, -3.0]]
    assert FUSIONS["concat"].combine(G, L).tolist() == expected


def test_sum_adds() -> None:
    assert FUSIONS["sum"].combine(G, L).tolist() == [[1.0, 2.0, 0.0], [0.0, 1.0, -3.0]]


@pytest.mark.parametrize(("fusion", "stream"), [("global_only", "global"), ("local_only", "local")])
def test_a_single_stream_is_taken_as_it_is(fusion: str, stream: str) -> None:
    assert FUSIONS[fusion].streams == (stream,)
    assert FUSIONS[fusion].combine(G) is G
