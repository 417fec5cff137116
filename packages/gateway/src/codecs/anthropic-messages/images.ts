import type { JsonObject } from "../../lib/json.ts";
import { unavailable } from "./unavailable.ts";

const accepted = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

/** First characters of each format in base64. */
const magic: readonly (readonly [string, string])[] = [
  ["/9j/", "image/jpeg"],
  ["iVBOR", "image/png"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
];

/**
 * Encodes an image address as a source. The media type comes from the bytes where they tell it: a wrong declaration is
 * refused upstream.
 * @throws GatewayError `capability_unavailable` for other formats, and for `http:`, which is not fetched from here
 */
export function encodeImageSource(url: string, param: string): JsonObject {
  const header = /^data:([^;,]*)[^,]*,/i.exec(url.slice(0, 256));
  if (header === null) {
    if (!/^https:/i.test(url)) unavailable(param, "images have to be data: or https: URLs");
    return { type: "url", url };
  }
  const data = url.slice(header[0].length);
  const declared = header[1]?.toLowerCase().replace("image/jpg", "image/jpeg") ?? "";
  const mediaType = magic.find(([start]) => data.startsWith(start))?.[1] ?? declared;
  if (!accepted.has(mediaType)) unavailable(param, "images have to be JPEG, PNG, GIF or WebP");
  return { type: "base64", media_type: mediaType, data };
}
