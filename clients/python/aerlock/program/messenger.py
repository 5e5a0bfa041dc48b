"""The messenger that a program publishes through; this one prints, for trying a program at home."""

from aerlock import jsonview
from aerlock.codec import to_value


class UserMessenger:
    """Prints what a program publishes, as JSON.

    On a server the program gets a messenger that sends: whatever this one
    refuses, that one refuses too.
    """

    def publish(self, message: object, encoder: object = None, final: bool = False) -> None:
        """Makes ``message`` known at once: an interim result, or the final one with ``final``.

        ``encoder`` is accepted for programs of the original and not used: values
        are typed on the wire. Raises TypeError for an object that cannot be
        carried and ValueError for one that is too large, both saying where in it.
        """
        print(jsonview.to_json(to_value(message, "message")))  # noqa: T201
