"""Weights & Biases, which asks for nothing, waits for nothing and goes on with the run that it began."""

import json
import logging
import netrc
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import ParseResult, urlparse
from urllib.request import getproxies, proxy_bypass

import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from depression_vr.errors import UserError
from depression_vr.files import write_json
from depression_vr.loggers.journal import Row, RowJournal

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline", "disabled"]

_CONNECTION_SECONDS = 1.5
_INIT_SECONDS = 15.0
_FINISH_SECONDS = 20.0


def wandb_mode(mode: Mode) -> str:
    """The mode that W&B is started in.

    Args:
        mode: ``auto`` is what the environment variable ``WANDB_MODE`` says, else online for a user who is
            logged in, else offline; the others are W&B's own. Online becomes offline when the server does
            not answer.

    Raises:
        UserError: online without being logged in.
    """
    wanted = os.environ.get("WANDB_MODE", "auto") if mode == "auto" else mode
    if wanted == "auto":
        wanted = "online" if _is_logged_in() else "offline"
    if wanted != "online":
        return wanted
    if not _is_logged_in():
        raise UserError(
            "W&B has no key for this user",
            where="config key logger.wandb.mode, or WANDB_MODE",
            fix="run `wandb login`, or use logger.wandb.mode=offline",
        )
    if not _answers():
        _tell_of_no_answer("no answer", "RUN_DIR/wandb/offline-run-*")
        return "offline"
    return "online"


def wandb_logger(
    project: str,
    name: str,
    save_dir: str,
    mode: Mode = "auto",
    group: str | None = None,
    tags: Sequence[str] = (),
) -> "ResumableWandbLogger":
    """A W&B logger that asks for nothing and, unless told to be online, waits for nothing.

    Args:
        project: W&B project.
        name: of the run.
        save_dir: folder for W&B's files.
        mode: as `wandb_mode` takes it.
        group: of runs that belong together.
        tags: of the run.
    """
    # W&B's own metadata holds the command line and the working folder, and so names of folders and files
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        silent=True,
        x_disable_meta=True,
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", _INIT_SECONDS)),
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", _FINISH_SECONDS)),
    )
    return ResumableWandbLogger(
        project=project,
        name=name,
        save_dir=save_dir,
        group=group,
        tags=list(tags),
        mode=wandb_mode(mode),
        settings=settings,
    )


class ResumableWandbLogger(WandbLogger):
    """Lightning's W&B logger, which goes on with the same W&B run.

    Of what a killed process has handed to W&B, some is lost before it is on the disk, and what a server has
    got cannot be taken back. So the rows are kept here as well. A resumed run sends those that the server
    lacks, and none that it has; without a server its files replace those of the killed process.

    A server that does not answer holds a training up for a quarter of a minute when it begins and a little
    longer when it ends, never in between.
    """

    def __init__(self, *, save_dir: str, **settings: Any) -> None:
        super().__init__(save_dir=save_dir, **settings)
        self.rows = 0
        self._folder = Path(save_dir) / "wandb"
        self._journal = RowJournal(self._folder / "rows.jsonl")
        self._arrived: int | None = None  # rows that the server has; asked when the first one is logged
        self._kept: list[Row] = []
        self._told = False

    def resume_at(self, rows: int) -> None:
        """Go on with the run that the folder knows of; see `ResumableLogger`."""
        try:
            known = json.loads(self._id_file.read_text(encoding="utf-8"))["id"]
        except (OSError, ValueError, LookupError):  # killed before it had begun
            return
        self._wandb_init["id"] = self._id = known
        self._kept = self._journal.keep(rows)
        self.rows = len(self._kept)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; offline where the server refuses it or does not answer in time."""
        if self._experiment is not None:
            return self._experiment
        run = self._begun()
        write_json(self._id_file, {"id": run.id})
        return run

    def _begun(self) -> Any:
        try:
            return super().experiment
        except wandb.Error as error:
            if self._wandb_init["mode"] != "online":
                raise
            _tell_of_no_answer(str(error).splitlines()[0], f"{self._folder}/offline-run-*")
            self._wandb_init["mode"] = "offline"
            return super().experiment

    @property
    def _id_file(self) -> Path:
        return self._folder / "id.json"

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Send one row, unless it has arrived."""
        if self._arrived is None:
            self._arrived = self._begin()
        self.rows += 1
        self._journal.add(metrics, step)
        if self.rows > self._arrived:
            super().log_metrics(metrics, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Say when the server has gone away; what it has not got by the end of the process stays in files."""
        super().finalize(status)
        has_begun_online = self._experiment is not None and self._wandb_init["mode"] == "online"
        if has_begun_online and not self._told and not _answers():
            self._told = True
            _tell_of_no_answer("no answer any more", str(Path(str(self.experiment.dir)).parent))

    def _begin(self) -> int:
        """Begin or go on with the W&B run; how many rows it has already."""
        run = self.experiment
        own = Path(str(run.dir)).parent
        for replaced in self._folder.glob(f"offline-run-*-{run.id}"):
            if replaced != own:
                shutil.rmtree(replaced, ignore_errors=True)
        arrived = int(run.starting_step) if run.resumed else 0
        for row in self._kept[arrived:]:
            super().log_metrics(row.metrics, row.step)
        return arrived


def _tell_of_no_answer(reason: str, files: str) -> None:
    log.warning(
        "warning: W&B is not reached at %s (%s); `wandb sync %s` sends later what it lacks",
        _server().geturl(),
        reason,
        files,
    )


def _server() -> ParseResult:
    return urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))


def _is_logged_in() -> bool:
    """Whether W&B would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
    try:
        return netrc.netrc(file).authenticators(_server().hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _answers() -> bool:
    """Whether the server, or the proxy on the way to it, takes a connection at once."""
    server = _server()
    proxy = getproxies().get(server.scheme)
    if proxy and not proxy_bypass(server.hostname or ""):
        server = urlparse(proxy)
    port = server.port or (80 if server.scheme == "http" else 443)
    try:
        socket.create_connection((server.hostname or "", port), _CONNECTION_SECONDS).close()
    except OSError:
        return False
    return True
