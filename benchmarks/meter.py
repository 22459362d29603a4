"""What a process costs: its CPU seconds."""

from __future__ import annotations

import psutil


class Meter:
    """CPU seconds, user and system, of processes and of all that they started."""

    def __init__(self, *pids: int) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._begun = self._total()

    def _total(self) -> float:
        total = 0.0
        for root in self._roots:
            for process in (root, *root.children(recursive=True)):
                try:
                    times = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                total += times.user + times.system
            total += root.cpu_times().children_user + root.cpu_times().children_system
        return total

    def spent(self) -> float:
        """Return the CPU seconds since the meter was made."""
        return self._total() - self._begun
