"""Where a client finds server and token: arguments, environment, or a file only its owner reads."""

import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aerlock.exceptions import InputValueError, NotAuthorizedError

FILE_VARIABLE: Final = "AERLOCK_CREDENTIALS"
ADDRESS_VARIABLE: Final = "AERLOCK_ADDRESS"
TOKEN_VARIABLE: Final = "AERLOCK_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Credentials:
    """A server's address, as ``unix:/path`` or ``host:port``, and the token of an account there."""

    address: str
    token: str = field(repr=False)


def credentials_path() -> Path:
    """The file that ``AERLOCK_CREDENTIALS`` names, else the one in the user's configuration."""
    if path := os.environ.get(FILE_VARIABLE):
        return Path(path)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "aerlock" / "credentials.json"


def save_credentials(credentials: Credentials, path: Path | None = None) -> Path:
    """Writes the file with mode 0600, replacing an older one whole; returns its path."""
    path = path or credentials_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600 from the start.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"address": credentials.address, "token": credentials.token}, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def load_credentials(path: Path | None = None) -> Credentials:
    """Reads the file.

    Raises FileNotFoundError where there is none, `NotAuthorizedError` where
    others may read it, and `InputValueError` where it is not what `save_credentials` writes.
    """
    path = path or credentials_path()
    with path.open() as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077 and os.name == "posix":
            raise NotAuthorizedError(f"{path} holds a token and others may read it: run `chmod 600 {path}`")
        text = file.read()
    try:
        content = json.loads(text)
        address, token = content["address"], content["token"]
    except (ValueError, KeyError, TypeError):
        raise InputValueError(f"{path} is not a credentials file: it needs address and token") from None
    if not isinstance(address, str) or not isinstance(token, str):
        raise InputValueError(f"{path}: address and token must be strings")
    return Credentials(address, token)


def resolve_credentials(address: str | None = None, token: str | None = None) -> Credentials:
    """Completes what was given: from the environment, then from the file.

    The token of the file is for the address of the file: it is not sent elsewhere.
    Raises `InputValueError` and `NotAuthorizedError` that say what is missing.
    """
    address = address or os.environ.get(ADDRESS_VARIABLE)
    token = (token or os.environ.get(TOKEN_VARIABLE) or "").strip()
    if not (token.isascii() and token.isprintable()):
        raise NotAuthorizedError(f"the token holds what no token has: check token= or {TOKEN_VARIABLE}")
    if address and token:
        return Credentials(address, token)
    try:
        saved = load_credentials()
    except FileNotFoundError:
        missing = f"token: pass token= or set {TOKEN_VARIABLE}"
        if not address:
            missing = f"server's address: pass address=, set {ADDRESS_VARIABLE}"
        raise InputValueError(
            f"there is no {missing}, or start a server of your own with `aerlock up`"
        ) from None
    if address and address != saved.address:
        raise NotAuthorizedError(f"there is no token for {address}: pass token= or set {TOKEN_VARIABLE}")
    return Credentials(saved.address, token or saved.token)
