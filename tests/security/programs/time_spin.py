# Spins in Python. Expected: the time limit.
def main(backend, user_messenger, **kwargs):
    while True:
        pass
