import trio

from appliance.service.tasks import Tasks


async def test_a_failed_task_starts_again_and_harms_no_other(autojump_clock):
    faults: list[str] = []
    runs = {"bad": 0, "good": 0}

    async def bad():
        runs["bad"] += 1
        if runs["bad"] < 4:
            raise ValueError("broken")
        await trio.sleep_forever()

    async def good():
        runs["good"] += 1
        await trio.sleep_forever()

    tasks = Tasks(lambda where, error: faults.append(where))
    tasks.add("bad", bad)
    tasks.add("good", good)
    with trio.move_on_after(60):
        await tasks.run()
    assert runs == {"bad": 4, "good": 1}
    assert faults == ["task bad"] * 3
    assert (tasks.tasks[0].restarts, tasks.tasks[0].fault) == (3, "ValueError")
    assert tasks.tasks[1].restarts == 0


async def test_a_task_that_ends_is_not_started_again(autojump_clock):
    runs = 0

    async def once():
        nonlocal runs
        runs += 1

    tasks = Tasks(lambda where, error: None)
    tasks.add("once", once)
    await tasks.run()
    assert runs == 1
