/** A generator of numbers in [0, 1) that gives the same ones in every run; generators of near seeds are unrelated. */
export function seededRandom(seed: number): () => number {
  let low = Math.imul(seed + 1, 0x9e3779b1);
  let high = Math.imul(seed ^ 0x5bf03635, 0x85ebca6b) | 1;
  const step = (): number => {
    // Two xorshift words, each driven by the other's last state.
    low ^= low << 13;
    low ^= low >>> 17;
    low ^= low << 5;
    high = (Math.imul(high, 0x2c1b3c6d) + 0x297a2d39) | 0;
    const mixed = Math.imul(low ^ (high >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  };
  if (low === 0) low = 1;
  for (let warm = 0; warm < 8; warm++) step();
  return step;
}
