#!/usr/bin/env node
// The `fairlead` command: the gateway's CLI under Bun.
import { fileURLToPath } from "node:url";
import { runBun } from "./bun.mjs";

runBun([fileURLToPath(new URL("../packages/gateway/src/main.ts", import.meta.url)), ...process.argv.slice(2)]);
