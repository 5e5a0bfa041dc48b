# Returns numbers that JSON does not know, and the largest there are. Expected: completed.
def main(backend, user_messenger, **kwargs):
    user_messenger.publish([float("nan"), float("inf"), -float("inf"), complex("nan+infj"), 1 << 4_000])
    return -(1 << 63)
