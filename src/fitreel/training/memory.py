"""The memory: how many numbers are computed at once, and how a shortage is recognised."""

# In one array: 34 MB in float32, of which a training has four. A processor is not faster with
# larger ones; all but the largest experiments are computed in one part.
MOST_NUMBERS = 2**23

# In one array of a stack: 2 MB in float32. Half of it wastes time on calls, on two threads a
# quarter more; twice as much leaves the cache of many processors.
STACKED_NUMBERS = 2**19


def rows_at_once(width: int) -> int:
    """Return how many rows of ``width`` numbers to compute at once: at least one."""
    return max(1, MOST_NUMBERS // width)


def is_shortage(error: BaseException) -> bool:
    """Return whether memory ran out, which torch reports as a RuntimeError on any device."""
    # By its text, not by torch's class: the command line imports this module, and `--help` loads no
    # torch.
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("tried to allocate" in text or "out of memory" in text)
    )
