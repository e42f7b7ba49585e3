"""Draw the architecture from the code: docs/images/architecture.svg, and the list of modules.

python docs/architecture.py
"""

import ast
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE, DRAWING = ROOT / "docs/architecture.md", ROOT / "docs/images/architecture.svg"
LIBRARY, PIPELINE = ROOT / "src/fitreel", ROOT / "pipeline"
BEGIN, END = "<!-- modules: written by docs/architecture.py -->\n", "<!-- end of modules -->\n"
WIDTH, LAYER = 960, 92  # pixels: width of the drawing, and distance between layers
BOX_WIDTH, BOX_HEIGHT, LANE = 330, 56, 60  # pixels: size of a package, and gap between two
SIDES = (-LANE / 2, BOX_WIDTH + LANE / 2)  # of a box: space for an arrow that passes
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}"
  font-family="sans-serif" font-size="15" text-anchor="middle" fill="#30343b">
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
  orient="auto"><path d="M0 0 8 4 0 8z" fill="#7a808b"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>"""
Arrows = Mapping[str, frozenset[str]]


def packages() -> dict[str, Path]:
    """Return the packages and their directories, the commands first."""
    below = (path.parent for path in sorted(LIBRARY.glob("*/__init__.py")))
    commands = {"pipeline": PIPELINE, "pipeline.shared": PIPELINE / "shared"}
    return commands | {path.name: path for path in below}


def modules(package: Path) -> list[Path]:
    """Return the modules of a package, those in its folders last."""
    below = package.glob("*.py") if package == PIPELINE else package.rglob("*.py")
    found = [path for path in below if path.name != "__init__.py"]
    return sorted(found, key=lambda path: (path.parent != package, path))


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports when it runs, not those for type checking only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows() -> dict[str, frozenset[str]]:
    """Return, for each package, the packages that it imports."""
    found = {}
    for name, path in packages().items():
        names = {each for module in modules(path) for each in imports(module)}
        found[name] = frozenset(
            other
            for other in packages()
            if other != name and any(_is_below(other, each) for each in names)
        )
    return found


def _is_below(package: str, module: str) -> bool:
    where = package if package.startswith("pipeline") else f"fitreel.{package}"
    if package == "pipeline" and module.startswith("pipeline.shared"):
        return False
    return f"{module}.".startswith(f"{where}.")


def layers(below: Arrows) -> list[list[str]]:
    """Return the packages layer by layer from the top: arrows lead only to lower layers."""
    height: dict[str, int] = {}
    while len(height) < len(below):
        ready = [name for name in below if name not in height and below[name] <= height.keys()]
        if not ready:
            raise ValueError(
                f"packages import each other: {', '.join(sorted(below.keys() - height))}"
            )
        height |= {
            name: 1 + max((height[each] for each in below[name]), default=0) for name in ready
        }
    return [
        [name for name in below if height[name] == layer]
        for layer in range(max(height.values()), 0, -1)
    ]


def direct(below: Arrows) -> dict[str, frozenset[str]]:
    """Return the arrows, except those that a chain of other arrows already implies."""

    def reach(name: str) -> frozenset[str]:
        return below[name].union(*(reach(each) for each in below[name]))

    return {
        name: frozenset(found - frozenset().union(*(reach(each) for each in found)))
        for name, found in below.items()
    }


def title(path: Path) -> str:
    """Return the first line of a module's docstring, or of a script's comment."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        return text.partition("\n")[0].removeprefix("// ")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


class Box(NamedTuple):
    """The position of a package in the drawing, in pixels from the upper left."""

    left: float
    top: float
    layer: int

    @property
    def middle(self) -> float:
        """Return the x of its middle."""
        return self.left + BOX_WIDTH / 2


def boxes(rows: list[list[str]]) -> dict[str, Box]:
    """Return the box of each package; each layer is centred in the drawing."""
    found = {}
    for layer, names in enumerate(rows):
        span = len(names) * (BOX_WIDTH + LANE) - LANE
        for place, name in enumerate(names):
            left = (WIDTH - span) / 2 + place * (BOX_WIDTH + LANE)
            found[name] = Box(left, 20 + layer * LAYER, layer)
    return found


def drawing() -> str:
    """Return the drawing of the packages and their arrows as SVG."""
    below, where = arrows(), packages()
    rows = layers(below)
    placed = boxes(rows)
    lines, used = list[str](), list[float]()
    for name, found in direct(below).items():
        for each in sorted(found):
            lane = _lane(placed[name], placed[each], placed.values(), used)
            lines.append(_arrow(placed[name], placed[each], lane))
    height = 2 * 20 + (len(rows) - 1) * LAYER + BOX_HEIGHT
    head = HEAD.format(width=WIDTH, height=height)
    drawn = [_box(name, box, title(where[name] / "__init__.py")) for name, box in placed.items()]
    return "\n".join([head, *lines, *drawn, "</svg>", ""])


def _lane(start: Box, end: Box, others: Iterable[Box], used: list[float]) -> float | None:
    """Return an x at which an arrow can pass other layers without touching boxes or arrows."""
    between = [box for box in others if start.layer < box.layer < end.layer]
    if not between:
        return None
    lanes = [each.left + side for each in (start, end, *between) for side in SIDES]
    free = [x for x in lanes if all(abs(x - box.middle) > BOX_WIDTH / 2 for box in between)]
    lane = min(free, key=lambda x: abs(x - start.middle) + abs(x - end.middle))
    lane += 16 * used.count(lane) - 8
    used.append(lane + 8)
    return lane


def _arrow(start: Box, end: Box, lane: float | None) -> str:
    """Return the SVG of an arrow between boxes, in a lane if it passes other layers."""
    x, y = start.middle, start.top + BOX_HEIGHT
    to_x, to_y = end.middle, end.top - 2
    if lane is None:
        middle = (y + to_y) / 2
        return _path(f"M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f}", to_x, to_y)
    if abs(lane - x) < BOX_WIDTH / 2:
        way = f"M{lane:.0f} {y:.0f}"
    else:
        x, y = x + (BOX_WIDTH / 2 if lane > x else -BOX_WIDTH / 2), y - BOX_HEIGHT / 2
        way = f"M{x:.0f} {y:.0f}Q{lane:.0f} {y:.0f} {lane:.0f} {y + 40:.0f}"
    if abs(lane - to_x) < BOX_WIDTH / 2:
        return _path(f"{way}L", lane, to_y)
    to_x += (BOX_WIDTH / 2 + 2) * (1 if lane > to_x else -1)
    to_y += BOX_HEIGHT / 2
    return _path(f"{way}V{to_y - 40:.0f}Q{lane:.0f} {to_y:.0f}", to_x, to_y)


def _path(way: str, x: float, y: float) -> str:
    style = 'fill="none" stroke="#7a808b" stroke-width="1.4" marker-end="url(#head)"'
    return f'<path d="{way} {x:.0f} {y:.0f}" {style}/>'


def _box(name: str, box: Box, text: str) -> str:
    colour = "#dcebfa" if name.startswith("pipeline") else "#f3f5f8"
    size = f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"'
    about = html.escape((text.partition(": ")[2] or text).removesuffix("."))
    return (
        f'<rect x="{box.left:.0f}" y="{box.top:.0f}" {size} fill="{colour}" stroke="#30343b"/>'
        f'<text x="{box.middle:.0f}" y="{box.top + 24:.0f}">{name.replace(".", "/")}/</text>'
        f'<text x="{box.middle:.0f}" y="{box.top + 43:.0f}" font-size="11.5">{about}</text>'
    )


def listing() -> str:
    """Return the modules of every package, each with the first line of its docstring."""
    lines = ["```"]
    for path in packages().values():
        folder = f"{path.relative_to(ROOT).as_posix()}/"
        lines.append(f"{folder:<30}{title(path / '__init__.py')}")
        scripts = [each for each in sorted(path.rglob("*.js")) if ".min." not in each.name]
        lines += [
            f"    {each.relative_to(path).as_posix():<26}{title(each)}"
            for each in [*modules(path), *scripts]
        ]
    return "\n".join([*lines, "```", ""])


def page(text: str) -> str:
    """Return the text of the page with a new list of modules."""
    return re.sub(f"(?s)(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: listing(), text)


def main() -> None:
    """Write the drawing and the list of modules."""
    DRAWING.write_text(drawing(), encoding="utf-8", newline="\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
