# Makes files, deep folders and bad names until refused. Expected: true, there is a bound.
import os


def main(backend, user_messenger, **kwargs):
    os.makedirs("/tmp/" + "d/" * 200)
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"\x1b[2J"):
        os.close(os.open(b"/tmp/" + name, os.O_CREAT | os.O_WRONLY))
    for number in range(200_000):
        try:
            os.close(os.open(f"/tmp/file{number}", os.O_CREAT | os.O_WRONLY))
        except OSError:
            return True
    return False
