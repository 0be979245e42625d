"""What a study has come to: on the terminal, and in ``trials.csv`` and ``study.html`` in its folder."""

from pathlib import Path
from typing import Any

import pandas as pd
from optuna.importance import get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from depression_vr.errors import first_line
from depression_vr.files import write_csv, write_text
from depression_vr.runs.console import print_table
from depression_vr.sweeps.display import short
from depression_vr.sweeps.page import study_page
from depression_vr.sweeps.standing import folder_of
from depression_vr.sweeps.study import DONE, STATES, best_trial, development_mae, order_of_merit
from depression_vr.sweeps.trials import ERROR

_NOT_PARAMETERS = ("trial", "state", "development_mae", "run", "error")
_SHOWN = 10
_FEWEST_FOR_IMPORTANCES = 2


def tell_results(study: Study, folder: Path) -> None:
    """Print the best trials and write all of them and Optuna's plots; nothing where no trial has begun.

    Args:
        study: of the sweep.
        folder: of the sweep.

    Raises:
        OSError: a file cannot be written.
    """
    trials = study.get_trials(deepcopy=False)
    if not trials:
        return
    table = trial_table(trials, folder)
    write_csv(folder / "trials.csv", table)
    importances = parameter_importances(study)
    write_text(folder / "study.html", study_page(study, table, importances))
    _print(study, folder, table, importances)


def trial_table(trials: list[FrozenTrial], folder: Path) -> pd.DataFrame:
    """One row per trial, finished ones before those stopped early, the best first.

    Returns:
        ``trial, state, development_mae`` (the run's best, in points), a column per parameter,
        ``run`` (the run directory) and ``error``.
    """
    return pd.DataFrame(
        [_row(trial, folder_of(folder, trial.number)) for trial in sorted(trials, key=order_of_merit)]
    )


def _row(trial: FrozenTrial, folder: Path) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": STATES[trial.state],
        "development_mae": development_mae(trial),
        **trial.params,
        "run": str(folder),
        "error": trial.user_attrs.get(ERROR, ""),
    }


def parameter_importances(study: Study) -> dict[str, float]:
    """How much each parameter matters to the development MAE, as shares that sum to 1; the largest first.

    Optuna's PED-ANOVA over finished trials; nothing where there are too few or all are alike.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in finished}) < _FEWEST_FOR_IMPORTANCES:
        return {}
    return get_param_importances(study)


def _print(study: Study, folder: Path, table: pd.DataFrame, importances: dict[str, float]) -> None:
    print(f"{study.study_name}: {_counts(table)}")
    done = table[table["state"].isin([STATES[state] for state in DONE])]
    if len(done):
        _print_best(done.head(_SHOWN))
    if importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in importances.items())
        print(f"importance of parameters: {shares}")
    for row in table[table["state"] == STATES[TrialState.FAIL]].to_dict("records"):
        print(f"trial {row['trial']} failed: {first_line(row['error'])}")
    print(f"all trials and plots: {folder / 'trials.csv'}, {folder / 'study.html'}")
    best = best_trial(study)
    if best is not None:
        print(f"the best: python -m depression_vr.evaluate run='{folder_of(folder, best.number)}'")


def _print_best(table: pd.DataFrame) -> None:
    parameters = [name for name in table.columns if name not in _NOT_PARAMETERS]
    headings = [name.rpartition(".")[2] for name in parameters]
    unique = headings if len(set(headings)) == len(headings) else parameters
    rows = [
        (
            str(row["trial"]),
            f"{row['development_mae']:.2f}",
            row["state"],
            *(short(row[name]) for name in parameters),
        )
        for row in table.to_dict("records")
    ]
    print_table(("trial", "dev. MAE", "state", *unique), rows, left=("state",))


def _counts(table: pd.DataFrame) -> str:
    counts = table["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in STATES.values() if state in counts)
