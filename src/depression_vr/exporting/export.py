"""From a trained network to its file and card."""

import hashlib
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from depression_vr.errors import UserError
from depression_vr.exporting.card import CARD_NAMES, refuse_folder, write_card
from depression_vr.exporting.checking import TOLERANCE, checked
from depression_vr.exporting.facts import card_facts
from depression_vr.exporting.formats import Format
from depression_vr.exporting.frames_to_score import FramesToScore
from depression_vr.exporting.tracing import traced
from depression_vr.files import replacing
from depression_vr.keys import Size
from depression_vr.progress import waiting
from depression_vr.trained import TrainedNetwork

log = logging.getLogger(__name__)

_STAGED = ".export-"
_SIZE: TypeAdapter[int | tuple[int, int]] = TypeAdapter(Size)


def export(trained: TrainedNetwork, wanted: Format, folder: Path) -> Path:
    """Write the network, which is checked first, and its model card.

    Args:
        trained: the network, on the CPU and in float32.
        wanted: the format.
        folder: for the files; those of an earlier export are replaced.

    Returns:
        The network's file.

    Raises:
        UserError: the network cannot be exported, what comes out differs from it, or the folder has files
            that are not of an earlier export; nothing is written.
    """
    _refuse_other_computing(trained)
    refuse_folder(folder, wanted)
    datamodule, scale = trained.datamodule, trained.module.scale
    size = frame_size(trained)
    facts = card_facts(trained, size, wanted)
    log.info("exporting the network for frames of %dx%d pixels", *size)
    normalisation = datamodule.preparation.normalisation
    module = FramesToScore(trained.module.network, scale, datamodule.views, normalisation)
    with waiting(f"writing {wanted.file_name}"):
        content = wanted.serialised(traced(module.eval(), size))

    def original(frames: Tensor) -> Tensor:
        return trained.scores(frames.movedim(4, 2))

    log.info("comparing its scores with those of the original")
    with waiting("comparing"):
        check = checked(original, wanted.opened(content), datamodule.shape.length, size, scale.maximum)
    if check.at_a_bound == check.clips:
        log.warning("warning: all %d random clips have a score at or beyond an end of the scale", check.clips)
    file = folder / wanted.file_name
    described = {
        "format": wanted.name,
        "name": file.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    facts |= {"check": {"tolerance": TOLERANCE, **asdict(check)}, "file": described}
    _put(folder, file.name, content, facts)
    log.info(
        "largest difference of %d random clips: %.2g points, of scores from %.1f to %.1f",
        check.clips, check.largest_difference, check.lowest, check.highest,
    )  # fmt: skip
    return file


def _put(folder: Path, name: str, content: bytes, facts: dict[str, Any]) -> None:
    """Network and card in their places; killed at any moment, it leaves no card beside another network.

    What a killed export had not yet put there is removed by the next.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_STAGED}*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=_STAGED, dir=folder) as staged:
        with replacing(Path(staged, name)) as target:
            target.write(content)
        write_card(Path(staged), facts)
        for card in CARD_NAMES:
            (folder / card).unlink(missing_ok=True)
        for whole in (name, *reversed(CARD_NAMES)):
            Path(staged, whole).replace(folder / whole)


def _refuse_other_computing(trained: TrainedNetwork) -> None:
    for key, found, only in (
        ("precision", trained.config.precision, "32-true"),
        ("trainer", trained.device.type, "cpu"),
    ):
        if found != only:
            raise UserError(
                f"a network is exported and compared in float32 on the CPU, not with {found}",
                where=f"config key {key}",
                fix=f"leave {key}= out",
            )


def frame_size(trained: TrainedNetwork) -> tuple[int, int]:
    """Height and width of the frames that the exported network takes.

    Raises:
        UserError: it takes frames at their own size, and that is not known or no size.
    """
    datamodule = trained.datamodule
    given: Any = trained.config.frame_size
    if datamodule.read_at == "size":
        if given is not None:
            raise UserError(
                "the network sees frames of one size",
                where="config keys frame_size and data.size",
                fix="leave frame_size out",
            )
        return datamodule.views.size
    if given is not None:
        try:
            sides = _SIZE.validate_python(OmegaConf.to_object(given) if OmegaConf.is_list(given) else given)
        except ValidationError as error:
            raise UserError(
                f"{given!s} is no height and width",
                where="config key frame_size",
                fix="give one number of pixels or both, such as frame_size=256 or frame_size=[256,320]",
            ) from error
        return (sides, sides) if isinstance(sides, int) else sides
    try:
        return datamodule.reader.size
    except UserError as error:
        raise UserError(
            "the network cuts regions from frames as they are, and how large they are is not known: "
            f"{error.what}",
            where="config key frame_size",
            fix="name their height and width, such as frame_size=256 or frame_size=[256,320]",
        ) from error
