"""The results file: one row for each recipe and seed that was measured."""

import csv
import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
)

from depression_vr.errors import Problem, UserError
from depression_vr.files import write_csv


class Measurement(BaseModel):
    """The test metrics of one run and what they were measured with; a row of the file.

    Attributes:
        recipe: its name.
        seed: of the run.
        mae: mean absolute error over videos, in points.
        rmse: root mean squared error over videos, in points.
        ccc: concordance correlation coefficient; None where it is not defined.
        mean_predictor_mae: of the training mean on the same videos.
        mean_predictor_rmse: of the training mean on the same videos.
        fingerprint: of the run: of its settings and, after a dash, of its dataset.
        commit: of the code in git; None outside a checkout.
        dirty: whether the code differed from the commit.
        minutes: from the run's start to its end.
        torch: version.
        threads: that a training computed in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str = Field(min_length=1)
    seed: NonNegativeInt
    mae: FiniteFloat = Field(ge=0)
    rmse: FiniteFloat = Field(ge=0)
    ccc: FiniteFloat | None = Field(ge=-1, le=1)
    mean_predictor_mae: FiniteFloat = Field(ge=0)
    mean_predictor_rmse: FiniteFloat = Field(ge=0)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{8}$")
    commit: str | None = Field(pattern=r"^[0-9a-f]{40,64}$")
    dirty: bool
    minutes: FiniteFloat = Field(ge=0)
    torch: str = Field(min_length=1)
    threads: PositiveInt

    @property
    def settings(self) -> str:
        """Fingerprint of its settings alone."""
        return self.fingerprint.partition("-")[0]

    @property
    def dataset(self) -> str:
        """Fingerprint of its dataset alone."""
        return self.fingerprint.partition("-")[2]

    @field_validator("ccc", "commit", mode="before")
    @classmethod
    def _none_where_empty(cls, value: object) -> object:
        return None if value == "" else value


COLUMNS = tuple(Measurement.model_fields)


def read_results(file: Path) -> list[Measurement]:
    """All rows of the file, in its order; none where there is no file.

    Raises:
        UserError: a row is damaged, or is there twice.
    """
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8", errors="replace") as opened:
        reader = csv.reader(opened, strict=True)
        try:
            lines = [(reader.line_num, line) for line in reader if line]
        except csv.Error as error:
            raise _damaged(file, [Problem(f"{file}, row {reader.line_num}", str(error))]) from error
    if not lines or tuple(lines[0][1]) != COLUMNS:
        raise _damaged(file, [Problem(f"{file}, row 1", f"the columns are not {','.join(COLUMNS)}")])
    problems: list[Problem] = []
    rows: dict[tuple[str, int], Measurement] = {}
    for number, line in lines[1:]:
        where = f"{file}, row {number}"
        if len(line) != len(COLUMNS):
            problems.append(Problem(where, f"has {len(line)} values for {len(COLUMNS)} columns"))
            continue
        try:
            row = Measurement.model_validate(dict(zip(COLUMNS, line, strict=True)))
        except ValidationError as error:
            problems += [
                Problem(f"{where}, column {wrong['loc'][0]}", f"{wrong['msg']}, not {wrong['input']!r}")
                for wrong in error.errors()
            ]
            continue
        if (row.recipe, row.seed) in rows:
            problems.append(Problem(where, f"{row.recipe} with seed {row.seed} has a row above"))
        rows[row.recipe, row.seed] = row
    if problems:
        raise _damaged(file, problems)
    return list(rows.values())


def write_results(file: Path, measurements: Iterable[Measurement]) -> None:
    """Write the rows, sorted by recipe and seed; of several for one recipe and seed, the last."""
    rows = {(row.recipe, row.seed): row for row in measurements}
    table = pd.DataFrame([rows[key].model_dump() for key in sorted(rows)], columns=list(COLUMNS))
    write_csv(file, table)


def add_result(file: Path, measurement: Measurement) -> None:
    """Add a row, or replace that of the same recipe and seed; other processes may do so at the same time.

    Raises:
        UserError: the file is damaged.
    """
    with locked(file):
        write_results(file, [*read_results(file), measurement])


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep other processes from adding to the results file, and from writing what is made of it.

    Raises:
        UserError: its folder cannot be written to.
    """
    lock = file.with_name(f".{file.name}.lock")
    try:
        opened = lock.open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the folder of results cannot be written to: {error.strerror}",
            where=str(lock),
            fix="use another folder=...",
        ) from error
    with opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _damaged(file: Path, problems: list[Problem]) -> UserError:
    return UserError(
        "the file of results is damaged:",
        problems=problems,
        fix=f"correct or remove these rows of {file.name}; what is removed is measured again",
    )
