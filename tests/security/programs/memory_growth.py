# Takes memory until there is none. Expected: the memory limit.
def main(backend, user_messenger, **kwargs):
    taken = []
    while True:
        taken.append(bytearray(16 << 20))
