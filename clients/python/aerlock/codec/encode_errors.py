"""What an encoder raises within itself, before it is known where in the document that was."""

from typing import Final

from aerlock.codec.bounds import MAX_DEPTH, ValueBoundsError

_SHOWN_KEY: Final = 100


class EncodeError(Exception):
    """What is wrong, and the way back up to the object that was to be encoded."""

    def __init__(self, kind: type[Exception], problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.path: list[str] = []
        self.containers: list[object] = []

    def add_step(self, step: str, container: object) -> None:
        """Adds one step to the way, on the way out."""
        self.path.append(step)
        self.containers.append(container)

    def located(self, name: str) -> Exception:
        """The error for the caller."""
        return self.kind(f"{name}{''.join(reversed(self.path))} {self}")


class TooDeepError(EncodeError):
    """Nested too deep: by size, or because something contains itself."""

    def __init__(self) -> None:
        super().__init__(
            ValueBoundsError, f"nests deeper than {MAX_DEPTH} message levels (about 35 lists or dicts)"
        )

    def located(self, name: str) -> Exception:
        """A TypeError where something contains itself, else a `ValueBoundsError`."""
        outwards = list(reversed(self.containers))
        seen: dict[int, int] = {}
        for position, container in enumerate(outwards):
            if id(container) in seen:
                path = "".join(list(reversed(self.path))[:position])
                return TypeError(f"{name}{path} contains itself: only trees can be sent")
            seen[id(container)] = position
        return ValueBoundsError(f"{name} {self}")


def step_to(key: str) -> str:
    """How a key is written in a path."""
    if len(key) > _SHOWN_KEY:
        return f"[{key[:_SHOWN_KEY]!r}…]"
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def too_deep(container: object) -> TooDeepError:
    """The error for a container that is too deep."""
    error = TooDeepError()
    error.containers.append(container)
    return error
