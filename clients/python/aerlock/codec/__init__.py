"""Turns Python objects into typed Values and back, exactly and without pickle.

Importing this package loads neither numpy nor Qiskit.
"""

from aerlock.codec.bounds import ValueBoundsError, check_value
from aerlock.codec.decode import from_map, from_value
from aerlock.codec.encode import to_map, to_value
from aerlock.codec.encode_options import EncodeOptions
from aerlock.codec.tagged import Tagged
from aerlock.codec.user_classes import register
from aerlock.codec.versions import CODEC_VERSION

__all__ = [
    "CODEC_VERSION",
    "EncodeOptions",
    "Tagged",
    "ValueBoundsError",
    "check_value",
    "from_map",
    "from_value",
    "register",
    "to_map",
    "to_value",
]
