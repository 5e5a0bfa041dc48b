"""TLS of the servers: certificates and keys from files, checked before they are used."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from aerlock.server_process import StartError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: a certificate with its chain, its key, and the CA of those who call or are called."""

    certificate: Path
    key: Path
    ca: Path | None = None

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials to serve with; with a CA, only clients with a certificate of it come in.

        Raises:
            StartError: a file cannot be used; the text says which and why.
        """
        certificate, key, ca = self._read()
        return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=ca is not None)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns credentials to dial with; raises `StartError`."""
        certificate, key, ca = self._read()
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def _read(self) -> tuple[bytes, bytes, bytes | None]:
        try:
            if self.key.stat().st_mode & 0o007:
                raise StartError(f"the key {self.key} is open to everyone: chmod o= {self.key}")
            _check_pair(self.certificate, self.key)
            if self.ca is not None:
                _check_ca(self.ca)
            return (
                self.certificate.read_bytes(),
                self.key.read_bytes(),
                self.ca.read_bytes() if self.ca else None,
            )
        except OSError as error:
            raise StartError(f"cannot read {error.filename}: {error.strerror}") from None


def _check_pair(certificate: Path, key: Path) -> None:
    """Refuses what gRPC would only fail to shake hands with, much later and without a reason."""

    def refuse_to_ask() -> str:
        raise StartError(f"the key {key} is encrypted: write it without a passphrase, for the server alone")

    for path in (certificate, key):
        path.read_bytes()  # OpenSSL does not say which of the two cannot be read
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, refuse_to_ask)
    except ssl.SSLError:
        raise StartError(
            f"{certificate} and {key} are no certificate and its key in PEM: check that they belong together"
        ) from None


def _check_ca(ca: Path) -> None:
    ca.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(ca)
    except ssl.SSLError:
        raise StartError(f"{ca} holds no certificates in PEM") from None
