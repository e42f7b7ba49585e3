"""The limits of a table: how large a file, and what is made from it, may be."""

MOST_BYTES = 5 * 10**9  # of a file, once it is unpacked
MOST_COLUMNS = 4096
MOST_ROWS = 10**7
MOST_NUMBERS = 250 * 10**6  # of the features: a gigabyte in float32
MOST_CLASSES = 100
MOST_VALUES = 50  # of a category, that have a feature each
LONGEST_VALUE = 250  # letters of a text that may have a feature
FEW = 20  # different whole numbers that are taken for classes


def check_numbers(name: str, rows: int, columns: int) -> None:
    """Raise ValueError if a table of so many rows and columns would fill the memory."""
    if rows > MOST_ROWS:
        raise ValueError(f"{name} has {rows:,} rows; at most {MOST_ROWS:,} are allowed")
    if rows * columns > MOST_NUMBERS:
        raise ValueError(
            f"{name} has {rows:,} rows, for {columns:,} features: {rows * columns:,} numbers; "
            f"at most {MOST_NUMBERS:,} are allowed: choose columns with --features"
        )
