"""The messenger that a program publishes through; this one prints, for trying a program at home."""

import json
from collections.abc import Sequence

from aerlock import jsonview
from aerlock.codec import EncodeOptions, to_value
from aerlock.codec.runtime_json import RuntimeDecoder, RuntimeEncoder
from aerlock.v1.values_pb2 import BlobRef, Value


def encode_message(
    message: object, encoder: type[json.JSONEncoder] | None = None, options: EncodeOptions | None = None
) -> Value:
    """Encodes what a program publishes.

    With ``encoder`` the message becomes JSON by it first, as programs of the
    original have it: for objects that are no Values by themselves. Tagged
    objects in that JSON are read by `RuntimeDecoder`, so that whoever gets the
    message gets objects. With `RuntimeEncoder` itself only what no Value can
    hold takes that way: all else is sent as it is. Raises TypeError for an
    object that cannot be carried and ValueError for one that is too large, both
    saying where in it.
    """
    options = options or EncodeOptions()
    if encoder in (None, RuntimeEncoder):
        try:
            return to_value(message, "message", options)
        except TypeError:
            if encoder is None:
                raise
    message = json.loads(json.dumps(message, cls=encoder), cls=RuntimeDecoder)
    return to_value(message, "message", options)


class _Unsent:
    """Takes large values and keeps nothing of them: here they are sent nowhere."""

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        """Returns a reference that nobody will follow."""
        return BlobRef(sha256="0" * 64, size_bytes=sum(map(len, parts)))


class UserMessenger:
    """Prints what a program publishes, as JSON; large values without their content.

    On a server the program gets a messenger that sends: whatever this one
    refuses, that one refuses too.
    """

    def publish(
        self, message: object, encoder: type[json.JSONEncoder] | None = None, final: bool = False
    ) -> None:
        """Makes ``message`` known at once: an interim result, or the final one with ``final``.

        Raises what `encode_message` raises.
        """
        value = encode_message(message, encoder, EncodeOptions(blobs=_Unsent()))
        print(jsonview.to_json(value))  # noqa: T201
