import { expect, test } from "bun:test";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import { workerShare } from "./worker-share.ts";

function shares(server: object, count: number, spill?: object) {
  const config = { server, catalogue: { spill } } as unknown as ResolvedConfig;
  return Array.from({ length: count }, (_, index) => workerShare(config, { index, count }));
}

test("what each worker counts by itself adds up to what the gateway may", () => {
  const server = { maxConcurrent: 10, queue: { max: 5, waitMs: 9 }, maxBufferedBytes: 1_001, maxBodyBytes: 10 };
  const all = shares(server, 3).map((share) => share.server);
  expect(all.map(({ maxConcurrent }) => maxConcurrent)).toEqual([4, 3, 3]);
  expect(all.map(({ queue }) => queue)).toEqual([2, 2, 1].map((max) => ({ max, waitMs: 9 })));
  expect(all.reduce((sum, { maxBufferedBytes }) => sum + maxBufferedBytes, 0)).toBe(1_001);
});

test("each worker serves one request at least, and takes the largest body", () => {
  const server = { maxConcurrent: 1, queue: { max: 0, waitMs: 9 }, maxBufferedBytes: 100, maxBodyBytes: 80 };
  for (const share of shares(server, 2)) {
    expect(share.server).toMatchObject({ maxConcurrent: 1, queue: { max: 0 }, maxBufferedBytes: 80 });
  }
});

test("the cap of spilled money is divided, and none stays none", () => {
  const server = { maxConcurrent: 2, queue: { max: 0, waitMs: 9 }, maxBufferedBytes: 100, maxBodyBytes: 80 };
  expect(shares(server, 2, { maxUsdPerHour: 3 })[1]?.catalogue.spill?.maxUsdPerHour).toBe(1.5);
  expect(shares(server, 2)[0]?.catalogue.spill).toBeUndefined();
});
