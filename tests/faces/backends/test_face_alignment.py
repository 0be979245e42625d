"""face-alignment's networks, with weights that find what these tests draw.

A face is a white square, which the detectors find, and a soft red, green and blue spot, which FAN finds: the
brows and eyes at the red one, the nose at the green one, the jaw and the mouth at the blue one.
"""

import http.server
import importlib
import logging
import math
import pickle
import subprocess
import sys
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import face_alignment
import numpy as np
import pytest
import torch
from face_alignment.detection.blazeface.net_blazeface import BlazeFace
from face_alignment.detection.retinaface.net_retinaface import RetinaFace
from face_alignment.detection.sfd import sfd_detector
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN
from pydantic import ValidationError
from torch import Tensor, nn

from depression_vr.errors import UserError
from depression_vr.faces.backends import face_alignment as backend_module
from depression_vr.faces.backends.face_alignment import FaceAlignment
from depression_vr.faces.landmarks import LANDMARKS, Face

JAW, NOSE, MOUTH = slice(0, 17), slice(27, 36), slice(48, 68)

HEIGHT, WIDTH = 128, 176
SQUARE = 12
BOX = 48.0
SPOTS = {0: (-16.0, -12.0), 1: (4.5, 12.25), 2: (15.0, 20.0)}
"""From the middle of the square, for red, green and blue."""
CELL = 2 * BOX / 195 * 200 / 64
"""Pixels of the frame in one cell of a heat map."""

COLOURS = np.zeros(LANDMARKS, int)
"""Of the spot at which each landmark is."""
COLOURS[NOSE] = 1
COLOURS[JAW] = COLOURS[MOUTH] = 2

FAN_FILE = "2DFAN4-11f355bf06.pth.tar"
SFD_FILE = "s3fd-619a316812.pth"
FILES = {
    "sfd": [SFD_FILE],
    "blazeface": ["blazeface.pth", "anchors.npy"],
    "retinaface": ["retinaface_mobilenet0.25.pth"],
    "yunet": ["face_detection_yunet_2023mar.onnx"],
}

States = dict[str, Tensor]
Corner = tuple[int, int]


def spotted(places: np.ndarray, sigma: float) -> np.ndarray:
    """A red, a green and a blue spot, float."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    squares = [(x - place[0]) ** 2 + (y - place[1]) ** 2 for place in places]
    return 255 * np.exp(-np.stack(squares, axis=-1) / (2 * sigma**2))


def picture(*corners: Corner) -> np.ndarray:
    """Faces, given the upper left pixel of each white square."""
    frame = np.zeros((HEIGHT, WIDTH, 3))
    for corner in corners:
        frame[corner[1] : corner[1] + SQUARE, corner[0] : corner[0] + SQUARE] = 255
        frame += spotted(spots(corner), sigma=3.0)
    return frame.clip(0, 255).round().astype(np.uint8)


def middle(corner: Corner) -> np.ndarray:
    """Of a square, from the edge of the first pixel, as detectors count."""
    return np.array(corner) + SQUARE / 2


def spots(corner: Corner) -> np.ndarray:
    """Where the red, the green and the blue spot are, from the centre of the first pixel."""
    return middle(corner) - 0.5 + np.array(list(SPOTS.values()))


def landmarks_of(corner: Corner) -> np.ndarray:
    return spots(corner)[COLOURS]


def box_of(corner: Corner) -> np.ndarray:
    return np.concatenate([middle(corner) - BOX / 2, middle(corner) + BOX / 2])


def zeros(network: Callable[[], nn.Module]) -> States:
    """States in which normalisation changes nothing; a file needs no room for what is zero."""
    with torch.device("meta"):
        shapes = network().state_dict()
    states = {}
    for name, value in shapes.items():
        is_scale = name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight"))
        states[name] = torch.full((), int(is_scale), dtype=value.dtype).expand(value.shape)
    return states


def put(states: States, name: str, value: float | Sequence[float], *index: int | slice) -> None:
    states[name] = states[name].clone()
    states[name][index] = torch.tensor(value)


def fan_states() -> States:
    """Carries each colour, less the two others, to the heat maps of its landmarks."""
    states = zeros(partial(FAN, 4))
    for colour in range(3):
        put(
            states,
            "conv1.weight",
            [2.0 * (channel == colour) - 1 for channel in range(3)],
            colour,
            slice(None),
            3,
            3,
        )
        put(states, "conv2.downsample.2.weight", 1.0, colour, colour)
        put(states, "conv4.downsample.2.weight", 1.0, colour, colour)
        put(states, "m3.b3_4.conv1.weight", -1.0, colour, colour, 1, 1)  # silences the hourglass's low branch
        put(states, "conv_last3.weight", 1.0, colour, colour)
    for landmark, colour in enumerate(COLOURS.tolist()):
        put(states, "l3.weight", 1.0, landmark, colour)
    put(states, "l3.bias", 0.05, slice(None))  # as of trained weights: black is no evidence either
    return states


def s3fd_states() -> States:
    """A face is where a 3x3 neighbourhood of cells of 4 pixels is white; its box has `BOX` pixels."""
    states = zeros(s3fd)
    put(states, "conv1_1.weight", [1 / 3] * 3, 0, slice(None), 1, 1)
    for layer in ("conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"):
        put(states, f"{layer}.weight", 1.0, 0, 0, 1, 1)
    put(states, "conv3_3_norm_mbox_conf.weight", 1.0, 3, 0)
    put(states, "conv3_3_norm_mbox_conf.bias", -6.5, 3)
    for layer in ("conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2"):
        put(states, f"{layer}_mbox_conf.bias", -10.0, 1)
    put(states, "conv3_3_norm_mbox_loc.bias", math.log(BOX / 16) / 0.2, slice(2, 4))
    return states


def blazeface_states() -> States:
    """A face is where a cell of 8 pixels begins white; its box has `BOX` pixels."""
    states = zeros(BlazeFace)
    put(states, "backbone1.0.weight", [1 / 3] * 3, 0, slice(None), 1, 1)
    put(states, "classifier_8.weight", 10.0, 0, 0)
    put(states, "classifier_8.bias", [-5.0, -50.0])
    put(states, "classifier_16.bias", -50.0, slice(None))
    put(states, "regressor_8.bias", BOX, slice(2, 4))
    return states


def blazeface_anchors() -> np.ndarray:
    y, x = (np.mgrid[:16, :16] + 0.5) / 16
    cells = np.stack([x, y, np.ones_like(x), np.ones_like(x)], axis=-1).reshape(-1, 4)
    return np.concatenate([cells.repeat(2, axis=0), np.full((384, 4), 0.5)]).astype(np.float32)


def retinaface_states() -> States:
    """A face is where a cell of 8 pixels begins white; its box has `BOX` pixels."""
    states = zeros(RetinaFace)
    put(states, "body.stage1.0.0.weight", [1 / 400] * 3, 0, slice(None), 1, 1)
    for block in range(1, 6):
        put(states, f"body.stage1.{block}.0.weight", 1.0, 0, 0, 1, 1)
        put(states, f"body.stage1.{block}.3.weight", 1.0, 0, 0)
    put(states, "fpn.output1.0.weight", 1.0, 0, 0)
    put(states, "fpn.merge1.0.weight", 1.0, 0, 0, 1, 1)
    put(states, "ssh1.conv3X3.0.weight", 1.0, 0, 0, 1, 1)
    put(states, "ClassHead.0.conv1x1.weight", 14.0, 3, 0)
    for level in range(3):
        put(states, f"ClassHead.{level}.conv1x1.bias", [0.0, -10.0, 0.0, -10.0])
    put(states, "BboxHead.0.conv1x1.bias", math.log(BOX / 32) / 0.2, slice(6, 8))
    return states


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other take several times as long on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for TORCH_HOME with the files that the package would have downloaded."""
    root = tmp_path_factory.mktemp("torch")
    folder = root / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(fan_states(), folder / FAN_FILE)
    torch.save(s3fd_states(), folder / SFD_FILE)
    torch.save(blazeface_states(), folder / "blazeface.pth")
    torch.save(retinaface_states(), folder / "retinaface_mobilenet0.25.pth")
    np.save(folder / "anchors.npy", blazeface_anchors())
    yield root
    backend_module._load.cache_clear()


@pytest.fixture
def weights(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(hub))


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder where weights belong, on a machine that reaches no other."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies that it first saw
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


def refusal(call: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value


CORNERS: dict[str, list[Corner]] = {"none": [], "one": [(96, 64)], "two": [(56, 48), (128, 80)]}


@pytest.fixture(scope="module", params=["sfd", "blazeface", "retinaface"])
def searching(request: pytest.FixtureRequest) -> Iterator[FaceAlignment]:
    """Each detector in turn, so that their networks are not in memory together."""
    yield FaceAlignment(request.param, device="cpu")
    backend_module._load.cache_clear()


def from_left(faces: Sequence[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: float(face.box[0]))


@pytest.mark.usefixtures("weights")
def test_every_face_of_every_frame_is_found(searching: FaceAlignment) -> None:
    found = searching.detect([picture(*corners) for corners in CORNERS.values()])
    assert [len(faces) for faces in found] == [0, 1, 2]
    for faces, corners in zip(found, CORNERS.values(), strict=True):
        for face, corner in zip(from_left(faces), corners, strict=True):
            assert (face.box.shape, face.box.dtype) == ((4,), np.float64)
            assert 0.9 < face.score <= 1
            # sfd's cells are 4 pixels wide, those of the others 8
            off = 0.01 if searching.detector == "sfd" else 8
            np.testing.assert_allclose((face.box[:2] + face.box[2:]) / 2, middle(corner), atol=off)


@pytest.mark.usefixtures("weights")
def test_frames_together_give_what_each_gives_alone(
    searching: FaceAlignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [picture(*corners) for corners in (*CORNERS.values(), [(80, 40)])]
    three_at_once = 3 * HEIGHT * WIDTH
    monkeypatch.setattr(backend_module, "_PIXELS_AT_ONCE", three_at_once)
    for frame, together in zip(frames, searching.detect(frames), strict=True):
        (alone,) = searching.detect([frame])
        for one, other in zip(from_left(alone), from_left(together), strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=1e-4)
            assert one.score == pytest.approx(other.score, abs=1e-5)


@pytest.mark.usefixtures("weights")
def test_every_detectors_box_gives_the_crop_that_the_package_takes(searching: FaceAlignment) -> None:
    frame = picture((96, 64))
    ((face,),) = searching.detect([frame])
    package = importlib.import_module(f"face_alignment.detection.{searching.detector}").FaceDetector("cpu")
    (row,) = package.detect_from_image(frame)
    np.testing.assert_allclose(
        crop_of(face.box, 195), crop_of(np.array(row[:4]), package.reference_scale), atol=1e-4
    )
    assert face.box[2] - face.box[0] == pytest.approx(BOX * 195 / package.reference_scale, abs=1e-3)


def crop_of(box: np.ndarray, reference_scale: float) -> tuple[float, float, float]:
    """Middle and scale, as in `get_landmarks_from_image`."""
    size = box[2:] - box[:2]
    x, y = box[2:] - size / 2
    return x, y - 0.12 * size[1], size.sum() / reference_scale


@pytest.mark.usefixtures("weights")
def test_the_threshold_is_the_detectors(searching: FaceAlignment) -> None:
    frame = picture((96, 64))
    ((face,),) = searching.detect([frame])
    assert face.score < 0.999
    backend_module._load.cache_clear()
    assert FaceAlignment(searching.detector, device="cpu", min_score=0.999).detect([frame]) == [[]]


@pytest.mark.usefixtures("weights")
def test_landmarks_are_where_the_spots_are() -> None:
    corners = [(96, 64), (56, 48), (128, 80)]
    frames = [picture(corners[0]), *[picture(*corners[1:])] * 2]
    backend = FaceAlignment(device="cpu", batch_size=2)
    boxes = np.stack([box_of(corner) for corner in corners])
    landmarks, confidence = backend.landmarks(frames, boxes)
    assert (landmarks.shape, landmarks.dtype) == ((3, LANDMARKS, 2), np.float64)
    # peaks are told to a quarter of a cell, and the network's cells lie up to half a cell beside the crop's
    expected = np.stack([landmarks_of(corner) for corner in corners])
    np.testing.assert_allclose(landmarks, expected, atol=0.4 * CELL)
    assert ((confidence > 0.9) & (confidence <= 1)).all()
    alone, alone_confidence = backend.landmarks(frames[1:2], boxes[1:2])
    np.testing.assert_allclose(alone, landmarks[1:2], atol=1e-3)
    np.testing.assert_allclose(alone_confidence, confidence[1:2], atol=1e-4)


@pytest.mark.usefixtures("weights")
def test_landmarks_are_found_again_in_their_own_box() -> None:
    frame, corner = picture((96, 64)), (96, 64)
    backend = FaceAlignment(device="cpu")
    box = backend.box_around(landmarks_of(corner)[None])
    np.testing.assert_array_equal(box[0], [*spots(corner).min(axis=0), *spots(corner).max(axis=0)])
    landmarks, _ = backend.landmarks([frame], box)
    np.testing.assert_allclose(landmarks[0], landmarks_of(corner), atol=0.4 * CELL)


@pytest.mark.usefixtures("weights")
def test_landmarks_agree_with_the_packages_whole_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, corner = picture((96, 64)), (96, 64)
    boxes = np.stack([box_of(corner) + shift for shift in (0.4, -7.7)])
    boxes[1, 2:] += 30
    backend = FaceAlignment(device="cpu", batch_size=2)
    landmarks, _ = backend.landmarks([frame] * 2, boxes)
    package = backend._package()
    monkeypatch.setattr(package, "flip_input", False)
    theirs = np.stack(package.get_landmarks_from_image(frame, list(boxes)))
    # it counts from the edge of the first pixel, and cuts points and the corners of the crop to whole ones
    assert np.abs(theirs - (landmarks + 0.5)).max() <= 1


@pytest.mark.usefixtures("weights")
def test_landmarks_of_a_small_face_do_not_move_with_the_box() -> None:
    places = np.array([(80.0, 60.0), (84.0, 66.0), (88.0, 70.0)])
    frame = spotted(places, sigma=1.0).round().astype(np.uint8)
    boxes = np.array([76.0, 56.0, 92.0, 74.0]) + np.array([0.0, 0.4, 0.8])[:, None]
    landmarks, _ = FaceAlignment(device="cpu", batch_size=2).landmarks([frame] * 3, boxes)
    np.testing.assert_allclose(landmarks, np.stack([places[COLOURS]] * 3), atol=0.25)


@pytest.mark.usefixtures("weights")
def test_a_mirrored_second_look_finds_the_same() -> None:
    frame, corner = picture((96, 64)), (96, 64)
    landmarks, confidence = FaceAlignment(device="cpu", flip=True).landmarks([frame], box_of(corner)[None])
    np.testing.assert_allclose(landmarks[0], landmarks_of(corner), atol=0.5 * CELL)
    assert 0.8 < confidence[0] <= 1


@pytest.mark.usefixtures("weights")
def test_boxes_at_and_beyond_the_border_are_no_error() -> None:
    corner = (4, 60)
    boxes = [
        box_of(corner),  # begins left of the picture
        (-300, 20, -200, 120),
        (WIDTH + 200, 400, WIDTH + 300, 500),
        (-1e7, -1e7, 1e7, 1e7),
        (60, 60, 60, 60),
        (90, 90, 60, 60),
    ]
    landmarks, confidence = FaceAlignment(device="cpu", batch_size=2).landmarks(
        [picture(corner)] * len(boxes), np.array(boxes, float)
    )
    assert np.isfinite(landmarks).all()
    assert (confidence[1:] == 0).all()
    inside = COLOURS > 0  # the red spot is not in the picture
    np.testing.assert_allclose(landmarks[0, inside], landmarks_of(corner)[inside], atol=0.4 * CELL)


@pytest.mark.usefixtures("weights")
def test_no_frames_give_nothing() -> None:
    backend = FaceAlignment(device="cpu")
    assert backend.detect([]) == []
    landmarks, confidence = backend.landmarks([], np.empty((0, 4)))
    assert (landmarks.shape, confidence.shape) == ((0, LANDMARKS, 2), (0,))


@pytest.mark.usefixtures("weights")
def test_a_copy_in_another_process_finds_the_same_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    backend = FaceAlignment(device="cpu")
    backend.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((face,),) = backend.detect([picture((96, 64))])
    assert capfd.readouterr() == ("", "")
    program = (
        "import pickle, sys\n"
        "backend, frame = pickle.load(sys.stdin.buffer)\n"
        "assert 'face_alignment' not in sys.modules, 'the import is slow and only for those who use it'\n"
        "((face,),) = backend.detect([frame])\n"
        "print(*face.box)"
    )
    sent = pickle.dumps((backend, picture((96, 64))))
    ended = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    np.testing.assert_allclose([float(word) for word in ended.stdout.split()], face.box)


@pytest.mark.parametrize("detector", FILES)
def test_offline_every_missing_file_is_named(checkpoints: Path, detector: str) -> None:
    error = refusal(FaceAlignment(detector, device="cpu").prepare)
    assert error.where == str(checkpoints)
    assert [problem.where for problem in error.problems] == [FAN_FILE, *FILES[detector]]
    assert all("https://" in problem.what for problem in error.problems)
    assert "faces=dlib" in error.fix
    assert list(checkpoints.iterdir()) == []


def test_use_without_preparation_is_refused_alike(checkpoints: Path) -> None:
    error = refusal(partial(FaceAlignment(device="cpu").detect, [picture()]))
    assert error.where == str(checkpoints)


@pytest.mark.parametrize(
    ("detector", "name"),
    [("sfd", FAN_FILE), *[(detector, name) for detector, names in FILES.items() for name in names]],
)
@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_a_damaged_file_is_named(
    hub: Path, checkpoints: Path, detector: str, name: str, content: bytes
) -> None:
    checkpoints.mkdir(parents=True)
    for path in (hub / "hub" / "checkpoints").iterdir():
        (checkpoints / path.name).symlink_to(path)
    (checkpoints / name).unlink(missing_ok=True)
    (checkpoints / name).write_bytes(content)
    error = refusal(FaceAlignment(detector, device="cpu").prepare)
    assert error.where == str(checkpoints / name)
    assert "delete it" in error.fix
    assert "weights_only" not in error.what


def test_another_networks_weights_are_refused(hub: Path, checkpoints: Path) -> None:
    checkpoints.mkdir(parents=True)
    for name in (FAN_FILE, SFD_FILE):
        (checkpoints / name).symlink_to(hub / "hub" / "checkpoints" / FAN_FILE)
    error = refusal(FaceAlignment(device="cpu").prepare)
    assert error.where == str(checkpoints / SFD_FILE)
    assert "conv1_1.weight" in error.what


class Answer(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; of files that are named so, only the first half."""

    broken: str = ""

    def copyfile(self, source, outputfile):  # type: ignore[no-untyped-def]
        content = source.read()
        outputfile.write(content[: len(content) // 2] if self.path == f"/{self.broken}" else content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(hub: Path, checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package's weights come from this machine."""
    handler = partial(Answer, directory=str(hub / "hub" / "checkpoints"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(face_alignment.api.models_urls, "2DFAN-4", f"{address}/{FAN_FILE}")
        monkeypatch.setitem(sfd_detector.models_urls, "s3fd", f"{address}/{SFD_FILE}")
        yield
        server.shutdown()


@pytest.mark.usefixtures("server")
def test_missing_weights_are_downloaded(checkpoints: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        FaceAlignment(device="cpu").prepare()
    assert sorted(path.name for path in checkpoints.iterdir()) == [FAN_FILE, SFD_FILE]
    caplog.clear()
    FaceAlignment(device="cpu").prepare()
    assert not caplog.records  # nothing is downloaded twice


@pytest.mark.usefixtures("server")
def test_half_a_download_is_not_kept(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "broken", SFD_FILE)
    error = refusal(FaceAlignment(device="cpu").prepare)
    assert [problem.where for problem in error.problems] == [SFD_FILE]
    assert "broke off" in str(error)
    assert [path.name for path in checkpoints.iterdir()] == [FAN_FILE]


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    error = refusal(FaceAlignment(device=device).prepare)
    assert error.where == "config key faces.backend.device"


def test_scrfd_wants_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    error = refusal(FaceAlignment("scrfd", device="cpu").prepare)
    assert "pip install onnxruntime" in error.fix


@pytest.mark.parametrize(
    "settings",
    [{"detector": "mtcnn"}, {"device": "gpu"}, {"batch_size": 0}, {"min_score": 2.0}],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaceAlignment(**settings)  # type: ignore[arg-type]
