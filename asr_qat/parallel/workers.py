"""Where jobs run: a number of processes of this machine, or a Ray cluster."""

import concurrent.futures
import dataclasses

from asr_qat.cores import usable_cores
from asr_qat.errors import UserError, require
from asr_qat.parallel.fresh_processes import FreshProcesses
from asr_qat.parallel.process import SPAWN, begin_worker

EXECUTORS = ("processes", "ray")

AHEAD = 2  # jobs that wait for each worker: their arguments are in memory twice


@dataclasses.dataclass(frozen=True)
class Workers:
    """Which executor to open, see `EXECUTORS`.

    Attributes:
        executor: `processes` of this machine, or `ray` for the nodes of a cluster.
        number: of jobs at once; None for as many as there are cores, here or in the cluster.
        ray_address: of the cluster, such as `auto` or `host:6379`; None for what `RAY_ADDRESS`
            says, else a new one on this machine.
        fresh: each job has a process of its own, see `FreshProcesses`.
    """

    executor: str = "processes"
    number: int | None = 1
    ray_address: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        """Raise `UserError` for values that do not fit together."""
        known = self.executor in EXECUTORS
        require(known, f"--executor {self.executor}: choose one of {', '.join(EXECUTORS)}")
        number = self.number
        require(number is None or number >= 1, f"--workers {number}: expected 1 or more")
        if self.ray_address is not None and self.executor != "ray":
            raise UserError("--ray-address: is for --executor ray: add that")

    @property
    def in_this_process(self) -> bool:
        """Whether jobs need no other process: one after the other, of this machine."""
        return self.executor == "processes" and self.number == 1 and not self.fresh

    def open(self) -> "OpenWorkers":
        """Start the workers, or connect to the cluster."""
        if self.executor == "ray":
            from asr_qat.parallel.ray_executor import RayExecutor  # late: an extra

            on_ray = RayExecutor(self.ray_address, self.fresh)
            number = self.number or on_ray.cores
            return OpenWorkers(on_ray, number, given=number)
        number = self.number or usable_cores()
        if self.fresh:
            return OpenWorkers(FreshProcesses(number), number, given=number)
        pool = concurrent.futures.ProcessPoolExecutor(number, SPAWN, initializer=begin_worker)
        return OpenWorkers(pool, number, given=(1 + AHEAD) * number)


@dataclasses.dataclass(frozen=True)
class OpenWorkers:
    """An executor, and how many jobs it runs at once.

    Attributes:
        executor: of Python, or of Ray, which runs all it is given as far as the cluster has cores.
        number: of jobs at once.
        given: jobs that it has at a time: some wait, where the executor lets them.
    """

    executor: concurrent.futures.Executor
    number: int
    given: int
