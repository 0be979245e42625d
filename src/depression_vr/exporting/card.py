"""The model card: ``README.md`` for people, ``model_card.json`` for programs."""

import math
import os
import re
from pathlib import Path
from typing import Any

from depression_vr.errors import UserError
from depression_vr.exporting.formats import FILE_NAMES, Format
from depression_vr.files import write_json, write_text
from depression_vr.pages import templates
from depression_vr.runs.in_words import rounded

CARD_NAMES = CARD, CARD_JSON = "README.md", "model_card.json"
"""A README without the other is none of ours."""
_TITLES = {"mae": "MAE", "rmse": "RMSE", "ccc": "CCC"}


def refuse_folder(folder: Path, wanted: Format) -> None:
    """Keep what is not of an earlier export of this format: a README of somebody's, or a network's card.

    Raises:
        UserError: the folder has a ``README.md`` that is no card, or a card of another file; or it
            cannot be written, which is better known before the network is converted.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(
            "nothing can be written there",
            where=f"config key out: {there}",
            fix="name a folder that can be written: out=FOLDER",
        )
    card, described = folder / CARD, folder / CARD_JSON
    if card.exists() and not described.exists():
        raise UserError(
            f"the folder has a {CARD} that is no model card",
            where=str(card),
            fix="name another folder with out=",
        )
    others = [file for file in FILE_NAMES if file != wanted.file_name and (folder / file).exists()]
    if others:
        raise UserError(
            f"the folder has an export of another format, {others[0]}, whose card would be lost",
            where=str(folder),
            fix="name another folder with out=",
        )


def write_card(folder: Path, facts: dict[str, Any]) -> None:
    """Write both beside the network's file.

    Args:
        folder: of the file.
        facts: as `card_facts` gives them, with ``check`` and ``file``.
    """
    template = templates(__package__, escaped=False).get_template("card.md.j2")
    text = template.render(**facts, titles=_TITLES, shown=_shown, code=_code, limits=limits(facts))
    write_json(folder / CARD_JSON, facts)
    write_text(folder / CARD, text + "\n")


def _shown(number: float | None) -> str:
    return "-" if number is None or not math.isfinite(number) else rounded(number)


def _code(text: str) -> str:
    """Text as code in Markdown, whatever it has of backticks."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def limits(facts: dict[str, Any]) -> list[str]:
    """What the network was not shown to do, as sentences."""
    training, evaluation = facts["training"], facts["evaluation"]
    found = ["No corpus, no device and no population but the ones named above has been tested."]
    if training is None:
        found.append("The weights were imported: what they were trained on is not known here.")
    elif training["status"] != "finished":
        found.append("The training did not finish.")
    if evaluation is None:
        found.append("There is no evaluation of these weights on such clips.")
    else:
        found += _limits_of(evaluation)
    corpora = {training["dataset"]["corpus"]} if training else set()
    corpora |= {evaluation["corpus"]} if evaluation else set()
    if "synthetic" in corpora:
        found.append("The synthetic corpus is one animated portrait: its results say nothing about people.")
    if facts["input"]["preprocessing"] is None:
        found.append(
            "How the frames of the training were made is not recorded: frames from elsewhere may differ."
        )
    if training is not None and training["git_dirty"]:
        found.append("The code had uncommitted changes when the network was trained.")
    check = facts["check"]
    if check["at_a_bound"] == check["clips"]:
        found.append("All random clips of the check had a score at an end of the scale, so it shows little.")
    elif check["highest"] - check["lowest"] < check["tolerance"]:
        found.append("All random clips of the check had the same score, so it shows little.")
    return found


def _limits_of(evaluation: dict[str, Any]) -> list[str]:
    found = []
    if evaluation["partition"] != "test":
        found.append(f"The metrics are of the {evaluation['partition']} partition, not of a test.")
    known = (evaluation["subject_overlap"] or {}).get("test_videos_of_training_subjects")
    if known:
        found.append(
            f"{known} of {evaluation['videos']} test videos are of subjects who are in training too: the "
            "metrics are better than they would be for new people."
        )
    for name, metric in evaluation["metrics"].items():
        if metric["missing"]:
            found.append(f"There is no interval around {_TITLES[name]}: {metric['missing']}.")
    return found
