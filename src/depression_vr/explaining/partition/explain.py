"""What a network looks at over all videos of a partition, and whether its maps can be believed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from depression_vr.data.contents import frame_contents
from depression_vr.data.synthetic.corpus import SyntheticCorpus
from depression_vr.explaining.choosing import spread_over_scores
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.partition.looking import Looking
from depression_vr.explaining.partition.settings import PartitionSettings
from depression_vr.explaining.partition.store import LookedVideos
from depression_vr.explaining.partition.writing import (
    remove_written,
    write_bands,
    write_checks,
    write_summary,
)
from depression_vr.face_places import face_places
from depression_vr.made_with import made_with
from depression_vr.parallel import Bar, Tick, do_all
from depression_vr.trained import TrainedNetwork


def explain_partition(
    trained: TrainedNetwork,
    methods: Sequence[str],
    how: Settings,
    wanted: PartitionSettings,
    folder: Path,
) -> None:
    """Look at every video of a partition and write tables and figures.

    Goes on where it stopped: every video is kept when it is done. Memory does not grow with the videos.

    Args:
        trained: the network, with the config of the command.
        methods: of attribution.
        how: their settings.
        wanted: what of the partition.
        folder: where to write.

    Raises:
        UserError: a frame cannot be read.
    """
    manifest = trained.datamodule.manifest
    places = face_places(wanted.face, manifest.corpus)
    print(f"regions of the face: {_origin(wanted, manifest.corpus)}")
    looking = Looking(trained, tuple(methods), how, wanted, places, trained.datamodule.views.size)
    study = _Study(looking, LookedVideos(folder / "videos", _found_with(looking)))
    remove_written(folder)
    study.look_at_all()
    found = write_bands(looking, study.looked, study.videos, manifest.maximum, folder)
    if study.checked:
        videos = study.videos.loc[study.checked]
        found |= write_checks(looking, study.looked, videos, folder)
    write_summary(found, looking, study.looked, study.videos, folder)
    print(f"tables and figures of the {wanted.partition} partition in {folder}")


def _origin(wanted: PartitionSettings, corpus: str) -> str:
    if wanted.face is not None:
        return "as config key face says"
    if corpus == SyntheticCorpus.name:
        return "as the synthetic corpus frames it"
    return "as in frames that `preprocess` aligned; others need face=..., see docs/explain.md"


@dataclass(frozen=True)
class _Study:
    looking: Looking
    looked: LookedVideos

    @cached_property
    def videos(self) -> pd.DataFrame:
        """Rows of the manifest, by their numbers."""
        manifest = self.looking.trained.datamodule.manifest
        return manifest.table.iloc[manifest.rows(self.looking.wanted.partition)]

    @cached_property
    def checked(self) -> list[int]:
        """Rows of the videos to check, spread over the scores."""
        manifest = self.looking.trained.datamodule.manifest
        wanted = min(self.looking.wanted.sanity.videos, len(self.videos))
        return spread_over_scores(manifest, self.videos.index.to_numpy(), wanted)

    @cached_property
    def _randomised(self) -> list[nn.Module]:
        return self.looking.randomised()

    def look_at_all(self) -> None:
        """Look at every video that is not there yet, with a progress bar."""
        missing = [row for row in self.videos.index if not self.looked.has(row, checked=row in self.checked)]
        done = len(self.videos) - len(missing)
        if done:
            print(f"{done} videos finished before")
        if not missing:
            return
        bar = Bar(f"Explaining the {self.looking.wanted.partition} partition", "videos", len(missing))
        do_all(self._look, missing, workers=1, ticks=bar)

    def _look(self, row: int, tick: Tick) -> None:
        networks = self._randomised if row in self.checked else None
        self.looked.keep(row, self.looking.look(row, networks))
        tick()


def _found_with(looking: Looking) -> dict[str, Any]:
    """All that maps and checks of a video depend on."""
    wanted = asdict(looking.wanted)
    wanted["sanity"].pop("videos")
    wanted.pop("resamples")
    manifest = looking.trained.datamodule.manifest
    frames = frame_contents(manifest, manifest.rows(looking.wanted.partition))
    return {
        **made_with(looking.trained, "explaining", frames=frames),
        "methods": looking.methods,
        "how": asdict(looking.how),
        **wanted,
        "face": np.round(looking.places, 6).tolist(),
    }
