"""Blobs as files: what is there is whole, and what was interrupted goes on."""

import hashlib
import os
import random
import stat
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerlock.blob_directory import BlobBusyError, BlobContentError, BlobDirectory, BlobOffsetError
from aerlock.v1.values_pb2 import BlobRef

DATA = random.Random(1).randbytes(3_000_000)


def ref_of(data: bytes) -> BlobRef:
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


BLOB = ref_of(DATA)


@pytest.fixture(params=[True, False], ids=["durable", "not durable"])
def directory(request, tmp_path):
    return BlobDirectory(tmp_path / "blobs", durable=request.param)


def store(directory: BlobDirectory, data: bytes, owner: str = "") -> BlobRef:
    with directory.write(ref_of(data), owner=owner) as writer:
        writer.write(data)
        writer.finish()
    return ref_of(data)


def contents(directory: BlobDirectory, blob: BlobRef) -> bytes:
    return directory.read(blob.sha256, 0, blob.size_bytes + 1)


def partials(tmp_path) -> list[str]:
    return [path.name for path in (tmp_path / "blobs" / "partial").iterdir()]


def test_blob_that_was_written_is_there(directory, tmp_path):
    assert not directory.has(BLOB)
    store(directory, DATA)
    assert directory.has(BLOB)
    assert contents(directory, BLOB) == DATA
    assert directory.read(BLOB.sha256, 2_999_990) == DATA[-10:]
    assert directory.read(BLOB.sha256, 3_000_000) == b""
    assert partials(tmp_path) == []


def test_blob_is_not_there_before_it_is_finished(directory):
    with directory.write(BLOB) as writer:
        writer.write(DATA)
        assert writer.is_whole
        assert not directory.has(BLOB)
        with pytest.raises(FileNotFoundError):
            directory.read(BLOB.sha256, 0)


def test_blob_of_another_size_is_not_there(directory):
    store(directory, DATA)
    assert not directory.has(BlobRef(sha256=BLOB.sha256, size_bytes=BLOB.size_bytes - 1))


def test_interrupted_writer_leaves_what_the_next_goes_on_from(directory):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:1_500_000])
    assert directory.written_bytes(BLOB) == 1_500_000
    with directory.write(BLOB, offset=1_500_000) as writer:
        writer.write(DATA[1_500_000:])
        writer.finish()
    assert contents(directory, BLOB) == DATA
    assert directory.written_bytes(BLOB) == 0


def test_interrupted_writing_goes_on_after_a_restart(directory, tmp_path):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:100])
    restarted = BlobDirectory(tmp_path / "blobs", durable=True)
    with restarted.write(BLOB, offset=restarted.written_bytes(BLOB)) as writer:
        writer.write(DATA[100:])
        writer.finish()
    assert contents(restarted, BLOB) == DATA


def test_writing_from_the_start_forgets_what_was_left(directory):
    with directory.write(BLOB) as writer:
        writer.write(b"x" * 2_000_000)
    with directory.write(BLOB) as writer:
        writer.write(DATA[:10])
    assert directory.written_bytes(BLOB) == 10
    store(directory, DATA)
    assert contents(directory, BLOB) == DATA


@pytest.mark.parametrize("offset", [1, 99, 101, 3_000_000, 2**40])
def test_writing_from_elsewhere_than_the_end_is_refused(directory, offset):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:100])
    with pytest.raises(BlobOffsetError, match="100 bytes are kept"):
        directory.write(BLOB, offset=offset)
    # The refusal leaves it free.
    directory.write(BLOB, offset=100).close()


def test_owner_does_not_go_on_with_the_bytes_of_another(directory):
    with directory.write(BLOB, owner="alice") as writer:
        writer.write(b"x" * 100)
    assert directory.written_bytes(BLOB, owner="bob") == 0
    with pytest.raises(BlobOffsetError):
        directory.write(BLOB, offset=100, owner="bob")
    store(directory, DATA, owner="bob")
    assert contents(directory, BLOB) == DATA


@pytest.mark.parametrize("owner", ["../../evil", "a/b", "\0", "x" * 10_000, "θ"])
def test_name_of_an_owner_is_no_name_of_a_file(directory, tmp_path, owner):
    store(directory, DATA, owner)
    with directory.write(ref_of(b"other"), owner=owner) as writer:
        writer.write(b"o")
    assert {path.name for path in tmp_path.iterdir()} == {"blobs"}
    assert len(partials(tmp_path)) == 1


def test_second_writer_of_an_owner_has_to_wait(directory):
    with directory.write(BLOB, owner="alice"):
        with pytest.raises(BlobBusyError):
            directory.write(BLOB, owner="alice")
        directory.write(BLOB, owner="bob").close()
        directory.write(ref_of(b"other"), owner="alice").close()
    directory.write(BLOB, owner="alice").close()


@pytest.mark.parametrize(
    "data", [DATA[:-1] + b"x", DATA[:-1], b""], ids=["another byte", "a byte less", "nothing"]
)
def test_data_that_is_not_the_blob_is_discarded(directory, tmp_path, data):
    with directory.write(BLOB) as writer:
        writer.write(data)
        with pytest.raises(BlobContentError, match="another SHA-256"):
            writer.finish()
    assert not directory.has(BLOB)
    assert partials(tmp_path) == []
    store(directory, DATA)


def test_data_longer_than_the_blob_is_discarded_before_it_is_written(directory, tmp_path):
    with directory.write(BLOB) as writer:
        writer.write(DATA)
        with pytest.raises(BlobContentError, match="longer than the blob's 3,000,000"):
            writer.write(b"x")
    assert not directory.has(BLOB)
    assert partials(tmp_path) == []


def test_part_that_was_damaged_is_found_at_the_end(directory, tmp_path):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:1_000])
    (partial,) = (tmp_path / "blobs" / "partial").iterdir()
    partial.write_bytes(b"x" * 1_000)
    with directory.write(BLOB, offset=1_000) as writer:
        writer.write(DATA[1_000:])
        with pytest.raises(BlobContentError):
            writer.finish()
    assert not directory.has(BLOB)
    assert directory.written_bytes(BLOB) == 0


def test_part_that_was_cut_short_goes_on_from_its_end(directory, tmp_path):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:1_000])
    (partial,) = (tmp_path / "blobs" / "partial").iterdir()
    os.truncate(partial, 400)
    with pytest.raises(BlobOffsetError, match="400 bytes are kept"):
        directory.write(BLOB, offset=1_000)
    with directory.write(BLOB, offset=400) as writer:
        writer.write(DATA[400:])
        writer.finish()
    assert contents(directory, BLOB) == DATA


def test_part_that_is_longer_than_the_blob_is_no_blob(directory, tmp_path):
    with directory.write(BLOB) as writer:
        writer.write(DATA[:10])
    (partial,) = (tmp_path / "blobs" / "partial").iterdir()
    partial.write_bytes(DATA + b"more")
    assert directory.written_bytes(BLOB) == BLOB.size_bytes
    # What is beyond the blob is cut off, and the rest is it.
    with directory.write(BLOB, offset=BLOB.size_bytes) as writer:
        writer.finish()
    assert contents(directory, BLOB) == DATA


def test_writers_of_one_blob_at_once_leave_it_whole(directory, tmp_path):
    begin, failures = threading.Barrier(8), []

    def write(owner: str) -> None:
        begin.wait()
        try:
            with directory.write(BLOB, owner=owner) as writer:
                for start in range(0, len(DATA), 100_000):
                    writer.write(DATA[start : start + 100_000])
                writer.finish()
            assert contents(directory, BLOB) == DATA
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"owner {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert partials(tmp_path) == []


def test_one_of_the_same_owners_writers_at_once_writes(directory):
    begin, ended = threading.Barrier(8), []

    def write() -> None:
        begin.wait()
        try:
            with directory.write(BLOB) as writer:
                writer.write(DATA)
                time.sleep(0)
                writer.finish()
            ended.append("written")
        except BlobBusyError:
            ended.append("busy")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "written" in ended
    assert set(ended) <= {"written", "busy"}
    assert contents(directory, BLOB) == DATA


def test_blob_that_is_deleted_is_read_on_by_who_has_it_open(directory):
    store(directory, DATA)
    with directory.path(BLOB.sha256).open("rb") as file:
        directory.delete(BLOB.sha256)
        directory.delete(BLOB.sha256)
        assert not directory.has(BLOB)
        assert file.read() == DATA
    store(directory, DATA)
    assert directory.has(BLOB)


def test_old_blobs_and_old_parts_are_told_from_new_ones(directory, tmp_path):
    old, new = store(directory, b"old"), store(directory, b"new")
    long_ago = time.time() - 1_000
    os.utime(directory.path(old.sha256), (long_ago, long_ago))
    assert directory.digests(before=time.time() - 500) == [old.sha256]
    assert set(directory.digests(before=time.time() + 500)) == {old.sha256, new.sha256}
    with directory.write(BLOB, owner="busy"):
        for owner in ("busy", "gone"):
            if owner == "gone":
                directory.write(BLOB, owner=owner).close()
        for partial in (tmp_path / "blobs" / "partial").iterdir():
            os.utime(partial, (long_ago, long_ago))
        assert directory.delete_partials(before=time.time() - 500) == 1
        assert len(partials(tmp_path)) == 1


def test_nobody_else_can_look_into_the_directory(directory, tmp_path):
    store(directory, DATA)
    folder = directory.path(BLOB.sha256).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "blobs" / "partial").stat().st_mode) == 0o700


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_writing_in_any_chunks_with_any_interruptions_gives_the_blob(tmp_path_factory, data):
    content = data.draw(st.binary(min_size=1, max_size=2_000))
    directory, blob = BlobDirectory(tmp_path_factory.mktemp("blobs"), durable=False), ref_of(content)
    while not directory.has(blob):
        offset = directory.written_bytes(blob)
        with directory.write(blob, offset) as writer:
            for _ in range(data.draw(st.integers(1, 4))):
                size = data.draw(st.integers(1, 700))
                writer.write(content[writer.written : writer.written + size])
            if writer.is_whole:
                writer.finish()
    assert contents(directory, blob) == content
