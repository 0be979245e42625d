"""A study as one HTML page with Optuna's own plots, which opens without a network."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from optuna import visualization
from optuna.study import Study
from optuna.trial import TrialState

from depression_vr.pages import templates

_TARGET = "development MAE"
_FEWEST_FOR_PLOTS = 2
_NO_GROUND = dict.fromkeys(("paper_bgcolor", "plot_bgcolor"), "rgba(0,0,0,0)")
_AXIS = {"gridcolor": "rgba(128,128,128,0.25)", "automargin": True}


def study_page(study: Study, trials: pd.DataFrame, importances: Mapping[str, float]) -> str:
    """The page; nothing is loaded from anywhere.

    Args:
        study: with at least one trial.
        trials: a row for each, the best first.
        importances: share of each parameter; none where they are not known.
    """
    environment = templates("depression_vr.sweeps")
    return environment.get_template("study.html.j2").render(
        name=study.study_name,
        columns=list(trials.columns),
        trials=trials.astype(object).where(trials.notna(), "").to_numpy().tolist(),
        counts=trials["state"].value_counts().to_dict(),
        plots=_html(_plots(study, bool(importances))),
    )


def _plots(study: Study, has_importances: bool) -> dict[str, Any]:
    plots: dict[str, Callable[[], Any]] = {}
    if any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        plots["Development MAE by epoch"] = lambda: visualization.plot_intermediate_values(
            study
        ).update_layout(xaxis_title="epoch", yaxis_title=_TARGET)
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) >= _FEWEST_FOR_PLOTS:
        plots = {
            "Best development MAE so far": lambda: visualization.plot_optimization_history(
                study, target_name=_TARGET
            ),
            **plots,
            "Development MAE by parameter": lambda: visualization.plot_slice(study, target_name=_TARGET),
            "Settings of all trials": lambda: visualization.plot_parallel_coordinate(
                study, target_name=_TARGET
            ),
        }
    if has_importances:
        plots["Importance of parameters"] = lambda: visualization.plot_param_importances(
            study, target_name=_TARGET
        )
    return {title: plot() for title, plot in plots.items()} | {
        "Trials over time": visualization.plot_timeline(study)
    }


def _html(figures: Mapping[str, Any]) -> dict[str, str]:
    """HTML of Plotly's figures; the first one brings the script that draws all."""
    html: dict[str, str] = {}
    for title, figure in figures.items():
        figure.update_layout(title=None, margin={"t": 30}, template="none", **_NO_GROUND)
        figure.update_xaxes(**_AXIS).update_yaxes(**_AXIS)
        html[title] = figure.to_html(full_html=False, include_plotlyjs=not html)
    return html
