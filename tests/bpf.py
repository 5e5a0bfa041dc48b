"""Runs a seccomp filter on one system call, as the kernel does."""

import struct


def decide(program, number, architecture, arguments):
    """The action that the filter takes: ``program`` is BPF bytes, missing arguments are 0."""
    padded = [argument & 0xFFFFFFFFFFFFFFFF for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator, counter = 0, 0
    while True:
        operation, jump_true, jump_false, constant = code[counter]
        counter += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x06:
                return constant
            case 0x15 | 0x25 | 0x35:
                holds = {
                    0x15: accumulator == constant,
                    0x25: accumulator > constant,
                    0x35: accumulator >= constant,
                }
                counter += jump_true if holds[operation] else jump_false
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")
