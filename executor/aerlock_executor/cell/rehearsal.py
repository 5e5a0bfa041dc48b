"""Goes the way of a job before the job comes, so that what is slow only once is over by then.

After a fork the first touch of each page copies it, and some of what a job uses is
loaded or cached at its first use.
"""

import gc
import logging
import os
from pathlib import Path
from typing import Final

from aerlock.program.backends import get_backend
from aerlock_executor.cell import limits, program_files
from aerlock_executor.cell.messenger import JobMessenger
from aerlock_executor.cell.sample import run_sample
from aerlock_executor.v1.cell_pb2 import CellStart

_BACKEND_NAME: Final = "aer_simulator"
_FILES: Final = {
    program_files.MAIN_FILE: b"def main(backend, user_messenger):\n    user_messenger.publish(0)\n"
}


def rehearse() -> None:
    """Runs a sample circuit, then a program of our own, and leaves nothing of them behind."""
    run_sample()
    start = CellStart(backend_name=_BACKEND_NAME)
    start.source.files.update(_FILES)
    _perform(CellStart.FromString(start.SerializeToString()))
    logging.getLogger().setLevel(logging.WARNING)
    limits.measure_memory()
    # What is there by now stays: collections during the job need not look at it.
    gc.collect()
    gc.freeze()


def _perform(start: CellStart) -> None:
    files = dict(start.source.files)
    main = program_files.load_main(files)
    try:
        with Path(os.devnull).open("wb") as null:
            messenger = JobMessenger(null.fileno())
            main(get_backend(start.backend_name), messenger)
            messenger.finish(None)
    finally:
        program_files.unload(files)
