"""Which videos a network knows already: intervals promise nothing of those, and learn nothing from them."""

from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from depression_vr.data.contents import frame_contents
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.manifest import Manifest
from depression_vr.data.protocol import Split
from depression_vr.errors import UserError
from depression_vr.runs.run import Run


def roles_in_training(run: Run, datamodule: ClipDataModule) -> pd.Series | None:
    """What each video of a corpus was for the training of a run, however the corpus is dealt now.

    Returns:
        ``training``, ``development`` or ``test`` of each row of the manifest; None where the corpus is not
        the one of the training, or the weights come from elsewhere.

    Raises:
        UserError: a file of the run is damaged.
    """
    dataset = _training_corpus(run)
    manifest = datamodule.manifest
    if dataset is None or dataset["corpus"] != manifest.corpus:
        return None
    if dataset["fingerprint"] == manifest.fingerprint:
        return manifest.table["partition"]
    try:
        dealt = _split(run).applied(datamodule.corpus.manifest())
    except UserError:  # another corpus, which cannot be dealt so
        return None
    return dealt.table["partition"] if dealt.fingerprint == dataset["fingerprint"] else None


def _training_corpus(run: Run) -> dict[str, Any] | None:
    """What the record says of it; None of weights from elsewhere."""
    record = run.record() if run.record_file.is_file() else {}
    dataset: dict[str, Any] | None = None if "imported" in record else record.get("dataset")
    return dataset


def _split(run: Run) -> Split:
    data = run.config().data
    keys = ("protocol", "folds", "fold")
    return Split(**{key: data[key] for key in keys if OmegaConf.select(data, key) is not None})


def was_selected(run: Run) -> bool | None:
    """Whether the checkpoint that a run is used with was selected on development; None where it may be."""
    return True if run.best_checkpoint.name == "best.ckpt" else None


def refuse_trained_on(run: Run, datamodule: ClipDataModule, partition: str) -> pd.Series | None:
    """Refuse to calibrate on videos that a run was trained on, or may have been.

    Returns:
        What `roles_in_training` says of the partition's videos.

    Raises:
        UserError: some of them were trained on; or some are of the training's corpus, and which of them were
            trained on is not known.
    """
    rows = datamodule.manifest.rows(partition)
    roles = roles_in_training(run, datamodule)
    if roles is not None:
        known = roles.iloc[rows]
        if trained := int((known == "training").sum()):
            raise UserError(
                f"the network was trained on {trained} of the {len(rows)} videos: "
                "there it is wrong by less than on others",
                where="config keys run and data",
                fix="leave data= out, or name another corpus",
            )
        return known
    if seen := _seen(run, datamodule.manifest, partition):
        raise UserError(
            f"{seen} of the {len(rows)} videos have frames of the corpus that the network was trained on, "
            "and whether it was trained on them is not known: the corpus is another by now",
            where="config keys run and data",
            fix="name the corpus as it was for the training, or one without these videos",
        )
    return None


def _seen(run: Run, manifest: Manifest, partition: str) -> int:
    """How many videos have the same frames, byte by byte, as one that was there at the training, untested."""
    if not run.frames_file.is_file() or _training_corpus(run) is None:
        return 0
    there = pd.read_csv(run.frames_file, dtype={"video_id": str})
    if run.predictions_file.is_file():
        videos = run.predictions()
        there = there[~there["video_id"].isin(videos.loc[videos["partition"] == "test", "video_id"])]
    return int(frame_contents(manifest, manifest.rows(partition))["digest"].isin(there["digest"]).sum())
