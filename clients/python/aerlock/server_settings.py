"""Where a server's settings come from: flag over environment over TOML over default.

Each server has one table of its settings: a subclass of `ServerSettings` whose
fields give name, default and help. Nothing is read at import.
"""

import ipaddress
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_VARIABLE = "AERLOCK_CONFIG"
# sockaddr_un.sun_path holds 108 bytes with its NUL; gRPC refuses longer paths without saying why.
LONGEST_SOCKET_PATH = 107


def _check_socket_path(path: Path) -> Path:
    path = path.absolute()
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ValueError(f"{path} is longer than {LONGEST_SOCKET_PATH} bytes; choose a shorter path")
    return path


def is_loopback(address: str) -> bool:
    """Whether ``host:port`` can be reached from this machine alone."""
    host = address.rpartition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _check_address(address: str) -> str:
    _, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or "/" in address:
        raise ValueError(f"{address!r} is not host:port, as in 127.0.0.1:8765")
    return address


SocketPath = Annotated[Path, AfterValidator(_check_socket_path)]
Address = Annotated[str, AfterValidator(_check_address)]


class ServerSettings(BaseSettings):
    """Settings of one server; ``table`` names its table in the TOML file.

    The TOML file is the one that the environment variable ``AERLOCK_CONFIG``
    names. A setting ``data_dir`` of table ``gateway`` is the flag
    ``--data-dir``, the variable ``AERLOCK_GATEWAY_DATA_DIR`` and the key
    ``data_dir`` under ``[gateway]``.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
    )
    table: ClassVar[str]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Orders the sources; see pydantic-settings."""
        sources = [init_settings, env_settings]
        if config := os.environ.get(CONFIG_VARIABLE):
            sources.append(_TomlTable(settings_cls, Path(config), cls.table))
        return tuple(sources)

    @classmethod
    def from_command_line(cls, arguments: Sequence[str], program: str) -> Self:
        """Reads the settings; exits with 2 and a sentence for each that is wrong.

        ``program`` is what ``--help`` calls the command.
        """
        try:
            return cls(  # type: ignore[call-arg]  # BaseSettings takes these, its fields hide them
                _cli_parse_args=list(arguments),
                _cli_prog_name=program,
                _env_prefix=f"AERLOCK_{cls.table.upper()}_",
            )
        except ValidationError as error:
            for problem in error.errors():
                name = ".".join(str(part) for part in problem["loc"])
                setting = f"setting {name!r}: " if name else ""
                print(f"{program}: {setting}{problem['msg']}", file=sys.stderr)
            sys.exit(2)


class _TomlTable(TomlConfigSettingsSource):
    """One table of a TOML file, so that both servers can share the file."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path, table: str) -> None:
        if not path.is_file():
            sys.exit(f"{CONFIG_VARIABLE} names {path}, which is not a file")
        self._table = table
        try:
            super().__init__(settings_cls, path)
        except tomllib.TOMLDecodeError as error:
            sys.exit(f"{path} is not TOML: {error}")

    def _read_file(self, file_path: Any) -> dict[str, Any]:  # noqa: ANN401 - the superclass's own type
        table = super()._read_file(file_path).get(self._table, {})
        if not isinstance(table, dict):
            sys.exit(f"{file_path}: [{self._table}] must be a table")
        return table
