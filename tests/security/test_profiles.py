"""The profiles for containers: what they allow, and that the sandbox works under them."""

import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aerlock.cli.unprivileged import EXECUTOR_UID, command_as
from aerlock_executor.cell.seccomp import machine
from aerlock_executor.cures import PROFILES

ROOT = Path(__file__).resolve().parents[2]
HELPER = Path(__file__).with_name("docker_filter.py")
SECCOMP = PROFILES / "seccomp.json"
PROFILE = json.loads(SECCOMP.read_text())
NAMES = {name for entry in PROFILE["syscalls"] for name in entry["names"]}
ADDED = {"clone", "mount", "pivot_root", "sethostname", "umount2", "unshare"}
# Of those that Docker's default refuses without capabilities.
DANGEROUS = {
    "acct", "add_key", "bpf", "chroot", "delete_module", "fanotify_init", "finit_module",
    "fsconfig", "fsmount", "fsopen", "init_module", "io_uring_setup", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "mount_setattr",
    "move_mount", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "process_madvise", "quotactl", "reboot", "request_key", "set_mempolicy", "setdomainname",
    "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount", "userfaultfd", "vhangup",
}  # fmt: skip


def doctor(without=(), variables=None, *flags):
    """The report of doctor in a container with the profile, but for some names."""
    command = [sys.executable, str(HELPER), str(SECCOMP), ",".join(without)]
    command += [sys.executable, "-m", "aerlock_executor", "doctor", *flags]
    result = subprocess.run(
        command_as(EXECUTOR_UID, command, [HELPER], own_cgroup=True),
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    return json.loads(result.stdout)


def test_full_tier_works_under_the_seccomp_profile():
    report = doctor()
    assert (report["tier"], report["works"]) == ("full", True), report


@pytest.mark.parametrize(
    ("variables", "cure"),
    [({}, ""), ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "hostUsers: false")],
)
def test_full_tier_fails_under_the_default_of_docker_and_names_the_cure(variables, cure):
    report = doctor(ADDED, variables)
    assert (report["tier"], report["works"]) == ("none", False)
    assert report["checks"][-1]["name"] == "user namespaces"
    assert cure in report["checks"][-1]["cure"]


def test_reduced_tier_works_under_the_default_of_docker():
    report = doctor(ADDED, None, "--sandbox", "landlock")
    assert (report["tier"], report["works"]) == ("reduced", True), report


@pytest.mark.parametrize("name", sorted(ADDED - {"clone"}))
def test_nothing_is_added_to_the_default_that_is_not_needed(name):
    assert not doctor({name})["works"]


def test_profile_refuses_what_the_default_of_docker_refuses():
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert NAMES >= ADDED
    assert not NAMES & DANGEROUS


def test_every_system_call_of_the_profile_is_known():
    ours = set(machine("x86_64").numbers) | set(machine("aarch64").numbers)
    path = ctypes.util.find_library("seccomp")
    if path is None:
        pytest.skip("libseccomp is not installed")
    resolve = ctypes.CDLL(path).seccomp_syscall_resolve_name
    assert {name for name in NAMES - ours if resolve(name.encode()) == -1} == set()


@pytest.mark.parametrize("name", ["apparmor-container", "apparmor-bwrap"])
def test_syntax_of_an_apparmor_profile_is_right(name):
    parser = shutil.which("apparmor_parser")
    if parser is None:
        pytest.skip("apparmor_parser is not installed")
    version = subprocess.run([parser, "--version"], capture_output=True, text=True, check=True).stdout
    if "userns," in (PROFILES / name).read_text() and " version 3" in version:
        pytest.skip("the rule userns came with AppArmor 4")
    command = [parser, "--skip-kernel-load", "--skip-cache", str(PROFILES / name)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_documentation_of_containers_names_the_profiles():
    documents = [(ROOT / name).read_text() for name in ("docs/operations.md", "docs/kubernetes.yaml")]
    for text in documents:
        assert "seccomp.json" in text
        assert "aerlock-container" in text
    assert "profile aerlock-container " in (PROFILES / "apparmor-container").read_text()
    assert "procMount: Unmasked" in documents[1]
    assert "=unconfined" not in documents[0].replace("systempaths=unconfined", "")
