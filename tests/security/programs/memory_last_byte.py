# Reads what it is told of its size and raises its limit to the last byte. Expected: the memory limit.
import resource


def main(backend, user_messenger, **kwargs):
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))
    taken = []
    while True:
        taken.append(bytearray(1 << 20))
