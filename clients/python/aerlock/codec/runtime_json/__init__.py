"""JSON in the form of the original's RuntimeEncoder: ``{"__type__": T, "__value__": V}`` for what JSON lacks.

Importing this package loads neither numpy nor Qiskit.
"""

from aerlock.codec.runtime_json.decoder import RuntimeDecoder
from aerlock.codec.runtime_json.encoder import RuntimeEncoder

__all__ = ["RuntimeDecoder", "RuntimeEncoder"]
