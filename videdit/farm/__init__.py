"""Many jobs, one shot on many machines: a queue, its workers, and engines that render the segments of a plan."""
