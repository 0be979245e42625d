"""Metrics over videos whose windows have come through several processes."""

import torch
import torch.distributed as dist

from depression_vr.learning.metrics import VideoMetrics
from side_by_side import run_function

VIDEO = torch.tensor([4, 4, 4, 7, 7, 9])
WINDOW = torch.tensor([0, 1, 2, 0, 1, 0])
ESTIMATE = torch.tensor([1.0, 2.0, 6.0, 20.0, 22.0, 40.0])
SCORE = torch.tensor([2.0, 2.0, 2.0, 19.0, 19.0, 45.0])

SHARES = {
    "one after the other": [[0, 3], [1, 4], [2, 5]],
    "padded": [[0, 3], [1, 4], [2, 5, 0, 0]],
    "one has none": [[0, 1, 2, 3], [], [4, 5]],
    "the first has none": [[], [5, 4, 3], [2, 1, 0]],
    "one has all": [[], [0, 1, 2, 3, 4, 5], []],
}
"""Places of windows, by process."""


def seen(places: list[int]) -> VideoMetrics:
    metric = VideoMetrics()
    for batch in torch.tensor(places, dtype=torch.int64).split(2):
        if len(batch):
            metric.update(VIDEO[batch], WINDOW[batch], ESTIMATE[batch], SCORE[batch])
    return metric


def metrics_are_those_of_one_process() -> None:
    expected = seen(list(range(len(VIDEO))))
    for name, shares in SHARES.items():
        own = seen(shares[dist.get_rank()])
        torch.testing.assert_close(own.compute(), VideoMetrics.compute(expected), rtol=0, atol=0, msg=name)
        with own.sync_context():
            gathered = own.window_scores()
        assert [column.tolist() for column in gathered] == [
            column.tolist() for column in expected.window_scores()
        ]
        assert len(own.window_scores().video) == len(set(shares[dist.get_rank()]))
        own.update(VIDEO[:1], WINDOW[:1], ESTIMATE[:1], SCORE[:1])  # it goes on where it was


def nobody_has_seen_a_window() -> None:
    metric = VideoMetrics()
    assert metric.compute()["mae"].isnan()
    assert len(metric.window_scores().video) == 0


def test_windows_may_lie_in_any_process() -> None:
    assert run_function(3, metrics_are_those_of_one_process) == [0, 0, 0]


def test_without_windows_there_are_no_metrics() -> None:
    assert run_function(2, nobody_has_seen_a_window) == [0, 0]
