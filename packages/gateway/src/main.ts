import { program } from "./cli/program.ts";

const code = await program(process.argv.slice(2), process.env, process.stdout.isTTY === true);
process.exit(code);
