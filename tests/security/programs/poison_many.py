# Publishes more values than one result may hold. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    user_messenger.publish([None] * 1_100_000)
