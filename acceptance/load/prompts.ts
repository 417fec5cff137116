/** A prompt of the mix and the output it may have. */
export interface LoadPrompt {
  readonly text: string;
  readonly maxTokens: number;
}

const shortOutput = 60;
const longOutput = 600;

const shortTexts = [
  "What is Kubernetes?",
  "Classify the sentiment: Great product!",
  "Translate to Spanish: Good morning, how are you?",
  "What is the capital of Portugal?",
  "Give one word for a very large ship.",
  "Is 97 a prime number? Answer yes or no.",
  "Name three colours of the rainbow.",
  "Write a subject line for an email about a late delivery.",
] as const;

const longTexts = [
  "A company runs an online shop on one server in one region. Visits double every year, the database is at 80 % of its " +
    "memory, and two outages of an hour each cost it customers last quarter. Three engineers maintain everything and the " +
    "budget may grow by a third. Compare three ways forward: a larger server with a standby, a managed database behind " +
    "several small servers, and a rewrite into services. Weigh the cost, the risk, the time and what the team has to " +
    "learn for each of them, reason step by step, name the assumptions you make, and end with one recommendation and " +
    "the first two weeks of work.",
  "Four friends share a flat. Ana earns twice what Ben earns, Cleo earns as much as Ana and Ben together, and Dan earns " +
    "half of the average of all four. The rent is to be split so that everybody pays the same share of their income, but " +
    "the largest room, which Ben has, must cost a fifth more than it otherwise would, and nobody may pay more than 40 % " +
    "of the rent. Work out step by step which part of the rent each of them pays, check that the parts add up to the " +
    "whole, explain which of the rules had an effect, and say what changes if Dan and Ben swap rooms after half of the year.",
  "A hospital wants to cut the time that patients wait in its emergency room. Half of the arrivals come between six and " +
    "eleven in the evening, a third of all patients could be seen by a general practitioner, and test results take 70 " +
    "minutes on average because the laboratory works in batches. Reason step by step: where the waiting arises, which two " +
    "measurements you would take first, which change promises the most for the least money, how it could fail, and how " +
    "you would notice within a month. End with a table of the measures in the order in which you would take them.",
] as const;

/** Of every so many requests in a row one is long: one in five makes the mix 80 to 20. */
const oneLongIn = 5;

/**
 * The prompt of a user's nth request. Fixed by the two numbers, so that runs compare; users are out of step, so that
 * the long requests of all of them do not come at once.
 */
export function promptOf(user: number, iteration: number): LoadPrompt {
  const turn = user * 2 + iteration;
  const isLong = turn % oneLongIn === 0;
  const texts = isLong ? longTexts : shortTexts;
  const round = isLong ? Math.floor(turn / oneLongIn) : turn;
  return { text: texts[round % texts.length] ?? texts[0], maxTokens: isLong ? longOutput : shortOutput };
}

/** The JSON body of a chat completion for a prompt; the router decides where it goes. */
export function chatBody({ text, maxTokens }: LoadPrompt): string {
  return JSON.stringify({
    model: "auto",
    max_tokens: maxTokens,
    messages: [{ role: "user", content: text }],
  });
}
