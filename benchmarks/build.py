"""How near a build comes to what the endpoint could give: advice in all its stages, every answer a fixed wait away.

python benchmarks/build.py [--rows 1500] [--connections 64] [--delay 0.2]
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from teachwhy.constitution import load_constitution
from teachwhy.interventions import Order
from teachwhy.interventions.writers import Roles
from teachwhy.lab.build import Request, Spending, build_folder
from teachwhy.lab.counting import counter

WRITER = "teachwhy-scripted/form-filler"
TOKENS_A_ROW = 145
"""What the scripted answers come to."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1500, help="about so many")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that every answer waits")
    given = parser.parse_args()
    constitution, count = load_constitution("default"), counter("smollm2-135m")
    order = Order(families=(), constitution=constitution, tokens=given.rows * TOKENS_A_ROW, count=count)
    roles = Roles.model_validate({"writer": "openai-api/local/form-filler"})
    request = Request("advice", order, roles, Spending(connections=given.connections))
    with _endpoint(given.delay) as (port, server), tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LOCAL_API_KEY": "none", "LOCAL_BASE_URL": f"http://127.0.0.1:{port}/v1"}
        # libraries are imported on first use, and that is not what is asked here
        few = replace(request, order=replace(order, tokens=5 * TOKENS_A_ROW))
        build_folder(few, Path(folder) / "first")
        came: list[float] = []
        served, busy, begun = _cpu_seconds(server), time.process_time(), time.perf_counter()
        made = build_folder(request, Path(folder) / "timed", lambda _rows, _tokens: came.append(time.perf_counter()))
        took, busy, served = time.perf_counter() - begun, time.process_time() - busy, _cpu_seconds(server) - served
    calls = made[1].calls if made else 0
    ideal = calls * given.delay / given.connections
    print(f"{len(came)} rows, {calls} calls over {given.connections} connections, {given.delay} s each")
    print(f"{took:.1f} s where {ideal:.1f} s is ideal: {ideal / took:.0%}, {calls / took:.0f} calls/s")
    tenth = len(came) // 10
    middle, share = came[-tenth] - came[tenth], (len(came) - 2 * tenth) / len(came)
    print(f"{share * ideal / middle:.0%} without the first and the last tenth of the rows")
    here, there = 1000 * busy / calls, 1000 * served / calls
    print(f"CPU per call: {here:.1f} ms here, {there:.1f} ms at the endpoint; load {os.getloadavg()[0]:.1f}")


@contextmanager
def _endpoint(delay: float) -> Generator[tuple[int, int]]:
    """The port of an endpoint of its own, and the id of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "teachwhy.models.endpoint", WRITER, "--port", str(port), "--delay", str(delay)]
    server = subprocess.Popen(command)  # noqa: S603
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
