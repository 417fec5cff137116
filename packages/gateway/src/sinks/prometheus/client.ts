import { createRequire } from "node:module";
import type * as Client from "@prometheus-io/client";

// The package's index also loads default metrics, cluster support and a push client: 60 ms of start-up that nobody here
// uses. Its parts are loaded one by one instead.
const load = createRequire(import.meta.url);

export const Counter = load("@prometheus-io/client/lib/counter.js") as typeof Client.Counter;
export const Gauge = load("@prometheus-io/client/lib/gauge.js") as typeof Client.Gauge;
export const Histogram = load("@prometheus-io/client/lib/histogram.js") as typeof Client.Histogram;
export const Registry = load("@prometheus-io/client/lib/registry.js") as typeof Client.Registry;
