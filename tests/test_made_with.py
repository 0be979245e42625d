"""Whatever an estimate depends on is known by `made_with`, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from depression_vr.data.contents import frame_contents
from depression_vr.made_with import made_with
from depression_vr.trained import TrainedNetwork
from random_runs import make_run, opened


@pytest.fixture
def trained(tmp_path: Path, csv_corpus: Path) -> TrainedNetwork:
    """Of a run that was never trained."""
    small = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1]")
    return opened(make_run(tmp_path / "run", csv_corpus, *small))


def differing(now: dict[str, str], before: dict[str, str]) -> set[str]:
    """The names of what differs."""
    return {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}


def with_frames(trained: TrainedNetwork) -> dict[str, str]:
    """For the frames of the test partition."""
    manifest = trained.datamodule.manifest
    return made_with(trained, frames=frame_contents(manifest, manifest.rows("test")))


def test_every_setting_that_decides_counts_and_where_it_is_computed_does_not(trained: TrainedNetwork) -> None:
    first = made_with(trained)
    for key, value, known in (
        ("data.frame_step", 1, "data.frame_step"),
        ("data.clip_length", 8, "data.clip_length"),
        ("data.size", 16, "data.size"),
        ("data.on_bad_frame", "skip", "data.on_bad_frame"),
        ("model.layers", [1, 2], "model.layers"),
        ("precision", "bf16-mixed", "trainer.precision"),
        ("tf32", True, "tf32"),
        ("data.num_workers", 2, None),
        ("run_dir", "elsewhere", None),
    ):
        config = trained.config.copy()
        OmegaConf.update(config, key, value)
        assert differing(made_with(replace(trained, config=config)), first) == ({known} - {None}), key


def test_weights_code_libraries_and_device_count(
    trained: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made_with(trained)
    assert differing(made_with(trained, "explaining"), first) == {"code"}
    assert differing(made_with(replace(trained, device=torch.device("meta"))), first) == {"device"}
    content = torch.load(trained.checkpoint)
    content["state_dict"]["scale.offset"] += 1
    torch.save(content, trained.checkpoint)
    assert differing(made_with(replace(trained)), first) == {"weights"}
    for library in ("torch", "torchvision", "cv2", "PIL", "numpy"):
        monkeypatch.setattr(f"{library}.__version__", "0.1")
    assert differing(made_with(trained), first) == {"torch", "torchvision", "opencv", "pillow", "numpy"}


def test_frames_and_labels_count_and_where_they_and_the_run_lie_does_not(
    trained: TrainedNetwork, csv_corpus: Path
) -> None:
    first = with_frames(trained)
    link = trained.run.folder.parent / "link"
    link.symlink_to(trained.run.folder)
    assert with_frames(opened(link)) == first == json.loads(json.dumps(first))
    root = csv_corpus.parent
    of_training, of_test = (next((root / f"{subject}_1_Freeform").iterdir()) for subject in (301, 305))
    pixels = np.asarray(Image.open(of_training))
    Image.fromarray(255 - pixels).save(of_training)  # of which nothing is made
    assert with_frames(replace(trained)) == first
    Image.fromarray(255 - pixels).save(of_test)
    second = with_frames(replace(trained))
    assert differing(second, first) == {"pixels of the frames"}
    csv_corpus.write_text(csv_corpus.read_text().replace(",15,test,305,", ",16,test,305,"))
    assert differing(with_frames(replace(trained)), second) == {"corpus"}
