"""Measure how fast the project is beside what it replaces.

``python -m depression_vr.bench rows=preprocess repetitions=3 out=bench.json table=bench.md``
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.bench.rows import Benchmark, Result, measure
from depression_vr.bench.table import as_markdown, print_table
from depression_vr.building import build
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.files import write_json, write_text
from depression_vr.keys import A_LIST, APath, keys_of
from depression_vr.runs.provenance import code_state, hardware, packages


@dataclass(frozen=True)
class _Keys:
    rows: Annotated[list[str] | None, A_LIST]
    repetitions: PositiveInt
    out: APath
    table: APath | None


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure the rows that are asked for, print them and write them."""
    keys = keys_of(config, _Keys)
    out = _file(keys.out, "out")
    table = None if keys.table is None else _file(keys.table, "table")
    results: list[Result] = []
    for benchmark in _benchmarks(config, keys.rows):
        with tempfile.TemporaryDirectory(prefix="depression-vr-bench-") as folder:
            results += measure(benchmark.rows(Path(folder)), keys.repetitions)
    print_table(results, f"medians of {keys.repetitions} interleaved repetitions")
    write_json(out, _record(config, results))
    print(f"written: {out}")
    if table is not None:
        write_text(table, as_markdown(results))
        print(f"written: {table}")


def _file(given: Path, key: str) -> Path:
    """Where to write; refused before minutes have gone into what goes there."""
    file = given.absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_file(key, f"{file.parent} is no folder ({error.strerror})") from error
    if file.is_dir():
        raise _no_file(key, f"{file} is a folder")
    return file


def _no_file(key: str, what: str) -> UserError:
    return UserError(what, where=f"config key {key}", fix=f"name a file, such as {key}=bench")


def _benchmarks(config: DictConfig, rows: Sequence[str] | None) -> Sequence[Benchmark]:
    """The benchmarks whose rows are asked for."""
    names = list(config.benchmarks)
    asked = names if rows is None else rows
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
