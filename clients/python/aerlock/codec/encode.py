"""Python objects to Values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aerlock.codec.bounds import (
    MAX_BLOB_VALUES,
    MAX_DEPTH,
    MAX_VALUES,
    MIN_VALUE_BYTES,
    ValueBoundsError,
    check_size,
    check_tree,
)
from aerlock.codec.callables import warn_of_callables
from aerlock.codec.encode_errors import EncodeError, TooDeepError
from aerlock.codec.encode_options import EncodeOptions
from aerlock.codec.encoders import Encoding, encode
from aerlock.codec.offload import Large, offload, offload_map
from aerlock.v1 import values_pb2

# Whatever leaf a container at this level holds directly, it stays within MAX_DEPTH.
_SURE_DEPTH: Final = MAX_DEPTH - 4
_DEFAULT: Final = EncodeOptions()


def to_value(obj: object, name: str = "value", options: EncodeOptions = _DEFAULT) -> values_pb2.Value:
    """Encodes ``obj``.

    ``name`` is what errors call the object. Raises TypeError for an object that
    cannot be carried or that contains itself, and ValueError (`ValueBoundsError`
    where it is too large or too deep) otherwise; both say where in ``obj``.
    """
    value, large = _encode_document(obj, name, options)
    if options.blobs is not None:
        with _named(name):
            offload(value, large, options.blobs)
    _check_message(value, value.ByteSize())
    return value


def to_map(
    items: dict[str, Any], name: str = "inputs", options: EncodeOptions = _DEFAULT
) -> values_pb2.MapValue:
    """Encodes a dict with str keys; raises as `to_value` does."""
    for key in items:
        if type(key) is not str:
            raise TypeError(f"{name} has the key {key!r}, which is not a str")
    value, large = _encode_document(items, name, options)
    if options.blobs is not None:
        with _named(name):
            offload_map(value.map_value, large, options.blobs)
    _check_message(value, value.map_value.ByteSize())
    return value.map_value


def _encode_document(obj: object, name: str, options: EncodeOptions) -> tuple[values_pb2.Value, Large]:
    """Encodes all of it, with placeholders for the large leaves."""
    value = values_pb2.Value()
    encoding = Encoding(options, _SURE_DEPTH)
    try:
        try:
            encode(value, obj, 1, encoding)
        except TooDeepError:
            value.Clear()
            encoding = Encoding(options, MAX_DEPTH)
            encode(value, obj, 1, encoding)
            check_tree((value,), 1, most=MAX_BLOB_VALUES)
    except EncodeError as error:
        raise error.located(name) from error.__cause__
    if encoding.callables:
        warn_of_callables(obj, name, encoding.callables)
    return value, encoding.large


def _check_message(value: values_pb2.Value, size: int) -> None:
    check_size(size)
    # Below that size it cannot hold too many.
    if size > MIN_VALUE_BYTES * MAX_VALUES:
        check_tree((value,), 1)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ValueBoundsError as error:
        raise ValueBoundsError(f"{name} {error}") from None
