"""What every process knows, known to all."""

from typing import Any, TypeVar

import torch.distributed as dist

Value = TypeVar("Value")


def of_all_processes(value: Value) -> list[Value]:
    """The value of every process, by rank; all of them have to ask for it together."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
