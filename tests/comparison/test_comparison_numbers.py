"""Every number of a comparison, computed once more from predictions.csv, in another way."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from conftest import RunCommand
from depression_vr.comparison.intervals import Interval, sign_flip_test
from depression_vr.comparison.pairs import Pair, corrected
from depression_vr.runs.run import Run
from made_runs import Made, corpus, six_runs


def mae(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.abs(x - y)))


def rmse(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(np.mean((x - y) ** 2)))


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"mae": mae, "rmse": rmse, "ccc": ccc}


def columns(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return table["estimate"].to_numpy(), table["label"].to_numpy()


def predictions(folder: str) -> list[pd.DataFrame]:
    return [pd.read_csv(file) for file in sorted(Path(folder).glob("seed*/predictions.csv"))]


def compare(command: RunCommand, resamples: int = 999) -> tuple[pd.DataFrame, pd.DataFrame]:
    outcome = command("compare", "runs=runs", "out=out", f"resamples={resamples}")
    assert outcome.code == 0, outcome.err
    return pd.read_csv("out/groups.csv"), pd.read_csv("out/pairs.csv")


def row(groups: pd.DataFrame, group: str, metric: str, over: str = "videos") -> pd.Series:
    (found,) = groups.query("group == @group and metric == @metric and over == @over").index
    return groups.loc[found]


def test_means_and_deviations_over_seeds(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus())
    groups, _ = compare(command)
    for group, (name, metric) in itertools.product(("sta_drn", "r3d_18"), METRICS.items()):
        of_seeds = predictions(f"runs/{group}")
        tables = {
            "videos": of_seeds,
            "task Freeform": [table[table["task"] == "Freeform"] for table in of_seeds],
            "task Northwind": [table[table["task"] == "Northwind"] for table in of_seeds],
            "recordings": [table.groupby("recording")[["label", "estimate"]].mean() for table in of_seeds],
        }
        for over, parts in tables.items():
            values = [metric(*columns(table)) for table in parts]
            found = row(groups, group, name, over)
            assert found["seeds"] == 3
            assert found["n"] == len(parts[0])
            assert found["mean"] == pytest.approx(np.mean(values), abs=1e-9)
            assert found["standard_deviation"] == pytest.approx(stats.tstd(values), abs=1e-9)


def test_the_table_of_videos_has_every_estimate(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus(), seeds=2)
    compare(command)
    written = pd.read_csv("out/videos.csv")
    assert written["seed"].dtype == int
    for (group, seed), rows in written.groupby(["group", "seed"]):
        run = Run(Path(f"runs/{group}/seed{seed}")).predictions().set_index("video_id")
        found = rows.set_index("video_id").loc[run.index]
        assert len(rows) == len(run)
        assert found["estimate"].tolist() == run["estimate"].tolist()
        assert found["error"].to_numpy() == pytest.approx((run["estimate"] - run["label"]).to_numpy())
    assert set(written.query("label <= 13")["severity_band"]) == {"minimal"}
    assert set(written.query("label >= 29")["severity_band"]) == {"severe"}


def test_intervals_are_those_of_a_loop_that_draws_subjects(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus(12))
    groups, pairs = compare(command, 9999)
    sta, r3d = predictions("runs/sta_drn"), predictions("runs/r3d_18")
    for name, metric in METRICS.items():

        def mean(rows: np.ndarray, metric: Callable[[np.ndarray, np.ndarray], float] = metric) -> float:
            return float(np.mean([metric(x[rows], y[rows]) for x, y in map(columns, sta)]))

        check(row(groups, "sta_drn", name), *naive_bca(sta[0]["subject"], mean, 1500))
    difference = np.mean([abs(t["estimate"] - t["label"]) for t in sta], axis=0) - np.mean(
        [abs(t["estimate"] - t["label"]) for t in r3d], axis=0
    )
    check(pairs.iloc[0], *naive_bca(sta[0]["subject"], lambda rows: float(difference[rows].mean()), 6000))


def naive_bca(
    subject: pd.Series, statistic: Callable[[np.ndarray], float], resamples: int
) -> tuple[float, float, float]:
    """Ends of the BCa interval (Efron 1987) and the bootstrap's standard error, subjects drawn in a loop."""
    rows = [np.flatnonzero(subject == name) for name in sorted(set(subject))]
    generator = np.random.default_rng(1)
    everything = statistic(np.arange(len(subject)))
    drawn = np.array(
        [
            statistic(np.concatenate([rows[place] for place in generator.integers(0, len(rows), len(rows))]))
            for _ in range(resamples)
        ]
    )
    without = np.array(
        [statistic(np.concatenate(rows[:place] + rows[place + 1 :])) for place in range(len(rows))]
    )
    away = without.mean() - without
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    bias = stats.norm.ppf(np.mean(drawn < everything))
    shifted = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(drawn, stats.norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return low, high, drawn.std()


def check(found: pd.Series, low: float, high: float, error: float) -> None:
    # the standard error of a 2.5% quantile of 1500 resamples is 0.07 of theirs; skewed tails are thinner
    assert found["interval_low"] == pytest.approx(low, abs=0.35 * error)
    assert found["interval_high"] == pytest.approx(high, abs=0.35 * error)
    assert found["interval_high"] - found["interval_low"] > 2.5 * error


def test_few_subjects_get_an_exact_permutation_test(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus(7), seeds=2)
    _, pairs = compare(command)
    sta, r3d = (
        pd.concat(predictions(f"runs/{name}")).assign(error=lambda t: abs(t["estimate"] - t["label"]))
        for name in ("sta_drn", "r3d_18")
    )
    of_videos = sta.groupby("video_id")["error"].mean() - r3d.groupby("video_id")["error"].mean()
    subjects = of_videos.groupby(of_videos.index.str[:3])
    sums = subjects.sum().to_numpy()
    flips = np.array(list(itertools.product((1, -1), repeat=7))) @ sums
    (pair,) = pairs.to_dict("records")
    assert pair["p"] == pytest.approx(np.mean(abs(flips) >= abs(sums.sum()) - 1e-9))
    assert pair["difference"] == pytest.approx(of_videos.mean())
    assert pair["effect_size"] == pytest.approx(subjects.mean().mean() / subjects.mean().std(ddof=1))
    assert (pair["videos"], pair["subjects"]) == (len(of_videos), 7)


def test_many_subjects_get_random_flips_that_agree_with_the_normal_distribution() -> None:
    sums = np.random.default_rng(3).normal(0.3, 1, 60)
    p = 2 * stats.norm.sf(abs(sums.sum()) / np.sqrt((sums**2).sum()))  # of a sum of randomly signed numbers
    assert sign_flip_test(sums, 9999) == pytest.approx(p, abs=0.01)


def test_p_is_corrected_for_the_number_of_pairs() -> None:
    def pair(p: float) -> Pair:
        return Pair("a", "b", "csv", 9, 9, 1.0, Interval(0, 2), p, p, 0.5, pairs=4)

    # the smallest times 4, the next times 3 and so on, never below one before
    found = corrected([pair(p) for p in (0.01, 0.04, 0.03, 0.005)])
    assert [one.p_holm for one in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [one.verdict for one in found] == ["b is better", *["not distinguishable"] * 2, "b is better"]


def test_three_groups_are_corrected_for_three_pairs(command: RunCommand) -> None:
    manifest = corpus(10)
    six_runs(Path("runs"), manifest, seeds=1)
    Made(Path("runs/other/seed0"), manifest, "other", bias=0.2).write()
    _, pairs = compare(command)
    in_order = pairs.sort_values("p")
    by_hand = np.minimum(1, np.maximum.accumulate(in_order["p"].to_numpy() * [3, 2, 1]))
    assert in_order["p_holm"].to_numpy() == pytest.approx(by_hand)
    assert len(pairs) == 3


def test_what_does_not_vary_gets_no_interval(command: RunCommand) -> None:
    manifest = corpus()
    Made(Path("runs/constant"), manifest, "constant").write(estimates=pd.Series(12.3, manifest.index))
    Made(Path("runs/other"), manifest, "other").write()
    groups, _ = compare(command)
    constant = row(groups, "constant", "ccc")
    assert constant["mean"] == 0
    assert np.isnan(constant["interval_low"])
    assert constant["no_interval"] == "the same in every resample"
    assert row(groups, "constant", "mae")["interval_low"] < row(groups, "constant", "mae")["mean"]


def test_few_subjects_get_no_interval(command: RunCommand) -> None:
    manifest = corpus(1)
    Made(Path("runs/a"), manifest, "a").write()
    Made(Path("runs/b"), manifest, "b", bias=9).write()
    groups, pairs = compare(command)
    assert groups["interval_low"].isna().all()
    assert set(groups["no_interval"]) == {"only 1 subject"}
    (pair,) = pairs.to_dict("records")
    assert pair["p"] == 1
    assert pair["verdict"] == "too few subjects to tell"


def test_equal_estimates_are_not_distinguishable(command: RunCommand) -> None:
    manifest = corpus()
    estimates = manifest["label"] + 2.1
    Made(Path("runs/a"), manifest, "a").write(estimates=estimates)
    Made(Path("runs/b"), manifest, "b").write(estimates=estimates)
    (pair,) = compare(command)[1].to_dict("records")
    assert (pair["difference"], pair["p"], pair["verdict"]) == (0, 1, "not distinguishable")
    assert np.isnan(pair["effect_size"])
    assert np.isnan(pair["interval_low"])


def test_rounding_is_no_spread(command: RunCommand) -> None:
    manifest = corpus()
    for name, error in (("a", 2.1), ("b", 3.3)):
        Made(Path("runs", name), manifest, name).write(estimates=manifest["label"] + error)
    groups, pairs = compare(command)
    assert row(groups, "a", "mae")["no_interval"] == "the same in every resample"
    (pair,) = pairs.to_dict("records")
    assert np.isnan(pair["effect_size"])
    assert np.isnan(pair["interval_low"])


def test_a_large_difference_is_told_among_many_pairs(command: RunCommand) -> None:
    manifest = corpus(24)
    Made(Path("runs/bad"), manifest, "bad", bias=25).write()
    for number in range(9):
        Made(Path(f"runs/{number}"), manifest, f"network{number}", bias=0.1 * number).write()
    _, pairs = compare(command, 999)  # whose smallest p, 0.002, is 0.09 when corrected
    assert len(pairs) == 45
    with_bad = pairs[(pairs["first"] == "bad") | (pairs["second"] == "bad")]
    assert (with_bad["p_holm"] < 0.05).all()


def test_a_p_that_is_tiny_is_not_called_0(command: RunCommand) -> None:
    manifest = corpus(40)
    Made(Path("runs/good"), manifest, "good").write()
    Made(Path("runs/bad"), manifest, "bad", bias=25).write()
    _, pairs = compare(command, 30_000)  # whose smallest p is 0.00007
    assert 0 < pairs["p_holm"][0] < 0.0001
    for kind, told in {"md": r"\<0.0001", "tex": "$<$0.0001", "html": "&lt;0.0001"}.items():
        assert Path(f"out/comparison.{kind}").read_text().count(told) == 2


def test_subjects_that_suffice_for_one_pair_are_too_few_for_many() -> None:
    def verdict(pairs: int) -> str:
        return Pair("a", "b", "csv", 6, 6, 1.0, Interval(0, 2), 0.04, 0.09, 0.5, pairs=pairs).verdict

    assert (verdict(1), verdict(2)) == ("not distinguishable", "too few subjects to tell")


def test_folds_of_a_seed_are_pooled(command: RunCommand) -> None:
    manifest = corpus(9)
    fold_of = manifest["subject"].astype(int) % 3
    for seed, fold in itertools.product(range(2), range(3)):
        roles = np.where(fold_of == fold, "test", "training")
        changes = {"data.protocol": "subject_disjoint_kfold", "data.folds": 3, "data.fold": fold}
        folder = Path(f"runs/seed{seed}_fold{fold}")
        Made(folder, manifest.assign(partition=roles), seed=seed, changes=changes).write()
    groups, _ = compare(command)
    pooled = [
        pd.concat([Run(Path(f"runs/seed{seed}_fold{fold}")).predictions() for fold in range(3)])
        for seed in range(2)
    ]
    assert len(pooled[0]) == len(manifest)
    for name, metric in METRICS.items():
        found = row(groups, "sta_drn", name)
        assert (found["seeds"], found["n"]) == (2, len(manifest))
        assert found["mean"] == pytest.approx(
            np.mean([metric(*columns(table)) for table in pooled]), abs=1e-9
        )
