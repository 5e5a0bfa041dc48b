# Has the host's disk flushed, and its cache dropped, over files that all jobs read. Expected: an empty list.
import os

from attack import syscall

NO_DESCRIPTOR = -1  # What reaches the kernel says that there is none; what ends at the filter is done.


def main(backend, user_messenger, **kwargs):
    found = []
    for call in ("fsync", "fdatasync"):
        if syscall(call, NO_DESCRIPTOR):
            found.append(call)
    if syscall("msync", 1, 1, 0xFF):
        found.append("msync")
    if syscall("fadvise64", NO_DESCRIPTOR, 0, 0, 4):
        found.append("fadvise64")
    for call in ("sync", "syncfs", "sync_file_range", "readahead"):
        if syscall(call, NO_DESCRIPTOR, 0, 0, 0) >= 0:
            found.append(call)
    with open("/tmp/file", "w") as file:
        file.write("programs may still ask for it")
        file.flush()
        os.fsync(file.fileno())
    return found
