# Publishes the smallest results there are, without end, past the messenger. Expected: the output limit.
from attack import write_raw

FRAME = bytes.fromhex("0400000012021807")


def main(backend, user_messenger, **kwargs):
    while True:
        write_raw(FRAME * 10_000)
