"""The program of every job of the chaos test: all that it does follows from its inputs."""

import hashlib
import random
import time


def main(backend, user_messenger, seed, events, pause, output_bytes, ending, data=b""):
    user_messenger.publish(hashlib.sha256(data).hexdigest())
    if output_bytes:
        user_messenger.publish(random.Random(seed).randbytes(output_bytes))
    for number in range(events):
        user_messenger.publish(number)
        print(number, flush=True)
        time.sleep(pause)
    if ending == "raise":
        raise ValueError("as it was asked to")
    if ending == "hang":
        time.sleep(600)
    return random.Random(seed + 1).randbytes(output_bytes)
