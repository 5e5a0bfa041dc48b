"""The distribution: what is in the wheel, and a client without the extras."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a machine that only calls programs does.
CLIENT = """
import sys
from aerlock import RuntimeService

with RuntimeService() as service:
    job = service.run(
        program_id="hello-world", options={"backend_name": "aer_simulator"}, inputs={"iterations": 2}
    )
    print(job.result(timeout=60), [interim["iteration"] for interim in job.interim_results()])
for module in ("qiskit", "qiskit_aer", "pydantic", "typer"):
    try:
        __import__(module)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{module} is installed")
"""


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, timeout=110)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_packages_with_their_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        licenses = [name for name in archive.namelist() if name.endswith("LICENSE")]
    assert {name.split("/")[0] for name in names} == {"aerlock", "aerlock_executor", "aerlock_gateway"}
    assert {
        "aerlock/py.typed",
        "aerlock_executor/cell/syscalls.json",
        "aerlock_executor/profiles/apparmor-bwrap",
        "aerlock_executor/profiles/apparmor-container",
        "aerlock_executor/profiles/seccomp.json",
        "aerlock_gateway/programs/hello_world.json",
        "aerlock/v1/jobs_pb2.pyi",
    } <= set(names)
    assert licenses


def test_client_without_extras_runs_a_program_and_has_no_qiskit(wheel, stack, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=60)
    python = str(environment / "bin/python")
    pip("--python", python, "install", str(wheel))
    result = subprocess.run(
        [python, "-c", CLIENT], env=stack.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "All done! [0, 1]\n"


def test_command_without_its_extra_says_how_to_install_it(wheel, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=60)
    python = str(environment / "bin/python")

    def aerlock(command):
        arguments = [str(environment / "bin/aerlock"), command]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)

    pip("--python", python, "install", "--no-deps", str(wheel))
    assert "pip install 'aerlock[cli]'" in aerlock("version").stderr
    pip("--python", python, "install", f"{wheel}[cli]")
    assert aerlock("version").returncode == 0
    refused = aerlock("up")
    assert refused.returncode == 1
    assert "pip install 'aerlock[server]'" in refused.stderr
    assert "Traceback" not in refused.stderr
