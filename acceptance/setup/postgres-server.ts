import { PostgresServer } from "../../packages/gateway/test/fixtures/postgres-server.ts";
import { afterAll } from "./after-all.ts";

export { hasPostgres } from "../../packages/gateway/test/fixtures/postgres-server.ts";

const servers = new Set<PostgresServer>();

/** Starts a real PostgreSQL that waits for its disk; it is stopped when the test file ends. */
export async function startPostgres(): Promise<PostgresServer> {
  const server = await PostgresServer.start(true);
  servers.add(server);
  return server;
}

afterAll(async () => {
  await Promise.all([...servers].map((server) => server.stop()));
  servers.clear();
});
