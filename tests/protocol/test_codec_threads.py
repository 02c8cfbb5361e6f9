"""Types that two threads use for the first time at once."""

from __future__ import annotations

import subprocess
import sys

# While one thread learns `Outer`, having come as far as `Inner`, another one converts to it.
CHILD = """
import threading, msgspec
from appliance.protocol import codec

midway, tried = threading.Event(), threading.Event()

def hint():
    midway.set()
    tried.wait(0.5)
    return int

class Inner(msgspec.Struct):
    value: "hint()"

class Outer(msgspec.Struct):
    inner: Inner
    last: bytes

VALUE = {"inner": {"value": 7}, "last": b"end"}

def first():
    found.append(codec.convert(VALUE, Outer))

def second():
    assert midway.wait(5)
    found.append(codec.convert(VALUE, Outer))
    tried.set()

found = []
threads = [threading.Thread(target=one) for one in (first, second)]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert found == [Outer(Inner(7), b"end")] * 2, found
print("whole")
"""


def test_a_type_is_whole_before_another_thread_uses_it() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr
