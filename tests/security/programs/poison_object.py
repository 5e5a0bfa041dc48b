# Returns what is no value. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    return object()
