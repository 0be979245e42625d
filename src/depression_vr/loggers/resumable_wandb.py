"""Weights & Biases, which goes on with the run that it began, and which a training outlives."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pydantic import ValidationError
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from depression_vr.data.manifest import Manifest
from depression_vr.errors import first_line
from depression_vr.files import write_json
from depression_vr.learning.metrics import METRICS
from depression_vr.loggers.journal import Row, RowJournal
from depression_vr.loggers.wandb_artifacts import Kind, log_artifacts
from depression_vr.loggers.wandb_faces import worst_faces
from depression_vr.loggers.wandb_privacy import SaltedIds, Sharing
from depression_vr.loggers.wandb_reach import server_answers, warn_of_no_answer
from depression_vr.loggers.wandb_service import DEATHS, FAILURES, forget_dead_service
from depression_vr.loggers.wandb_tables import (
    keep_in_run_directory,
    predictions_table,
    reference_metrics,
    results_row,
)
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)


class ResumableWandbLogger(WandbLogger):
    """Lightning's W&B logger, which goes on with the same W&B run.

    Of what a killed process has handed to W&B, some is lost before it is on the disk, and what a server has
    got cannot be taken back. So the rows are kept here as well. A resumed run sends those that the server
    lacks, and none that it has; without a server its files replace those of the killed process.

    A server that does not answer holds a training up for a quarter of a minute when it begins and a little
    longer when it ends, never in between. A training whose W&B has died goes on without it.

    Args:
        save_dir: folder for W&B's files.
        sharing: what is sent of the evaluated videos.
        artifacts: which files of the run are sent.
        settings: as `WandbLogger` takes them.
    """

    def __init__(
        self, *, save_dir: str, sharing: Sharing, artifacts: Sequence[Kind] = (), **settings: Any
    ) -> None:
        super().__init__(save_dir=save_dir, **settings)
        del self._wandb_init["anonymous"]  # which Lightning hands on, and W&B warns of
        self.rows = 0
        self._sharing = sharing
        self._artifacts = artifacts
        self._ids = SaltedIds.new()
        self._folder = Path(save_dir) / "wandb"
        self._journal = RowJournal(self._folder / "rows.jsonl")
        self._arrived: int | None = None  # rows that the server has; asked when the first one is logged
        self._kept: list[Row] = []
        self._told = False
        self._is_lost = False

    def resume_at(self, rows: int) -> None:
        """Go on with the run that the folder knows of; see `ResumableLogger`."""
        try:
            known = json.loads(self._id_file.read_text(encoding="utf-8"))
            self._wandb_init["id"] = self._id = known["id"]
        except (OSError, ValueError, LookupError):  # killed before it had begun
            return
        if "salt" in known:  # not in runs that began before there were salted ids
            self._ids = SaltedIds(known["salt"])
        self._kept = self._journal.keep(rows)
        self.rows = len(self._kept)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; offline where the server refuses it or does not answer in time."""
        if self._experiment is not None:
            return self._experiment
        run = self._begun()
        if not self._is_lost:
            write_json(self._id_file, {"id": run.id, "salt": self._ids.salt})
            _define_metrics(run)
        return run

    def _begun(self) -> Any:
        if self._wandb_init["mode"] != "online" or self._wandb_init["id"] is None:
            # its files hold all rows: sent later, they are to take the place of what the server has
            self._wandb_init["resume"] = None
        try:
            return super().experiment
        except DEATHS:  # with an earlier run of this process
            forget_dead_service()
            return super().experiment
        except wandb.Error as error:
            if self._wandb_init["mode"] != "online":
                raise
            warn_of_no_answer(first_line(error), f"runs='{self._folder.parent}'")
            self._wandb_init["mode"] = "offline"
            return self._begun()

    @contextmanager
    def _outlived(self) -> Iterator[None]:
        """Let the training go on without W&B when W&B fails."""
        try:
            yield
        except FAILURES as error:
            if not self._is_lost:
                log.warning(
                    "warning: W&B has failed (%s): the training goes on without it and keeps its rows in %s",
                    first_line(error),
                    self._journal.file,
                )
            self._is_lost = True
            if isinstance(error, DEATHS):
                forget_dead_service()
                self._experiment = None
            if self._experiment is None:
                self._wandb_init["mode"] = "disabled"
                self._arrived = 0

    @property
    def _id_file(self) -> Path:
        return self._folder / "id.json"

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Show the settings, and as ``variant`` what only runs share that differ in nothing but the seed."""
        with self._outlived():
            super().log_hyperparams(params | {"variant": variant(params)})

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Send one row, unless it has arrived."""
        self.rows += 1
        self._journal.add(metrics, step)
        with self._outlived():
            if self.rows > self._begin():
                super().log_metrics(metrics, step)

    @rank_zero_only
    def log_results(self, run: Run, manifest: Manifest) -> None:
        """Send tables, plots and what else is wished for, unless they have arrived; see `ResultsLogger`."""
        if self._wandb_init["mode"] == "disabled":
            return
        self._ids.write_key(self._folder / "ids.csv", run.predictions()["video_id"])
        self.rows += 1
        with self._outlived():
            self._send_results(run, manifest)

    def _send_results(self, run: Run, manifest: Manifest) -> None:
        arrived = self._begin()
        predictions = predictions_table(run, self._ids, share_ids=self._sharing.ids)
        self.experiment.summary.update(reference_metrics(run))
        if self.rows > arrived:
            row = results_row(run, predictions)
            keep_in_run_directory(self.experiment, row)
            self.experiment.log(row | self._faces(run, manifest))
        base = self._folder if self._wandb_init["mode"] == "offline" else Path.cwd()
        try:
            log_artifacts(
                self.experiment, run, self._artifacts, predictions, self._folder / "artifacts", base
            )
        except (wandb.Error, TimeoutError, ValidationError) as error:  # the run itself is whole
            log.warning("warning: W&B has got no artifacts: %s", first_line(error))

    def _faces(self, run: Run, manifest: Manifest) -> dict[str, Any]:
        if not self._sharing.faces:
            return {}
        shared, most = self._sharing.ids, self._sharing.most_faces
        return {"results/faces": worst_faces(run, manifest, self._ids, share_ids=shared, most=most)}

    @rank_zero_only
    def end(self, exit_code: int) -> None:
        """Finish the W&B run; see `ResultsLogger`."""
        if self._experiment is None:
            return
        with self._outlived():
            self._experiment.finish(exit_code=exit_code)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Say when the server has gone away; what it has not got by the end of the process stays in files."""
        with self._outlived():
            super().finalize(status)
        has_begun_online = self._experiment is not None and self._wandb_init["mode"] == "online"
        if has_begun_online and not self._told and not server_answers():
            self._told = True
            warn_of_no_answer("no answer any more", f"runs='{self._folder.parent}' online=true")

    def _begin(self) -> int:
        """Begin or go on with the W&B run, once; how many rows it had already."""
        if self._arrived is None:
            run = self.experiment
            own = Path(str(run.dir)).parent
            for replaced in self._folder.glob(f"offline-run-*-{run.id}*"):
                if replaced != own:
                    shutil.rmtree(replaced, ignore_errors=True)
            self._arrived = int(run.starting_step) if run.resumed else 0
            for row in self._kept[self._arrived :]:
                super().log_metrics(row.metrics, row.step)
        return self._arrived


def variant(settings: Mapping[str, Any]) -> str:
    """What the dashboard groups runs by: recipe or network, and the fingerprint of settings and corpus.

    Args:
        settings: as loggers get them.
    """
    return f"{settings.get('experiment') or settings.get('network')} {settings.get('fingerprint')}"


def _define_metrics(run: Any) -> None:
    """What is measured once per epoch is shown over epochs; of the development MAE the lowest counts."""
    run.define_metric("epoch")
    for name in ("training/loss_epoch", "training/mae_epoch", *(f"development/{name}" for name in METRICS)):
        run.define_metric(name, step_metric="epoch", summary="min" if name == "development/mae" else None)
