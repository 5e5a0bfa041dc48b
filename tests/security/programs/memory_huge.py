# Asks for a terabyte at once. Expected: the memory limit.
def main(backend, user_messenger, **kwargs):
    import numpy

    return float(numpy.ones(1 << 37).sum())
