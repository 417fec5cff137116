/** Shorter texts are words (`EMPTY`, `ollama`): hiding them would hide half of every message. */
const minChars = 8;

/**
 * Replaces every occurrence of the given texts, in whatever case, also where they are written URL-encoded or escaped as in
 * JSON. Texts of fewer than eight characters are ignored.
 */
export function hideLiterals(text: string, hide: readonly string[]): string {
  const forms = writtenForms(hide);
  if (forms.length === 0 || text === "") return text;
  return text.replace(new RegExp(forms.map((form) => RegExp.escape(form)).join("|"), "gi"), "[redacted]");
}

/** Returns every way a hidden text may be written, the longest first: a host with its port goes before the bare host. */
export function writtenForms(hide: readonly string[]): readonly string[] {
  const forms = new Set<string>();
  for (const literal of hide) {
    if (literal.length < minChars) continue;
    const escaped = JSON.stringify(literal).slice(1, -1);
    for (const form of [literal, escaped, literal.replaceAll("/", "\\/"), urlEncoded(literal)]) forms.add(form);
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

function urlEncoded(literal: string): string {
  return encodeURIComponent(literal.toWellFormed());
}
