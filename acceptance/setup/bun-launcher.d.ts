/** The launcher of the repository is plain JavaScript, so that it runs before anything is built. */
declare module "*/scripts/bun.mjs" {
  export function findBun(): string;
  export function bunEnv(): NodeJS.ProcessEnv;
}
