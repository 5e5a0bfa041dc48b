"""The rules of the wire, each with an attempt to break it."""

import ipaddress
import json
import os
import socket
import threading
from contextlib import closing, contextmanager

import grpc
import psutil
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from proxy import Proxy

from aerlock import RuntimeService
from aerlock.cli.unprivileged import EXECUTOR_UID, GATEWAY_UID
from aerlock.exceptions import InputValueError, NotAuthorizedError, ServerUnavailableError
from aerlock.v1 import jobs_pb2, jobs_pb2_grpc, server_pb2, server_pb2_grpc
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc

INFO = server_pb2.GetServerInfoRequest()
EXECUTOR_INFO = executor_pb2.GetExecutorInfoRequest()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def address_of_this_machine() -> str:
    """An IPv4 address of this machine that is not loopback."""
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not ipaddress.ip_address(address.address).is_loopback:
                return address.address
    pytest.skip("this machine has no address but loopback")


class Files:
    """An authority and what it issued, as files that a server's uid can read."""

    def __init__(self, folder, uid):
        self._folder = folder
        self._uid = uid
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._authority = trustme.CA()
        self.ca = self._write("ca.pem", self._authority.cert_pem.bytes())

    def issue(self, name, *hosts):
        issued = self._authority.issue_cert(*hosts)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return (
            self._write(f"{name}.pem", chain),
            self._write(f"{name}.key", issued.private_key_pem.bytes(), 0o600),
        )

    def _write(self, name, content, mode=0o644):
        path = self._folder / name
        path.write_bytes(content)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self._uid, self._uid)
        return path


@pytest.fixture
def make_files(make_gateway):
    """Makes authorities in directories of the test's own."""
    folder = make_gateway().layout.data_dir.parent
    folder.chmod(0o755)
    return lambda name, uid=GATEWAY_UID: Files(folder / name, uid)


@pytest.fixture
def start_tls(make_gateway, make_files):
    """Starts a gateway that serves TLS on loopback; returns it, its address, a token and the authority."""

    def start(*flags):
        gateway, files = make_gateway(), make_files("server")
        certificate, key = files.issue("server", "localhost", "127.0.0.1")
        token, port = gateway.bootstrap(), free_port()
        gateway.start(
            *("--listen-tls", f"127.0.0.1:{port}"),
            *("--tls-certificate", str(certificate), "--tls-key", str(key)),
            *flags,
        )
        return gateway, f"127.0.0.1:{port}", token, files

    return start


def info_over(channel, token, timeout=10):
    metadata = (("authorization", f"Bearer {token}"),)
    return server_pb2_grpc.ServerServiceStub(channel).GetServerInfo(INFO, metadata=metadata, timeout=timeout)


def credentials(ca=None, certificate=None, key=None):
    read = [path.read_bytes() if path else None for path in (ca, key, certificate)]
    return grpc.ssl_channel_credentials(*read)


@contextmanager
def tls_channel(address, *files):
    with grpc.secure_channel(address, credentials(*files)) as channel:
        yield channel


def test_client_with_the_right_authority_gets_in_over_tls(start_tls):
    gateway, address, token, files = start_tls()
    assert address in json.loads(gateway.layout.address_file.read_text())
    with RuntimeService(address, token, root_certificates=files.ca) as service:
        assert service.server_info().account == "admin"


def test_client_with_another_authority_does_not_get_in(start_tls, make_files):
    _, address, token, _ = start_tls()
    with tls_channel(address, make_files("stranger").ca) as channel, pytest.raises(grpc.RpcError) as raised:
        info_over(channel, token)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_client_without_the_authority_does_not_get_in(start_tls):
    _, address, token, _ = start_tls()
    with tls_channel(address) as channel, pytest.raises(grpc.RpcError) as raised:
        info_over(channel, token)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_plaintext_to_a_tls_port_gets_no_answer(start_tls):
    gateway, address, token, _ = start_tls()
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as raised:
        info_over(channel, token)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert token not in gateway.stderr


def test_tls_client_needs_a_certificate_where_a_client_ca_is_set(start_tls, make_files):
    clients = make_files("clients")
    mine, strangers = clients.issue("me", "me"), make_files("stranger").issue("me", "me")
    _, address, token, files = start_tls("--tls-client-ca", str(clients.ca))
    for pair in ((), strangers):
        with tls_channel(address, files.ca, *pair) as channel, pytest.raises(grpc.RpcError) as raised:
            info_over(channel, token)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    certificate, key = mine
    with RuntimeService(
        address, token, root_certificates=files.ca, client_certificate=certificate, client_key=key
    ) as service:
        assert service.server_info().account == "admin"


def test_certificate_is_no_token(start_tls):
    _, address, _, files = start_tls()
    with tls_channel(address, files.ca) as channel, pytest.raises(grpc.RpcError) as raised:
        info_over(channel, "wrong")
    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8765", "example.org:1"])
def test_plaintext_beyond_loopback_is_refused_at_the_start(make_gateway, address):
    result = make_gateway().refuse_to_start("--listen", address)
    assert result.returncode == 2
    assert "listen_tls" in result.stderr
    assert "plaintext_from" in result.stderr


@pytest.mark.parametrize("network", ["nonsense", "10.0.0.1/8", "10.0.0.0/33"])
def test_network_of_another_form_is_refused_at_the_start(make_gateway, network):
    result = make_gateway().refuse_to_start("--plaintext-from", network)
    assert result.returncode == 2
    assert "plaintext_from" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def start_open(make_gateway):
    """Starts a gateway on every address of this machine, for peers from some networks."""

    def start(networks):
        gateway, port = make_gateway(), free_port()
        token = gateway.bootstrap()
        gateway.start("--listen", f"0.0.0.0:{port}", "--plaintext-from", networks)
        return gateway, port, token

    return start


def test_plaintext_from_elsewhere_is_refused_for_every_method(start_open, refused):
    host = address_of_this_machine()
    gateway, port, token = start_open("198.51.100.0/24,2001:db8::/32")
    metadata = (("authorization", f"Bearer {token}"),)
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for method, request, sent in (
            (server_pb2_grpc.ServerServiceStub(channel).GetServerInfo, INFO, metadata),
            (server_pb2_grpc.ServerServiceStub(channel).GetServerInfo, INFO, ()),
            (health.Check, health_pb2.HealthCheckRequest(), ()),
            (health.Watch, health_pb2.HealthCheckRequest(), ()),
            (_watch_jobs(channel), jobs_pb2.WatchJobsRequest(), metadata),
        ):
            error = refused(method, request, sent)
            assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PLAINTEXT_REFUSED")
        with pytest.raises(grpc.RpcError) as raised:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert raised.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert token not in gateway.stderr


def test_refused_peer_has_sent_its_token_already(start_open, refused):
    """What SECURITY.md does not promise: when this fails, it may."""
    _, port, token = start_open("198.51.100.0/24")
    proxy = Proxy(f"{address_of_this_machine()}:{port}", recording=True)
    with closing(proxy), grpc.insecure_channel(proxy.address) as channel:
        method = server_pb2_grpc.ServerServiceStub(channel).GetServerInfo
        assert refused(method, INFO, (("authorization", f"Bearer {token}"),)).reason == "PLAINTEXT_REFUSED"
    assert token.encode() in proxy.carried


def test_plaintext_from_this_machine_and_from_a_named_network_is_served(start_open):
    host = address_of_this_machine()
    gateway, port, token = start_open(f"{host}/32")
    for address in (f"{host}:{port}", f"127.0.0.1:{port}", f"unix:{gateway.layout.gateway_socket}"):
        with grpc.insecure_channel(address) as channel:
            assert info_over(channel, token).account == "admin"
            metadata = (("authorization", f"Bearer {token}"),)
            watching = _watch_jobs(channel)(
                jobs_pb2.WatchJobsRequest(after_cursor=-1), metadata=metadata, timeout=10
            )
            assert next(watching).cursor == 0
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10)
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            assert "aerlock.v1.JobService" in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_tls_from_elsewhere_is_served_beside_networks(make_gateway, make_files):
    host = address_of_this_machine()
    gateway, files, port = make_gateway(), make_files("server"), free_port()
    certificate, key = files.issue("server", host)
    token = gateway.bootstrap()
    gateway.start(
        *("--listen-tls", f"0.0.0.0:{port}", "--plaintext-from", "198.51.100.0/24"),
        *("--tls-certificate", str(certificate), "--tls-key", str(key)),
    )
    with tls_channel(f"{host}:{port}", files.ca) as channel:
        assert info_over(channel, token).account == "admin"


def _watch_jobs(channel):
    return jobs_pb2_grpc.JobServiceStub(channel).WatchJobs


def test_client_sends_no_token_in_the_clear_beyond_loopback():
    host, seen = address_of_this_machine(), []
    with socket.create_server((host, 0)) as server:
        server.settimeout(30)

        def listen():
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                seen.append(connection.recv(65536))

        thread = threading.Thread(target=listen)
        thread.start()
        with RuntimeService(f"{host}:{server.getsockname()[1]}", "aerlock_secret") as service:
            with pytest.raises(ServerUnavailableError):
                service.server_info()
            thread.join()
    assert seen[0][:2] == b"\x16\x03"  # a TLS handshake
    assert b"aerlock_secret" not in seen[0]


def test_key_that_everyone_may_read_is_refused(make_gateway, make_files):
    certificate, key = make_files("server").issue("server", "localhost")
    key.chmod(0o644)
    result = make_gateway().refuse_to_start(
        *("--listen-tls", "127.0.0.1:0", "--tls-certificate", str(certificate), "--tls-key", str(key))
    )
    assert result.returncode == 1
    assert "chmod o=" in result.stderr


def test_files_that_do_not_belong_together_are_refused(make_gateway, make_files):
    files = make_files("server")
    (certificate, _), (_, key) = files.issue("one", "localhost"), files.issue("two", "localhost")
    for pair in ((certificate, key), (files.ca.with_name("missing.pem"), key), (key, key)):
        result = make_gateway().refuse_to_start(
            *("--listen-tls", "127.0.0.1:0", "--tls-certificate", str(pair[0]), "--tls-key", str(pair[1]))
        )
        assert result.returncode == 1, result.stderr
        assert "Traceback" not in result.stderr
        assert str(pair[0]) in result.stderr


def test_tls_without_its_files_is_refused(make_gateway):
    result = make_gateway().refuse_to_start("--listen-tls", "127.0.0.1:0")
    assert result.returncode == 2
    assert "tls_certificate" in result.stderr


def test_executor_on_tcp_without_mutual_tls_is_refused(pair, make_files):
    certificate, key = make_files("server").issue("server", "localhost")
    for flags in ((), ("--tls-certificate", str(certificate), "--tls-key", str(key))):
        result = pair.executor.refuse_to_start("--listen", "127.0.0.1:0", *flags)
        assert result.returncode == 2
        assert "tls_client_ca" in result.stderr
    result = pair.gateway.refuse_to_start("--executor-address", "127.0.0.1:1")
    assert result.returncode == 2
    assert "executor_certificate" in result.stderr


@pytest.fixture
def remote(pair, make_files):
    """A running executor on TCP, and what the gateway needs to call it."""
    port = free_port()
    servers, gateways = make_files("executor", EXECUTOR_UID), make_files("gateways")
    certificate, key = servers.issue("executor", "127.0.0.1")
    pair.executor.start(
        *("--listen", f"127.0.0.1:{port}", "--slots", "1", "--warm-cells", "0"),
        *("--tls-certificate", str(certificate), "--tls-key", str(key)),
        *("--tls-client-ca", str(gateways.ca)),
    )
    pair.address, pair.servers, pair.gateways = f"127.0.0.1:{port}", servers, gateways
    return pair


def test_gateway_runs_jobs_on_an_executor_over_mutual_tls(remote):
    certificate, key = remote.gateways.issue("gateway", "gateway")
    remote.gateway.start(
        *("--executor-address", remote.address, "--executor-ca", str(remote.servers.ca)),
        *("--executor-certificate", str(certificate), "--executor-key", str(key)),
    )
    with RuntimeService(f"unix:{remote.gateway.layout.gateway_socket}", remote.token) as service:
        _until_executor(remote.gateway)
        job = service.run("hello-world", {"backend_name": "aer_simulator"}, {"iterations": 1})
        assert job.result(timeout=60)


def _until_executor(gateway):
    request = health_pb2.HealthCheckRequest(service="aerlock.v1.JobService")
    with grpc.insecure_channel(f"unix:{gateway.layout.gateway_socket}") as channel:
        for response in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=60):
            if response.status == health_pb2.HealthCheckResponse.SERVING:
                return


def test_executor_answers_nobody_without_a_certificate_of_its_authority(remote, make_files):
    stranger = make_files("stranger").issue("gateway", "gateway")
    # A certificate that the executor's own authority issued is not one for callers either.
    sibling = remote.servers.issue("sibling", "gateway")
    for channel in (
        grpc.insecure_channel(remote.address),
        grpc.secure_channel(remote.address, credentials(remote.servers.ca)),
        grpc.secure_channel(remote.address, credentials(remote.servers.ca, *stranger)),
        grpc.secure_channel(remote.address, credentials(remote.servers.ca, *sibling)),
    ):
        with channel, pytest.raises(grpc.RpcError) as raised:
            executor_pb2_grpc.ExecutorServiceStub(channel).GetExecutorInfo(EXECUTOR_INFO, timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    mine = remote.gateways.issue("gateway", "gateway")
    with grpc.secure_channel(remote.address, credentials(remote.servers.ca, *mine)) as channel:
        assert executor_pb2_grpc.ExecutorServiceStub(channel).GetExecutorInfo(EXECUTOR_INFO, timeout=10).slots


def test_client_refuses_files_that_it_cannot_use(make_files, tmp_path):
    files = make_files("server")
    certificate, key = files.issue("me", "me")
    (tmp_path / "empty.pem").write_text("no certificate")
    for arguments, sentence in (
        ({"root_certificates": tmp_path / "missing.pem"}, "missing.pem"),
        ({"root_certificates": tmp_path / "empty.pem"}, "PEM"),
        ({"client_certificate": certificate}, "client_key"),
    ):
        with pytest.raises(InputValueError, match=sentence):
            RuntimeService("127.0.0.1:1", "x", **arguments)
    key.chmod(0o640)
    with pytest.raises(NotAuthorizedError, match="chmod 600"):
        RuntimeService("127.0.0.1:1", "x", client_certificate=certificate, client_key=key)
