"""Executes the steps of the Dockerfile in a clean root, for machines without a container engine.

FROM is a debootstrap of the Debian release; each further step runs in that root
under bubblewrap, in namespaces of its own. In place of CMD, `aerlock doctor` and
`make demo` run as the image's user, without capabilities and without a network.
Packages come from where this machine gets them. Everything is removed afterwards.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dockerfile_parse import DockerfileParser

PROJECT = Path(__file__).resolve().parent.parent
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates")
NO_STEP = ("COMMENT", "VOLUME", "CMD")
# Mounts and processes go with their namespaces, however a step ends.
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# What `docker run` gives with --cap-drop ALL and --security-opt no-new-privileges.
CONFINED = ("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--init-groups")


class StepError(Exception):
    """A step cannot be executed; the text says why."""


class Image:
    """A root directory, and what ENV, WORKDIR and USER have said so far."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": SEARCH_PATH}
        self.directory = "/"
        self.user = "root"

    def execute(self, instruction: str, value: str, environment: Mapping[str, str]) -> None:
        """Executes one instruction; ``environment`` are the variables that it sets. Raises StepError."""
        match instruction:
            case "FROM":
                make_root(self.root, value)
            case "RUN":
                self.run(value, self._index_variables())
            case "COPY":
                self._copy(value)
            case "ENV":
                self.environment |= environment
            case "WORKDIR":
                self.directory = str(Path(self.directory, value))
                self._on_host(self.directory).mkdir(parents=True, exist_ok=True)
            case "USER":
                self.user = value
            case _:
                raise StepError("this script does not know the instruction: teach it")

    def run(self, command: str, variables: Mapping[str, str], *, network: bool = True) -> None:
        """Runs a shell command in the image as its user. Raises StepError."""
        # Not chroot, in which the kernel refuses user namespaces. And not bubblewrap's own /proc: as root
        # it covers parts of that, and the kernel then refuses a fresh /proc in the namespaces of a cell.
        sandbox = ["bwrap", "--bind", str(self.root), "/", "--dev", "/dev", "--bind", "/proc", "/proc"]
        sandbox += ["--unshare-ipc", "--unshare-uts", "--die-with-parent", "--cap-add", "ALL"]
        sandbox += ["--chdir", self.directory, *(() if network else ("--unshare-net",)), "--"]
        if self.user != "root":
            sandbox += [*CONFINED, f"--reuid={self.user}", f"--regid={self.user}"]
        environment = {"HOME": self._home(), **variables, **self.environment}
        check([*sandbox, "sh", "-c", command], environment)

    def _home(self) -> str:
        users = (self.root / "etc/passwd").read_text().splitlines()
        homes = [line.split(":")[5] for line in users if line.startswith(f"{self.user}:")]
        return homes[0] if homes else "/"

    def _index_variables(self) -> dict[str, str]:
        """The variables that say where the package indexes are, but for paths that the image lacks."""
        return {
            name: value
            for name, value in os.environ.items()
            if name.startswith("PIP_") or name.lower().endswith("_proxy")
            if not value.startswith("/") or self._on_host(value).exists()
        }

    def _copy(self, value: str) -> None:
        source, destination = shlex.split(value)
        if source != ".":
            raise StepError("this script knows only COPY . DESTINATION")
        for name in context_files():
            target = self._on_host(self.directory, destination, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target, follow_symlinks=False)

    def _on_host(self, *path: str) -> Path:
        return self.root / Path(*path).relative_to("/")


def context_files() -> list[str]:
    """The files of the project that .dockerignore lets through; git reads its patterns the same way."""
    command = ("git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others")
    names = output_of(*command, f"--exclude-from={PROJECT / '.dockerignore'}").split("\0")
    return [name for name in names if name and os.path.lexists(PROJECT / name)]


def make_root(root: Path, image: str) -> None:
    """Installs the Debian release that ``image`` names, with this machine's mirrors. Raises StepError."""
    match = re.fullmatch(r"debian:([a-z]+)(-slim)?", image)
    if match is None:
        raise StepError("this script knows only debian:RELEASE and debian:RELEASE-slim")
    listing = ("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)")
    lines = output_of(*listing, "Created-By: Packages", "Origin: Debian").splitlines()
    sources = [line for line in lines if line.split()[1].startswith(match[1])]
    mirrors = [line.split()[0] for line in sources if line.split()[1] == match[1]]
    debootstrap = ["debootstrap", "--variant=minbase", match[1], str(root), *mirrors[:1]]
    check(debootstrap, os.environ, quiet=True)
    if mirrors:
        (root / "etc/apt/sources.list").write_text("".join(f"deb {line}\n" for line in sources))
    copy_network_settings(root)


def copy_network_settings(root: Path) -> None:
    """Copies how apt and pip of this machine reach their indexes: proxies, names, certificates."""
    settings = output_of("apt-config", "dump", "Acquire").splitlines(keepends=True)
    kept = [line for line in settings if "::IndexTargets" not in line]
    (root / "etc/apt/apt.conf.d/99host").write_text("".join(kept))
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    for source in map(Path, ("/etc/resolv.conf", "/etc/pip.conf", *CERTIFICATES)):
        target = root / source.relative_to("/")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def output_of(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check(command: list[str], environment: Mapping[str, str], *, quiet: bool = False) -> None:
    """Runs a command in NAMESPACES, ``quiet`` unless it fails. Raises StepError."""
    output = subprocess.PIPE if quiet else None
    command = [*NAMESPACES, *command]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, text=True)
    try:
        text, _ = process.communicate()
    except BaseException:
        # The child of unshare is the first process of the namespace: all others end with it.
        with suppress(OSError):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]) if children else process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        raise StepError("\n".join(filter(None, [f"it ended with status {process.returncode}", text])))


@contextmanager
def reported(step: str) -> Iterator[None]:
    """Prints a step and how long it took; ends this process when it failed."""
    print(f"==> {step}", flush=True)
    start = time.monotonic()
    try:
        yield
    except StepError as error:
        sys.exit(f"==> failed after {time.monotonic() - start:.1f} s: {step}: {error}")
    print(f"    {time.monotonic() - start:.1f} s", flush=True)


def main() -> None:
    """Executes the Dockerfile, then the doctor and the demo in place of CMD."""
    if os.geteuid() != 0:
        sys.exit("The Dockerfile's steps need root, for a clean root directory and its mounts: run as root.")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    parser = DockerfileParser(str(PROJECT / "Dockerfile"), parent_env={"PATH": SEARCH_PATH})
    with tempfile.TemporaryDirectory(prefix="aerlock-image-", dir="/var/tmp") as folder:
        image = Image(Path(folder, "root"))
        image.root.mkdir(mode=0o755)
        for step, context in zip(parser.structure, parser.context_structure, strict=True):
            if step["instruction"] not in NO_STEP:
                with reported(f"{step['instruction']} {' '.join(step['value'].split())}"):
                    image.execute(step["instruction"], step["value"], context.line_envs)
        for command in ("aerlock doctor", "make demo"):
            with reported(f"as {image.user}, without a network: {command}"):
                image.run(command, {}, network=False)


if __name__ == "__main__":
    main()
