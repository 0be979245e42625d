"""Measure how fast the project is beside what it replaces.

``python -m depression_vr.bench rows=preprocess repetitions=3 out=bench.json``
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from depression_vr.bench.rows import Benchmark, Result, measure
from depression_vr.entry import build, entry_point
from depression_vr.errors import UserError
from depression_vr.files import write_json
from depression_vr.runs.provenance import code_state, hardware, packages

_WIDTH = 130  # of the table, where there is no terminal to fit


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure the rows that are asked for, print them and write them."""
    out = _out(config.out)
    repetitions = _repetitions(config.repetitions)
    results: list[Result] = []
    for benchmark in _benchmarks(config):
        with tempfile.TemporaryDirectory(prefix="depression-vr-bench-") as folder:
            results += measure(benchmark.rows(Path(folder)), repetitions)
    _print(results, repetitions)
    write_json(out, _record(config, results))
    print(f"written: {out}")


def _out(given: Any) -> Path:
    """Where to write; refused before minutes have gone into what goes there."""
    if not isinstance(given, str):
        raise _no_file(f"out={given} is no file")
    out = Path(given).expanduser().absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_file(f"{out.parent} is no folder ({error.strerror})") from error
    if out.is_dir():
        raise _no_file(f"{out} is a folder")
    return out


def _no_file(what: str) -> UserError:
    return UserError(what, where="config key out", fix="name a file, such as out=bench.json")


def _repetitions(given: Any) -> int:
    if not isinstance(given, int) or given < 1:
        raise UserError(
            f"repetitions={given} is no number of repetitions",
            where="config key repetitions",
            fix="use 1, 2, 3, ...",
        )
    return given


def _benchmarks(config: DictConfig) -> Sequence[Benchmark]:
    """The benchmarks whose rows are asked for."""
    names = list(config.benchmarks)
    asked = names if config.rows is None else config.rows
    asked = asked if isinstance(asked, Sequence) and not isinstance(asked, str) else [asked]
    for name in asked:
        if name not in names:
            raise UserError(
                f"there are no rows {name!r}", where="config key rows", fix=f"use {', '.join(names)}"
            )
    return [build(config.benchmarks[name]) for name in names if name in asked]


def _record(config: DictConfig, results: Sequence[Result]) -> dict[str, Any]:
    settings: Any = OmegaConf.to_container(config, resolve=True)
    return {
        "commit": code_state().commit,
        "hardware": hardware(),
        "packages": packages(),
        "settings": {key: value for key, value in settings.items() if key != "out"},
        "rows": [result.as_dict() for result in results],
    }


def _print(results: Sequence[Result], repetitions: int) -> None:
    table = Table(title=f"medians of {repetitions} interleaved repetitions", show_lines=True)
    table.add_column("row", no_wrap=True)
    table.add_column("measured")
    for heading in ("unit", "ours", "baseline", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("goal")
    for result in results:
        row = result.row
        measured = f"{row.ours.what}\nbaseline: {row.baseline.what}" if row.baseline else row.ours.what
        goal = f"{row.goal}: {'met' if result.met else 'missed'}" if row.goal else "-"
        figures = (_number(value) for value in (result.figure, result.baseline, result.ratio))
        table.add_row(row.name, measured, row.ours.unit, *figures, goal)
    console = Console()
    Console(width=console.width if console.is_terminal else _WIDTH).print(table)


def _number(value: float | None) -> str:
    """Three digits at least."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"


if __name__ == "__main__":
    main()
