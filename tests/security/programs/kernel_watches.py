# Takes watches of epoll, which the kernel counts by uid; asyncio needs none. Expected: without epoll.
import asyncio
import select


async def wait_a_little():
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, lambda: "without epoll")


def main(backend, user_messenger, **kwargs):
    try:
        select.epoll().close()
    except OSError:
        return asyncio.run(wait_a_little())
    return "with epoll"
