"""The schema: how the columns of a table become the features of a dataset."""

from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Literal, Self

from fitreel.settings import MOST_FEATURES

Task = Literal["regression", "classification"]
Kind = Literal["number", "boolean", "category"]
OTHER = "other"  # the value of a category that is rare, or that no training row has


@dataclass(frozen=True)
class Column:
    """A column to predict from."""

    name: str
    kind: Kind
    # Of a category: a feature for each, 1 where the row has this value; OTHER stands last, if it
    # is among them.
    values: tuple[str, ...] = ()
    fill: float | str | None = None  # stands for missing values; None: they are refused

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features, as in sex=female."""
        return tuple(f"{self.name}={value}" for value in self.values) or (self.name,)


@dataclass(frozen=True)
class Schema:
    """The columns to predict from, and what is predicted."""

    columns: tuple[Column, ...]
    target: str
    task: Task
    classes: tuple[str, ...] = ()  # of a classification, in the order of the network's outputs

    def __post_init__(self) -> None:
        if (count := len(self.features)) > MOST_FEATURES:
            raise ValueError(
                f"the columns make {count:,} features; at most {MOST_FEATURES:,} are possible: "
                "choose some with --features"
            )

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all features, in the order of the network's inputs."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def parts(self) -> dict[str, slice]:
        """Which of all features are those of each column, by its name."""
        ends = list(accumulate(len(column.features) for column in self.columns))
        names = (column.name for column in self.columns)
        return dict(zip(names, map(slice, [0, *ends[:-1]], ends), strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read what ``to_json`` returned; ValueError if it is something else."""
        try:
            columns = tuple(
                Column(each["name"], each["kind"], tuple(each["values"]), each["fill"])
                for each in found["columns"]
            )
            return cls(columns, found["target"], found["task"], tuple(found["classes"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a schema: {error}") from None
