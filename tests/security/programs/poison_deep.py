# Returns a list too deep for any parser. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
