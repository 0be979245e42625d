"""GPUs of this machine, which submitit hides from whoever does not ask for them."""

from hydra.plugins.launcher import Launcher
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import LocalLauncher
from omegaconf import DictConfig, OmegaConf

from depression_vr.errors import UserError


def refuse_hidden_gpus(run: DictConfig, launcher: Launcher) -> None:
    """Refuse to train on the CPU of a machine with GPUs, which submitit hides from runs that ask for none.

    Args:
        run: config of one.
        launcher: Hydra's.

    Raises:
        UserError: the launcher is to be told.
    """
    if not isinstance(launcher, LocalLauncher) or launcher.params.get("gpus_per_node"):
        return
    if OmegaConf.select(run, "trainer.accelerator") == "cpu":
        return
    import torch  # noqa: PLC0415, other launchers' grids are at work without

    if torch.cuda.is_available():
        raise UserError(
            "submitit_local hides the GPUs of this machine from runs that ask for none",
            where="config key hydra.launcher.gpus_per_node",
            fix="add hydra.launcher.gpus_per_node=1, or trainer=cpu",
        )
