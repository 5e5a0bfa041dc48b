"""Two uids for two servers: what is the gateway's is out of the executor's reach, also past every cell."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aerlock import RuntimeService
from aerlock.cli.unprivileged import EXECUTOR_UID, GATEWAY_GID, GATEWAY_UID

# Runs with all that the executor's process has, and tells what of the gateway's it gets hold of.
REACH = """
import json, os, socket, sys

paths, sockets, pid = json.loads(sys.argv[1])

def dial(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)

attempts = {f"read {path}": lambda path=path: os.close(os.open(path, os.O_RDONLY)) for path in paths}
attempts |= {f"dial {path}": lambda path=path: dial(path) for path in sockets}
attempts |= {
    f"/proc/{name}": lambda name=name: os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
    for name in ("mem", "environ", "maps", "root", "fd", "cwd")
}
attempts["signal"] = lambda: os.kill(pid, 0)
reached = []
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError:
        continue
    reached.append(name)
print(json.dumps(reached))
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has one uid for both servers")


def server(stack, module: str) -> psutil.Process:
    return next(child for child in psutil.Process(stack.pid).children() if module in child.cmdline())


def as_the_executor(executor: psutil.Process, *arguments: str) -> list[str]:
    ids = (str(executor.uids().real), str(executor.gids().real))
    command = ["nsenter", "--target", str(executor.pid), "--mount", "--setuid", ids[0], "--setgid", ids[1]]
    return [*command, sys.executable, "-I", *arguments]


@as_root
def test_executor_reaches_no_file_socket_or_process_of_the_gateway(stack, service, tmp_path):
    gateway, executor = server(stack, "aerlock_gateway"), server(stack, "aerlock_executor")
    assert (gateway.uids().real, executor.uids().real) == (GATEWAY_UID, EXECUTOR_UID)
    assert executor.gids().real != gateway.gids().real

    tmp_path.chmod(0o755)
    key = tmp_path / "gateway.key"  # as docs/operations.md says to keep it
    key.write_text("secret")
    key.chmod(0o640)
    os.chown(key, 0, GATEWAY_GID)
    data = stack.data_dir
    paths = [key, stack.credentials_file, *(data / "gateway").rglob("*"), data / "gateway"]
    paths += [data / "run/gateway", *(data / "run/gateway").iterdir()]
    sockets = list((data / "run/gateway").glob("*.sock"))
    assert len(paths) > 5
    assert sockets

    told = json.dumps([list(map(str, paths)), list(map(str, sockets)), gateway.pid])
    result = subprocess.run(
        as_the_executor(executor, "-c", REACH, told), capture_output=True, text=True, check=False
    )
    assert result.stdout == "[]\n", result.stderr


@as_root
def test_reach_of_an_executor_is_tested_by_what_does_reach(stack):
    """What the test above finds nothing with finds the executor's own."""
    executor = server(stack, "aerlock_executor")
    own = stack.data_dir / "executor"
    told = json.dumps([[str(own)], [str(stack.data_dir / "run/executor/executor.sock")], executor.pid])
    result = subprocess.run(
        as_the_executor(executor, "-c", REACH, told), capture_output=True, text=True, check=False
    )
    assert {f"read {own}", "signal"} < set(json.loads(result.stdout)), result.stderr


def test_servers_hold_no_token_of_whoever_started_them(make_stack):
    mark = "aerlock-" + secrets.token_hex(16)
    stack = make_stack(AERLOCK_TOKEN=mark)
    for module in ("aerlock_gateway", "aerlock_executor"):
        environment = Path(f"/proc/{server(stack, module).pid}/environ").read_bytes()
        assert mark.encode() not in environment
    with RuntimeService(address=stack.address, token=stack.token) as service:
        assert service.programs()
