"""Who runs when? Two tasks on one thread, in four seconds."""

import asyncio
async def model_gen(task, seconds):
    print("enter " + task);    await asyncio.sleep(seconds)
    print("continue " + task); await asyncio.sleep(seconds)
    print("finish " + task);   return task + " done"
async def main(name):
    print(name)
    task1 = asyncio.create_task(model_gen("task1", 1)); print("create task1")
    task2 = asyncio.create_task(model_gen("task2", .5)); print("create task2")
    result2 = await task2; print("hello")
    result1 = await task1; print("all done", result1, result2)
asyncio.run(main("main1"))
asyncio.run(main("main2"))
