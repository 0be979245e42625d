"""Jobs of a comparison, one after another, with a progress bar."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from depression_vr.parallel import Bar, Job, Tick, run_jobs

Result = TypeVar("Result")


def all_done(work: Callable[[Job], Result], jobs: Sequence[Job], description: str, unit: str) -> list[Result]:
    """The results in the order of the jobs; the first error ends them."""

    def ticked(job: Job, tick: Tick) -> Result:
        result = work(job)
        tick()
        return result

    results = []
    for done in run_jobs(ticked, jobs, workers=1, ticks=Bar(description, unit, len(jobs))):
        if done.error is not None:
            raise done.error
        assert done.result is not None
        results.append(done.result)
    return results
