"""What is kept of each video of a partition: a mean map per method, shares of regions, sanity checks."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from depression_vr.data.clips import Window
from depression_vr.data.video_windows import VideoWindows
from depression_vr.explaining.attributions import attribute_pixels
from depression_vr.explaining.choosing import spread, spread_over_scores
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.partition.settings import PartitionSettings
from depression_vr.explaining.sanity.checking import Checked, ClipChecks
from depression_vr.explaining.sanity.motion import MOTION, motion
from depression_vr.explaining.sanity.parts import parts
from depression_vr.explaining.sanity.randomised import cascade
from depression_vr.faces.aligning.template_regions import region_masks
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.trained import TrainedNetwork

_CLIPS_FOR_STATISTICS = 8


@dataclass(frozen=True)
class LookedVideo:
    """What was found of one video.

    Attributes:
        face: mean over the frames of its windows, ``(H, W, 3)``, float32 0..255.
        maps: mean over time and windows, a map per method that sums to 1, ``(methods, H, W)``, float32.
        shares: of each map's importance in each region, ``(methods, regions)``; over regions they sum to 1.
        substituted: frames of its windows that could not be read and that a neighbour stands for.
        checked: the sanity checks of its middle window; None of a video that was not checked.
    """

    face: np.ndarray
    maps: np.ndarray
    shares: np.ndarray
    substituted: int
    checked: Checked | None


@dataclass(frozen=True)
class Looking:
    """Looks at videos with one network.

    Attributes:
        trained: the network.
        methods: of attribution; the motion of the pixels stands beside them as the last one.
        how: settings of the methods.
        wanted: settings of the partition.
        places: eyes and mouth in the frames, fractions ``(3, 2)``.
        size: height and width of the maps that are kept.
    """

    trained: TrainedNetwork
    methods: tuple[str, ...]
    how: Settings
    wanted: PartitionSettings
    places: np.ndarray
    size: tuple[int, int]

    @property
    def names(self) -> tuple[str, ...]:
        """All maps of a video: those of the methods, and the motion."""
        return (*self.methods, MOTION)

    def look(self, row: int, checks: Sequence[nn.Module] | None) -> LookedVideo:
        """Look at the video in one row of the manifest.

        Args:
            row: of the manifest.
            checks: networks with randomised weights to check it with; None for no check.

        Raises:
            UserError: a frame cannot be read.
        """
        video = self.video(row)
        windows = spread([*video], self.wanted.windows)
        faces, maps, shares = [], [], []
        checked, substituted = None, 0
        for number, window in enumerate(windows):
            clip, replaced = video.read(window)
            substituted += replaced
            pixels = clip.permute(0, 2, 3, 1).numpy()
            importance = self._importance(self.trained.module, clip, video)
            importance[MOTION] = motion(pixels)
            masks = _masks(pixels.shape[1:3], self.places.tobytes())
            flat = [_to_sum_of_one(each.mean(axis=0)) for each in importance.values()]
            shares.append(np.stack([(masks * each).sum(axis=(1, 2)) for each in flat]))
            maps.append(np.stack([_to_sum_of_one(_resized(each, self.size)) for each in flat]))
            faces.append(_resized(pixels.mean(axis=0, dtype=np.float32), self.size))
            if checks is not None and number == len(windows) // 2:
                checked = self._check(row, clip, video, importance, checks, masks)
        face, mean_maps = (np.stack(each).mean(axis=0, dtype=np.float32) for each in (faces, maps))
        return LookedVideo(face, mean_maps, np.stack(shares).mean(axis=0), substituted, checked)

    def video(self, row: int) -> VideoWindows:
        """The windows of the video in one row of the manifest."""
        return self.trained.datamodule.video(self.trained.datamodule.manifest.folders[row])

    @property
    def parts(self) -> list[str]:
        """The parts of the network in the order in which they are randomised."""
        return [part.name for part in parts(self.trained.module.network)][::-1]

    def randomised(self) -> list[nn.Module]:
        """A network per part, randomised from the output down to it, with statistics of some videos."""
        clips = []
        manifest = self.trained.datamodule.manifest
        # not those that are checked: what is found of a video must not depend on how many these are
        for row in spread_over_scores(manifest, manifest.rows(self.wanted.partition), _CLIPS_FOR_STATISTICS):
            video = self.video(row)
            window: Window = next(iter(video))
            clips.append(video.views(video.read(window).pixels[None], self.trained.device))
        return [*cascade(self.trained.module.network, clips, self.wanted.seed)]

    def _importance(
        self, module: ScoreRegression, clip: Tensor, video: VideoWindows
    ) -> dict[str, np.ndarray]:
        device = self.trained.device
        return {
            method: attribute_pixels(module, method, clip, video, device, self.how).magnitude
            for method in self.methods
        }

    def _check(
        self,
        row: int,
        clip: Tensor,
        video: VideoWindows,
        importance: Mapping[str, np.ndarray],
        networks: Sequence[nn.Module],
        masks: np.ndarray,
    ) -> Checked:
        others = [self._importance(self._with(network), clip, video) for network in networks]
        sanity = self.wanted.sanity
        checks = ClipChecks(sanity.blocks, sanity.orders, (self.wanted.seed, row))
        return checks.check(
            clip.permute(0, 2, 3, 1).numpy(),
            importance,
            {method: [each[method] for each in others] for method in self.methods},
            self._scores,
            masks,
        )

    def _with(self, network: nn.Module) -> ScoreRegression:
        module = copy.copy(self.trained.module)
        module._modules = {**module._modules, "network": network}
        return module

    def _scores(self, clips: Iterable[np.ndarray]) -> np.ndarray:
        """Scores of clips, not bounded: at 0 a bound would hide that they move."""
        coming, found = iter(clips), list[float]()
        while batch := [*islice(coming, self.how.at_once)]:
            y = self.trained.outputs(torch.from_numpy(np.stack(batch)).permute(0, 1, 4, 2, 3))
            found += self.trained.module.scale.unbounded_score(y).tolist()
        return np.array(found)


@lru_cache(maxsize=4)
def _masks(size: tuple[int, int], places: bytes) -> np.ndarray:
    return region_masks(size, np.frombuffer(places).reshape(3, 2))


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if picture.shape[:2] == size:
        return picture
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA))


def _to_sum_of_one(flat: np.ndarray) -> np.ndarray:
    """A map that is 0 everywhere prefers nothing: it becomes even."""
    total = flat.sum()
    return flat / total if total > 0 else np.full_like(flat, 1 / flat.size)
