"""Memory that is kept: no page faults when a block of the same size is asked for again."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from maskmotion.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use(rounds):
    for _ in range(rounds):
        b"x" * 2**26  # 64 MiB: beyond what glibc keeps of itself
use(4)
before = faults()
use(4)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_a_block_is_used_again() -> None:
    faults = {}
    for way in ("kept", "as it comes"):
        command = [sys.executable, "-c", FAULTS, way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        faults[way] = int(done.stdout)
    assert faults["kept"] < faults["as it comes"] / 4
