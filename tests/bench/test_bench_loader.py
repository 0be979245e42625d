"""The loader's rows measure clips that are delivered."""

from pathlib import Path

from depression_vr.bench.loader import LoaderBenchmark
from depression_vr.bench.rows import measure


def test_every_row_has_a_rate_beside_its_baselines(tmp_path: Path) -> None:
    benchmark = LoaderBenchmark(size=32, larger=48, clip_length=8, batch_size=2, videos=4, baseline_videos=2)
    results = measure(benchmark.rows(tmp_path), repetitions=1)
    assert [result.row.name for result in results] == ["loader 32", "loader 48"]
    for result in results:
        assert result.ratio is not None
        assert result.figure > 0
        assert result.share_of_bound is not None
    # videos are one set of files, which is why the folder is small
    first, *others = sorted((tmp_path / "48").glob("video_*/frame_000001.jpg"))
    assert len(others) == 3
    assert all(other.samefile(first) for other in others)
