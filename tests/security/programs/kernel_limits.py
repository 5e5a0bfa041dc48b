# Raises its own limits and takes part in init's. Expected: an empty list.
import resource


def main(backend, user_messenger, **kwargs):
    raised = []
    for name in ("AS", "DATA", "NPROC", "NOFILE", "FSIZE", "MEMLOCK", "SIGPENDING", "MSGQUEUE"):
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            raised.append(f"{name} is not limited")
            continue
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
            raised.append(name)
        except (OSError, ValueError):
            pass
    try:
        resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))
        raised.append("limits of init")
    except OSError:
        pass
    return raised
