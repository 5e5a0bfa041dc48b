# Publishes one final result and returns another. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    user_messenger.publish(1, final=True)
    return 2
