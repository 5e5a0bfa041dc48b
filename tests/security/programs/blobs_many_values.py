# Writes a large value of two million nulls. Expected: an invalid result, in bounded time and memory.
import time


def main(backend, user_messenger, **kwargs):
    nulls = b"\x0a\x02\x08\x00" * 2_000_000
    length = bytes(
        [len(nulls) & 127 | 128, len(nulls) >> 7 & 127 | 128, len(nulls) >> 14 & 127 | 128, len(nulls) >> 21]
    )
    user_messenger._pipe.put([b"\x42" + length, nulls])
    time.sleep(600)
