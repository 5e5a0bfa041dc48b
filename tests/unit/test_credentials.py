"""Where the client's address and token come from."""

import json
import socket
import stat
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from aerlock._channel import Connection, is_local
from aerlock.credentials import (
    Credentials,
    credentials_path,
    load_credentials,
    resolve_credentials,
    save_credentials,
)
from aerlock.exceptions import AerlockError, InputValueError, NotAuthorizedError
from aerlock.v1 import server_pb2


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("AERLOCK_ADDRESS", "AERLOCK_TOKEN", "AERLOCK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_saved_file_is_for_its_owner_alone(home):
    path = save_credentials(Credentials("unix:/socket", "secret"))
    assert path == home / "config" / "aerlock" / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_credentials() == Credentials("unix:/socket", "secret")


def test_saving_again_makes_an_open_file_private():
    path = save_credentials(Credentials("a:1", "old"))
    path.chmod(0o644)
    save_credentials(Credentials("a:1", "new"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_credentials().token == "new"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_file_that_others_may_read_is_refused(mode):
    path = save_credentials(Credentials("a:1", "secret"))
    path.chmod(mode)
    with pytest.raises(NotAuthorizedError, match="chmod 600"):
        load_credentials()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": "a:1"}', '{"address": 1, "token": "x"}'])
def test_file_of_another_form_is_refused_without_its_content(content):
    path = save_credentials(Credentials("a:1", "secret"))
    path.write_text(content)
    with pytest.raises(InputValueError, match="address and token"):
        load_credentials()


def test_token_is_not_in_the_representation():
    assert "secret" not in repr(Credentials("a:1", "secret"))


def test_arguments_come_before_environment_before_file(monkeypatch):
    save_credentials(Credentials("file:1", "of-file"))
    assert resolve_credentials() == Credentials("file:1", "of-file")
    monkeypatch.setenv("AERLOCK_ADDRESS", "environment:1")
    monkeypatch.setenv("AERLOCK_TOKEN", "of-environment")
    assert resolve_credentials() == Credentials("environment:1", "of-environment")
    assert resolve_credentials("argument:1", "given") == Credentials("argument:1", "given")


def test_token_of_the_file_is_not_sent_to_another_server():
    save_credentials(Credentials("file:1", "of-file"))
    assert resolve_credentials(address="file:1").token == "of-file"
    with pytest.raises(NotAuthorizedError, match="no token for elsewhere:1"):
        resolve_credentials(address="elsewhere:1")


def test_nothing_given_says_what_to_do():
    with pytest.raises(InputValueError, match=r"AERLOCK_ADDRESS.*aerlock up"):
        resolve_credentials()
    with pytest.raises(InputValueError, match="AERLOCK_TOKEN"):
        resolve_credentials(address="a:1")


def test_variable_names_another_file(home, monkeypatch):
    other = home / "other.json"
    other.write_text(json.dumps({"address": "other:1", "token": "x"}))
    other.chmod(0o600)
    monkeypatch.setenv("AERLOCK_CREDENTIALS", str(other))
    assert credentials_path() == other
    assert resolve_credentials() == Credentials("other:1", "x")


@pytest.mark.parametrize("address", ["unix:/run/x", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_local_address_may_be_plaintext(address):
    assert is_local(address)


@pytest.mark.parametrize("address", ["10.0.0.1:1", "localhost.example:1", "example:1", "[::]:1", "0.0.0.0:1"])
def test_any_other_address_needs_tls(address):
    assert not is_local(address)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:http", "http://host:1", "dns:///127.0.0.1:1"])
def test_malformed_address_is_refused(address):
    with pytest.raises(InputValueError, match="is not an address"):
        is_local(address)


@pytest.fixture
def proxy(monkeypatch):
    """A listener that the environment names as the proxy for everything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield listener


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "localhost:{port}", "unix:{folder}/socket"])
def test_proxy_of_the_environment_sees_nothing_of_a_local_server(proxy, tmp_path, form):
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.add_insecure_port(f"unix:{tmp_path}/socket")
    server.start()
    connection = Connection(Credentials(form.format(port=port, folder=tmp_path), "secret"))
    try:
        with pytest.raises(grpc.RpcError) as answer:
            connection.server.GetServerInfo(server_pb2.GetServerInfoRequest(), timeout=10)
        assert answer.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(BlockingIOError):
            proxy.accept()
    finally:
        connection.close()
        server.stop(None).wait()


def test_closed_connection_says_so():
    connection = Connection(Credentials("127.0.0.1:1", "secret"))
    connection.close()
    with pytest.raises(AerlockError, match="the service was closed"):
        connection.call(connection.server.GetServerInfo, server_pb2.GetServerInfoRequest())
