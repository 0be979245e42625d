"""What the machine can do to a training or an evaluation, and what to lower against it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from omegaconf import DictConfig

from depression_vr.errors import UserError

Stage = Literal["training", "evaluation"]

_CPU_MEMORY = re.compile(r"DefaultCPUAllocator: (?:can't allocate|not enough) memory|std::bad_alloc")
_GPU_MEMORY = re.compile(r"CUDA error: out of memory|_STATUS_ALLOC_FAILED|MPS backend out of memory")
_WANTED = re.compile(r"[Tt]ried to allocate ([\d.]+) ?(GiB|MiB|KiB|bytes)")
_WORKER = re.compile(
    r"DataLoader worker \(pid ?(?:\(s\) )?[\d, ]+\) (?:is killed by signal: ([\w ]+)|exited unexpectedly)"
)
_SHARED_MEMORY = re.compile(r"out of shared memory|shared memory\(shm\)|file </torch_")


@contextmanager
def faults_explained(config: DictConfig, stage: Stage) -> Iterator[None]:
    """Around a training or an evaluation.

    Args:
        config: of the run.
        stage: which of the two it is.

    Raises:
        UserError: memory is exhausted, of the device or of the machine; or a process that reads frames was
            killed. Other errors pass as they are.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        fault = _explained(error, config, stage)
        if fault is None:
            raise
        raise fault from error


def _explained(error: RuntimeError | MemoryError, config: DictConfig, stage: Stage) -> UserError | None:
    message = str(error)
    if _SHARED_MEMORY.search(message):
        return _no_shared_memory(config)
    worker = _WORKER.search(message)
    if worker:
        return _lost_worker(worker[1], config)
    on_gpu = isinstance(error, torch.OutOfMemoryError) or _GPU_MEMORY.search(message)
    if on_gpu or isinstance(error, MemoryError) or _CPU_MEMORY.search(message):
        return _out_of_memory("GPU" if on_gpu else "machine", _WANTED.search(message), config, stage)
    return None


def _no_shared_memory(config: DictConfig) -> UserError:
    return UserError(
        "the shared memory is full, through which processes that read frames hand clips over",
        where=f"config key data.num_workers, which is {config.data.num_workers}",
        fix="lower it, to 0 for none, which changes no result; or enlarge /dev/shm, "
        "in a container with docker run --shm-size=8g",
    )


def _lost_worker(signal: str | None, config: DictConfig) -> UserError:
    by = f" by signal {signal.strip()!r}" if signal else ""
    return UserError(
        f"a process that reads frames was killed{by}; systems do so when memory is short",
        where=f"config key data.num_workers, which is {config.data.num_workers}",
        fix="lower it, which changes no result, or leave more memory free",
    )


def _out_of_memory(device: str, wanted: re.Match[str] | None, config: DictConfig, stage: Stage) -> UserError:
    data = config.data
    height, width = (data.size, data.size) if isinstance(data.size, int) else data.size
    batch = data.batch_size if stage == "training" else data.evaluation_batch_size
    more = f"{wanted[1]} {wanted[2]} more were wanted for " if wanted else ""
    keys = {
        "data.batch_size": data.batch_size,
        "trainer.accumulate_grad_batches": _accumulated(config),
        "data.evaluation_batch_size": data.evaluation_batch_size,
        "precision": config.trainer.precision,
    }
    return UserError(
        f"the {device} has too little memory for the {stage}: {more}batches of {batch} clips "
        f"of {data.clip_length} x {height} x {width} (frames x height x width)",
        where="config keys " + ", ".join(f"{key}={value}" for key, value in keys.items()),
        fix=", or ".join([*_lower(device, config, stage), "free the memory that other programs use"]),
    )


def _lower(device: str, config: DictConfig, stage: Stage) -> list[str]:
    """What can be lowered, the least harmful first."""
    data = config.data
    windows = max(data.evaluation_batch_size // 2, 1)
    lower = []
    if "at_once" in config:
        lower.append("lower at_once")
    if stage == "evaluation":
        lower.append(
            f"lower data.evaluation_batch_size, such as to {windows} (after a training: "
            f"python -m depression_vr.evaluate run=RUN_DIR data.evaluation_batch_size={windows})"
        )
    elif data.batch_size > 1:
        lower.append(
            f"begin a run with data.batch_size={data.batch_size // 2} and "
            f"trainer.accumulate_grad_batches={2 * _accumulated(config)}, "
            f"or data.evaluation_batch_size={windows} where it happened in the development partition"
        )
    lower.append("lower data.size or data.clip_length")
    if device == "GPU" and str(config.trainer.precision).startswith("32"):
        lower.append("use precision=bf16-mixed")
    return lower


def _accumulated(config: DictConfig) -> int:
    return int(config.trainer.get("accumulate_grad_batches", 1))
