# Takes all memory, swallows the error and tries again for ever. Expected: the time limit.
def main(backend, user_messenger, **kwargs):
    taken = []
    while True:
        try:
            taken.append(bytearray(1 << 20))
        except MemoryError:
            pass
