import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from depression_vr.data.videos import RawVideo
from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.measures import HeadPose
from depression_vr.faces.aligning.quality_summary import quality_summary
from depression_vr.faces.aligning.quality_table import Aligned, QualityTable
from depression_vr.faces.aligning.smoothing import Pose, State
from depression_vr.faces.output import QUALITY, SUMMARY, TRACKS, Output
from depression_vr.faces.reporting.corpus_tables import video_records
from depression_vr.faces.reporting.report import write_report
from depression_vr.faces.tracking.track_table import FrameFaces, write_tracks
from depression_vr.files import write_json

GOOD: tuple[State, ...] = ("detected", "tracked", "tracked", "tracked", "tracked") * 4
POOR: tuple[State, ...] = ("detected", "tracked") + ("lost",) * 30


def raw(video_id: str, partition: str = "training") -> RawVideo:
    return RawVideo(video_id, Path(f"/raw/{video_id}.mp4"), "12", partition, video_id, "Freeform", video_id)


def finish(
    output: Output,
    video: RawVideo,
    states: tuple[State, ...] = GOOD,
    scale: float = 0.5,
    faces: int = 1,
    **of_reader: Any,
) -> None:
    """Finish a video of 25 frames/s with frames in these states."""
    with output.unfinished(video) as folder:
        tracks = [FrameFaces(n, n, (n - 1) / 25, faces, ()) for n in range(1, len(states) + 1)]
        write_tracks(folder / TRACKS, tracks)
        with QualityTable(folder / QUALITY) as table:
            for frame, state in zip(tracks, states, strict=True):
                if state == "lost":
                    table.add(Pose(frame, "lost", None), None)
                    continue
                aligned = Aligned(Similarity(0, scale, 0, 0), HeadPose(1, 2, 3), 100, 120)
                table.add(Pose(frame, state, np.ones((68, 2))), aligned)
                Image.new("RGB", (32, 32), (200, 120, 90)).save(folder / f"frame_{frame.number:06d}.jpg")
        known = {name: getattr(video, name) for name in video.__dataclass_fields__ if name != "path"}
        reader = {
            "source_frames": len(states),
            "seconds": len(states) / 25,
            "frame_rate": 25.0,
            "variable_frame_rate": False,
            "damage": None,
            "width": 640,
            "height": 480,
        }
        write_json(folder / SUMMARY, {**known, **quality_summary(folder / QUALITY), **reader, **of_reader})


@dataclass
class Page(HTMLParser):
    """What a browser sees of a page."""

    text: str = ""
    images: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    _hidden: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def read(cls, path: Path) -> "Page":
        page = cls()
        page.feed(path.read_text(encoding="utf-8"))
        page.text = re.sub(r"\s+", " ", page.text)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        self._hidden = tag == "style"
        if tag == "img":
            self.images.append(given["src"])
        if "href" in given:
            self.links.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += f" {data}"  # cells and blocks stand apart


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "faces")


def sheets(output: Output) -> list[Path]:
    return sorted((output.root / "report").glob("contact_sheets/*"))


def test_report_counts_videos_frames_and_hours(output: Output) -> None:
    finish(output, raw("1"), seconds=1800.0)
    finish(output, raw("2", "test"), POOR, seconds=3600.0)
    output.note_failure(raw("3"), "no face was found in the whole video")

    page = Page.read(write_report(output, video_records(output), faces=True))

    for told in ("2 videos finished", "1 video failed", "1.50 hours"):
        assert told in page.text
    for told in ("52 frames in", "22 frames written", "30 frames lost"):
        assert told in page.text
    assert "training/Freeform/3 no face was found in the whole video" in page.text


def test_worst_video_comes_first(output: Output) -> None:
    finish(output, raw("a"))
    finish(output, raw("b"), POOR)
    finish(output, raw("c"), (*GOOD, "interpolated", "detected"))

    page = Page.read(write_report(output, video_records(output), faces=False))

    listed = page.text[page.text.index("the worst first") :]
    assert sorted("abc", key=lambda name: listed.index(f"training/Freeform/{name} ")) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"damage": "truncated: 20 of 25 frames could be decoded"}, "truncated: 20 of 25 frames"),
        ({"variable_frame_rate": True}, "Variable frame rate: 25 frames/s on average"),
        ({"faces": 3}, "Several faces: up to 3 at once"),
        ({"states": POOR}, "Often not seen: seen in 6.2% of the frames"),
        ({"states": POOR}, "Long gap: 1.2 s, 30 frames"),
        ({"scale": 1.75}, "Small face: enlarged 1.75 times on average"),
    ],
)
def test_what_is_worth_a_look_is_told_of_the_video_that_has_it(
    output: Output, how: dict[str, Any], told: str
) -> None:
    finish(output, raw("fine"))
    finish(output, raw("odd"), **how)

    page = Page.read(write_report(output, video_records(output), faces=False))

    assert told in page.text
    looked_at = page.text[page.text.index("Worth a look") : page.text.index("The corpus")]
    assert "training/Freeform/odd" in looked_at
    assert "training/Freeform/fine" not in looked_at


def test_nothing_is_worth_a_look_in_good_videos(output: Output) -> None:
    finish(output, raw("fine"))

    assert "Worth a look Nothing." in Page.read(write_report(output, video_records(output), faces=False)).text


def test_redo_that_failed_is_worth_a_look(output: Output) -> None:
    finish(output, raw("1"))
    output.note_failure(raw("1"), "the disk is full")

    page = Page.read(write_report(output, video_records(output), faces=False))

    assert "0 videos failed" in page.text
    assert "Could not be made again: the disk is full" in page.text


def test_damaged_quality_table_spoils_its_video_only(output: Output) -> None:
    finish(output, raw("1"))
    finish(output, raw("2"))
    (output.folder(raw("1")) / QUALITY).write_bytes(b"PAR1 no more")

    page = Page.read(write_report(output, video_records(output), faces=True))

    assert f"Unreadable: {QUALITY}" in page.text
    assert "2 videos finished" in page.text
    assert len(sheets(output)) == 1


def test_all_that_the_page_refers_to_is_there(output: Output) -> None:
    names = ["plain", "ünïcode 日本", "a b", "50%/#1?x=1&y=2", "50%25", "a_b", "A B", "<i>it</i> & \"q\" 'p'"]
    for name in names:
        finish(output, raw(name))

    path = write_report(output, video_records(output), faces=True)

    page = Page.read(path)
    for name in names:
        assert f"training/Freeform/{name}" in page.text
    assert page.tags.isdisjoint({"script", "i>it", "iframe", "link"})
    references = [url for url in (*page.images, *page.links) if not url.startswith(("data:", "#"))]
    for url in references:
        assert "://" not in url
        assert not {"#", "?", " "} & {*url}
        assert (path.parent / unquote(url)).exists(), url
    assert len(sheets(output)) == len(names)
    assert len({url for url in page.images if "contact_sheets" in url}) == len(names)
    assert {unquote(url)[1:] for url in page.links if url.startswith("#")} <= {*page.ids}
    assert len({*page.ids}) == len(names)
    assert not any(found.name.startswith(".") for found in path.parent.rglob("*"))


def test_report_needs_nothing_from_elsewhere(output: Output) -> None:
    finish(output, raw("1"))

    text = write_report(output, video_records(output), faces=True).read_text(encoding="utf-8")

    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text
    assert str(output.root) not in text


def test_without_faces_no_picture_of_a_person_is_left(output: Output) -> None:
    finish(output, raw("1"))
    path = write_report(output, video_records(output), faces=True)
    assert len(sheets(output)) == 1
    assert "pictures show participants" in Page.read(path).text

    write_report(output, video_records(output), faces=False)

    assert {found.suffix for found in path.parent.rglob("*") if found.is_file()} == {".html", ".svg"}
    page = Page.read(path)
    assert not any("contact_sheets" in url for url in page.images)
    assert "no pictures of participants" in page.text
    assert any(url.startswith("data:image/png") for url in page.images)


def test_sheets_are_made_again_only_for_newer_frames(output: Output) -> None:
    for name in ("kept", "redone", "lost"):
        finish(output, raw(name))
    write_report(output, video_records(output), faces=True)
    before = {path.name: path.stat().st_ino for path in sheets(output)}
    finish(output, raw("redone"), GOOD[:10])
    next(path for path in sheets(output) if "lost" in path.name).unlink()

    write_report(output, video_records(output), faces=True)

    after = {path.name: path.stat().st_ino for path in sheets(output)}
    assert {*after} == {*before}
    changed = sorted(name.split("_")[2].split("-")[0] for name in after if after[name] != before[name])
    assert "redone" in changed
    assert "kept" not in changed
    redone = next(path for path in sheets(output) if "redone" in path.name)
    assert not np.asarray(Image.open(redone))[:, 10 * 128 + 8 :].any()


def test_sheets_of_videos_that_are_gone_are_removed(output: Output) -> None:
    for name in ("stays", "goes"):
        finish(output, raw(name))
    write_report(output, video_records(output), faces=True)
    (output.folder(raw("goes")) / SUMMARY).unlink()

    write_report(output, video_records(output), faces=True)

    (sheet,) = sheets(output)
    assert "stays" in sheet.name


def test_same_videos_give_the_same_report(tmp_path: Path) -> None:
    contents = []
    for place in ("here", "there"):
        output = Output(tmp_path / place)
        finish(output, raw("1"))
        finish(output, raw("2", "test"), POOR, damage="1 damaged packet was left out")
        report = write_report(output, video_records(output), faces=True).parent
        contents.append({path.relative_to(report): path.read_bytes() for path in report.rglob("*.*")})

    assert contents[0] == contents[1]


def test_empty_output_has_a_report(output: Output) -> None:
    output.root.mkdir()

    assert "0 videos finished" in Page.read(write_report(output, video_records(output), faces=True)).text


def test_video_that_was_never_seen_long_has_a_report(output: Output) -> None:
    finish(output, raw("1", partition=""), ("lost",) * 5)

    page = Page.read(write_report(output, video_records(output), faces=True))

    assert "no partition" in page.text
    assert len(sheets(output)) == 1
