/** Summarises a short and a long article with `auto`: the router decides where, and says so in a header. */
import { routerClient } from "./router-client.ts";

const shortArticle =
  "The harbour of Port Anwen reopened on Monday after a storm had closed it for two days. No ship was damaged at all.";

const paragraph =
  "The town council has published its plan for the harbour. A longer breakwater is to shelter the inner basin from " +
  "western gales, the fish market moves into the old customs house, and the ferry gets a second berth so that it no " +
  "longer has to wait for the tide. The work is to take three winters, because in summer the basin is full of guests. " +
  "Fishermen worry about the months without a market, the ferry company about its timetable, and the sailing club " +
  "about the moorings near the new wall. The council answers that each stage begins only when the one before is paid " +
  "for, that a tent on the quay will stand in for the market, and that the club is offered a place behind the mole. ";
/** About 6,100 characters: more than a 7B model is trusted with. */
const longArticle = paragraph.repeat(Math.ceil(6_100 / paragraph.length)).slice(0, 6_100);

const client = routerClient();

for (const [title, article] of [
  ["short", shortArticle],
  ["long", longArticle],
] as const) {
  const { data, response } = await client.chat.completions
    .create({
      model: "auto",
      max_tokens: 150,
      messages: [{ role: "user", content: `Summarize this article in two sentences: ${article}` }],
    })
    .withResponse();
  const backend = response.headers.get("x-router-backend") ?? "unknown";
  const reason = response.headers.get("x-router-reason") ?? "unknown";
  console.log(`${title} article, ${article.length} characters: served by ${backend} (${reason}), ${data.model}`);
  console.log(`  ${data.choices[0]?.message.content ?? ""}\n`);
}
