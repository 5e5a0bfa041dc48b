# Returns more than a job may write. Expected: the output limit.
def main(backend, user_messenger, **kwargs):
    return bytes(100 << 20)
