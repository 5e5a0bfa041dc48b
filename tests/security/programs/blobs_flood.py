# Publishes one large value after the other, honestly. Expected: the output limit.
import itertools


def main(backend, user_messenger, **kwargs):
    for number in itertools.count():
        user_messenger.publish(number.to_bytes(4, "big") * 1_000_000)
