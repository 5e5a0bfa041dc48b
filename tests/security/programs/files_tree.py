# Walks everything there is: devices, sockets, setuid files, writable places. Expected: an empty list.
import os
import stat

DEVICES = {"/dev/null", "/dev/full", "/dev/random", "/dev/urandom", "/dev/zero"}


def main(backend, user_messenger, **kwargs):
    found = []
    for folder, folders, files in os.walk("/"):
        if folder.startswith("/proc"):
            folders.clear()
            continue
        if not folder.startswith(("/tmp", "/dev/shm")) and os.access(folder, os.W_OK):
            found.append(f"writable {folder}")
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or path in DEVICES):
                found.append(f"special {path}")
            if mode & (stat.S_ISUID | stat.S_ISGID) and os.access(path, os.X_OK) and not nosuid(path):
                found.append(f"setuid {path}")
    return found


def nosuid(path):
    return os.statvfs(path).f_flag & os.ST_NOSUID
