# Searches its memory for what earlier jobs and the servers keep secret. Expected: an empty list, each time.
import os

HALVES = (b"left by the job", b" that was here before")
kept = []


def main(backend, user_messenger, **kwargs):
    found = set()
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in open("/proc/self/maps"):
            words = line.split()
            if "r" not in words[1] or (len(words) > 5 and words[5].startswith(("[v", "/usr/lib"))):
                continue
            begin, end = (int(word, 16) for word in words[0].split("-"))
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except (OSError, OverflowError, MemoryError):
                continue
            # Joined it exists only where an earlier run has left it: here it is looked for by its halves.
            position = content.find(HALVES[0])
            while position >= 0:
                if content[position + len(HALVES[0]) :].startswith(HALVES[1]):
                    found.add("mark")
                position = content.find(HALVES[0], position + 1)
            del content
    os.environ["MARK"] = "".join(half.decode() for half in HALVES)
    kept.append(HALVES[0] + HALVES[1])
    return sorted(found)
