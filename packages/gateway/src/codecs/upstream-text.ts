const maxChars = 500;
const scannedChars = 4096;

/** Shapes of credentials, and any unbroken run too long to be a word. */
const secrets =
  /\bBearer\s+\S+|\b(?:sk|pk|rk|gsk|xai|hf|fw|nvapi|r8|fl|key)[-_][\w*.-]{4,}|\bAIza[\w-]{10,}|\bAKIA[0-9A-Z]{8,}|\beyJ[\w-]{8,}(?:\.[\w-]+)*|\b[0-9a-f]{32,}\b|[A-Za-z0-9+_=-]{40,}/g;
const addresses = /\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\blocalhost:\d+\b/g;
const urls = /\bhttps?:\/\/([^\s/?#"'<>@]*@)?(\[[^\]\s]*\]|[\w-]+(?:\.[\w-]+)*)(?::\d+)?/gi;
/** Names without a scheme: some endings are words as well, and count only with a port. */
const names =
  /(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:(?:internal|corp|lan|cluster\.local)\b(?!\.?\w)(?::\d+)?|(?:local|svc):\d+)/gi;
/** An address, a name without a dot, or one that only an internal resolver knows. */
const internalHost = /^(?:\[.*|[\d.]+|[^.]+|.*\.(?:local|internal|corp|lan|svc))$/i;

/**
 * Returns text an upstream wrote in a form that may be shown to a client: short, on few lines, without anything that
 * looks like a credential or an internal address.
 */
export function safeUpstreamText(text: string): string {
  const scanned = text.length <= scannedChars ? text : wholeWords(text.slice(0, scannedChars));
  const clean = scanned
    .replace(urls, (url: string, login: string | undefined, host: string) =>
      login !== undefined || internalHost.test(host) ? "[url]" : url,
    )
    .replace(secrets, "[redacted]")
    .replace(names, "[address]")
    .replace(addresses, "[address]")
    .trim();
  return clean.length <= maxChars ? clean : `${clean.slice(0, maxChars - 1)}…`;
}

/** Leaves out a word the cut went through: half a credential no longer looks like one. */
function wholeWords(cut: string): string {
  return cut.slice(0, Math.max(0, cut.search(/\s\S*$/)));
}
