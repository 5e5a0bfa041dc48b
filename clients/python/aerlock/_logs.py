"""Log output of a job as text."""

import codecs
from collections.abc import Iterable

from aerlock.v1.jobs_pb2 import JobEvent, LogOutput


def log_text(events: Iterable[JobEvent]) -> str:
    """Joins the log output of events; what is cut between two of one stream is one character all the same."""
    decoders: dict[int, codecs.IncrementalDecoder] = {}
    parts = []
    for event in events:
        if event.HasField("log_output"):
            parts.append(_text(event.log_output, decoders))
    parts += [decoder.decode(b"", final=True) for decoder in decoders.values()]
    return "".join(parts)


def _text(output: LogOutput, decoders: dict[int, codecs.IncrementalDecoder]) -> str:
    if output.source not in decoders:
        decoders[output.source] = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoders[output.source].decode(output.data)
    if output.dropped_bytes:
        text += f"\n[from here on output was dropped: {output.dropped_bytes:,} bytes and more]\n"
    return text
