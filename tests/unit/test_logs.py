"""Log output as text, whatever the program wrote and wherever the events cut it."""

import random

from aerlock._logs import log_text
from aerlock.v1.jobs_pb2 import LOG_SOURCE_STDERR, LOG_SOURCE_STDOUT, JobEvent, LogOutput, StateChange


def output(data, source=LOG_SOURCE_STDOUT, dropped=0):
    return JobEvent(log_output=LogOutput(source=source, data=data, dropped_bytes=dropped))


def test_text_is_the_same_wherever_it_is_cut():
    text = "Grüße, 量子 🧊\n" * 20
    data = text.encode()
    for seed in range(20):
        cuts = sorted(random.Random(seed).sample(range(len(data)), 5))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert log_text(map(output, pieces)) == text


def test_streams_do_not_break_each_others_characters():
    first, second = "ü".encode()[:1], "ü".encode()[1:]
    events = [output(first), output("é".encode(), LOG_SOURCE_STDERR), output(second)]
    assert log_text(events) == "éü"


def test_what_is_no_text_is_replaced_and_what_was_dropped_is_said():
    events = [output(b"a\xff"), JobEvent(state_change=StateChange()), output(b"b\xc3", dropped=12_345)]
    text = log_text(events)
    assert text.startswith("a\ufffdb\n[from here on output was dropped: 12,345 bytes and more]\n")
    assert text.endswith("\ufffd")
