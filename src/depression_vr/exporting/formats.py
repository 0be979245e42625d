"""The formats that a network is exported to: writing the file, and running it again from its bytes."""

import importlib
import io
import logging
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from depression_vr.errors import UserError
from depression_vr.exporting.tracing import AXES, INPUT, OUTPUT
from depression_vr.runs.bands import NO_DIAGNOSIS

Scorer = Callable[[Tensor], Tensor]
"""From frames ``(B, T, H, W, 3)``, uint8, to scores ``(B,)``."""


class Format(ABC):
    """One file format.

    Attributes:
        name: in configs.
        file_name: of the network.
        packages: whose versions matter to who opens it.
    """

    name: str
    file_name: str
    packages: tuple[str, ...]

    @abstractmethod
    def serialised(self, program: ExportedProgram) -> bytes:
        """The file's content."""

    @abstractmethod
    def opened(self, content: bytes) -> Scorer:
        """The network in a file, as somebody else runs it on a CPU."""


class Onnx(Format):
    """ONNX, run by onnxruntime."""

    name = "onnx"
    file_name = "model.onnx"
    packages = ("torch", "onnx", "onnxscript", "onnxruntime")

    def __init__(self) -> None:
        try:
            for package in self.packages:
                importlib.import_module(package)
        except ImportError as error:
            raise UserError(
                f"the package {error.name} is not installed",
                where="config key format=onnx",
                fix="pip install 'depression-vr[onnx]', or use format=torch_export",
            ) from error

    def serialised(self, program: ExportedProgram) -> bytes:
        """Convert, with the names of inputs, outputs and axes, and without traces of this machine."""
        for package in ("onnxscript", "onnx_ir"):
            logging.getLogger(package).setLevel(logging.ERROR)  # every constant that they fold or do not
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = torch.onnx.export(
                program, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
            )
        assert converted is not None
        model = converted.model_proto
        graph = model.graph
        for value in (*graph.input, *graph.output, *graph.value_info):
            for side in value.type.tensor_type.shape.dim:
                if side.dim_param:
                    side.dim_param = _named(side.dim_param)
        for part in (
            graph,
            *graph.node,
            *model.functions,
            *(node for f in model.functions for node in f.node),
        ):
            part.doc_string = ""
            del part.metadata_props[:]  # stack traces
        model.doc_string = f"Frames to a depression score in points. {NO_DIAGNOSIS}"
        content: bytes = model.SerializeToString()
        return content

    def opened(self, content: bytes) -> Scorer:
        """A session on the CPU."""
        import onnxruntime  # noqa: PLC0415  (an extra)

        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

        def scores(frames: Tensor) -> Tensor:
            (result,) = session.run([OUTPUT], {INPUT: frames.numpy()})
            return torch.from_numpy(result)

        return scores


class TorchExport(Format):
    """PyTorch's own format, of `torch.export.save`."""

    name = "torch_export"
    file_name = "model.pt2"
    packages = ("torch",)

    def serialised(self, program: ExportedProgram) -> bytes:
        """The archive."""
        archive = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights that are parts of others
            torch.export.save(program, archive, extra_files={"NOTE": NO_DIAGNOSIS})
        return archive.getvalue()

    def opened(self, content: bytes) -> Scorer:
        """The program as a module."""
        module = torch.export.load(io.BytesIO(content)).module()

        def scores(frames: Tensor) -> Tensor:
            with torch.no_grad():
                result: Tensor = module(frames)
            return result

        return scores


def _named(expression: str) -> str:
    """A length in terms of the axes' names instead of u0 and u1."""
    return re.sub(r"\bu(\d)\b", lambda match: AXES[int(match[1])], expression)


_FORMATS: Mapping[str, type[Format]] = {each.name: each for each in (Onnx, TorchExport)}
FILE_NAMES = tuple(each.file_name for each in _FORMATS.values())
"""Of networks, one for every format."""


def format_named(name: Any) -> Format:
    """The format of a name.

    Raises:
        UserError: there is none, or it needs a package that is not there.
    """
    if name not in _FORMATS:
        raise UserError(
            f"there is no format {name!r}", where="config key format", fix=f"use {' or '.join(_FORMATS)}"
        )
    return _FORMATS[name]()
