// The initial weights: those of the run, bit for bit, from the same seed.

const { fround } = Math; // to float32

// numpy's generator of the initial weights: Philox 4x64 with 10 rounds.
const ROUNDS = 10, WORD = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const KEY_STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

// The four words of 64 bits at a place of a seed's stream.
function philox(seed, place) {
  let [a, b, c, d] = [place, 0n, 0n, 0n], keys = [seed, 0n];
  for (let round = 0; round < ROUNDS; round++) {
    const one = a * MULTIPLIERS[0], other = c * MULTIPLIERS[1];
    [a, b, c, d] = [(other >> 64n) ^ b ^ keys[0], other & WORD, (one >> 64n) ^ d ^ keys[1], one & WORD];
    keys = keys.map((key, at) => (key + KEY_STEPS[at]) & WORD);
  }
  return [a, b, c, d];
}

// Yield float32 numbers in [0, 1): 24 bits of each half word, the lower half first.
function* uniform(seed) {
  for (let place = 1n; ; place++) { // numpy counts before it draws
    for (const word of philox(BigInt(seed), place)) {
      yield Number((word & 0xffffffffn) >> 8n) / 2 ** 24;
      yield Number(word >> 40n) / 2 ** 24;
    }
  }
}

// A flat network, as a frame has it: each number uniform between ±1/√(inputs of its layer).
function initialWeights(hidden, seed) {
  const draws = uniform(seed), outputBound = fround(1 / Math.sqrt(hidden));
  return Float32Array.from({ length: 3 * hidden + 1 }, (_, at) =>
    fround(2 * draws.next().value - 1) * (at < 2 * hidden ? 1 : outputBound));
}
