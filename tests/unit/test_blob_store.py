"""The executor's blobs on a real disk: what is pinned stays, what is old goes, what is broken is dropped."""

import hashlib
import os
import time

import pytest

from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor import blobs
from aerlock_executor.blobs import KEPT_SECONDS, BlobStore
from aerlock_executor.errors import MissingBlobError, NoRoomError, UnknownBlobError

OLD = KEPT_SECONDS + 60
# What counts as the size of a small one.
COST = 64 << 10


@pytest.fixture
def make_store(tmp_path):
    (tmp_path / "spool").mkdir()

    def make(cache_bytes=0):
        store = BlobStore(tmp_path / "blobs", tmp_path / "spool", cache_bytes)
        store.recover({"task"})
        return store

    return make


@pytest.fixture
def store(make_store):
    return make_store()


def file_of(tmp_path, blob):
    return tmp_path / "blobs" / blob.sha256[:2] / blob.sha256


@pytest.fixture
def add(tmp_path):
    """Writes a blob that was touched some seconds ago."""

    def add(store, content, age=0.0, task_id=None):
        with store.begin() as draft:
            draft.write(content)
            blob = store.adopt(draft, task_id)
        then = time.time() - age
        os.utime(file_of(tmp_path, blob), (then, then))
        return blob

    return add


def test_draft_becomes_the_blob_of_its_content_and_is_read_back(store, tmp_path):
    with store.begin() as draft:
        for part in (b"one", b"", b"two"):
            draft.write(part)
        blob = store.adopt(draft)
    assert blob == BlobRef(sha256=hashlib.sha256(b"onetwo").hexdigest(), size_bytes=6)
    assert (store.size(blob.sha256), store.read(blob.sha256, 3)) == (6, b"two")
    assert not list((tmp_path / "blobs").glob("draft-*"))


def test_draft_that_is_left_leaves_nothing_and_takes_no_more(store, tmp_path):
    with store.begin() as draft:
        draft.write(b"x")
    assert not list((tmp_path / "blobs").glob("draft-*"))
    with pytest.raises(ValueError, match="closed"):
        draft.write(b"y")


def test_blob_that_would_fill_the_disk_is_refused(store):
    with pytest.raises(NoRoomError, match="no room for a blob of 1,152,921,504,606,846,976 bytes"):
        store.begin(1 << 60)


def test_pinned_blob_stays_however_old_and_goes_after_the_release(store, add):
    blob = add(store, b"x")
    store.pin("task", [blob])
    os.utime(store.pinned_path("task", blob), (0, 0))
    store.evict()
    assert store.read(blob.sha256, 0) == b"x"
    assert store.pinned_path("task", blob).read_bytes() == b"x"
    store.release("task")
    store.evict()
    with pytest.raises(UnknownBlobError):
        store.size(blob.sha256)


def test_blob_of_a_task_may_go_once_released_and_one_for_a_task_to_come_stays(store):
    written = []
    for content, task_id in ((b"result", "task"), (b"input", None), (b"coming", None)):
        with store.begin() as draft:
            draft.write(content)
            written.append(store.adopt(draft, task_id))
    store.pin("task", [written[1]])
    store.evict()
    store.release("task")
    store.evict()
    assert store.find_missing(written) == written[:2]


def test_full_disk_takes_no_more_of_a_blob(store, monkeypatch):
    monkeypatch.setattr(blobs, "RESERVED_BYTES", 1 << 60)
    with store.begin() as draft, pytest.raises(OSError, match="No space left"):
        draft.write(b"x")


def test_blob_written_again_while_pinned_stays_pinned(store, add):
    blob = add(store, b"x", task_id="task")
    assert add(store, b"x", age=OLD) == blob
    store.evict()
    assert store.read(blob.sha256, 0) == b"x"


def test_pinning_a_blob_that_is_missing_pins_none(store, add):
    blob = add(store, b"x")
    other_size = BlobRef(sha256=blob.sha256, size_bytes=2)
    for missing in (BlobRef(sha256="a" * 64, size_bytes=1), other_size):
        with pytest.raises(MissingBlobError, match=missing.sha256):
            store.pin("task", [blob, missing])
        assert not store.has_pins("task")


def test_eviction_takes_the_longest_untouched_down_to_the_size_of_the_cache(make_store, add):
    store = make_store(cache_bytes=2 * COST)
    blobs = [add(store, bytes([age]), age=OLD + age) for age in range(4)]
    store.evict()
    assert store.find_missing(blobs) == blobs[2:]


def test_eviction_counts_bytes_and_spares_what_was_touched_lately(make_store, add):
    store = make_store(cache_bytes=COST)
    old, large, asked_for = (add(store, content, age=OLD) for content in (b"o", bytes(10 * COST), b"a"))
    young = add(store, bytes(20 * COST))
    assert store.find_missing([asked_for]) == []
    store.evict()
    assert store.find_missing([old, large, asked_for, young]) == [old, large]


def test_recovery_keeps_pins_of_known_tasks_alone_and_removes_drafts(make_store, add, tmp_path):
    store = make_store()
    kept, left = add(store, b"k", task_id="task"), add(store, b"l", task_id="gone")
    store.begin().close()
    store = make_store()
    assert store.pinned_path("task", kept).read_bytes() == b"k"
    assert not store.has_pins("gone")
    assert not list((tmp_path / "blobs").glob("draft-*"))
    assert store.read(left.sha256, 0) == b"l"


def test_after_another_boot_only_pinned_blobs_with_their_digest_stay(make_store, add, tmp_path):
    store = make_store()
    pinned, broken = (add(store, content, task_id="task") for content in (b"p", b"b"))
    unpinned = add(store, b"u")
    file_of(tmp_path, broken).write_bytes(b"\0")
    assert make_store().find_missing([pinned, broken, unpinned]) == []
    (tmp_path / "blobs" / "boot").write_text("another")
    assert make_store().find_missing([pinned, broken, unpinned]) == [broken, unpinned]


def test_eviction_takes_what_is_from_before_the_clock_was_set_back(make_store, add):
    store = make_store(cache_bytes=0)
    blob = add(store, b"x", age=-OLD)
    store.evict()
    assert store.find_missing([blob]) == [blob]
