# Takes a little at a time, and touches it. Expected: the memory limit.
import time


def main(backend, user_messenger, **kwargs):
    taken = []
    while True:
        taken.append(b"x" * (4 << 20))
        time.sleep(0.005)
