"""Measure how fast the project is beside what it replaces.

``python -m depression_vr.bench rows=preprocess repetitions=3 out=bench.json table=bench.md``
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.bench.rows import Benchmark, Result, measure
from depression_vr.bench.table import as_markdown, print_table
from depression_vr.entry import build, entry_point
from depression_vr.errors import UserError
from depression_vr.files import write_json, write_text
from depression_vr.runs.provenance import code_state, hardware, packages


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure the rows that are asked for, print them and write them."""
    out = _file(config, "out")
    table = None if config.table is None else _file(config, "table")
    repetitions = _repetitions(config.repetitions)
    results: list[Result] = []
    for benchmark in _benchmarks(config):
        with tempfile.TemporaryDirectory(prefix="depression-vr-bench-") as folder:
            results += measure(benchmark.rows(Path(folder)), repetitions)
    print_table(results, f"medians of {repetitions} interleaved repetitions")
    write_json(out, _record(config, results))
    print(f"written: {out}")
    if table is not None:
        write_text(table, as_markdown(results))
        print(f"written: {table}")


def _file(config: DictConfig, key: str) -> Path:
    """Where to write; refused before minutes have gone into what goes there."""
    given = config[key]
    if not isinstance(given, str):
        raise _no_file(key, f"{key}={given} is no file")
    file = Path(given).expanduser().absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_file(key, f"{file.parent} is no folder ({error.strerror})") from error
    if file.is_dir():
        raise _no_file(key, f"{file} is a folder")
    return file


def _no_file(key: str, what: str) -> UserError:
    return UserError(what, where=f"config key {key}", fix=f"name a file, such as {key}=bench")


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
        "settings": {key: value for key, value in settings.items() if key not in ("out", "table")},
        "rows": [result.as_dict() for result in results],
    }


if __name__ == "__main__":
    main()
