/** Labels a batch of reviews on the local model: many small requests that need not leave the premises. */
import { routerClient } from "./router-client.ts";

const labels = ["POSITIVE", "NEGATIVE", "NEUTRAL"] as const;

const reviews = [
  "I love this kettle, it boils in no time and looks great.",
  "Terrible. The handle was broken when it arrived.",
  "It is a kettle. It holds one litre.",
  "Excellent service and a perfect fit for our kitchen.",
  "The worst purchase of this year, and the shop was rude about it.",
  "The parcel came on Tuesday with a printed manual.",
  "Wonderful gift, my mother is happy with it.",
  "I was disappointed: the lid is awful and the colour is wrong.",
] as const;

const client = routerClient();

async function classify(review: string): Promise<{ label: string; backend: string }> {
  const { data, response } = await client.chat.completions
    .create({
      model: "local",
      temperature: 0,
      max_tokens: 10,
      messages: [
        { role: "system", content: "Classify the review. Answer with one word: POSITIVE, NEGATIVE or NEUTRAL." },
        { role: "user", content: review },
      ],
    })
    .withResponse();
  return {
    label: (data.choices[0]?.message.content ?? "").trim(),
    backend: response.headers.get("x-router-backend") ?? "unknown",
  };
}

const results = await Promise.all(reviews.map(async (review) => ({ review, ...(await classify(review)) })));

console.log(`${"label".padEnd(10)}${"served by".padEnd(11)}review`);
for (const { review, label, backend } of results) console.log(`${label.padEnd(10)}${backend.padEnd(11)}${review}`);

const wrong = results.filter(({ label }) => !labels.some((known) => known === label));
console.log(`\n${results.length - wrong.length} of ${results.length} reviews have a valid label.`);
process.exitCode = wrong.length === 0 ? 0 : 1;
