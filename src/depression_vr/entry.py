"""What all entry points share: one message and an exit code for whatever ends them."""

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from depression_vr.building import refused_settings, trusted_targets, unreadable_key
from depression_vr.configs import CONFIGS
from depression_vr.distributed import last_words
from depression_vr.distributed.processes import leads
from depression_vr.errors import (
    INTERRUPTED,
    UNREAD,
    USER_ERROR,
    ProcessEndedError,
    StoppedError,
    UserError,
)
from depression_vr.output import made_folders, refused_write
from depression_vr.refused_runs import remove_if_nothing_was_done
from depression_vr.sweeps.grid_sweeper import GridSweeper
from depression_vr.sweeps.study_sweeper import StudySweeper
from depression_vr.sweeps.workers import ends_with_its_sweep

log = logging.getLogger(__name__)

for plugin in (GridSweeper, StudySweeper):
    Plugins.instance().register(plugin)


def entry_point(
    config_name: str, *, goes_on: bool = False
) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Make a task function a command: Hydra composes ``conf/<config_name>.yaml`` and calls it.

    Wrong input, in the config or met by the task as `UserError`, ends with its message and exit code 2;
    a bug shows its traceback.

    Args:
        config_name: of the command's config.
        goes_on: the same command goes on where Ctrl-C ends it, in the same output folder, if it has one; it
            says so.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        work = _ended_by_ctrl_c(task) if goes_on else task

        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            _log_to_the_run()
            try:
                _let_the_first_process_speak(config)
                with ends_with_its_sweep() if _is_in_a_worker() else nullcontext():
                    result = work(config)
                sys.stdout.flush()
                return result
            except UserError as error:
                _exit(error)
            except StoppedError as stopped:
                _say_how_to_go_on(config, stopped)
                if _is_in_a_worker():
                    return None
                sys.exit(stopped.exit_code)
            except (KeyboardInterrupt, SystemExit):
                if _is_in_a_worker():
                    return None
                raise
            except ProcessEndedError as ended:
                log.error("error: %s", ended)
                if _is_one_of_many():
                    raise
                sys.exit(1)
            except ValidationError as error:
                _exit(refused_settings(error))
            except OmegaConfBaseException as error:
                _exit(unreadable_key(error))
            except OSError as error:
                if isinstance(error, BrokenPipeError) and _nobody_reads():
                    sys.exit(UNREAD)
                refused = refused_write(error, Path(config.run_dir) if "run_dir" in config else None)
                if refused is None:
                    raise
                _exit(refused)

        command = hydra.main(
            config_path=str(CONFIGS / "conf"),
            config_name=config_name,
            execution_whitelist=trusted_targets(),  # what Hydra itself builds: callbacks, handlers of logs
        )(guarded)

        @functools.wraps(command)
        def main() -> None:
            try:
                command()
            except KeyboardInterrupt:
                sys.exit(INTERRUPTED)
            except SystemExit as stop:
                if isinstance(stop.__context__, KeyboardInterrupt):
                    sys.exit(INTERRUPTED)  # Lightning says 1
                # Hydra has said what is wrong with the command line, and forgets its own error by exiting
                if stop.code == 1 and isinstance(stop.__context__, HydraException | OmegaConfBaseException):
                    sys.exit(USER_ERROR)
                raise

        return main

    return decorate


def _log_to_the_run() -> None:
    """Send what libraries say to Hydra's handlers, which are the terminal and the run's log file."""
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec")  # Lightning's own code
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")  # no development
    # a resumed run: its position in the epoch is in the order of the videos
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # metrics are the same in all processes, and windows have keys
    warnings.filterwarnings("ignore", message=".*sync_dist=True")
    warnings.filterwarnings("ignore", message="Grad strides do not match")  # of kernels of one number
    warnings.filterwarnings("ignore", message="Using `DistributedSampler` with the dataloaders")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_is_no_advertisement)
    # at every checkpoint: "`weights_only` was not set"
    logging.getLogger("pytorch_lightning.trainer.connectors.checkpoint_connector").setLevel(logging.WARNING)


def _let_the_first_process_speak(config: DictConfig) -> None:
    """Leave terminal and log file to the first of several processes, but for errors.

    Those that Lightning has started have log files of their own.
    """
    if leads(config):
        return
    for handler in logging.getLogger().handlers:
        if not (last_words.wanted() and isinstance(handler, logging.FileHandler)):
            handler.setLevel(logging.ERROR)


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return "try installing [lit" not in record.getMessage()


def _say_how_to_go_on(config: DictConfig, stopped: StoppedError) -> None:
    log.warning("%s", stopped)
    if stopped.checkpoint is None:
        log.warning("there is no checkpoint yet to go on from")
    else:
        log.warning("to go on from %s: resume='%s'", stopped.checkpoint, config.run_dir)


def _ended_by_ctrl_c(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """The task, which says how it goes on."""

    def told(config: DictConfig) -> Any:
        try:
            return task(config)
        except KeyboardInterrupt:
            how = f" with hydra.run.dir='{config.run_dir}'" if "run_dir" in config else ""
            log.error("interrupted; the same command%s goes on", how)
            sys.exit(INTERRUPTED)

    return told


def _nobody_reads() -> bool:
    """Whether who reads the output has left, such as ``head``; the rest goes nowhere then."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return True
    return False


def _exit(error: UserError) -> NoReturn:
    if not last_words.leave(str(error)):
        log.error("error: %s", error)
    if _is_one_of_many():
        raise error
    remove_if_nothing_was_done(Path(HydraConfig.get().runtime.output_dir).absolute(), made_folders)
    sys.exit(USER_ERROR)


def _is_one_of_many() -> bool:
    """Whether the run is one of a sweep, which goes on with the others: Hydra keeps errors, but no exits."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def _is_in_a_worker() -> bool:
    """Whether the run is one of a sweep and in another process: its record says that it was stopped.

    Hydra 1.4.0rc3 takes for ever to hand an exit from one process to another.
    """
    return _is_one_of_many() and HydraConfig.get().runtime.choices["hydra/launcher"] != "basic"
