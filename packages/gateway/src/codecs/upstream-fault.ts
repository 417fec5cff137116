import { isObject, type JsonObject } from "../lib/json.ts";

/** What an upstream said about a failure, whatever the shape of its error body. Absent words are "". */
export interface UpstreamFault {
  readonly message: string;
  /** Its word for the kind of error: OpenAI's and Anthropic's `type`, Bedrock's `__type`, TGI's `error_type`. */
  readonly type: string;
  /** Its code as text, also where the wire has a number. */
  readonly code: string;
  /** Google's status word, for example `RESOURCE_EXHAUSTED`. */
  readonly status: string;
  readonly param: string;
  /** The object that held the message: some servers put numbers beside it. */
  readonly raw: JsonObject;
}

const noFault: UpstreamFault = { message: "", type: "", code: "", status: "", param: "", raw: {} };

/**
 * Reads an error body: JSON of any known shape, a bare text, HTML or nothing.
 * @see docs/spec/wire-formats.md 7.1
 */
export function readFaultBody(body: string): UpstreamFault {
  const text = body.trim();
  if (text === "") return noFault;
  if (text.startsWith("{") || text.startsWith("[") || text.startsWith('"')) {
    try {
      return readFault(JSON.parse(text));
    } catch {
      // Not JSON after all: taken as text below.
    }
  }
  return { ...noFault, message: looksLikeHtml(text) ? htmlTitle(text) : text };
}

/** Reads an error value that is parsed already, as it stands in a body or in a stream. */
export function readFault(value: unknown): UpstreamFault {
  if (Array.isArray(value)) return value.length === 0 ? noFault : readFault(value[0]);
  if (typeof value === "string") return { ...noFault, message: value };
  if (!isObject(value)) return noFault;
  const error = value["error"];
  const inner = isObject(error) ? error : value;
  return {
    message: word(inner["message"]) || word(error) || detailText(value["detail"]) || word(value["message"]),
    type: word(inner["type"]) || word(value["__type"]) || word(value["error_type"]),
    code: word(inner["code"]),
    status: word(inner["status"]),
    param: word(inner["param"]),
    raw: inner,
  };
}

function word(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : "";
}

/** FastAPI: a text, or a list of `{loc, msg}`. */
function detailText(detail: unknown): string {
  if (!Array.isArray(detail)) return isObject(detail) ? word(detail["message"]) : word(detail);
  const lines = detail.filter(isObject).map((item) => {
    const place = Array.isArray(item["loc"]) ? item["loc"].map(word).join(".") : "";
    return place === "" ? word(item["msg"]) : `${place}: ${word(item["msg"])}`;
  });
  return lines.join("; ");
}

function looksLikeHtml(text: string): boolean {
  return /^<(?:!doctype|html|head|\?xml)/i.test(text);
}

function htmlTitle(text: string): string {
  return /<title>([^<]{1,200})<\/title>/i.exec(text.slice(0, 10_000))?.[1]?.trim() ?? "";
}
