"""Panics of libraries in Rust, which are not of the class Exception."""


def is_failure(error: BaseException) -> bool:
    """Tells whether a library failed, rather than being told to stop."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
