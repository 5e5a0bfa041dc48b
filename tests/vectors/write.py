"""Writes a test vector: ``python tests/vectors/write.py NAME [EXPRESSION]``.

With a Python expression the message is what Python writes for it; without one
``value.textproto`` and ``python.txt`` are there already, and only the JSON view
is written.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vectors.files import write

if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
