"""Both ends of a cell's pipes: inputs with blobs behind them, and results with blobs before them."""

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest

from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.cell.frames import encode_frame, read_frame, receive_frame
from aerlock_executor.cell.inputs import InputBlobs
from aerlock_executor.cell.result_pipe import PART_BYTES, ResultPipe
from aerlock_executor.cell_input import write_input
from aerlock_executor.v1.cell_pb2 import CellFrame

# More than any pipe holds.
CONTENTS = [os.urandom(3_000_000), b"x", os.urandom(70_000)]


def ref(content):
    return BlobRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / str(number) for number in range(len(CONTENTS))]
    for path, content in zip(paths, CONTENTS, strict=True):
        path.write_bytes(content)
    return paths


def read_all(blob):
    content = bytearray()
    buffer = bytearray(50_000)
    while count := blob.readinto(memoryview(buffer)):
        content += buffer[:count]
    return bytes(content)


@pytest.mark.parametrize("message", [b"start", bytes(500_000)])
async def test_message_and_blobs_arrive_in_their_order(files, message):
    reader, writer = os.pipe()

    def read():
        frame = read_frame(reader)
        with InputBlobs(reader, map(ref, CONTENTS)) as blobs:
            contents = []
            for content in CONTENTS:
                with blobs.open(ref(content)) as blob:
                    contents.append(read_all(blob))
        return frame, contents

    reading = asyncio.create_task(asyncio.to_thread(read))
    await write_input(writer, encode_frame(message), files)
    assert await reading == (message, CONTENTS)
    with pytest.raises(OSError):
        os.fstat(writer)


async def test_small_message_without_blobs_is_written_at_once_and_the_pipe_closed():
    reader, writer = os.pipe()
    writing = write_input(writer, encode_frame(b"start"), ())
    with pytest.raises(StopIteration):
        writing.send(None)
    assert (read_frame(reader), read_frame(reader)) == (b"start", None)
    os.close(reader)


@pytest.mark.parametrize("taken", [0, 2, 100_000])
async def test_reader_that_goes_away_ends_the_writing_and_leaks_nothing(files, taken):
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    reader, writer = os.pipe()
    writing = asyncio.create_task(write_input(writer, encode_frame(b"start"), files))
    while taken > 0:
        taken -= len(await asyncio.to_thread(os.read, reader, taken))
    os.close(reader)
    await asyncio.wait_for(writing, 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


async def test_blob_that_cannot_be_read_is_an_error_and_the_pipe_closed(tmp_path):
    reader, writer = os.pipe()
    with pytest.raises(FileNotFoundError):
        await write_input(writer, encode_frame(b"start"), [tmp_path / "gone"])
    assert (read_frame(reader), read_frame(reader)) == (b"start", None)
    os.close(reader)


async def test_blobs_that_are_skipped_or_read_in_part_do_not_move_the_next(files):
    reader, writer = os.pipe()
    writing = asyncio.create_task(write_input(writer, b"", files))

    def read():
        with InputBlobs(reader, map(ref, CONTENTS)) as blobs:
            with blobs.open(ref(CONTENTS[0])) as blob:
                blob.readinto(memoryview(bytearray(10)))
            with blobs.open(ref(CONTENTS[2])) as blob:
                content = read_all(blob)
            with pytest.raises(LookupError), blobs.open(ref(CONTENTS[1])):
                pass
        return content

    assert await asyncio.to_thread(read) == CONTENTS[2]
    await writing


class Frames:
    """Reads what comes out of a `ResultPipe` until it is closed."""

    def __init__(self):
        reader, self.writer = os.pipe()
        self.frames = []
        self._thread = threading.Thread(target=self._read, args=(reader,))
        self._thread.start()

    def _read(self, reader):
        while payload := read_frame(reader):
            self.frames.append(CellFrame.FromString(payload))
        os.close(reader)

    def finish(self):
        os.close(self.writer)
        self._thread.join()
        return self.frames

    def blobs(self):
        """The blobs that came, whole; nothing may come between the parts of one."""
        contents, content = [], b""
        for frame in self.finish():
            assert frame.HasField("blob_part") or not content
            content += frame.blob_part.data
            if frame.blob_part.last:
                contents.append(content)
                content = b""
        assert not content
        return contents


@pytest.mark.parametrize("sizes", [[1], [PART_BYTES], [PART_BYTES + 1], [20, 3 * PART_BYTES, 5]])
def test_blob_is_sent_in_parts_that_join_to_it(sizes):
    frames = Frames()
    parts = [os.urandom(size) for size in sizes]
    assert ResultPipe(frames.writer).put([memoryview(part) for part in parts]) == ref(b"".join(parts))
    assert frames.blobs() == [b"".join(parts)]


def test_blob_sent_before_is_not_sent_again():
    frames = Frames()
    pipe = ResultPipe(frames.writer)
    first = pipe.put([b"a" * 1000])
    assert pipe.put([b"a" * 400, b"a" * 600]) == first
    assert pipe.put([b"b" * 1000]) != first
    assert frames.blobs() == [b"a" * 1000, b"b" * 1000]


def test_blob_that_is_broken_off_is_given_up_and_the_pipe_goes_on():
    class Interrupted(list):
        """Is whole when it is measured, and breaks off when it is sent."""

        def __iter__(self):
            yield from super().__iter__()
            if measured:
                raise KeyboardInterrupt
            measured.append(True)

    measured = []
    frames = Frames()
    pipe = ResultPipe(frames.writer)
    with pytest.raises(KeyboardInterrupt):
        pipe.put(Interrupted([bytes(PART_BYTES), bytes(10)]))
    pipe.write(CellFrame(interim_result=Value(int_value=1)))
    *_, abandoned, interim = frames.finish()
    assert abandoned.blob_part.abandoned
    assert interim.interim_result.int_value == 1


def test_parts_of_blobs_from_many_threads_are_not_mixed():
    frames = Frames()
    pipe = ResultPipe(frames.writer)
    contents = [os.urandom(2 * PART_BYTES + number) for number in range(8)]

    def send(content):
        pipe.put([content])
        pipe.write(CellFrame(interim_result=Value(int_value=1)))

    threads = [threading.Thread(target=send, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(frames.blobs()) == sorted(contents)
    assert sum(frame.HasField("interim_result") for frame in frames.frames) == len(contents)


def test_nothing_is_sent_once_the_last_frame_is_written():
    frames = Frames()
    pipe = ResultPipe(frames.writer)
    pipe.close(CellFrame(final_result=Value(int_value=1)))
    for send in (lambda: pipe.put([b"x"]), lambda: pipe.write(CellFrame())):
        with pytest.raises(RuntimeError, match="main has returned"):
            send()
    assert len(frames.finish()) == 1


async def test_frame_written_in_pieces_is_one_frame():
    reader, writer = os.pipe()
    ResultPipe(writer).write(CellFrame(interim_result=Value(bytes_value=b"x" * 10)))
    os.close(writer)
    stream = asyncio.StreamReader()
    stream.feed_data(os.read(reader, 1000))
    stream.feed_eof()
    os.close(reader)
    frame = CellFrame.FromString(await receive_frame(stream))
    assert frame.interim_result.bytes_value == b"x" * 10
