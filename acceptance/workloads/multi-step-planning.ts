/** Plans a project on a cloud model and prints the plan as it comes. */
import { routerClient } from "./router-client.ts";

const { data: stream, response } = await routerClient()
  .chat.completions.create({
    model: "cloud",
    stream: true,
    max_tokens: 800,
    messages: [
      { role: "system", content: "You are a project planner. Answer with a numbered list." },
      {
        role: "user",
        content: "Make a plan, step by step, to move a shop's database to a new server without losing an order.",
      },
    ],
  })
  .withResponse();

console.log(`served by ${response.headers.get("x-router-backend") ?? "unknown"}\n`);
let pieces = 0;
let ending: string | null = null;
for await (const chunk of stream) {
  const text = chunk.choices[0]?.delta.content ?? "";
  if (text !== "") pieces++;
  process.stdout.write(text);
  ending = chunk.choices[0]?.finish_reason ?? ending;
}
console.log(`\n\n${pieces} pieces, ended by ${ending ?? "nothing"}`);
process.exitCode = ending === "stop" ? 0 : 1;
