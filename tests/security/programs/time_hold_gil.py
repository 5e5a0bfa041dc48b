# Stays in one call of C that holds the interpreter. Expected: the time limit.
import re


def main(backend, user_messenger, **kwargs):
    re.match(r"(a+)+$", "a" * 64 + "b")
