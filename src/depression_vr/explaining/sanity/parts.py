"""The parts of a network, in the order in which it computes them."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from torch import nn

from depression_vr.explaining.stages import HasStages


class Part(NamedTuple):
    """Modules that are computed side by side, or one behind the other within a stage.

    Attributes:
        name: ``stage 1`` and so on where the network names its stages, otherwise that of the module.
        modules: with weights, 1 or more.
    """

    name: str
    modules: tuple[nn.Module, ...]


def parts(network: nn.Module) -> list[Part]:
    """The parts with weights, from the input on.

    A network that only wraps another has the parts of that one. The parts of streams, which stand in a
    `ModuleDict`, go together, and so do those of several `ModuleList` of a module: one enhances the other.
    """
    by_view = network.stages_by_view() if isinstance(network, HasStages) else ()
    numbers = {id(stage): number for stages in by_view for number, stage in enumerate(stages, 1)}
    found = _by_name(network, numbers) or {"network": [network]}
    return [Part(_name(name, modules, numbers), tuple(modules)) for name, modules in found.items()]


def _name(name: str, modules: list[nn.Module], numbers: dict[int, int]) -> str:
    stages = {numbers[id(module)] for module in modules if id(module) in numbers}
    return f"stage {stages.pop()}" if len(stages) == 1 else name


def _by_name(module: nn.Module, stages: Collection[int]) -> dict[str, list[nn.Module]]:
    """Parts of a module; `id`s of stages, which stay whole, as all that holds none of them."""
    children = dict(_with_weights(module))
    if len(children) == 1:
        ((name, only),) = children.items()
        return (id(only) not in stages and _by_name(only, stages)) or {name: [only]}
    found: dict[str, list[nn.Module]] = {}
    lists = [name for name, child in children.items() if isinstance(child, nn.ModuleList)]
    for name, child in children.items():
        if isinstance(child, nn.ModuleDict):
            for stream in child.values():
                for inner, modules in _by_name(stream, stages).items() or [("", [stream])]:
                    found.setdefault(f"{name}.{inner}".rstrip("."), []).extend(modules)
        elif isinstance(child, nn.ModuleList):
            for inner, part in _with_weights(child):
                found.setdefault(f"{lists[0]}.{inner}", []).append(part)
        elif isinstance(child, nn.Sequential) and (not stages or any(id(each) in stages for each in child)):
            found |= {f"{name}.{inner}": [part] for inner, part in _with_weights(child)}
        else:
            found[name] = [child]
    return found


def _with_weights(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, child) for name, child in module.named_children() if any(True for _ in child.parameters()))
