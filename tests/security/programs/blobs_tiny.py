# Writes sound values without end, each as if it were large. Expected: the output limit; each costs a file.
import itertools

from aerlock import codec


def main(backend, user_messenger, **kwargs):
    for number in itertools.count():
        user_messenger._pipe.put([codec.to_value(number).SerializeToString()])
