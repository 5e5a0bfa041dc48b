"""Frames on a cell's pipes: what is read back, and what is refused before it is allocated."""

import asyncio
import os
import struct

import pytest

from aerlock_executor.cell import frames


def reader_of(data):
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_frames_written_are_read_in_order():
    reader = reader_of(frames.encode_frame(b"one") + frames.encode_frame(b"two"))
    assert [await frames.receive_frame(reader) for _ in range(3)] == [b"one", b"two", None]


@pytest.mark.parametrize("length", [0, frames.MAX_FRAME_BYTES + 1, 0xFFFFFFFF])
async def test_frame_of_impossible_length_refused(length):
    with pytest.raises(frames.FrameError, match="claims"):
        await frames.receive_frame(reader_of(struct.pack("<I", length) + b"x"))


@pytest.mark.parametrize("data", [b"\x01", struct.pack("<I", 5) + b"four"])
async def test_frame_cut_short_refused(data):
    with pytest.raises(frames.FrameError, match="ended"):
        await frames.receive_frame(reader_of(data))


def test_pipe_carries_a_frame():
    reader, writer = os.pipe()
    frames.write_frame(writer, b"x" * 1000)
    os.close(writer)
    assert frames.read_frame(reader) == b"x" * 1000
    assert frames.read_frame(reader) is None
    os.close(reader)


def test_frame_over_the_cap_not_written():
    with pytest.raises(frames.FrameError, match="longer"):
        frames.encode_frame(bytes(frames.MAX_FRAME_BYTES + 1))
