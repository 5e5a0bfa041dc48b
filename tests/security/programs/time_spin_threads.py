# Spins in many threads, without the interpreter's lock. Expected: the time limit.
import threading

import numpy


def main(backend, user_messenger, **kwargs):
    def spin():
        block = numpy.ones((256, 256))
        while True:
            block @ block

    for _ in range(8):
        threading.Thread(target=spin).start()
    spin()
