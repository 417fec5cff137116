import type { ArmChoice } from "./decision.ts";

/** The tag by which reports group what an arm of an experiment served. */
export function armTag({ name, arm }: Pick<ArmChoice, "name" | "arm">): string {
  return `experiment:${name}=${arm}`;
}

/** The tag of copies that a shadow got. */
export function shadowTag(name: string): string {
  return `shadow:${name}`;
}

/** Whether only the gateway itself may give a request this tag. */
export function isRoutingTag(tag: string): boolean {
  return tag.startsWith("experiment:") || tag.startsWith("shadow:");
}
