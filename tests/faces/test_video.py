"""What a reader of raw videos yields, and what it says of files that are damaged or no video at all."""

import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from depression_vr.faces.video import VideoError, VideoReader
from films import (
    CLOCKWISE,
    LEFT_RIGHT_MIRRORED,
    cut,
    number_in,
    numbered,
    overwrite_packets,
    turn,
    write_film,
    write_sound,
)

UNEVEN = [0, 33, 66, 150, 190, 400, 433, 466, 500, 700, 733, 770]
WITH_INDEX_FIRST = {"movflags": "faststart"}
KINDS = {
    "h264.mp4": ("libx264", {}),
    "mpeg4.mp4": ("mpeg4", {}),
    "mpeg4 with B-frames.mp4": ("mpeg4", {"bf": "2"}),
    "hevc.mp4": ("libx265", {}),
    "h264.mov": ("libx264", {}),
    "h264.mkv": ("libx264", {}),
    "h264.avi": ("libx264", {}),
    "mpeg4.avi": ("mpeg4", {}),
    "mpeg4 with B-frames.avi": ("mpeg4", {"bf": "2"}),
    "mjpeg.avi": ("mjpeg", {}),
    "vp8.webm": ("libvpx", {"auto-alt-ref": "1", "lag-in-frames": "10"}),
    "vp9.webm": ("libvpx-vp9", {}),
    "h264.ts": ("libx264", {}),
    "h264.flv": ("libx264", {}),
    "mpeg2.mpg": ("mpeg2video", {}),
}


def numbers(reader: VideoReader) -> list[int]:
    return [number_in(frame.rgb()) for frame in reader]


def times(reader: VideoReader) -> list[float]:
    return [frame.time for frame in reader]


def reason(path: Path) -> str:
    """Why neither the header nor the frames of a file can be read."""
    with pytest.raises(VideoError) as of_header:
        VideoReader(path).header()
    with pytest.raises(VideoError) as of_frames:
        next(iter(VideoReader(path)))
    assert str(of_header.value) == str(of_frames.value)
    assert str(path) not in str(of_frames.value)
    return str(of_frames.value)


# healthy files


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_is_yielded_in_order_at_its_time_and_a_healthy_file_shows_no_damage(
    tmp_path: Path, name: str
) -> None:
    codec, options = KINDS[name]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    reader = VideoReader(write_film(tmp_path / name, 40, codec, pixels=pixels, options=options))
    frames = list(reader)
    assert [number_in(frame.rgb()) for frame in frames] == list(range(40))
    assert [frame.number for frame in frames] == [frame.source for frame in frames] == list(range(1, 41))
    assert [frame.time for frame in frames] == pytest.approx([k / 30 for k in range(40)], abs=1.1e-3)
    assert reader.decoded == 40
    assert reader.damage is None
    assert not reader.variable_frame_rate
    assert reader.duration == pytest.approx(40 / 30, abs=2e-3)


def test_header_tells_size_rate_length_and_duration(tmp_path: Path) -> None:
    header = VideoReader(write_film(tmp_path / "a.mp4", 45, rate=Fraction(30000, 1001))).header()
    assert (header.width, header.height, header.rotation) == (64, 48, 0)
    assert header.frame_rate == pytest.approx(29.97, abs=0.001)
    assert header.frames == 45
    assert header.duration == pytest.approx(45 * 1001 / 30000, abs=1e-3)


def test_header_estimates_the_frames_after_resampling(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 60)
    assert VideoReader(path, fps=10).header().frames == 20
    assert VideoReader(path, fps=60).header().frames == 120


def test_header_knows_no_length_where_the_file_declares_none(tmp_path: Path) -> None:
    header = VideoReader(write_film(tmp_path / "a.h264", 10)).header()
    assert header.frames is None
    assert header.duration is None


def test_second_iteration_yields_identical_frames(tmp_path: Path) -> None:
    reader = VideoReader(write_film(tmp_path / "a.mp4", 20), fps=25)
    first = [(frame, frame.rgb().tobytes()) for frame in reader]
    second = [(frame, frame.rgb().tobytes()) for frame in reader]
    assert first == second
    assert len(first) == reader.header().frames


def test_a_frame_can_be_looked_at_after_the_file_is_closed(tmp_path: Path) -> None:
    frames = list(VideoReader(write_film(tmp_path / "a.mp4", 6)))
    assert [number_in(frame.rgb()) for frame in reversed(frames)] == [5, 4, 3, 2, 1, 0]


def test_abandoned_iteration_closes_the_file(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 20)

    def is_open() -> bool:
        return str(path) in [file.path for file in psutil.Process().open_files()]

    for fps in (None, 10.0):
        frames = iter(VideoReader(path, fps))
        next(frames)
        assert is_open()
        del frames
        assert not is_open()


def test_colours_and_values_are_those_of_the_picture(tmp_path: Path) -> None:
    picture = np.empty((48, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (200, 40, 30), (20, 60, 180)
    rgb = next(iter(VideoReader(write_film(tmp_path / "a.mp4", [picture] * 3)))).rgb()
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert np.abs(rgb[:, :28].astype(int) - (200, 40, 30)).max() < 12
    assert np.abs(rgb[:, 36:].astype(int) - (20, 60, 180)).max() < 12


@pytest.mark.parametrize("pixels", ["yuv420p10le", "gray", "yuv444p", "yuvj420p"])
def test_other_pixel_formats_become_rgb(tmp_path: Path, pixels: str) -> None:
    reader = VideoReader(write_film(tmp_path / "a.mp4", 5, pixels=pixels))
    assert numbers(reader) == list(range(5))


def test_odd_sizes_keep_their_size(tmp_path: Path) -> None:
    pictures = [numbered(number, 51, 67) for number in range(5)]
    reader = VideoReader(write_film(tmp_path / "a.mp4", pictures, "mpeg4"))
    assert [frame.rgb().shape for frame in reader] == [(51, 67, 3)] * 5
    assert numbers(reader) == list(range(5))
    assert (reader.header().width, reader.header().height) == (67, 51)


def test_pictures_that_change_their_size_midway_are_scaled_to_the_first_ones(tmp_path: Path) -> None:
    small = write_film(tmp_path / "small.h264", 8).read_bytes()
    large = write_film(tmp_path / "large.h264", [numbered(k, 96, 128) for k in range(8, 16)]).read_bytes()
    path = tmp_path / "both.h264"
    path.write_bytes(small + large)
    frames = list(VideoReader(path))
    assert {frame.rgb().shape for frame in frames} == {(48, 64, 3)}
    assert [number_in(frame.rgb()) for frame in frames] == list(range(16))


@pytest.mark.parametrize(
    "name", ["mein Film.mp4", "Café 电影.MP4", "a.b.c..mp4", "12:30.mp4", "%03d #1?.mp4"]
)
def test_names_need_not_be_plain(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "späte Aufnahmen: 1.2"
    folder.mkdir()
    assert numbers(VideoReader(write_film(tmp_path / "a.mp4", 3).rename(folder / name))) == [0, 1, 2]


def test_metadata_that_is_not_utf8_does_not_matter(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 3)
    path.write_bytes(path.read_bytes().replace(b"VideoHandler", b"\xc4\xd6\xdceoHandler"))
    assert numbers(VideoReader(path)) == [0, 1, 2]


def test_sound_and_cover_art_beside_the_video_do_not_matter(tmp_path: Path) -> None:
    reader = VideoReader(write_film(tmp_path / "a.mp4", 20, seconds_of_sound=3))
    assert numbers(reader) == list(range(20))
    assert reader.damage is None


def test_trimmed_video_shows_what_is_left_of_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 60, options={"g": "10"})
    content = bytearray(path.read_bytes())
    length = content.index(b"elst") + 12
    content[length : length + 4] = (1000).to_bytes(4, "big")  # of 2000 ms
    path.write_bytes(content)
    reader = VideoReader(path)
    assert numbers(reader) == list(range(30))
    assert reader.damage is None
    assert reader.header().frames == 30


def test_memory_does_not_grow_with_the_length_of_the_video(tmp_path: Path) -> None:
    def peak(frames: int, fps: float | None) -> int:
        path = write_film(tmp_path / "a.mp4", [numbered(k, 360, 640) for k in range(frames)], "mpeg4")
        code = (
            "import sys; from pathlib import Path; from psutil import Process\n"
            "from depression_vr.faces.video import VideoReader\n"
            "def now(frame): frame.rgb(); return Process().memory_info().rss\n"
            f"print(max(now(frame) for frame in VideoReader(Path(sys.argv[1]), {fps})))"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        return int(done.stdout)

    kept = 120 * 640 * 360 * 3 / 2  # bytes that the 120 frames more would take if they were kept
    assert peak(160, None) - peak(40, None) < kept / 4
    assert peak(160, 60) - peak(40, 60) < kept / 4


# rotation


@pytest.mark.parametrize("degrees", CLOCKWISE)
def test_rotated_phone_video_is_turned_clockwise_to_be_upright(tmp_path: Path, degrees: int) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255
    reader = VideoReader(turn(write_film(tmp_path / "a.mp4", [picture] * 3), CLOCKWISE[degrees]))
    header, rgb = reader.header(), next(iter(reader)).rgb()
    assert header.rotation == degrees
    assert rgb.shape == (header.height, header.width, 3) == ((64, 48, 3) if degrees != 180 else (48, 64, 3))
    assert rgb.flags.c_contiguous
    bright = {
        (row, column)
        for row, y in enumerate((4, -4))
        for column, x in enumerate((4, -4))
        if rgb[y, x].mean() > 128
    }
    assert bright == {90: {(0, 1)}, 180: {(1, 1)}, 270: {(1, 0)}}[degrees]


def test_turned_pixels_are_exactly_the_stored_ones(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 1)
    stored = next(iter(VideoReader(path))).rgb()
    for degrees, matrix in CLOCKWISE.items():
        rgb = next(iter(VideoReader(turn(path, matrix)))).rgb()
        np.testing.assert_array_equal(rgb, np.rot90(stored, -degrees // 90))


def test_mirrored_video_is_shown_mirrored(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 1)
    stored = next(iter(VideoReader(path))).rgb()
    reader = VideoReader(turn(path, LEFT_RIGHT_MIRRORED))
    np.testing.assert_array_equal(next(iter(reader)).rgb(), stored[:, ::-1])
    assert reader.header().rotation == 0


# time


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_variable_frame_rate_keeps_every_frame_at_its_own_time(tmp_path: Path, name: str) -> None:
    stamps = [stamp + 500 for stamp in UNEVEN]
    reader = VideoReader(write_film(tmp_path / name, len(stamps), stamps=stamps))
    frames = list(reader)
    assert [number_in(frame.rgb()) for frame in frames] == list(range(len(stamps)))
    assert [frame.time for frame in frames] == pytest.approx([stamp / 1000 for stamp in UNEVEN])
    assert reader.variable_frame_rate
    assert reader.damage is None
    assert reader.duration > 0.77


def test_one_dropped_frame_is_a_variable_rate_and_rounded_timestamps_are_not(tmp_path: Path) -> None:
    even = [round(k * 1000 / 30) for k in range(60)]
    whole = VideoReader(write_film(tmp_path / "even.mkv", 60, stamps=even))
    list(whole)
    assert not whole.variable_frame_rate
    for name in ("gap.mkv", "gap.avi"):
        kept = [k for k in range(60) if k != 30]
        stamps = [round(k * 1000 / 30) for k in kept]
        gap = VideoReader(write_film(tmp_path / name, 59, "mpeg4", stamps=stamps))
        assert times(gap) == pytest.approx([k / 30 for k in kept], abs=1.1e-3)
        assert gap.variable_frame_rate
        assert gap.damage is None


def test_without_timestamps_time_continues_by_the_rate(tmp_path: Path) -> None:
    reader = VideoReader(write_film(tmp_path / "a.h264", 10))
    assert times(reader) == pytest.approx([k / reader.header().frame_rate for k in range(10)])
    assert not reader.variable_frame_rate


def with_stamps(source: Path, target: Path, stamps: list[int]) -> Path:
    """Copy a video's packets, with other presentation times in milliseconds."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        packets = (packet for packet in read.demux(video=0) if packet.size)
        for number, (packet, stamp) in enumerate(zip(packets, stamps, strict=True)):
            packet.time_base = Fraction(1, 1000)
            packet.pts, packet.dts, packet.duration, packet.stream = stamp, number, 40, stream
            write.mux(packet)
    return target


def test_time_stands_still_where_a_timestamp_goes_back(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", 6, "mpeg4")
    path = with_stamps(source, tmp_path / "b.mkv", [0, 40, 120, 80, 160, 200])
    assert times(VideoReader(path)) == pytest.approx([0, 0.04, 0.12, 0.12, 0.16, 0.2])
    assert numbers(VideoReader(path)) == list(range(6))


@pytest.mark.parametrize("jump", [-4000, 3_600_000])
def test_time_runs_on_where_timestamps_jump_as_in_joined_recordings(tmp_path: Path, jump: int) -> None:
    source = write_film(tmp_path / "a.mp4", 6, "mpeg4")
    stamps = [5000, 5040, 5080, 5000 + jump, 5040 + jump, 5080 + jump]
    reader = VideoReader(with_stamps(source, tmp_path / "b.mkv", stamps))
    joint = 0.08 + 1 / reader.header().frame_rate
    expected = [0, 0.04, 0.08, joint, joint + 0.04, joint + 0.08]
    assert times(reader) == pytest.approx(expected)
    assert reader.duration == pytest.approx(expected[-1] + 0.04)


# resampling


@pytest.mark.parametrize("fps", [5, 10, 12.5, 15, 24, 25, 29.97, 30, 50, 60])
@pytest.mark.parametrize("stamps", [UNEVEN, [round(k * 1000 / 30) for k in range(30)]])
def test_resampling_shows_the_nearest_frame_at_every_moment(
    tmp_path: Path, fps: float, stamps: list[int]
) -> None:
    reader = VideoReader(write_film(tmp_path / "a.mkv", len(stamps), stamps=stamps), fps)
    frames = list(reader)
    shown = np.array(stamps) / 1000
    moments = np.arange(len(frames)) / fps
    away = np.abs(shown[[frame.source - 1 for frame in frames]] - moments)
    assert away == pytest.approx(np.abs(shown[:, None] - moments).min(axis=0), abs=1e-6)
    assert [number_in(frame.rgb()) for frame in frames] == [frame.source - 1 for frame in frames]
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    assert [frame.time for frame in frames] == pytest.approx(moments)
    assert shown[-1] - 1 / fps <= moments[-1] < shown[-1] + 0.5 / fps
    assert reader.decoded == len(stamps)


@pytest.mark.parametrize(("fps", "expected"), [(10, 20), (15, 30), (30, 60), (60, 119)])
def test_two_seconds_give_two_seconds_of_frames_at_another_rate(
    tmp_path: Path, fps: float, expected: int
) -> None:
    assert len(list(VideoReader(write_film(tmp_path / "a.mp4", 60), fps))) == expected


def test_resampling_to_the_videos_own_rate_changes_nothing(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", 30)
    assert numbers(VideoReader(path, fps=30)) == list(range(30))


def test_a_rate_of_nothing_is_refused(tmp_path: Path) -> None:
    for fps in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            VideoReader(tmp_path / "a.mp4", fps)


# damage


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mp4", "mpeg4"),
        ("a.mkv", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx"),
    ],
)
def test_cut_off_video_yields_the_frames_before_the_cut(tmp_path: Path, name: str, codec: str) -> None:
    muxing = WITH_INDEX_FIRST if name.endswith("mp4") else {}
    whole = write_film(tmp_path / name, 120, codec, muxing=muxing)
    expected = [frame.rgb() for frame in VideoReader(whole)]
    reader = VideoReader(cut(whole, 0.6))
    frames = [frame.rgb() for frame in reader]
    assert 30 < len(frames) == reader.decoded < 100
    np.testing.assert_array_equal(frames[:-8], expected[: len(frames) - 8])  # B-frames are read late
    assert reader.damage == f"truncated: {len(frames)} of 120 frames could be decoded"


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.mkv", "libx264")])
def test_packets_that_cannot_be_decoded_are_left_out_and_the_rest_is_read(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = overwrite_packets(write_film(tmp_path / name, 60, codec, options={"bf": "0"}), [20, 21, 30])
    reader = VideoReader(path)
    frames = list(reader)
    assert [frame.source for frame in frames] == list(range(1, 58))
    kept = [k for k in range(60) if k not in (20, 21, 30)]
    assert [frame.time for frame in frames] == pytest.approx([k / 30 for k in kept], abs=1.1e-3)
    assert reader.damage == "3 damaged packets were left out"
    assert reader.duration == pytest.approx(2, abs=2e-3)


def test_a_single_damaged_packet_is_counted(tmp_path: Path) -> None:
    reader = VideoReader(overwrite_packets(write_film(tmp_path / "a.mp4", 30), [10]))
    list(reader)
    assert reader.damage == "1 damaged packet was left out"


def test_frames_that_the_decoder_drops_without_a_word_are_counted(tmp_path: Path) -> None:
    path = overwrite_packets(write_film(tmp_path / "a.mp4", 40, "libx265"), [20])
    reader = VideoReader(path)
    assert len(list(reader)) < 38  # HEVC waits for the next key frame
    assert reader.damage == f"{40 - reader.decoded} damaged packets were left out"


def test_damage_is_forgotten_at_the_next_iteration(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 30, muxing=WITH_INDEX_FIRST)
    whole = path.read_bytes()
    reader = VideoReader(cut(path, 0.6))
    list(reader)
    assert reader.damage
    path.write_bytes(whole)
    list(reader)
    assert reader.damage is None
    assert reader.decoded == 30


def test_damage_is_read_without_noise(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = overwrite_packets(write_film(tmp_path / "a.mp4", 30, muxing=WITH_INDEX_FIRST), [3, 10])
    list(VideoReader(cut(broken, 0.7)))
    (tmp_path / "b.mp4").write_bytes(b"noise" * 100)
    reason(tmp_path / "b.mp4")
    assert capfd.readouterr() == ("", "")


# files that cannot be used


def test_missing_file_and_broken_link_and_folder_say_so(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert reason(tmp_path / "none.mp4") == "cannot be read: No such file or directory"
    assert reason(tmp_path / "link.mp4") == "cannot be read: No such file or directory"
    assert reason(tmp_path) == "a folder, not a video file"


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    assert reason(tmp_path / "a.mp4") == "not a regular file"


def test_file_without_permission_says_so() -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from depression_vr.faces.video import VideoError, VideoReader\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: VideoReader(Path(sys.argv[1])).header()\n"
        "except VideoError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders are closed to others
        Path(folder).chmod(0o755)
        path = write_film(Path(folder) / "a.mp4", 2)
        path.chmod(0)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "cannot be read: Permission denied"


def test_file_that_ends_within_its_header_says_so(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", 10)
    path.write_bytes(path.read_bytes()[:40])
    assert reason(path) == "the file is cut off: it ends within its header"


def test_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert reason(tmp_path / "a.mp4") == "the file is empty"


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.csv", "a"])
def test_text_and_noise_are_not_a_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("path,label\nnot a video,3\n" * 50)
    assert reason(path) == "not a video"
    for seed in range(5):
        path.write_bytes(np.random.default_rng(seed).bytes(5000))
        assert reason(path) == "not a video"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.mp4"])
def test_still_image_is_not_a_video(tmp_path: Path, name: str) -> None:
    Image.fromarray(numbered(3)).save(tmp_path / name, format="JPEG" if name == "a.mp4" else None)
    assert reason(tmp_path / name) == "a still image, not a video"


def test_sound_is_not_a_video_even_with_cover_art(tmp_path: Path) -> None:
    assert reason(write_sound(tmp_path / "a.m4a")) == "the file has no video, only audio"
    assert reason(write_sound(tmp_path / "b.mp4", numbered(3))) == "the file has no video, only audio"


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9])
def test_mp4_cut_off_before_the_end_of_its_index_says_so(tmp_path: Path, fraction: float) -> None:
    path = cut(write_film(tmp_path / "a.mp4", 60), fraction)
    assert reason(path) == "the file is cut off: its index is missing"


def test_video_without_a_frame_that_can_be_decoded_says_so(tmp_path: Path) -> None:
    path = overwrite_packets(write_film(tmp_path / "a.mp4", 8), range(8))
    with pytest.raises(VideoError, match="no frame of its video can be decoded"):
        list(VideoReader(path))
    assert reason(path) == "no frame of its video can be decoded"


def test_unknown_codec_says_so(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    assert reason(path) == "its video codec is not supported"


def test_making_a_reader_does_not_touch_the_file(tmp_path: Path) -> None:
    reader = VideoReader(tmp_path / "later.mp4")
    assert (reader.decoded, reader.damage, reader.variable_frame_rate, reader.duration) == (0, None, False, 0)
    write_film(tmp_path / "later.mp4", 3)
    assert numbers(reader) == [0, 1, 2]
