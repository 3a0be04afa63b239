import asyncio

from infra.ending import ended


async def test_a_cancellation_that_comes_with_an_answer_is_given_again() -> None:
    answers = asyncio.Queue[asyncio.Future[None]]()
    rounds = 0

    async def asks_for_ever() -> None:
        nonlocal rounds
        while True:
            answer = asyncio.get_running_loop().create_future()
            answers.put_nowait(answer)
            await asyncio.wait_for(answer, 60)
            rounds += 1

    task = asyncio.create_task(asks_for_ever())
    (await answers.get()).set_result(None)
    await ended([task])
    assert task.cancelled()
    assert rounds <= 1


async def test_all_have_ended_whatever_with() -> None:
    async def fails() -> None:
        raise ValueError

    async def tidies_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(fails()), asyncio.create_task(tidies_up())]
    await asyncio.sleep(0)
    await ended(tasks)
    assert isinstance(tasks[0].exception(), ValueError)
    assert tasks[1].cancelled()
    await ended([])
