"""An admin's Python client follows the jobs of others as well as its own."""

from aerlock import RuntimeService

LONG = """
import time

def main(backend, user_messenger, rounds):
    for number in range(rounds):
        user_messenger.publish(number)
        time.sleep(0.02)
    return "done"
"""


def test_admin_follows_a_running_job_of_another_account_beside_its_own(pair, make_account):
    pair.executor.start("--slots", "2", "--warm-cells", "0")
    pair.gateway.start()
    with pair.gateway.client(pair.token) as admin:
        ((_, bearer),) = make_account(admin, "alice")
    address = f"unix:{pair.gateway.layout.gateway_socket}"
    options = {"backend_name": "aer_simulator"}
    with (
        RuntimeService(address, pair.token) as admin,
        RuntimeService(address, bearer.removeprefix("Bearer ")) as alice,
    ):
        program_id = alice.upload_program(
            LONG, {"name": "long", "description": "Long.", "max_execution_time": 60}
        )
        seen = []
        mine = admin.run("hello-world", options, {"iterations": 1})
        mine.stream_results(lambda job_id, value: None)
        job = alice.run(program_id, options, {"rounds": 50})
        theirs = admin.job(job.job_id())
        theirs.stream_results(lambda job_id, value: seen.append(value))
        assert theirs.result(timeout=60) == "done"
        assert mine.result(timeout=60)
        theirs.wait_for_final_state(timeout=60)
    assert seen == list(range(50))
