"""R3: the sampler walks frames of running threads while collections begin at any allocation; the process lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 8

#: Frames of many sizes, so that memory of one that has ended reads as nonsense and not as another frame.
SCRIPT = """
import sys
sys.path[:0] = {path!r}
import faulthandler, gc, random, threading, time
faulthandler.enable()
import apm_agent
from apm_agent import agent

functions = []
for count in range(1, 40):
    names = " = ".join(f"v{{number}}" for number in range(count))
    made = {{"functions": functions, "choice": random.choice}}
    exec(
        f"def f(n):\\n    {{names}} = n + 1000\\n    some = [n]\\n"
        "    if n:\\n        return choice(functions)(n - 1)\\n    return [[] for _ in range(3)]\\n",
        made,
    )
    functions.append(made["f"])

def slowly(phase, info):
    for _ in range(3000):  # so long that the GIL is handed on
        pass

gc.set_threshold(50)
gc.callbacks.append(slowly)
sys.setswitchinterval(0.00005)
apm_agent.install(store="sqlite:///{store}", sample_interval=0.0005, sampler_budget=1.0)
end = time.monotonic() + {seconds}

def work():
    while time.monotonic() < end:
        with apm_agent.background_transaction("deep"):
            for _ in range(50):
                functions[0](40)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(agent._agent.sampler.stats()["looks"], agent._agent.state()["contained"])
"""


def test_r03_frames_that_end_while_they_are_walked(tmp_path: Path) -> None:
    script = SCRIPT.format(path=sys.path, store=tmp_path / "apm.db", seconds=SECONDS)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS * 10, check=False
    )
    assert done.returncode == 0, done.stderr
    looks, _, contained = done.stdout.strip().partition(" ")
    assert int(looks) > 0
    assert "looking at stacks" not in contained
