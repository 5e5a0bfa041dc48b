"""What to do where this machine refuses a layer of the sandbox: exact, and for the machine that it is."""

import errno
import os
from pathlib import Path
from typing import Final

PROFILES: Final = Path(__file__).with_name("profiles")
"""The seccomp and AppArmor profiles that ship with the executor."""

_APPARMOR_DIRECTORY: Final = "/etc/apparmor.d"
_CONTAINER: Final = PROFILES / "apparmor-container"
_BWRAP: Final = PROFILES / "apparmor-bwrap"
_SECCOMP: Final = PROFILES / "seccomp.json"
_KERNEL: Final = (
    "the kernel must be built with CONFIG_USER_NS and CONFIG_SECCOMP_FILTER; those of Debian, Ubuntu, Fedora"
    " and their like are"
)


def of_bubblewrap() -> str:
    """How to install bubblewrap here."""
    return f"run: {_install_command('bubblewrap')} (0.7 or newer; Debian 12 has it)"


def of_namespaces() -> str:
    """What lets an ordinary user make user namespaces here."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return (
            "in the pod: hostUsers: false; in the container's securityContext: runAsNonRoot: true,"
            " capabilities drop ALL, procMount: Unmasked, seccompProfile and appArmorProfile of type"
            f" Localhost with {_SECCOMP} and {_CONTAINER}, which must be on the node;"
            " docs/kubernetes.yaml is the whole of it"
        )
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "start the container with --cap-drop ALL --security-opt no-new-privileges --security-opt"
            " seccomp=seccomp.json --security-opt systempaths=unconfined and, where the host has AppArmor,"
            " --security-opt apparmor=aerlock-container; the profiles for the host are"
            f" {_SECCOMP} and {_CONTAINER}, docs/operations.md says how to install them"
        )
    return next((cure for name, value, cure in _SYSCTLS if _sysctl(name) == value), _KERNEL)


def of_landlock(error: OSError) -> str:
    """What gives this machine Landlock."""
    if error.errno == errno.EOPNOTSUPP:
        return (
            "Landlock is built in and turned off: add landlock to the kernel's parameter lsm= (as in"
            f" lsm=landlock,{_active_modules()}) and boot again"
        )
    if error.errno == errno.EPERM:
        return f"the container's seccomp profile refuses it: use the default one of Docker, or {_SECCOMP}"
    return "boot Linux 6.12 or newer, built with CONFIG_SECURITY_LANDLOCK"


def _install_command(package: str) -> str:
    managers = (("apt-get", "apt install"), ("dnf", "dnf install"), ("zypper", "zypper install"))
    for program, command in (*managers, ("pacman", "pacman -S"), ("apk", "apk add")):
        if any(Path(folder, program).exists() for folder in ("/usr/bin", "/sbin", "/usr/sbin")):
            return f"sudo {command} {package}"
    return f"your system's package manager to install {package}"


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _active_modules() -> str:
    try:
        return Path("/sys/kernel/security/lsm").read_text().strip()
    except OSError:
        return "yama,apparmor"


_SYSCTLS: Final = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor allows user namespaces to no program without a profile here (Ubuntu 23.10 and newer). Run:"
        f" sudo install -m 644 {_BWRAP} {_APPARMOR_DIRECTORY}/aerlock-bwrap && sudo apparmor_parser -r"
        f" {_APPARMOR_DIRECTORY}/aerlock-bwrap",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are for root alone here (kernels of Debian 10 and older). Run:"
        " echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-aerlock.conf && sudo sysctl"
        " --system",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "there may be no user namespace here. Run: echo user.max_user_namespaces=15000 | sudo tee"
        " /etc/sysctl.d/60-aerlock.conf && sudo sysctl --system",
    ),
)
