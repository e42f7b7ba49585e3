"""The memory: how many numbers are held at once, and what it looks like when it runs out."""

# In one array: 34 MB in float32, of which a training holds four. A processor is no faster with
# more; all but the largest experiments are computed as a whole.
MOST_NUMBERS = 2**23

# In one array of a stack: 2 MB in float32. Half of it wastes time on calls, on two threads a
# quarter more; twice as much leaves the cache of many processors.
STACKED_NUMBERS = 2**19


def rows_at_once(width: int) -> int:
    """Say how many rows of ``width`` numbers are computed at once: one at least."""
    return max(1, MOST_NUMBERS // width)


def is_shortage(error: BaseException) -> bool:
    """Tell whether memory ran out; torch says so in a RuntimeError, of any device."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("tried to allocate" in text or "out of memory" in text)
    )
