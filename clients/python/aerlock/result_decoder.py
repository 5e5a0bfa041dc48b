"""Decoders of results: how a client makes objects of its own of what a program sent."""

# ruff: noqa: ANN401  (an object of any type may come)

import json
from typing import Any

from aerlock.codec.runtime_json import RuntimeDecoder, RuntimeEncoder
from aerlock.exceptions import InputValueError


class ResultDecoder:
    """Decodes a result; subclass it and pass the class where a result is asked for.

    `aerlock.RuntimeService.run` takes one for all results of a job;
    `aerlock.RuntimeJob.result`, ``interim_results`` and ``stream_results`` take
    one for themselves.
    """

    @classmethod
    def decode(cls, data: str) -> Any:
        """Makes objects of ``data``, a result as JSON in the form of `aerlock.RuntimeEncoder`.

        Text that is no JSON comes back as it is. Raises what
        `aerlock.RuntimeDecoder` raises for JSON that is not sound.
        """
        try:
            return json.loads(data, cls=RuntimeDecoder)
        except json.JSONDecodeError:
            return data


def check_decoder(decoder: type[ResultDecoder] | None, name: str) -> None:
    """Raises `InputValueError` that calls it ``name`` where ``decoder`` cannot decode."""
    if decoder is not None and not callable(getattr(decoder, "decode", None)):
        raise InputValueError(f"{name} must be a subclass of ResultDecoder, not {decoder!r}")


def apply_decoder(decoder: type[ResultDecoder] | None, result: Any) -> Any:
    """Gives ``result`` to ``decoder`` as JSON text; without one it stays as it is, exact in every type.

    So it does with `ResultDecoder` itself: what it would make of the text is no
    more than what is there already. Raises what the decoder raises, and
    TypeError for a result that JSON cannot carry.
    """
    if decoder is None or decoder is ResultDecoder:
        return result
    return decoder.decode(json.dumps(result, cls=RuntimeEncoder))
