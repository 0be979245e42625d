"""The files of weights that the package face-alignment works with, downloaded and checked."""

import functools
import importlib
import logging
import pickle
import shutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from torch import nn

from depression_vr.errors import Problem, UserError
from depression_vr.files import replacing

log = logging.getLogger(__name__)

Detector = Literal["sfd", "blazeface", "retinaface", "yunet", "scrfd"]

_STACKED = 4  # hourglasses of the one FAN that is published
_SECONDS_TO_ANSWER = 30


def package_module(name: str) -> Any:
    """A module of the package, which takes seconds to import."""
    return importlib.import_module(f"face_alignment.{name}")


@dataclass(frozen=True)
class WeightFile:
    """A file in the folder where the package looks for weights.

    Attributes:
        read: raises anything if the file holds something else.
    """

    url: str
    name: str
    read: Callable[[Path], object]

    @property
    def path(self) -> Path:
        """Where it belongs."""
        return Path(torch.hub.get_dir(), "checkpoints", self.name)

    def check(self) -> None:
        """Make sure that the file is whole.

        Raises:
            UserError: it is damaged or holds something else.
        """
        try:
            self.read(self.path)
        except Exception as error:  # what a broken archive, pickle or ONNX file raises is anything
            reason = textwrap.shorten(str(error), 200) or type(error).__name__
            if isinstance(error, pickle.UnpicklingError):  # of which torch says that one may trust it
                reason = "torch did not save it, or not as tensors only"
            raise UserError(
                f"{self.name} does not hold the weights that it should: {reason}",
                where=str(self.path),
                fix=f"delete it, then it is downloaded from {self.url}; or use faces=dlib, which needs none",
            ) from error


def weight_files(detector: Detector) -> list[WeightFile]:
    """The files of the landmark network, which comes first, and of a detector."""
    api = package_module("api")
    landmark_network = functools.partial(api.FAN, _STACKED)
    return [_states(api.models_urls["2DFAN-4"], landmark_network), *_detector_files(detector)]


def _detector_files(detector: Detector) -> list[WeightFile]:
    module = package_module(f"detection.{detector}.{detector}_detector")
    build = functools.partial(_build_detector, detector)
    match detector:
        case "sfd":
            return [_states(module.models_urls["s3fd"], module.s3fd)]
        case "blazeface":
            anchors = module.models_urls["blazeface_anchors"]
            return [
                _states(module.models_urls["blazeface_weights"], module.BlazeFace),
                WeightFile(anchors, _file_name(anchors), functools.partial(_read_anchors, module.BlazeFace)),
            ]
        case "retinaface":
            url = module.models_urls["retinaface_mobilenet0.25"]
            return [WeightFile(url, _file_name(url), build)]
        case "yunet":
            return [WeightFile(module.model_url, _file_name(module.model_url), build)]
        case "scrfd":
            # the package renames the file, but in no constant
            return [WeightFile(module.model_url, "scrfd_2.5g_bnkps.onnx", build)]


def _file_name(url: str) -> str:
    return Path(urlparse(url).path).name


def _states(url: str, network: Callable[[], nn.Module]) -> WeightFile:
    return WeightFile(url, _file_name(url), functools.partial(_read_states, network))


def _read_states(network: Callable[[], nn.Module], path: Path) -> None:
    states = torch.load(path, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        network().load_state_dict(states, assign=True)


def _read_anchors(network: Callable[[], Any], path: Path) -> None:
    network().load_anchors(path, "cpu")


def _build_detector(detector: Detector, path: Path) -> None:
    package_module(f"detection.{detector}").FaceDetector("cpu", path_to_detector=str(path))


def download_missing(files: Sequence[WeightFile]) -> None:
    """Download the files that are not there.

    Raises:
        UserError: which cannot be had, and where they belong.
    """
    problems = []
    for file in files:
        if not file.path.exists():
            try:
                _download(file.url, file.path)
            except (OSError, HTTPException) as error:
                reason = str(error) or type(error).__name__
                problems.append(Problem(file.name, f"cannot be had from {file.url}: {reason}"))
    if problems:
        raise UserError(
            "weights for faces=face_alignment are missing, and the download failed:",
            where=str(files[0].path.parent),
            fix="download them elsewhere and put them into this folder under these names; "
            "or use faces=dlib, which works offline",
            problems=problems,
        )


def _download(url: str, path: Path) -> None:
    """Download whole or not at all; torch.hub takes a connection that breaks off for the end of the file.

    Raises:
        OSError, HTTPException: the file cannot be had or cannot be written.
    """
    log.info("downloading %s to %s", url, path)
    request = Request(url, headers={"User-Agent": "depression-vr"})
    with replacing(path) as file, urlopen(request, timeout=_SECONDS_TO_ANSWER) as answer:
        shutil.copyfileobj(answer, file)
        received, announced = file.tell(), answer.headers["Content-Length"]
        if announced is not None and received != int(announced):
            raise OSError(f"the connection broke off after {received} of {announced} bytes")
