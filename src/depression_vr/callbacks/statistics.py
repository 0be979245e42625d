"""What a step that is left out has to give back."""

import pytorch_lightning as pl
from torch import Tensor
from torchmetrics import Metric


class Statistics:
    """What a forward pass leaves behind: statistics of batch norms and means over the epoch."""

    def __init__(self, pl_module: pl.LightningModule) -> None:
        self.buffers = [(buffer, buffer.clone()) for buffer in pl_module.buffers()]
        self.states = [
            (metric, name, value.clone())
            for metric in pl_module.modules()
            if isinstance(metric, Metric)
            for name, value in metric.metric_state.items()
            if isinstance(value, Tensor)
        ]

    def restore(self) -> None:
        """Put back what was there."""
        for buffer, before in self.buffers:
            buffer.copy_(before)
        for metric, name, before in self.states:
            setattr(metric, name, before)
