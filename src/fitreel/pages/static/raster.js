// The raster: a grid of numbers as pixels, between its places in straight lines.

const CLASS_SHADES = 4; // of a class, from undecided to certain
const rasterCanvas = document.createElement("canvas");

const channelsOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// An opaque pixel: a colour with a share of another one.
function pixelOf(hex, other = hex, share = 0) {
  const second = channelsOf(other);
  const [red, green, blue] = channelsOf(hex).map((value, at) => Math.round(value * (1 - share) + second[at] * share));
  return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
}

// Numbers at even places, for places from 0 to 1: the first of two neighbours, and the share of the other.
function between(count, size, at) {
  const where = Math.min(Math.max((at + 0.5) / size, 0), 1) * (count - 1);
  const first = Math.min(Math.floor(where), count - 2);
  return [first, where - first];
}

// The channels of a frame: of two classes the first is what the second leaves.
function channelCount(reel) {
  return reel.size / (reel.grid[0] * reel.grid[1]);
}

// Call back with each pixel, from the upper left, and its numbers, one a channel.
function eachPixel(reel, place, width, height, report) {
  const [across, up] = reel.grid, channels = channelCount(reel), numbers = reel.at(place);
  const columns = Array.from({ length: width }, (_, at) => between(across, width, at));
  const rows = Array.from({ length: channels }, () => new Float32Array(across));
  const found = new Float32Array(channels);
  for (let row = 0; row < height; row++) {
    const [first, share] = between(up, height, height - 1 - row);
    for (let channel = 0; channel < channels; channel++) {
      const start = channel * across * up + first * across;
      for (let at = 0; at < across; at++) rows[channel][at] = numbers[start + at] * (1 - share) + numbers[start + across + at] * share;
    }
    for (let column = 0; column < width; column++) {
      const [left, part] = columns[column];
      for (let channel = 0; channel < channels; channel++) {
        const line = rows[channel];
        found[channel] = line[left] + (line[left + 1] - line[left]) * part;
      }
      report(row * width + column, found);
    }
  }
}

// The place of a pixel's colour, and the area whose edge is drawn.
function fieldColours(reel) {
  const bands = reel.levels.length - 1;
  return {
    colours: Uint32Array.from(reel.hues, (hue) => pixelOf(hue)),
    edges: Uint32Array.from(reel.hues, (hue) => pixelOf(hue, "#000000", 0.38)),
    level: ([value]) => Math.min(Math.floor((value / STEPS) * bands), bands - 1),
    area: (level) => level,
  };
}

function regionColours(reel) {
  const classes = reel.classes.map((_, place) => reel.hue(place));
  const isTwo = classes.length === 2;
  return {
    colours: Uint32Array.from(classes.flatMap((hue) => [0.9, 0.77, 0.63, 0.5].map((share) => pixelOf(hue, colours.panel, share)))),
    edges: Uint32Array.from(classes, (hue) => pixelOf(hue, "#000000", 0.35)),
    level(values) {
      let winner = 0, first = isTwo ? STEPS - values[0] : values[0], second = 0;
      for (let at = 1; at < classes.length; at++) {
        const other = values[isTwo ? 0 : at];
        if (other > first) [winner, second, first] = [at, first, other];
        else second = Math.max(second, other);
      }
      return winner * CLASS_SHADES + Math.min(Math.floor(((first - second) / STEPS) * CLASS_SHADES), CLASS_SHADES - 1);
    },
    area: (level) => Math.floor(level / CLASS_SHADES),
  };
}

// Paint a frame on the area of a chart whose limits are the ends of the grid.
function paintRaster(chart, reel, place) {
  const { ctx, bbox } = chart, ratio = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(bbox.width / ratio)), height = Math.max(1, Math.round(bbox.height / ratio));
  Object.assign(rasterCanvas, { width, height });
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const { colours: paints, edges, level, area } = reel.kind === "field" ? fieldColours(reel) : regionColours(reel);
  const areas = new Uint16Array(width * height);
  eachPixel(reel, place, width, height, (at, values) => {
    const found = level(values), mine = (areas[at] = area(found));
    const isEdge = (at % width && areas[at - 1] !== mine) || (at >= width && areas[at - width] !== mine);
    pixels[at] = isEdge ? edges[mine] : paints[found];
  });
  const context = rasterCanvas.getContext("2d");
  context.putImageData(image, 0, 0);
  ctx.drawImage(rasterCanvas, bbox.left, bbox.top, bbox.width, bbox.height);
}

// The numbers of a frame at a point of the features, one a channel.
function valuesAt(reel, place, x, y) {
  const [across, up] = reel.grid, numbers = reel.at(place);
  const share = (value, [from, to]) => (value - from) / (to - from);
  const [left, part] = between(across, 1, share(x, reel.xRange) - 0.5);
  const [below, rise] = between(up, 1, share(y, reel.yRange) - 0.5);
  return Array.from({ length: channelCount(reel) }, (_, channel) => {
    const at = (row, column) => numbers[channel * across * up + row * across + column];
    const line = (row) => at(row, left) * (1 - part) + at(row, left + 1) * part;
    return reel.number(line(below) * (1 - rise) + line(below + 1) * rise);
  });
}
