import { Seeded } from "../scheduling/seeded.ts";

/** A chat completions body, and how long its answer will be. */
export interface MixedRequest {
  readonly kind: RequestKind;
  readonly body: Readonly<Record<string, unknown>>;
  /** Tokens that the answer would have without the client's limit. */
  readonly outputTokens: number;
}

interface Kind {
  /** Of all requests. */
  readonly share: number;
  /** Median tokens of the text that is worked on, and of the answer; lengths are log-normal. */
  readonly textTokens: number;
  readonly outputTokens: number;
  readonly asks: readonly string[];
}

/**
 * What people and programs send to a company's gateway: our own judgement of a usual mix. Asks are in front of the text, as most
 * programs put them.
 */
export const kinds = {
  chat: {
    share: 0.3,
    textTokens: 40,
    outputTokens: 180,
    asks: [
      "Thanks! And how would I tell my landlord that the heating is broken?",
      "What is a good name for a rowing club?",
      "How long do I boil potatoes?",
      "I have two hours in Lisbon. What should I see?",
      "Who invented the bicycle?",
      "Can you write a friendly reminder about the team lunch?",
    ],
  },
  classification: {
    share: 0.15,
    textTokens: 120,
    outputTokens: 6,
    asks: [
      "Classify the sentiment of this review as POSITIVE, NEGATIVE or NEUTRAL.",
      "Is this message spam? Answer yes or no.",
      "Which department should get this ticket: billing, shipping or technical?",
    ],
  },
  extraction: {
    share: 0.12,
    textTokens: 400,
    outputTokens: 90,
    asks: [
      "Extract name, date and amount from this invoice. Return JSON.",
      "List every product that is mentioned, one a line.",
      "Extract the phone numbers from the text.",
    ],
  },
  summarising: {
    share: 0.12,
    textTokens: 900,
    outputTokens: 160,
    asks: ["Summarise this in three sentences.", "Give me the key points of this meeting.", "Shorten this text."],
  },
  translation: {
    share: 0.08,
    textTokens: 220,
    outputTokens: 240,
    asks: ["Translate to Spanish:", "Translate this into German, keep it polite:", "Put this into plain English:"],
  },
  code: {
    share: 0.1,
    textTokens: 350,
    outputTokens: 420,
    asks: [
      "Write a function in Python that merges overlapping intervals.",
      "Implement a least-recently-used cache in TypeScript with tests.",
      "Why does this code throw an exception? Find the bug and fix it.",
      "Write a SQL query that gives the ten best customers of each month.",
    ],
  },
  analysis: {
    share: 0.07,
    textTokens: 500,
    outputTokens: 900,
    asks: [
      "Compare the three offers step by step, weigh cost against risk, name your assumptions and recommend one.",
      "Analyse why the numbers fell in the second quarter, prove each claim from the data, and plan how we find out more.",
      "Design a database schema for this, explain the trade-offs between the options in detail, and derive the costs.",
    ],
  },
  document: {
    share: 0.02,
    textTokens: 30_000,
    outputTokens: 500,
    asks: [
      "Which clauses of this contract let us leave early? Quote them.",
      "Summarise this report for the board.",
      "Answer from the document only: what was decided about the harbour?",
    ],
  },
  agent: {
    share: 0.04,
    textTokens: 250,
    outputTokens: 70,
    asks: ["Book the cheapest train on Friday.", "Find the order and refund it.", "Which of my meetings can move?"],
  },
} as const satisfies Record<string, Kind>;
export type RequestKind = keyof typeof kinds;

const kindNames = Object.keys(kinds) as RequestKind[];
const spreads = { text: 0.9, output: 0.6 };
const mostTokens = 200_000;
const limits = [256, 512, 1_024, 2_048, 4_096];
/** Of conversations, those that go on, and of requests, those that limit the output. */
const goesOn = 0.45;
const isLimited = 0.5;

const sentences = [
  "The ferry leaves at seven and comes back before noon unless the wind turns.",
  "Nobody on the committee could say who had ordered the second pump.",
  "We agreed to paint the hall in spring, when the school is closed.",
  "The invoice of 14 March names 1,240.50 for the repair of the roof.",
  "Her answer was short, polite and of no help to anyone.",
  "Customers like the new handle, but two of them wrote that the lid leaks.",
  "In the end the smaller engine used less fuel and made more noise.",
  "Please send the signed form to the office on the third floor.",
];
const codeLines = [
  "def total(rows):",
  "    return sum(row['amount'] for row in rows if row['paid'])",
  "for (const item of items) {",
  "  if (item.count > 0) shelves.push(item);",
  "}",
  "SELECT city, count(*) FROM visits GROUP BY city;",
];

/** Longer than any text that is cut from it. */
function fill(parts: readonly string[], separator: string): string {
  const round = parts.join(separator) + separator;
  return round.repeat(Math.ceil((mostTokens * 4 * 1.05) / round.length));
}
const prose = fill(sentences, " ");
const program = fill(codeLines, "\n");

const tools = ["search", "read_calendar", "book"].map((name) => ({
  type: "function",
  function: {
    name,
    description: `Use it to ${name.replaceAll("_", " ")}.`,
    parameters: { type: "object", properties: { query: { type: "string" }, day: { type: "string" } } },
  },
}));

/** Makes requests from a seed, one at a time: equal seeds give equal requests. */
export class MixedRequests {
  readonly #random: Seeded;

  constructor(seed: number) {
    this.#random = new Seeded(seed);
  }

  next(): MixedRequest {
    const random = this.#random;
    const kind = this.#kind();
    const { asks, textTokens, outputTokens } = kinds[kind];
    const tokens = Math.min(mostTokens, Math.round(random.logNormal(textTokens, spreads.text)));
    const ask = this.#oneOf(asks);
    const messages = [...this.#before(kind), { role: "user", content: `${ask}\n\n${this.#text(kind, tokens)}` }];
    const maxTokens = random.fraction() < isLimited ? this.#oneOf(limits) : undefined;
    return {
      kind,
      body: {
        model: "auto",
        messages,
        ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
        ...(kind === "agent" ? { tools } : {}),
        ...(kind === "extraction" && random.fraction() < 0.5 ? { response_format: { type: "json_object" } } : {}),
      },
      outputTokens: Math.max(1, Math.round(random.logNormal(outputTokens, spreads.output))),
    };
  }

  #kind(): RequestKind {
    let at = this.#random.fraction();
    for (const name of kindNames) {
      at -= kinds[name].share;
      if (at < 0) return name;
    }
    return "chat";
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#random.whole(values.length)]!;
  }

  /** From a random place, so that texts differ. */
  #text(kind: RequestKind, tokens: number): string {
    const source = kind === "code" ? program : prose;
    const characters = Math.min(source.length, tokens * 4);
    const from = this.#random.whole(Math.max(1, Math.min(1_000, source.length - characters)));
    return source.slice(from, from + characters);
  }

  /** A system prompt, and the turns of a conversation that goes on. */
  #before(kind: RequestKind): object[] {
    const random = this.#random;
    const messages: object[] = [{ role: "system", content: `You help with ${kind}. Be brief and exact.` }];
    if (kind !== "chat" && kind !== "agent" && kind !== "code") return messages;
    while (messages.length < 17 && random.fraction() < goesOn) {
      messages.push({ role: "user", content: this.#oneOf(kinds[kind].asks) });
      messages.push({ role: "assistant", content: prose.slice(0, Math.round(random.logNormal(500, spreads.text))) });
    }
    return messages;
  }
}
