import type { Hit } from "./hit-log.ts";

/** Which hit to wait for or list; all given conditions must hold. */
export interface HitFilter {
  readonly method?: string;
  readonly path?: string;
  readonly model?: string;
  readonly status?: number;
  readonly aborted?: boolean;
  readonly ended?: boolean;
  /** Body bytes have been sent. */
  readonly answering?: boolean;
  /** Text that must occur in the body as JSON. */
  readonly contains?: string;
  /** Only hits with a higher index. */
  readonly after?: number;
}

/** Reads a filter from a query string. */
export function filterFromQuery(query: URLSearchParams): HitFilter {
  const filter: Record<string, string | number | boolean> = {};
  for (const name of ["method", "path", "model", "contains"]) {
    const value = query.get(name);
    if (value !== null) filter[name] = value;
  }
  for (const name of ["status", "after"]) {
    const value = query.get(name);
    if (value !== null) filter[name] = Number(value);
  }
  for (const name of ["aborted", "ended", "answering"]) {
    const value = query.get(name);
    if (value !== null) filter[name] = value === "true" || value === "1";
  }
  return filter;
}

/** Makes the test of a filter. */
export function accepts(filter: HitFilter): (hit: Hit) => boolean {
  return (hit) =>
    (filter.method === undefined || hit.method === filter.method) &&
    (filter.path === undefined || hit.path === filter.path) &&
    (filter.model === undefined || hit.model === filter.model) &&
    (filter.status === undefined || hit.status === filter.status) &&
    (filter.aborted === undefined || hit.aborted === filter.aborted) &&
    (filter.ended === undefined || (hit.endedAt !== null) === filter.ended) &&
    (filter.answering === undefined || (hit.firstByteAt !== null) === filter.answering) &&
    (filter.after === undefined || hit.index > filter.after) &&
    (filter.contains === undefined || JSON.stringify(hit.body).includes(filter.contains));
}
