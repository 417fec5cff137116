/** Edit distance between two short names; insertions, deletions and substitutions cost 1. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}

/** Returns up to three known names that look like `name`, the nearest first. Bounded: long input is cut. */
export function nearNames(name: string, known: Iterable<string>): string[] {
  const wanted = name.slice(0, 64).toLowerCase();
  const scored: { name: string; score: number }[] = [];
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const contained = wanted.length >= 4 && (lower.includes(wanted) || wanted.includes(lower));
    const score = contained ? 1 : distance(wanted, lower.slice(0, 64));
    if (score <= Math.max(2, Math.floor(wanted.length / 3))) scored.push({ name: candidate, score });
  }
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, 3)
    .map((entry) => entry.name);
}
