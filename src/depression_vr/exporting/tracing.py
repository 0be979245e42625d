"""From a module to a graph for any number of clips and frames."""

import torch
from torch.export import ExportedProgram

from depression_vr.errors import UserError
from depression_vr.exporting.frames_to_score import FramesToScore

INPUT, OUTPUT = "frames", "score"
AXES = ("batch", "time")
_TORCH = "2.14"
_EXAMPLE = (2, 3)  # of what is left open; any would do


def traced(module: FramesToScore, frame_size: tuple[int, int]) -> ExportedProgram:
    """The graph of a module, on the CPU, for 1 clip and 1 frame or more.

    Raises:
        UserError: what the network does depends on how many clips or frames there are, or cannot be traced;
            or PyTorch is too old.
    """
    try:  # Dim guards strides against a single frame, which these do not
        from torch.fx.experimental.dynamic_spec import (  # noqa: PLC0415  (not in every torch that trains)
            ParamsSpec,
            ShapesSpec,
            ShapeVar,
            TensorSpec,
        )
    except ImportError as error:
        raise UserError(
            f"exporting needs PyTorch {_TORCH} or newer, this is {torch.__version__}",
            where="installed packages",
            fix=f"pip install 'torch>={_TORCH}'; trained runs stay as they are",
        ) from error
    frames = torch.zeros(*_EXAMPLE, *frame_size, 3, dtype=torch.uint8)
    sides = [*(ShapeVar(axis, min=1) for axis in AXES), *frames.shape[2:]]
    shapes = ShapesSpec(params=ParamsSpec({INPUT: TensorSpec(sides)}))
    try:
        with torch.no_grad():
            program = torch.export.export(module, (frames,), dynamic_shapes=shapes)
    except (RuntimeError, TypeError, ValueError) as error:  # of which torch's own are made
        first, *_ = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"the network cannot be exported: {first}",
            where="config key run",
            fix="write its forward pass without branches on values or on the numbers of clips and frames",
        ) from error
    for node in program.graph.nodes:
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
            node.meta.pop(key, None)  # names folders of this machine
    return program
