"""What a start does not import: everything that training itself has no use for."""

import subprocess
import sys

import pytest

OF_SWEEPS = ("optuna", "sqlalchemy", "joblib", "submitit")
OF_OTHER_COMMANDS = ("plotly", "statsmodels", "jinja2", "wandb_workspaces", "playwright")
OF_FACES = ("dlib", "face_alignment", "face_recognition_models", "onnxruntime", "numba")
OF_THE_LOGGER = ("wandb", "tensorboard")  # which a config may leave out
OF_THE_SYNTHETIC_CORPUS = ("skimage", "av")
HEAVY = (*OF_SWEEPS, *OF_OTHER_COMMANDS, *OF_FACES, *OF_THE_LOGGER, *OF_THE_SYNTHETIC_CORPUS, "sklearn")


def printed(program: str) -> str:
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_a_training_starts_without_what_it_does_not_need() -> None:
    program = f"""
import gc, sys
import depression_vr.train
heavy = {HEAVY!r}
print([name for name in heavy if name in sys.modules], gc.isenabled(), gc.get_freeze_count() > 100_000)
sys.argv = ["train", "model=sta_drn", "logger=csv", "--cfg", "job"]
depression_vr.train.main()  # Hydra has looked for plugins and composed the config
print([name for name in heavy if name in sys.modules])
"""
    lines = printed(program).splitlines()
    assert lines[0] == "[] True True"
    assert lines[-1] == "[]"


def test_ctrl_c_while_it_imports_ends_a_command_without_a_traceback() -> None:
    program = """
import signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == "pytorch_lightning":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
import depression_vr.quick_imports
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (130, "")


@pytest.mark.parametrize("command", ["runs.__main__", "compare", "wandb_sync"])
def test_commands_that_train_nothing_do_not_import_lightning(command: str) -> None:
    program = f"""
import sys
import depression_vr.{command}
print([name for name in ("torch", "pytorch_lightning", "torchvision") if name in sys.modules])
"""
    assert printed(program) == "[]\n"
