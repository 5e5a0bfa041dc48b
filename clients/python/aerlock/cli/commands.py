"""The command lines of the servers, under the uid of each where we are root."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aerlock.cli.layout import Layout
from aerlock.cli.unprivileged import EXECUTOR_UID, GATEWAY_UID, command_as
from aerlock.credentials import TOKEN_VARIABLE


class CommandError(Exception):
    """A command cannot do what it was asked for; the text says why and what to do."""


def server_environment() -> dict[str, str]:
    """The variables that servers start with: the token of whoever starts them is not for them."""
    return {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}


def gateway_command(layout: Layout, settings: Sequence[str]) -> list[str]:
    """Serves the gateway of ``layout``; ``settings`` are further flags."""
    command = [sys.executable, "-m", "aerlock_gateway", "serve"]
    command += ["--data-dir", str(layout.gateway_data), "--socket", str(layout.gateway_socket)]
    command += ["--executor-socket", str(layout.executor_socket), "--address-file", str(layout.address_file)]
    reachable = [layout.gateway_data, layout.gateway_sockets, layout.executor_sockets, *_config_file()]
    return command_as(GATEWAY_UID, [*command, *settings], reachable)


def executor_command(layout: Layout, settings: Sequence[str]) -> list[str]:
    """Serves the executor of ``layout``; ``settings`` are further flags."""
    command = [sys.executable, "-m", "aerlock_executor", "serve"]
    command += ["--data-dir", str(layout.executor_data), "--socket", str(layout.executor_socket)]
    reachable = [layout.executor_data, layout.executor_sockets, *_config_file()]
    return command_as(EXECUTOR_UID, [*command, *settings], reachable, own_cgroup=True)


def bootstrap_command(layout: Layout) -> list[str]:
    """Reads a token, and prints it where the gateway takes it, else a new one of the first account."""
    command = [sys.executable, "-m", "aerlock_gateway", "bootstrap", "--data-dir", str(layout.gateway_data)]
    return command_as(GATEWAY_UID, command, [layout.gateway_data, *_config_file()])


def doctor_command(settings: Sequence[str]) -> list[str]:
    """Prints the report of the probe that the executor makes of these ``settings``, as JSON."""
    command = [sys.executable, "-m", "aerlock_executor", "doctor", *settings]
    return command_as(EXECUTOR_UID, command, _config_file(), own_cgroup=True)


def _config_file() -> list[Path]:
    """The TOML file of the settings, by a path that holds wherever a server starts."""
    from aerlock.server_settings import CONFIG_VARIABLE  # only where the servers are installed

    if not (name := os.environ.get(CONFIG_VARIABLE)):
        return []
    path = Path(name).absolute()
    os.environ[CONFIG_VARIABLE] = str(path)
    return [path] if path.is_file() else []
