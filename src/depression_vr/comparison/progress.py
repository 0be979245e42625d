"""Jobs of a comparison, one after another, with a progress bar."""

from collections.abc import Callable, Sequence

from depression_vr.parallel import Bar, Job, Result, Tick, do_all


def all_done(work: Callable[[Job], Result], jobs: Sequence[Job], description: str, unit: str) -> list[Result]:
    """The results in the order of the jobs; the first error ends them."""

    def ticked(job: Job, tick: Tick) -> Result:
        result = work(job)
        tick()
        return result

    return do_all(ticked, jobs, workers=1, ticks=Bar(description, unit, len(jobs)))
