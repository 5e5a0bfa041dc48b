"""The whole path once: servers up, a program uploaded and run, its interim results printed as they come."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerlock import RuntimeService
from aerlock.exceptions import AerlockError
from aerlock.local_runtime import running_locally

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "hello_world"


class Stopwatch:
    """Collects how long each part took, in seconds."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Times the body as ``part``."""
        start = time.perf_counter()
        yield
        self.parts[part] = time.perf_counter() - start


def run_program(service: RuntimeService, stopwatch: Stopwatch) -> None:
    """Uploads the example, runs it with 3 iterations and prints what arrives."""
    with stopwatch.time("upload"):
        program_id = service.upload_program(
            str(EXAMPLE / "program.py"), metadata=str(EXAMPLE / "metadata.json")
        )
    print(f"\nUploaded {program_id}")
    start = time.perf_counter()

    def print_interim(job_id: str, interim: object) -> None:
        since = time.perf_counter() - start
        stopwatch.parts.setdefault("run to first interim result", since)
        print(f"  {since * 1000:6.0f} ms  interim  {interim}", flush=True)

    with stopwatch.time("run to final result"):
        job = service.run(
            program_id=program_id,
            options={"backend_name": "aer_simulator"},
            inputs={"iterations": 3},
            callback=print_interim,
        )
        print(f"Job {job.job_id()}")
        result = job.result(timeout=60)
    print(f"  {(time.perf_counter() - start) * 1000:6.0f} ms  final    {result}")


def main() -> None:
    """Runs the demo on servers of its own, in a directory that is gone afterwards."""
    stopwatch = Stopwatch()
    start = time.perf_counter()
    with running_locally() as runtime:
        stopwatch.parts["start the servers"] = time.perf_counter() - start
        print(runtime.announcement, end="")
        with RuntimeService(address=runtime.address, token=runtime.token) as service:
            run_program(service, stopwatch)
        start = time.perf_counter()
    stopwatch.parts["stop the servers"] = time.perf_counter() - start
    print("\nHow long it took")
    for part, seconds in stopwatch.parts.items():
        print(f"  {part:<28} {seconds * 1000:7.0f} ms")


if __name__ == "__main__":
    try:
        main()
    except AerlockError as error:
        sys.exit(f"The demo failed: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted; the servers have been stopped.")
