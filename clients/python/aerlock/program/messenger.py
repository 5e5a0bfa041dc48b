"""The messenger that a program publishes through; this one prints, for trying a program at home."""

import json

from aerlock import jsonview
from aerlock.codec import to_value
from aerlock.v1.values_pb2 import Value


def encode_message(message: object, encoder: type[json.JSONEncoder] | None = None) -> Value:
    """Encodes what a program publishes.

    With ``encoder`` the message becomes JSON by it first, as programs of the
    original have it: for objects that are no Values by themselves. Raises
    TypeError for an object that cannot be carried and ValueError for one that
    is too large, both saying where in it.
    """
    if encoder is not None:
        message = json.loads(json.dumps(message, cls=encoder))
    return to_value(message, "message")


class UserMessenger:
    """Prints what a program publishes, as JSON.

    On a server the program gets a messenger that sends: whatever this one
    refuses, that one refuses too.
    """

    def publish(
        self, message: object, encoder: type[json.JSONEncoder] | None = None, final: bool = False
    ) -> None:
        """Makes ``message`` known at once: an interim result, or the final one with ``final``.

        Raises what `encode_message` raises.
        """
        print(jsonview.to_json(encode_message(message, encoder)))  # noqa: T201
