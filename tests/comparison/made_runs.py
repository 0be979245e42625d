"""Run directories as trainings leave them, without the training."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from depression_vr.configs import compose
from depression_vr.files import write_csv, write_json, write_text
from depression_vr.runs.results import write_results
from depression_vr.runs.run import Run
from depression_vr.settings import run_fingerprint

TASKS = ("Freeform", "Northwind")


def corpus(subjects: int = 8, *, recordings: int = 2, first: int = 301) -> pd.DataFrame:
    """Test videos: of each subject some recordings, of each recording both tasks; and a training video."""
    generator = np.random.default_rng(subjects)
    rows = [("200_1_Freeform", 12.0, "training", "200", "Freeform", "200_1")]
    for subject in range(first, first + subjects):
        for recording in range(1, 1 + recordings + subject % 2):
            label = float(generator.integers(0, 46))
            rows += [
                (f"{subject}_{recording}_{task}", label, "test", str(subject), task, f"{subject}_{recording}")
                for task in TASKS
            ]
    columns = ["video_id", "label", "partition", "subject", "task", "recording"]
    return pd.DataFrame(rows, columns=columns)


@functools.cache
def _composed() -> DictConfig:
    fixed = ("run_dir=run", "name=name", "network=network")
    return compose("train", [*fixed, "data=csv", "data.table=videos.csv", "logger=csv"])


@dataclass(frozen=True)
class Made:
    """A run directory to write.

    Attributes:
        folder: the run directory.
        manifest: of the corpus.
        network: its config's name.
        seed: of the run; it also decides the errors.
        bias: mean error in points.
        noise: standard deviation of the errors of videos in points; subjects have errors of their own too.
        changes: of the config, by key with dots.
    """

    folder: Path
    manifest: pd.DataFrame
    network: str = "sta_drn"
    seed: int = 0
    bias: float = 0.0
    noise: float = 3.0
    changes: dict[str, Any] | None = None

    def write(
        self,
        *,
        started: str = "2026-01-01T10:00:00+00:00",
        partition: str = "test",
        corpus: str = "csv",
        estimates: pd.Series | None = None,
        **facts: Any,
    ) -> Run:
        """Write config, record, predictions, metrics and log; returns the run."""
        run = Run(self.folder)
        config = self._config()
        write_text(run.config_file, OmegaConf.to_yaml(config, resolve=True))
        videos = self.manifest[self.manifest["partition"] == partition]
        windows = pd.DataFrame(
            {"video_id": videos["video_id"], "window": 0, "first_frame": 0, "last_frame": 7}
        )
        windows["estimate"] = self._estimates(videos) if estimates is None else estimates
        write_results(
            run,
            windows,
            self.manifest,
            corpus=corpus,
            partition=partition,
            maximum=63,
            references=pd.DataFrame({"video_id": videos["video_id"]}),
        )
        self._write_log(run)
        digest = f"{len(videos):08x}"
        record = {
            "status": "finished",
            "started": started,
            "ended": started,
            "overrides": [],
            "name": config.name,
            "network": self.network,
            "seed": self.seed,
            "fingerprint": run_fingerprint(config, digest),
            "dataset": {
                "corpus": corpus,
                "protocol": config.data.protocol,
                "fold": config.data.fold,
                "fingerprint": digest,
            },
        }
        write_json(run.record_file, record | facts)
        return run

    def _config(self) -> DictConfig:
        config = _composed().copy()
        config.network, config.seed, config.name = (
            self.network,
            self.seed,
            f"{self.network}_csv_seed{self.seed}",
        )
        config.run_dir = str(self.folder)
        config.model = {"_target_": f"lab.{self.network}", "attention": "sta"}
        for key, value in (self.changes or {}).items():
            OmegaConf.update(config, key, value, force_add=True)
        return config

    def _estimates(self, videos: pd.DataFrame) -> pd.Series:
        generator = np.random.default_rng((self.seed, sum(self.network.encode())))
        subjects = sorted(set(videos["subject"]))
        own = dict(zip(subjects, generator.normal(0, 2, len(subjects)), strict=True))
        errors = self.bias + videos["subject"].map(own) + generator.normal(0, self.noise, len(videos))
        return (0.6 * videos["label"] + 7 + errors).round(3)

    def _write_log(self, run: Run) -> None:
        maes = 12 / (1 + np.arange(6.0)) + self.seed
        development = pd.DataFrame(
            {"epoch": range(6), "step": range(6), "development/mae": maes + abs(maes - 6)}
        )
        training = pd.DataFrame({"epoch": range(6), "step": range(6), "training/mae_epoch": maes})
        write_csv(run.curves_file, pd.concat([development, training]).sort_values("epoch", kind="stable"))


def six_runs(folder: Path, manifest: pd.DataFrame, seeds: int = 3) -> list[Run]:
    """Two networks with three seeds each, the second of them worse."""
    return [
        Made(folder / network / f"seed{seed}", manifest, network, seed, bias=bias).write()
        for network, bias in (("sta_drn", 0.0), ("r3d_18", 12.0))
        for seed in range(seeds)
    ]
