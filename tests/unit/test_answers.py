"""When the answers that an account leaves are too many: reads are refused late, changes early."""

import pytest

from aerlock_gateway.core.answers import Answers
from aerlock_gateway.errors import ExhaustedError

MIB = 1 << 20
# What an account may leave.
LIMIT = 64 * MIB


def full(answers: Answers) -> list:
    """Has one account leave as many answers of 1 MiB as it may."""
    left = []
    while True:
        left.append(answers.begin("mallory", "GetJob"))
        try:
            left[-1].is_made(MIB)
        except ExhaustedError:
            return left


def test_read_is_refused_when_its_answer_is_known_to_be_too_much():
    answers = Answers()
    assert len(full(answers)) == LIMIT // MIB
    answers.begin("alice", "GetJob").is_made(MIB)


def test_change_that_was_made_is_never_refused():
    answers = Answers()
    change = answers.begin("mallory", "UpdateProgram")
    full(answers)
    change.is_made(MIB)


def test_change_with_a_large_answer_is_refused_before_it_is_made():
    answers = Answers()
    full(answers)[0].release()
    with pytest.raises(ExhaustedError) as refused:
        [answers.begin("mallory", "UpdateProgram") for _ in range(LIMIT // MIB)]
    assert (refused.value.reason, refused.value.retry_seconds) == ("ANSWERS_PENDING", 1.0)


def test_answers_that_were_taken_make_room():
    answers = Answers()
    for answer in full(answers):
        answer.release()
    assert len(full(answers)) == LIMIT // MIB
