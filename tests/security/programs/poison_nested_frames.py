# Writes a list deeper than any parser goes, past the encoder. Expected: an invalid result.
import time

from attack import write_frame


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def main(backend, user_messenger, **kwargs):
    value = b""
    for _ in range(10_000):
        items = b"\x0a" + varint(len(value)) + value
        value = b"\x42" + varint(len(items)) + items
    write_frame(b"\x12" + varint(len(value)) + value)
    time.sleep(600)
