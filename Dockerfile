# Fairlead's gateway: Bun runs the TypeScript directly, as process 1. Only /data is written at run time, so it works with
# `--read-only` and any user id; without a volume there, keys and the ledger end with the container.
#
#   docker build -t fairlead .
#   docker run -p 8080:8080 -v ./examples/docker.yaml:/config.yaml:ro -v ./data:/data -e FAIRLEAD_API_KEY=… fairlead
#
# `node scripts/check-image.mjs` carries out these steps without a container engine; keep RUN lines free of absolute paths.

FROM node:24.11.1-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/contract/package.json packages/contract/
COPY packages/gateway/package.json packages/gateway/
COPY packages/simulator/package.json packages/simulator/
# The workspace's tools, suites and benchmarks stay out.
RUN npm pkg delete devDependencies && npm pkg set 'workspaces=["packages/*"]' --json
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace packages/gateway
# The runtime is one file: its package would be a second copy.
RUN mv node_modules/@oven/bun-linux-*/bin/bun bun && rm -rf node_modules/@oven node_modules/bun node_modules/.bin

FROM debian:12.12-slim
LABEL org.opencontainers.image.title="Fairlead" \
      org.opencontainers.image.description="A hybrid LLM gateway: one endpoint, served by your own models or by cloud APIs" \
      org.opencontainers.image.licenses="Apache-2.0"
# The first two: without them 256 upstream requests run at once, and addresses are kept for ever. The fourth: no cache files.
# The third sizes the garbage collector's heap as for a small machine, not by what the node has: 100 MB less under thousands
# of streams, for some 10 % more CPU.
ENV BUN_CONFIG_MAX_HTTP_REQUESTS=65535 \
    BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS=10 \
    BUN_JSC_forceRAMSize=268435456 \
    BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 \
    FAIRLEAD_DATA=/data
WORKDIR /app
COPY --from=install /app/bun /usr/local/bin/bun
COPY --from=install /app/node_modules node_modules
COPY package.json LICENSE ./
COPY packages/contract packages/contract
COPY packages/simulator packages/simulator
COPY packages/gateway packages/gateway
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["/usr/local/bin/bun", "-e", "require('node:http').get({ host: '127.0.0.1', port: process.env.PORT || 8080, path: '/health' }, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["/usr/local/bin/bun", "/app/packages/gateway/src/main.ts"]
CMD ["serve", "--config", "/config.yaml"]
