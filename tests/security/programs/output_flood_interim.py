# Publishes without end. Expected: the output limit.
def main(backend, user_messenger, **kwargs):
    while True:
        user_messenger.publish(bytes(1_000_000))
