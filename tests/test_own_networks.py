"""A network and a callback of one's own, as docs/networks.md shows them."""

import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import RunCommand
from depression_vr.building import TARGETS_VARIABLE
from depression_vr.runs.run import Run

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
SMALL = ("data.clip_length=8", "data.frame_step=1", "data.size=16", "data.num_workers=0", "trainer=cpu")


def shown(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def mylab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the page, where commands run."""
    network, callback = shown("python")
    [config] = shown("yaml")
    files = {"mylab/networks.py": network, "mylab/callbacks.py": callback, "myconf/model/mine.yaml": config}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(TARGETS_VARIABLE, "mylab.*")
    for name in [name for name in sys.modules if name.startswith("mylab")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("mylab")
def test_the_example_trains_and_its_run_is_a_run(command: RunCommand, csv_corpus: Path) -> None:
    [*_, with_callback] = shown("bash")
    _, _, _, *arguments = shlex.split(with_callback.replace("\\\n", ""))
    corpus = (f"data.table={csv_corpus}", "logger=csv", "trainer.max_epochs=1", "hydra.run.dir=run", *SMALL)
    outcome = command("train", *arguments, *corpus)
    assert outcome.code == 0, outcome.err
    run = Run(Path("run"))
    assert run.record()["network"] == "mine"
    assert pd.read_csv(run.folder / "logs" / "metrics.csv")["norm/head"].notna().any()
    outcome = command("evaluate", "run=run", "hydra.run.dir=again", "trainer=cpu")
    assert outcome.code == 0, outcome.err
    assert Run(Path("again")).metrics() == run.metrics()


@pytest.mark.usefixtures("mylab")
def test_a_network_that_does_not_say_how_its_clips_are_cut_is_refused(
    command: RunCommand, csv_corpus: Path
) -> None:
    config = Path("myconf/model/mine.yaml")
    config.write_text(config.read_text().partition("input:")[0])
    outcome = command("clips", "--config-dir", "myconf", "model=mine", "data=csv", f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert "block input:" in outcome.err
