"""A picture: a figure that a notebook shows, whether pyplot is loaded or not."""

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of matplotlib, shown by a notebook as the last value of a cell."""

    def _repr_png_(self) -> bytes:
        # Notebooks show figures of their own accord only after pyplot was imported.
        content = BytesIO()
        self.savefig(content, format="png")
        return content.getvalue()
