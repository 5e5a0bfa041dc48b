# Publishes from a thread while and after main returns. Expected: completed, with what main returned.
import threading


def main(backend, user_messenger, **kwargs):
    def flood():
        while True:
            user_messenger.publish("from a thread")

    threading.Thread(target=flood).start()
    return "returned"
