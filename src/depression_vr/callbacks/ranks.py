"""Whether all processes begin with the same."""

import hashlib
from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor

from depression_vr.distributed.gathering import of_all_processes
from depression_vr.errors import Problem, UserError

_SHOWN = 8


class SameOnAllRanks(pl.Callback):
    """Refuses to begin when the processes differ in config, weights or corpus, and says in what.

    DDP would give all the weights of the first process without a word, and take everything else as it is.
    Does nothing where there is one process.

    Attributes:
        settings: of the run, by config key; compared.
    """

    def __init__(self) -> None:
        self.settings: Mapping[str, str] = {}
        self._compared = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compare once, when the processes have met and before DDP makes the weights equal.

        Raises:
            UserError: they differ; in all processes.
        """
        if trainer.world_size == 1 or self._compared:
            return
        self._compared = True
        facts = {f"config key {key}": value for key, value in self.settings.items()}
        facts |= {f"weights {name}": _digest(tensor) for name, tensor in pl_module.state_dict().items()}
        facts["dataset fingerprint"] = trainer.datamodule.manifest.fingerprint  # type: ignore[attr-defined]
        found = differences(of_all_processes(facts))
        if not found:
            return
        hidden = len(found) - _SHOWN
        raise UserError(
            "the processes do not begin with the same:",
            problems=[*found[:_SHOWN], *([Problem("and", f"{hidden} more")] if hidden > 0 else [])],
            fix="start all with the same command and code, on the same corpus; "
            "hydra.run.dir=FOLDER gives all the same folder",
        )


def differences(facts: Sequence[Mapping[str, str]]) -> list[Problem]:
    """What is not the same everywhere.

    Args:
        facts: of every process, by rank; name and value.

    >>> print(*differences([{"lr": "1", "seed": "0"}, {"lr": "2", "seed": "0"}, {"lr": "1", "seed": "0"}]))
    lr: 1 on rank 0, 2; 2 on rank 1
    """
    found = []
    for name in sorted(set().union(*facts)):
        ranks: dict[str, list[int]] = {}
        for rank, known in enumerate(facts):
            ranks.setdefault(known.get(name, "missing"), []).append(rank)
        if len(ranks) > 1:
            values = (f"{value} on rank {', '.join(map(str, at))}" for value, at in ranks.items())
            found.append(Problem(name, "; ".join(values)))
    return found


def _digest(tensor: Tensor) -> str:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(content.numpy().tobytes()).hexdigest()[:8]
