# Hides nested groups below many lists. Expected: they are dropped, the result stands.
import os
import struct

from aerlock import codec

LISTS = 35


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def tag(field, kind):
    return varint(field << 3 | kind)


def main(backend, user_messenger, **kwargs):
    value = codec.to_value(7).SerializeToString() + tag(1000, 3) * 29 + tag(1000, 4) * 29
    for _ in range(LISTS):
        items = tag(1, 2) + varint(len(value)) + value
        value = tag(8, 2) + varint(len(items)) + items
    payload = tag(3, 2) + varint(len(value)) + value
    os.write(4, struct.pack("<I", len(payload)) + payload)
    os._exit(0)
