import type { LogLevel } from "@fairlead/contract/names";
import pino, { type Logger } from "pino";
import { BufferedOutput } from "./buffered-output.ts";
import { textLine } from "./text-line.ts";

export interface LogOutput {
  readonly logger: Logger;
  flush(): void;
}

/**
 * Makes the process's logger: JSON lines, or text for a person. Keys travel as `Secret`, which prints as a placeholder, so
 * nothing has to be searched for on the way out.
 */
export function makeLogger(level: LogLevel, format: "json" | "text", colour: boolean): LogOutput {
  const output = new BufferedOutput(1, format === "text" ? (line) => textLine(line, colour) : undefined);
  const logger = pino({ level, base: null }, output);
  return { logger, flush: () => output.flush() };
}
