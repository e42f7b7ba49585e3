"""The limits of a table: how large a file, and what is made from it, may be."""

MOST_BYTES = 5 * 10**9  # of a file, once it is unpacked
BLOCK = 2**20  # bytes of text that are read at once; a longer line is refused
MOST_COLUMNS = 4096
MOST_ROWS = 10**7
MOST_NUMBERS = 250 * 10**6  # of all features: a gigabyte in float32
MOST_VALUES = 50  # of a category, that have a feature each
MOST_TEXTS = 100_000  # different ones of a column
LONGEST_VALUE = 250  # letters of a text that has a feature
FEW = 20  # different whole numbers that are taken for classes


def check_bytes(name: str, size: int) -> None:
    """Raise ValueError if a file of so many bytes would take too long, or fill the memory."""
    if size > MOST_BYTES:
        raise ValueError(f"{name} has {size:,} bytes; at most {MOST_BYTES:,} are allowed")


def check_columns(name: str, count: int) -> None:
    """Raise ValueError if a table has too many columns."""
    if count > MOST_COLUMNS:
        raise ValueError(f"{name} has {count:,} columns; at most {MOST_COLUMNS:,} are allowed")


def check_numbers(name: str, rows: int, columns: int) -> None:
    """Raise ValueError if a table of so many rows and columns would fill the memory."""
    if rows > MOST_ROWS:
        raise ValueError(f"{name} has {rows:,} rows or more; at most {MOST_ROWS:,} are allowed")
    if rows * columns > MOST_NUMBERS:
        raise ValueError(
            f"{name} has {rows:,} rows or more and {columns:,} columns; at most {MOST_NUMBERS:,} "
            "numbers are allowed: choose columns with --features"
        )
