# Publishes more values than one message may hold. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    user_messenger.publish([None] * 300_000)
