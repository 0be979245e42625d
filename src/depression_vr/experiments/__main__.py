"""Measure the recipes that are not measured yet, and write the table of published and measured results.

``python -m depression_vr.experiments``
``python -m depression_vr.experiments recipes=[sta_drn_avec2014_paper] overrides='["data.root=FOLDER"]'``
"""

from omegaconf import DictConfig

from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.experiments.jobs import missing_jobs
from depression_vr.experiments.recipes import find_recipes
from depression_vr.experiments.results import Measurement, add_result, locked, read_results
from depression_vr.experiments.runner import run_all
from depression_vr.experiments.table import tables, write_table
from depression_vr.experiments.wanted import Settings, make_folder, wanted_jobs
from depression_vr.keys import keys_of


@entry_point("experiments", goes_on=True)
def main(config: DictConfig) -> None:
    """Run what is missing; the results file and the table are written after every run."""
    settings = keys_of(config, Settings)
    make_folder(settings.experiments, "folder")
    recipes = find_recipes(settings.experiments, settings.recipes or ())
    wanted = wanted_jobs(settings, recipes) if settings.run else []
    missing = missing_jobs(wanted, read_results(settings.results))

    def show() -> None:
        with locked(settings.results):
            write_table(settings.readme, tables(recipes, read_results(settings.results)))

    def add(measurement: Measurement) -> None:
        add_result(settings.results, measurement)
        show()

    show()
    if missing:
        make_folder(settings.runs, "out")
    problems = run_all(missing, add, settings.workers)
    print(f"written: {settings.readme}")
    if problems:
        raise UserError(
            f"{len(problems)} of {len(missing)} runs failed:",
            problems=problems,
            fix="correct what they say; the same command tries them again",
        )


if __name__ == "__main__":
    main()
