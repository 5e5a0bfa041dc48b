"""The command lines of the servers, under the uid of each where we are root."""

import sys
from collections.abc import Sequence

from aerlock.cli.layout import Layout
from aerlock.cli.unprivileged import EXECUTOR_UID, GATEWAY_UID, command_as


def gateway_command(layout: Layout, settings: Sequence[str]) -> list[str]:
    """Serves the gateway of ``layout``; ``settings`` are further flags."""
    command = [sys.executable, "-m", "aerlock_gateway", "serve"]
    command += ["--data-dir", str(layout.gateway_data), "--socket", str(layout.gateway_socket)]
    command += ["--executor-socket", str(layout.executor_socket), "--address-file", str(layout.address_file)]
    writable = [layout.gateway_data, layout.gateway_sockets, layout.executor_sockets]
    return command_as(GATEWAY_UID, [*command, *settings], writable)


def executor_command(layout: Layout, settings: Sequence[str]) -> list[str]:
    """Serves the executor of ``layout``; ``settings`` are further flags."""
    command = [sys.executable, "-m", "aerlock_executor", "serve"]
    command += ["--data-dir", str(layout.executor_data), "--socket", str(layout.executor_socket)]
    return command_as(EXECUTOR_UID, [*command, *settings], [layout.executor_data, layout.executor_sockets])


def bootstrap_command(layout: Layout) -> list[str]:
    """Reads a token, and prints it where the gateway takes it, else a new one of the first account."""
    command = [sys.executable, "-m", "aerlock_gateway", "bootstrap", "--data-dir", str(layout.gateway_data)]
    return command_as(GATEWAY_UID, command, [layout.gateway_data])


def doctor_command() -> list[str]:
    """Prints the report of the executor's probe as JSON."""
    return command_as(EXECUTOR_UID, [sys.executable, "-m", "aerlock_executor", "doctor"], [])
