import { createRequire } from "node:module";

type Cel = typeof import("@marcbachmann/cel-js");

const require = createRequire(import.meta.url);
let loaded: Cel | undefined;

/** The expression language, loaded when a condition first needs it: a start without rules of its own saves 15 ms. */
export function cel(): Cel {
  loaded ??= require("@marcbachmann/cel-js") as Cel;
  return loaded;
}
