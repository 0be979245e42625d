"""Write a trained network as one file that needs nothing of this project, with a model card.

``python -m depression_vr.export run=RUN_DIR format=onnx``
``python -m depression_vr.export run=RUN_DIR format=torch_export out=FOLDER``
"""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.exporting.export import export
from depression_vr.exporting.formats import format_named
from depression_vr.keys import APath, keys_of
from depression_vr.trained import open_trained


@dataclass(frozen=True)
class _Keys:
    format: str
    out: APath


@entry_point("export")
def main(config: DictConfig) -> None:
    """Export, check, and write file and card."""
    keys = keys_of(config, _Keys)
    wanted = format_named(keys.format)
    trained = open_trained(config, list(HydraConfig.get().overrides.task))
    written = export(trained, wanted, keys.out)
    print(f"written: {written}")


if __name__ == "__main__":
    main()
