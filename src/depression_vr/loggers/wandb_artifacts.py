"""Checkpoints and predictions of a run as W&B artifacts, and where they come from."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import wandb

from depression_vr.errors import UserError
from depression_vr.files import write_csv, write_json
from depression_vr.learning.checkpoint_files import WholeCheckpoints
from depression_vr.models.weights import read_state
from depression_vr.runs.run import Run

Kind = Literal["checkpoints", "predictions"]

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z_.-]+")


def log_artifacts(
    wandb_run: Any, run: Run, kinds: Collection[Kind], predictions: pd.DataFrame, folder: Path, base: Path
) -> None:
    """Let W&B have files of an evaluated run, each with the fingerprints and metrics of the run.

    ``NETWORK-CORPUS``, of type ``model``, is the checkpoint that was evaluated, without anything but the
    weights and the scale; its aliases are the run's id and whether it is the best or the last, as in
    ``best-ID``. ``NETWORK-CORPUS-predictions`` are the predictions. Both come from ``dataset-CORPUS``, whose
    only file holds the fingerprint of the corpus and how many videos and frames it has. Every run adds a
    version.

    Args:
        wandb_run: that logs them.
        run: evaluated.
        kinds: what is logged; nothing where it is empty.
        predictions: as they may be shown.
        folder: for the files that are made for it. They have to stay until they are sent.
        base: folder that W&B will send them from.
    """
    if not kinds:
        return

    def artifact(name: str, kind: str, file: Path, metadata: dict[str, Any]) -> Any:
        made = wandb.Artifact(_NOT_IN_NAMES.sub("-", name), type=kind, metadata=metadata)
        # not copied: W&B's folder for copies is outside of the run directory, and never emptied
        entry = made.add_file(str(file), policy="immutable", skip_cache=True)
        entry.local_path = os.path.relpath(file, base)  # W&B sends it along
        return made

    record = run.record()
    dataset = {key: record["dataset"][key] for key in ("corpus", "fingerprint", "videos", "frames")}
    name = f"{record['network']}-{dataset['corpus']}"
    about = {
        "network": record["network"],
        "corpus": dataset["corpus"],
        "seed": record["seed"],
        "fingerprint": record["fingerprint"],
        "dataset_fingerprint": dataset["fingerprint"],
        "checkpoint": record["checkpoint"],
        "best_development_mae": record["best_development_mae"],
        "metrics": {key: value for key, value in run.metrics()["videos"].items() if key != "severity_bands"},
    }
    file = folder / "dataset.json"
    write_json(file, dataset)
    used = artifact(f"dataset-{dataset['corpus']}", "dataset", file, dataset)
    # W&B's use_artifact does just this, but refuses to offline and waits for the server without end
    wandb_run._log_artifact(used, aliases=["latest"], is_user_created=True, use_after_commit=True)
    if "checkpoints" in kinds:
        source = run.best_checkpoint
        file = folder / source.name
        WholeCheckpoints().save_checkpoint({"state_dict": read_state(source)}, file)
        aliases = [wandb_run.id, f"{source.stem}-{wandb_run.id}"]
        wandb_run.log_artifact(artifact(name, "model", file, about), aliases=aliases)
    if "predictions" in kinds:
        file = folder / run.predictions_file.name
        write_csv(file, predictions)
        made = artifact(f"{name}-predictions", "predictions", file, about)
        wandb_run.log_artifact(made, aliases=[wandb_run.id])


def refuse_telling_paths(folder: Path) -> None:
    """Refuse artifacts that W&B would send from a folder whose path says more than where the run is in it.

    Args:
        folder: of the run.

    Raises:
        UserError: it does not lie below the current folder, from where an online run sends.
    """
    if not folder.absolute().is_relative_to(Path.cwd()):
        raise UserError(
            "W&B would be told the path of the run directory, which does not lie below the current folder",
            where="config key logger.wandb.artifacts",
            fix="train in a folder above the run directory, or use logger.wandb.mode=offline",
        )
