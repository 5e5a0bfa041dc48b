# Hides nested groups in a field that no schema knows. Expected: they are dropped, the result stands.
import os
import struct

from aerlock import codec


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def tag(field, kind):
    return varint(field << 3 | kind)


def main(backend, user_messenger, **kwargs):
    value = codec.to_value(7).SerializeToString() + tag(1000, 3) * 98 + tag(1000, 4) * 98
    payload = tag(3, 2) + varint(len(value)) + value
    os.write(4, struct.pack("<I", len(payload)) + payload)
    os._exit(0)
