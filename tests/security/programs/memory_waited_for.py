# Closes descriptors of full sockets for which threads wait, and opens others. Expected: false, few are held.
import select
import socket
import threading
import time

THREADS = 32
PAIRS = 100
MOST = THREADS * 16


def main(backend, user_messenger, **kwargs):
    held = sum(hold(wait) for wait in (wait_by_poll, wait_by_select) for _ in range(THREADS // 2))
    time.sleep(1)
    return held > MOST


def hold(wait):
    """Has a thread wait for sockets, closes them and returns how many there were."""
    pairs = [socket.socketpair() for _ in range(PAIRS)]
    ends = [end for pair in pairs for end in pair]
    waiting = threading.Event()
    refused = threading.Event()
    threading.Thread(target=lambda: wait(ends, waiting, refused), daemon=True).start()
    waiting.wait()
    is_refused = refused.wait(1)
    for end in ends:
        end.close()
    return 0 if is_refused else len(ends)


def wait_by_poll(ends, waiting, refused):
    poll = select.poll()
    for end in ends:
        poll.register(end, 0)
    until_refused(poll.poll, waiting, refused)


def wait_by_select(ends, waiting, refused):
    until_refused(lambda: select.select(ends, [], []), waiting, refused)


def until_refused(wait, waiting, refused):
    waiting.set()
    try:
        wait()
    except OSError:
        refused.set()
