"""Frames on a cell's pipes: what is read back, and what is refused before it is allocated."""

import asyncio
import itertools
import os
import signal
import struct
import threading
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    frames.FrameWriter(writer).write(b"x" * 1000)
    os.close(writer)
    assert frames.read_frame(reader) == b"x" * 1000
    assert frames.read_frame(reader) is None
    os.close(reader)


class InterruptError(Exception):
    pass


def test_frames_are_whole_and_in_order_whatever_handlers_raise():
    reader, writer = os.pipe()
    read = []

    def read_all():
        while (frame := frames.read_frame(reader)) is not None:
            read.append(frame)
            time.sleep(0.001)

    def interrupt(number, frame):
        nonlocal armed
        if armed:
            armed = False
            raise InterruptError

    thread = threading.Thread(target=read_all, daemon=True)
    thread.start()
    frame_writer, interrupted, armed = frames.FrameWriter(writer), 0, False
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.0031, 0.0031)
    try:
        for number in range(300):
            try:
                armed = True
                frame_writer.write(b"%d" % number, b"x" * (number % 3 * 100_000))
                armed = False
            except InterruptError:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    frame_writer.write(b"last")
    os.close(writer)
    thread.join()
    os.close(reader)
    assert interrupted > 10
    numbers = [int(frame.rstrip(b"x")) for frame in read[:-1]]
    assert numbers == sorted(set(numbers))
    assert all(len(frame) == len(str(n)) + n % 3 * 100_000 for frame, n in zip(read, numbers, strict=False))
    assert read[-1] == b"last"


def test_frame_over_the_cap_not_written():
    with pytest.raises(frames.FrameError, match="longer"):
        frames.encode_frame(bytes(frames.MAX_FRAME_BYTES + 1))


LIMIT = 40
payloads = st.lists(st.binary(min_size=1, max_size=LIMIT), max_size=12)
impossible_lengths = st.just(0) | st.integers(LIMIT + 1, 0xFFFFFFFF)


def in_chunks(data, cuts):
    """The data cut at ``cuts``, which may repeat: then a chunk is empty."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


cuts = st.lists(st.integers(0, 1000), max_size=30)


@given(payloads, cuts)
def test_decoder_gives_every_payload_in_order_however_it_is_cut(payloads, cuts):
    decoder = frames.FrameDecoder(LIMIT)
    data = b"".join(map(frames.encode_frame, payloads))
    assert [payload for chunk in in_chunks(data, cuts) for payload in decoder.feed(chunk)] == payloads
    assert not decoder.pending


@given(payloads, st.binary(min_size=1, max_size=LIMIT), cuts, st.data())
def test_decoder_is_pending_within_a_frame(payloads, last, cuts, data):
    decoder = frames.FrameDecoder(LIMIT)
    frame = frames.encode_frame(last)
    kept = data.draw(st.integers(1, len(frame) - 1))
    stream = b"".join(map(frames.encode_frame, payloads)) + frame[:kept]
    assert [payload for chunk in in_chunks(stream, cuts) for payload in decoder.feed(chunk)] == payloads
    assert decoder.pending
    assert decoder.feed(frame[kept:]) == [last]
    assert not decoder.pending


@given(payloads, impossible_lengths, st.binary(max_size=LIMIT))
def test_decoder_refuses_an_impossible_length_with_its_last_byte(payloads, length, rest):
    decoder = frames.FrameDecoder(LIMIT)
    assert decoder.feed(b"".join(map(frames.encode_frame, payloads))) == payloads
    prefix = struct.pack("<I", length)
    assert decoder.feed(prefix[:3]) == []
    with pytest.raises(frames.FrameError, match=f"claims {length} bytes; 1 to {LIMIT}"):
        decoder.feed(prefix[3:] + rest)


@given(payloads, impossible_lengths)
def test_decoder_refuses_an_impossible_length_behind_frames(payloads, length):
    data = b"".join(map(frames.encode_frame, payloads)) + struct.pack("<I", length)
    with pytest.raises(frames.FrameError, match=f"claims {length} bytes"):
        frames.FrameDecoder(LIMIT).feed(data)


@given(st.lists(st.binary(min_size=1, max_size=2 * LIMIT), max_size=40))
def test_decoder_takes_any_bytes_or_says_frame_error(chunks):
    decoder = frames.FrameDecoder(LIMIT)
    try:
        given_back = [payload for chunk in chunks for payload in decoder.feed(chunk)]
    except frames.FrameError:
        return
    assert all(0 < len(payload) <= LIMIT for payload in given_back)
    assert b"".join(chunks).startswith(b"".join(map(frames.encode_frame, given_back)))


def held_and_peak(action):
    """Bytes that ``action`` leaves allocated, and the most while it ran."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        action()
        after, peak = tracemalloc.get_traced_memory()
        return after - before, peak - before
    finally:
        tracemalloc.stop()


def test_decoder_allocates_nothing_for_what_is_only_claimed():
    decoder = frames.FrameDecoder()
    begin = struct.pack("<I", frames.MAX_FRAME_BYTES) + b"x"
    assert held_and_peak(lambda: decoder.feed(begin))[1] < 4096


def test_decoder_holds_no_more_than_one_frame():
    limit, chunk = 64 << 10, bytes(1 << 12)
    frame = frames.encode_frame(bytes(limit))
    stream = frame * 50 + frame[:-1]
    decoder = frames.FrameDecoder(limit)

    def feed() -> None:
        for start in range(0, len(stream), len(chunk)):
            decoder.feed(stream[start : start + len(chunk)])

    held, peak = held_and_peak(feed)
    assert decoder.pending
    assert limit <= held < 2 * limit
    assert peak < 4 * limit
