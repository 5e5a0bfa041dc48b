# Draws random numbers; run twice, the two must differ. Expected: completed, another result each time.
import random
import uuid

import numpy


def main(backend, user_messenger, **kwargs):
    return [random.random(), float(numpy.random.random()), str(uuid.uuid4())]
