# Returns more than one message carries. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    return bytes(2 << 20)
