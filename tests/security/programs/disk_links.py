# Makes links, deep folders, long names and loops until refused. Expected: true, there is a bound.
import os


def main(backend, user_messenger, **kwargs):
    os.symlink("/tmp/loop", "/tmp/loop")
    try:
        open("/tmp/loop")
        return False
    except OSError:
        pass
    depth = 0
    try:
        while depth < 100_000:
            os.mkdir("d" * 255)
            os.chdir("d" * 255)
            depth += 1
    except OSError:
        pass
    os.chdir("/tmp")
    links = 0
    try:
        open("/tmp/one", "w").close()
        while links < 100_000:
            os.link("/tmp/one", f"/tmp/{links:0>255}")
            links += 1
    except OSError:
        pass
    return depth + links < 40_000
