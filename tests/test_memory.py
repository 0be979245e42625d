"""Memory that is freed and taken again."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, resource
import torch
from depression_vr.memory import freed_memory_kept

def cleared():
    "MiB that the system has to clear for 64 MiB, where a little more was held before."
    torch.ones(2**26 + 2**20, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**26, dtype=torch.uint8)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() // 2**20

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 2**20

def child():
    "What another process says, and what this one holds while it does."
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps({"at_first": resident(), "cleared": cleared()}).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(reader, 1000))

torch.set_num_threads(1)
told = {"default": cleared(), "at_first": resident()}
with freed_memory_kept():
    told["kept"] = cleared()
    told["held"] = resident()
    told["child"] = child()
told["afterwards"] = cleared()
told["given_back"] = resident()
print(json.dumps(told))
"""


def huge_pages_for_all() -> bool:
    """Whether the system clears 2 MiB at a time, of which there is no telling how much was cleared."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.is_file() and "[always]" in setting.read_text()


@pytest.mark.skipif(huge_pages_for_all(), reason="cleared memory is counted in small pages")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_kept_until_the_end_and_not_by_children() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    assert told["default"] >= 60
    assert told["kept"] <= 4
    assert told["held"] >= told["at_first"] + 60
    assert told["child"]["at_first"] <= told["at_first"] + 10
    assert told["child"]["cleared"] >= 60
    assert told["afterwards"] >= 60
    assert told["given_back"] <= told["at_first"] + 10
