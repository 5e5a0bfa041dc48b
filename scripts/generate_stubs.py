"""Generates the Python stubs of protos/ into the packages that hold them.

``--check`` writes nothing and exits with 1 when a checked-in stub differs from
what the protos give.
"""

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
# Proto path = Python import path; only the folder that holds the package differs.
DESTINATIONS = {"aerlock": ROOT / "clients/python", "aerlock_executor": ROOT / "executor"}


def generate(output: Path) -> list[Path]:
    """Runs protoc over every proto and returns the files it wrote, relative to ``output``."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"-I{PROTOS}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"--python_out={output}",
            f"--mypy_out=quiet:{output}",
            f"--grpc_python_out={output}",
            f"--mypy_grpc_out=quiet:{output}",
            *sources,
        ]
    )
    if status != 0:
        sys.exit(status)
    written = [path.relative_to(output) for path in output.rglob("*_pb2*") if path.is_file()]
    return sorted(path for path in written if not is_empty_grpc_stub(output / path))


def is_empty_grpc_stub(path: Path) -> bool:
    """Whether ``path`` is the gRPC stub of a proto without a service."""
    return "_pb2_grpc." in path.name and "Stub" not in path.read_text()


def main() -> None:
    """Generates the stubs, or compares them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        wanted = {DESTINATIONS[path.parts[0]] / path: output / path for path in generate(output)}
        present = {path for base, top in DESTINATIONS.items() for path in (top / base).rglob("*_pb2*.py*")}
        present = {path for path in present if "__pycache__" not in path.parts}
        if check:
            stale = [
                path for path, new in wanted.items() if not path.exists() or not filecmp.cmp(path, new, False)
            ]
            stale += sorted(present - wanted.keys())
            for path in stale:
                print(f"{path.relative_to(ROOT)} does not match protos/: run `make protos`", file=sys.stderr)
            sys.exit(1 if stale else 0)
        for path in present - wanted.keys():
            path.unlink()
        for path, new in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, path)


if __name__ == "__main__":
    main()
