"""``aerlock up`` and the other commands, as a person meets them."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import grpc
import psutil
import pytest

from aerlock import RuntimeService
from aerlock.exceptions import AerlockError
from aerlock.local_runtime import LocalRuntime
from aerlock_executor.v1.executor_pb2 import GetExecutorInfoRequest
from aerlock_executor.v1.executor_pb2_grpc import ExecutorServiceStub

WAIT_AND_RETURN = """
import time

def main(backend, user_messenger, seconds=600):
    user_messenger.publish("running")
    time.sleep(seconds)
    return "slept"
"""
METADATA = {"name": "sleeper", "description": "Sleeps.", "max_execution_time": 600}


@pytest.fixture
def runtime(make_stack):
    return make_stack()


def processes_of(runtime: LocalRuntime) -> list[psutil.Process]:
    return [psutil.Process(runtime.pid), *psutil.Process(runtime.pid).children(recursive=True)]


def aerlock(*arguments, **options):
    command = [sys.executable, "-m", "aerlock.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def connect(runtime: LocalRuntime) -> RuntimeService:
    return RuntimeService(address=runtime.address, token=runtime.token)


def test_up_says_in_three_lines_how_to_connect(runtime):
    lines = runtime.announcement.splitlines()
    assert len(lines) == 3
    assert runtime.address in lines[0]
    assert runtime.tcp_address in lines[0]
    assert str(runtime.credentials_file) in lines[1]
    assert "RuntimeService()" in lines[2]


def test_credentials_are_for_their_owner_alone_and_enough_for_a_client(runtime):
    assert stat.S_IMODE(runtime.credentials_file.stat().st_mode) == 0o600
    script = "from aerlock import RuntimeService; print([p.program_id for p in RuntimeService().programs()])"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=runtime.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == "['hello-world']\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_everything_cleanly(runtime, number):
    processes = processes_of(runtime)
    assert len(processes) > 3
    assert runtime.stop(number) == 0
    # bubblewrap's inner process may be a zombie for a moment, until process 1 of the machine takes it.
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    assert "Traceback" not in runtime.stderr
    assert not list((runtime.data_dir / "run").rglob("*.sock"))


def test_killed_up_takes_its_servers_along(runtime):
    processes = processes_of(runtime)
    runtime.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive


def test_started_again_it_has_all_it_had(runtime):
    with connect(runtime) as service:
        program_id = service.upload_program(WAIT_AND_RETURN, metadata=METADATA)
        job = service.run(
            program_id=program_id, options={"backend_name": "aer_simulator"}, inputs={"seconds": 0}
        )
        assert job.result(timeout=60) == "slept"
    token = runtime.token
    assert runtime.stop() == 0
    runtime.start()
    assert runtime.token == token
    with connect(runtime) as service:
        assert service.program(program_id).name == "sleeper"
        again = service.job(job.job_id())
        assert again.result(timeout=60) == "slept"
        assert again.interim_results() == ["running"]


def test_stop_ends_running_jobs_truthfully_and_keeps_queued_ones(make_stack):
    runtime = make_stack(AERLOCK_EXECUTOR_SLOTS="1")
    with connect(runtime) as service:
        program_id = service.upload_program(WAIT_AND_RETURN, metadata=METADATA)
        options = {"backend_name": "aer_simulator"}
        running = service.run(program_id=program_id, options=options)
        queued = service.run(program_id=program_id, options=options, inputs={"seconds": 0})
        first = []
        running.stream_results(lambda job_id, interim: first.append(interim))
        while not first:
            running.interim_results()
        assert queued.status().name == "QUEUED"
    assert runtime.stop() == 0
    runtime.start()
    with connect(runtime) as service:
        assert service.job(queued.job_id()).result(timeout=60) == "slept"
        lost = service.job(running.job_id())
        with pytest.raises(AerlockError, match="executor"):
            lost.result(timeout=60)
        assert lost.interim_results() == ["running"]


def test_lost_credentials_are_made_anew(runtime):
    runtime.stop()
    runtime.credentials_file.unlink()
    runtime.start()
    with connect(runtime) as service:
        assert [program.program_id for program in service.programs()] == ["hello-world"]


def test_second_up_on_the_same_data_is_refused(runtime):
    result = aerlock("up", "--data-dir", str(runtime.data_dir), "--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "another aerlock up runs on" in result.stderr
    assert "Traceback" not in result.stderr


def test_port_in_use_is_one_sentence_and_leaves_nothing(tmp_path, unprivileged_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        credentials = unprivileged_folder / "credentials.json"
        result = aerlock(
            *("up", "--data-dir", str(unprivileged_folder / "data"), "--listen", address),
            env={**os.environ, "AERLOCK_CREDENTIALS": str(credentials)},
        )
    assert result.returncode == 1
    assert f"cannot listen on {address}" in result.stderr
    assert "--listen" in result.stderr
    assert "Traceback" not in result.stderr
    assert not credentials.exists()
    assert not [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(unprivileged_folder) in " ".join(p.info["cmdline"] or [])
    ]


def test_address_beyond_this_machine_is_refused(unprivileged_folder):
    result = aerlock("up", "--data-dir", str(unprivileged_folder / "data"), "--listen", "0.0.0.0:0")
    assert result.returncode == 1
    assert "loopback" in result.stderr


def test_bootstrap_command_prints_a_token_that_works(runtime):
    result = aerlock("bootstrap", "--data-dir", str(runtime.data_dir))
    assert result.returncode == 0, result.stderr
    with RuntimeService(address=runtime.address, token=result.stdout.strip()) as service:
        assert service.programs()
    assert result.stdout.strip() != runtime.token


def test_doctor_shows_each_check_and_the_tier():
    result = aerlock("doctor")
    assert result.returncode == 0, result.stdout
    assert "tier: full" in result.stdout
    assert "FAIL" not in result.stdout


@pytest.mark.parametrize(
    ("flags", "tier"), [(("--sandbox", "landlock"), "reduced"), (("--insecure-no-sandbox",), "none")]
)
def test_doctor_tries_the_tier_that_it_is_asked_for_and_says_what_is_weak(flags, tier):
    result = aerlock("doctor", *flags)
    assert result.returncode == 0, result.stdout
    assert f"tier: {tier}" in result.stdout
    assert f"weak  The tier is {tier}" in result.stdout
    assert ("share one uid" in result.stdout) == (os.geteuid() != 0)


def test_doctor_tries_every_environment_of_the_settings(unprivileged_folder):
    config = unprivileged_folder / "aerlock.toml"
    config.write_text(f'[executor.environments]\ngone = "/nonexistent"\nhere = "{sys.prefix}"\n')
    config.chmod(0o644)
    result = aerlock("doctor", env={**os.environ, "AERLOCK_CONFIG": str(config)})
    assert result.returncode == 1
    assert "FAIL  environment gone: /nonexistent cannot be run" in result.stdout
    assert "ok    environment here: a circuit ran in a cell" in result.stdout
    assert "tier: full" in result.stdout


def test_doctor_without_bubblewrap_names_the_cure_and_the_weaker_tier(tmp_path):
    (tmp_path / "mount").symlink_to(shutil.which("mount"))  # which dropping root may need
    result = aerlock("doctor", env={**os.environ, "PATH": str(tmp_path)})
    assert result.returncode == 1
    assert "FAIL  bubblewrap" in result.stdout
    assert "apt install bubblewrap" in result.stdout
    assert "tier: none" in result.stdout
    assert "`--sandbox landlock`" in result.stdout


@pytest.fixture
def own_python(unprivileged_folder):
    """A Python of this test's own, which can import all that this one can, and its environment."""
    unprivileged_folder.chmod(0o755)
    python = unprivileged_folder / "python"
    shutil.copy(os.path.realpath(sys.executable), python)
    python.chmod(0o755)
    return python, {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.parametrize("command", ["doctor", "bootstrap", "gateway", "up"])
def test_python_that_may_not_be_executed_is_one_sentence_with_the_cure(own_python, command):
    python, environment = own_python
    after_its_start = "import os, sys; os.chmod(sys.executable, 0); from aerlock.cli import main; main()"
    flags = [] if command == "doctor" else ["--data-dir", str(python.parent / "data")]
    result = subprocess.run(
        [python, "-c", after_its_start, command, *flags],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert f"aerlock: cannot execute {python}: Permission denied. Let " in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers under other uids")
def test_python_that_the_executors_uid_may_not_execute_is_a_sentence_with_the_cure(own_python):
    python, environment = own_python
    python.chmod(0o700)
    os.chown(python, 0, 0)
    command = [python, "-m", "aerlock.cli", "doctor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert f"uid 58402 cannot execute {python}: Permission denied. Let " in result.stderr
    assert "Traceback" not in result.stderr


def test_up_takes_the_flags_of_the_tier(unprivileged_folder):
    environment = {**os.environ, "AERLOCK_CREDENTIALS": str(unprivileged_folder / "credentials.json")}
    command = [sys.executable, "-m", "aerlock.cli", "up", "--data-dir", str(unprivileged_folder / "data")]
    command += ["--listen", "127.0.0.1:0", "--sandbox", "landlock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as up:
        for _ in range(3):
            assert up.stdout.readline()
        credentials = json.loads((unprivileged_folder / "credentials.json").read_text())
        with RuntimeService(address=credentials["address"], token=credentials["token"]) as service:
            assert service.server_info().isolation_tier == "reduced"
        up.terminate()
    assert up.returncode == 0


@pytest.mark.parametrize("server", ["gateway", "executor"])
def test_help_of_a_server_lists_its_settings(server):
    result = aerlock(server, "--help")
    assert result.returncode == 0
    assert f"usage: aerlock {server}" in result.stdout
    assert "--max-execution-time" in result.stdout


def test_servers_started_alone_find_each_other(unprivileged_folder):
    data_dir = unprivileged_folder / "data"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "aerlock.cli"]
    with (
        subprocess.Popen(
            [*command, "executor", "--data-dir", str(data_dir), "--slots", "1"], **options
        ) as executor,
        subprocess.Popen(
            [*command, "gateway", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"], **options
        ) as gateway,
    ):
        try:
            assert executor.stdout.readline() == b"ready\n"
            assert gateway.stdout.readline() == b"ready\n"
            token = aerlock("bootstrap", "--data-dir", str(data_dir)).stdout.strip()
            with RuntimeService(address=f"unix:{data_dir}/run/gateway/gateway.sock", token=token) as service:
                job = service.run(
                    program_id="hello-world",
                    options={"backend_name": "aer_simulator"},
                    inputs={"iterations": 1},
                )
                assert job.result(timeout=60) == "All done!"
        finally:
            for process in (executor, gateway):
                process.terminate()
    assert (executor.returncode, gateway.returncode) == (0, 0)


def test_tokens_are_in_no_log(runtime):
    with connect(runtime) as service:
        service.programs()
    with pytest.raises(AerlockError):
        RuntimeService(address=runtime.address, token="aerlock-wrong").programs()
    runtime.stop()
    assert runtime.token not in runtime.stderr
    assert "aerlock-wrong" not in runtime.stderr
    database = b"".join(path.read_bytes() for path in (runtime.data_dir / "gateway").glob("gateway.db*"))
    assert runtime.token.encode() not in database
    assert json.loads(runtime.credentials_file.read_text())["token"] == runtime.token


def test_signal_during_the_start_stops_it(unprivileged_folder):
    environment = {**os.environ, "AERLOCK_CREDENTIALS": str(unprivileged_folder / "credentials.json")}
    command = [sys.executable, "-m", "aerlock.cli", "up", "--data-dir", str(unprivileged_folder / "data")]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, env=environment
    ) as up:
        while not psutil.Process(up.pid).children():
            time.sleep(0.01)  # there is no event for another process's child
        up.send_signal(signal.SIGTERM)
        output, _ = up.communicate(timeout=60)
    assert (up.returncode, output) == (0, b"")
    assert not (unprivileged_folder / "credentials.json").exists()


def test_failed_start_makes_no_token(unprivileged_folder):
    data_dir = unprivileged_folder / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert aerlock("up", "--data-dir", str(data_dir), "--listen", address).returncode == 1
    with contextlib.closing(sqlite3.connect(data_dir / "gateway/gateway.db")) as database:
        assert database.execute("SELECT count(*) FROM tokens").fetchone() == (0,)


@pytest.mark.parametrize(
    ("source", "slots"), [("toml", "3"), ("environment over toml", "4"), ("flag over environment", "5")]
)
def test_flag_beats_environment_beats_toml(unprivileged_folder, source, slots):
    config = unprivileged_folder / "aerlock.toml"
    config.write_text("[executor]\nslots = 3\n")
    config.chmod(0o644)
    environment = {**os.environ, "AERLOCK_CONFIG": config.name}
    flags = ["--data-dir", str(unprivileged_folder / "data")]
    if source != "toml":
        environment["AERLOCK_EXECUTOR_SLOTS"] = "4"
    if source.startswith("flag"):
        flags += ["--slots", "5"]
    command = [sys.executable, "-m", "aerlock.cli", "executor", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=environment, cwd=unprivileged_folder
    ) as executor:
        assert executor.stdout.readline() == b"ready\n"
        with grpc.insecure_channel(f"unix:{unprivileged_folder}/data/run/executor/executor.sock") as channel:
            info = ExecutorServiceStub(channel).GetExecutorInfo(GetExecutorInfoRequest())
        executor.terminate()
    assert info.slots == int(slots)


@pytest.mark.parametrize("text", ["slots = ", "[executor]\nslots = 0.5\n", "[executor]\nslotz = 1\n"])
def test_wrong_toml_is_one_sentence(unprivileged_folder, text):
    config = unprivileged_folder / "aerlock.toml"
    config.write_text(text)
    config.chmod(0o644)
    environment = {**os.environ, "AERLOCK_CONFIG": str(config)}
    result = aerlock("executor", "--data-dir", str(unprivileged_folder / "data"), env=environment)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert str(config) in result.stderr or "slot" in result.stderr


def test_data_dir_that_is_a_file_is_one_sentence(unprivileged_folder):
    path = unprivileged_folder / "file"
    path.touch()
    result = aerlock("up", "--data-dir", str(path))
    assert result.returncode == 1
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr
