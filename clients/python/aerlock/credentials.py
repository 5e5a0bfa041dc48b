"""Where a client finds server and token: arguments, environment, or a file only its owner reads."""

import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from aerlock.exceptions import InputValueError, NotAuthorizedError

FILE_VARIABLE: Final = "AERLOCK_CREDENTIALS"
ADDRESS_VARIABLE: Final = "AERLOCK_ADDRESS"
TOKEN_VARIABLE: Final = "AERLOCK_TOKEN"  # noqa: S105 - the name of a variable
ROOTS_VARIABLE: Final = "AERLOCK_ROOT_CERTIFICATES"
CERTIFICATE_VARIABLE: Final = "AERLOCK_CLIENT_CERTIFICATE"
KEY_VARIABLE: Final = "AERLOCK_CLIENT_KEY"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: the authorities to trust in place of the public ones, and what the client shows."""

    root_certificates: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def __bool__(self) -> bool:
        return any((self.root_certificates, self.client_certificate, self.client_key))

    @classmethod
    def from_environment(cls) -> Self:
        """What the variables name, for what has no argument."""
        names = (ROOTS_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE)
        return cls(*(os.environ.get(name) or None for name in names))

    def or_else(self, other: "TlsFiles") -> "TlsFiles":
        """These files, and those of ``other`` where this has none."""
        return TlsFiles(
            self.root_certificates or other.root_certificates,
            self.client_certificate or other.client_certificate,
            self.client_key or other.client_key,
        )


@dataclass(frozen=True, slots=True)
class Credentials:
    """A server's address, as ``unix:/path`` or ``host:port``, and the token of an account there.

    ``tls`` is for a server whose certificate no public authority signed, or that
    asks for one of the client.
    """

    address: str
    token: str = field(repr=False)
    tls: TlsFiles = field(default_factory=TlsFiles)


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
            content = {"address": credentials.address, "token": credentials.token}
            tls = {name: value for name, value in asdict(credentials.tls).items() if value}
            json.dump({**content, **tls}, file)
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
        tls = TlsFiles(*(content.get(name) for name in TlsFiles.__dataclass_fields__))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputValueError(f"{path} is not a credentials file: it needs address and token") from None
    if not all(isinstance(value, str) for value in (address, token, *filter(None, asdict(tls).values()))):
        raise InputValueError(f"{path}: address and token must be strings, and so must the TLS files")
    return Credentials(address, token, tls)


def resolve_credentials(
    address: str | None = None, token: str | None = None, tls: TlsFiles | None = None
) -> Credentials:
    """Completes what was given: from the environment, then from the file.

    Token and TLS files of the file are for the address of the file: they are not used elsewhere.
    Raises `InputValueError` and `NotAuthorizedError` that say what is missing.
    """
    address = address or os.environ.get(ADDRESS_VARIABLE)
    token = (token or os.environ.get(TOKEN_VARIABLE) or "").strip()
    if not (token.isascii() and token.isprintable()):
        raise NotAuthorizedError(f"the token holds what no token has: check token= or {TOKEN_VARIABLE}")
    tls = (tls or TlsFiles()).or_else(TlsFiles.from_environment())
    if address and token:
        return Credentials(address, token, tls)
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
    return Credentials(saved.address, token or saved.token, tls.or_else(saved.tls))
