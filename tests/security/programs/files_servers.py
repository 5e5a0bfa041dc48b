# Looks for the servers' files and sockets by their true names, which it is told. Expected: an empty list.
import os


def main(backend, user_messenger, places):
    return [place for place in places if os.path.lexists(place)]
