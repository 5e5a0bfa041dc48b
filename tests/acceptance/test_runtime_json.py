"""Programs of the original: tagged JSON in, tagged JSON out, and decoders of the client's own."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from acceptance.sessions import run_session
from equality import same
from json_samples import GOLDEN, bell

from aerlock import InputValueError, ResultDecoder, RuntimeDecoder, RuntimeEncoder

METADATA = {"name": "original", "description": "As programs used to be.", "max_execution_time": 60}
OPTIONS = {"backend_name": "aer_simulator"}
PAGE = (Path(__file__).resolve().parents[2] / "docs/values.md").read_text()
SECTION = PAGE[PAGE.index("## Programs and data of the original") :]
(PAIR_EXAMPLE, PROGRAM_EXAMPLE, CLIENT_EXAMPLE) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
def run(service):
    def run(source, inputs=None, **arguments):
        program_id = service.upload_program(source, metadata=METADATA)
        return service.run(program_id, OPTIONS, inputs or {}, **arguments)

    return run


PUBLISHES = """
import json, sys
import numpy as np
from aerlock.program import RuntimeDecoder, RuntimeEncoder

class Own:
    pass

class OwnEncoder(RuntimeEncoder):
    def default(self, obj):
        return {"__type__": "own", "__value__": 1j} if isinstance(obj, Own) else super().default(obj)

class PlainEncoder(json.JSONEncoder):
    def default(self, obj):
        return {"__type__": "set", "__value__": sorted(obj)}

def main(backend, user_messenger, document):
    found = json.loads(document, cls=RuntimeDecoder)
    user_messenger.publish({"found": found, "pair": (1, {2: 3})}, encoder=RuntimeEncoder)
    user_messenger.publish([Own(), {1j}, (1, {2: 3})], encoder=OwnEncoder)
    user_messenger.publish({"a": {3, 1}}, encoder=PlainEncoder)
    assert "grpc" not in sys.modules
    return json.dumps(found, cls=RuntimeEncoder)
"""


def test_program_reads_and_writes_documents_of_the_original(run):
    document = json.dumps({name: GOLDEN[name] for name in ("QuantumCircuit", "ndarray_float", "complex")})
    job = run(PUBLISHES, {"document": document})
    found = {"QuantumCircuit": bell(), "ndarray_float": np.arange(6.0).reshape(2, 3), "complex": 1.5 - 2j}
    assert same(json.loads(job.result(timeout=60), cls=RuntimeDecoder), found)
    exact, own, plain = job.interim_results()
    assert same(exact, {"found": found, "pair": (1, {2: 3})})
    assert same(own, [{"__type__": "own", "__value__": 1j}, {1j}, [1, {"2": 3}]])
    assert same(plain, {"a": {1, 3}})


STEPS = """
def main(backend, user_messenger):
    for number in range(3):
        user_messenger.publish({"number": number, "__type__": "set", "__value__": (1j,)})
    return {"number": 9, "data": b"x"}
"""


class NumberDecoder(ResultDecoder):
    @classmethod
    def decode(cls, data):
        assert isinstance(data, str)
        return super().decode(data)["number"]


class TextDecoder(ResultDecoder):
    @classmethod
    def decode(cls, data):
        return data


class FailingDecoder(ResultDecoder):
    @classmethod
    def decode(cls, data):
        if (number := super().decode(data)["number"]) in (1, 9):
            raise ZeroDivisionError("Kaboom!")
        return number


def test_decoder_of_the_job_makes_all_results(run):
    streamed = []
    job = run(STEPS, callback=lambda job_id, number: streamed.append(number), result_decoder=NumberDecoder)
    assert job.result(timeout=60) == 9
    assert streamed == job.interim_results() == [0, 1, 2]


def test_decoder_of_a_call_goes_before_the_one_of_the_job(run, service):
    job = run(STEPS, result_decoder=FailingDecoder)
    assert job.result(60, decoder=NumberDecoder) == 9
    assert job.interim_results(decoder=NumberDecoder) == [0, 1, 2]
    native = {"number": 9, "data": b"x"}
    assert job.result(decoder=ResultDecoder) == native
    assert json.loads(job.result(decoder=TextDecoder), cls=RuntimeDecoder) == native
    streamed = []
    job.stream_results(lambda job_id, number: streamed.append(number), decoder=NumberDecoder)
    job.result(decoder=NumberDecoder)
    assert streamed == [0, 1, 2]
    # One that is got anew has no decoder of its own; and nothing is lost on the way.
    assert service.job(job.job_id()).result() == native
    assert service.job(job.job_id()).interim_results()[0] == {
        "number": 0,
        "__type__": "set",
        "__value__": (1j,),
    }


def test_decoder_that_raises_is_logged_in_a_stream_and_raised_by_a_call(run, caplog):
    streamed = []
    with caplog.at_level(logging.WARNING, "aerlock"):
        job = run(
            STEPS, callback=lambda job_id, number: streamed.append(number), result_decoder=FailingDecoder
        )
        with pytest.raises(ZeroDivisionError, match="Kaboom"):
            job.result(timeout=60)
    assert streamed == [0, 2]
    assert "Kaboom!" in caplog.text
    with pytest.raises(ZeroDivisionError, match="Kaboom"):
        job.interim_results()


def test_decoder_that_cannot_decode_is_refused_by_name(run):
    with pytest.raises(InputValueError, match="result_decoder must be a subclass of ResultDecoder"):
        run(STEPS, result_decoder=5)
    job = run(STEPS)
    with pytest.raises(InputValueError, match=r"^decoder must be"):
        job.result(decoder="json")
    with pytest.raises(InputValueError, match=r"^decoder must be"):
        job.stream_results(print, decoder=object())


def test_documented_pair_reads_what_it_wrote():
    circuit = bell()
    names = {"json": json, "numpy": np, "circuit": circuit}
    exec(PAIR_EXAMPLE, names | {"RuntimeEncoder": RuntimeEncoder, "RuntimeDecoder": RuntimeDecoder}, names)
    assert same(names["found"], {"circuit": circuit, "phases": np.arange(3), "done": {1, 2}})


def test_documented_program_and_client_work_as_they_stand(service, stack):
    program_id = service.upload_program(PROGRAM_EXAMPLE, metadata=METADATA)
    client = f"program_id = {program_id!r}\n{CLIENT_EXAMPLE}"
    assert run_session(client, stack.environment) == ["0 {0.5j}", "1 {0.5j}", "2 {0.5j}", "-1.5"]
