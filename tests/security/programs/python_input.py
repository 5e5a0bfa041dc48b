# Asks for input. Expected: a program error, EOFError.
def main(backend, user_messenger, **kwargs):
    return input()
