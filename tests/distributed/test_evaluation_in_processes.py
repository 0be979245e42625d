"""An evaluation does not depend on how many processes and which batches it is done in."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.run import Run
from side_by_side import COLOURS, STA_DRN, Colours, run_command, write_corpus

UNEVEN = {"training": [8, 8], "development": [8], "test": [70, 5, 33, 18, 51]}
WINDOWS = [9, 1, 5, 3, 7]
FEW = {"training": [8, 8], "development": [8], "test": [8, 7]}  # a window each


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("uneven") / "corpus", UNEVEN)


def corpus(folder: Path, frames: dict[str, list[int]]) -> Path:
    """With a damaged frame in the first window, which is the one that a sampler pads with."""
    table = write_corpus(folder, frames)
    (folder / "test0" / "003.jpg").write_bytes(b"no image")
    torch.save(Colours().state_dict(), folder / "best.pth")
    return table


def settings(table: Path) -> tuple[str, ...]:
    return (f"ckpt={table.parent / 'best.pth'}", f"data.table={table}", "data.on_bad_frame=skip")


def evaluation(folder: Path, table: Path, processes: int, batch_size: int) -> Run:
    batches = f"data.evaluation_batch_size={batch_size}"
    codes = run_command(folder, processes, "evaluate", *COLOURS, *settings(table), batches)
    assert codes == [0] * processes, (folder / "rank0.out").read_text()
    return Run(folder / "run")


@pytest.fixture(scope="module")
def alone(uneven: Path) -> Run:
    return evaluation(uneven.parent / "alone", uneven, 1, 2)


def assert_same(run: Run, expected: Run, points: float = 1e-6) -> None:
    windows, wanted = (pd.read_csv(each.windows_file) for each in (run, expected))
    pd.testing.assert_frame_equal(windows, wanted, check_exact=False, rtol=0, atol=points)
    pd.testing.assert_frame_equal(run.predictions(), expected.predictions(), rtol=0, atol=points)
    for table in ("videos", "recordings"):
        numbers, wanted_numbers = (
            {name: each.metrics()[table][name] for name in ("n", "mae", "rmse", "ccc", "pearson")}
            for each in (run, expected)
        )
        assert numbers == pytest.approx(wanted_numbers, abs=points)
    assert run.record()["substituted_frames"] == expected.record()["substituted_frames"] == 1


def test_the_corpus_is_uneven_and_its_videos_differ(alone: Run) -> None:
    assert pd.read_csv(alone.windows_file).groupby("video_id").size().to_list() == WINDOWS
    assert alone.predictions()["estimate"].std() > 1


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 5), (2, 1), (2, 4), (3, 1), (3, 4), (3, 25)])
def test_processes_and_batches_change_nothing(
    uneven: Path, alone: Run, tmp_path: Path, processes: int, batch_size: int
) -> None:
    assert_same(evaluation(tmp_path / "several", uneven, processes, batch_size), alone)


def test_more_processes_than_windows_change_nothing(tmp_path: Path) -> None:
    table = corpus(tmp_path / "corpus", FEW)
    several, alone = (evaluation(tmp_path / str(n), table, n, 4) for n in (3, 1))
    assert_same(several, alone)


def test_only_the_first_process_writes_and_speaks(uneven: Path, tmp_path: Path) -> None:
    run = evaluation(tmp_path / "two", uneven, 2, 4)
    assert run.record()["status"] == "finished"
    assert (tmp_path / "two" / "rank0.out").read_text().count("test partition") == 1
    assert (tmp_path / "two" / "rank1.out").read_text() == ""


@pytest.mark.slow
def test_the_command_starts_the_other_processes_itself(uneven: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(StaDrn(base_planes=2, layers=(1, 1, 1, 1)).state_dict(), tmp_path / "best.pth")
    given = (*STA_DRN, *settings(uneven), f"ckpt={tmp_path / 'best.pth'}", "data.evaluation_batch_size=1")
    assert run_command(tmp_path / "alone", 1, "evaluate", *given) == [0]
    several = ("trainer=ddp_sim", "hydra.run.dir='two runs, with=signs'")
    command = [sys.executable, "-m", "depression_vr.evaluate", *given, *several]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.count("test partition") == 1
    # two processes have half the threads each, whose partial sums of a convolution are rounded differently
    assert_same(Run(tmp_path / "two runs, with=signs"), Run(tmp_path / "alone" / "run"), points=1e-3)
