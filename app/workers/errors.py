"""What goes wrong with workers themselves; read also where no worker is."""


class WorkerLost(Exception):
    """A worker ended in the middle of its work; its message says how."""
