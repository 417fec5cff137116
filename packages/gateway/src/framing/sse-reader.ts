/** One server-sent event. `event` is undefined when the frame had no `event:` line. */
export interface SseEvent {
  readonly event: string | undefined;
  readonly data: string;
}
