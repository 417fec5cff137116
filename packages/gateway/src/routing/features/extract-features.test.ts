import { expect, test } from "bun:test";
import { type ChatMessage, type ChatRequest, type ContentPart, emptyChat } from "../../core/chat.ts";
import type { Features } from "../../core/decision.ts";
import { extractFeatures } from "./extract-features.ts";

const text = (words: string): ContentPart => ({ type: "text", text: words });
const user = (...content: ContentPart[]): ChatMessage => ({ role: "user", content });
const system = (words: string): ChatMessage => ({ role: "system", content: [text(words)] });
const assistant = (words: string): ChatMessage => ({ role: "assistant", content: [text(words)], toolCalls: [] });
const toolResult = (words: string): ChatMessage => ({ role: "tool", toolCallId: "t", content: [text(words)] });

function request(messages: readonly ChatMessage[], more: Partial<ChatRequest> = {}): ChatRequest {
  return {
    ...emptyChat,
    model: undefined,
    messages,
    ...more,
  };
}

const of = (words: string, more: Partial<ChatRequest> = {}): Features =>
  extractFeatures(request([user(text(words))], more));
const names = (features: Features): string[] => features.signals.map(({ name }) => name);

/** What `auto` calls premium. */
const premium = 0.7;

const flask = `import sqlite3
from flask import Flask, request

app = Flask(__name__)

@app.route("/login", methods=["POST"])
def login():
    name = request.form["name"]
    query = "SELECT id FROM users WHERE name = '" + name + "'"
    connection = sqlite3.connect("users.db")
    row = connection.execute(query).fetchone()
    if row is None:
        return {"error": "no such user"}, 404
    return {"id": row[0]}

`;
const audit =
  "Analyze the following code for security vulnerabilities, suggest fixes, and explain the impact of each in detail";
const tools: ChatRequest["tools"] = Array.from({ length: 30 }, (_, index) => ({
  type: "function" as const,
  name: `tool_${index}`,
  description: "Reads a file step by step and explains it in detail. ".repeat(10),
}));

const tasks: readonly (readonly [string, Features["task"]])[] = [
  ["Classify the sentiment: Great product!", "classification"],
  ["What is Kubernetes?", "question"],
  ["Translate this text to Spanish", "translation"],
  ["Quick summary of this ticket", "summarising"],
  ["Summarize the key points", "summarising"],
  ["Write a Python REST API with FastAPI", "code_generation"],
  [`${audit}\n\n${flask}`, "code_analysis"],
  ["Fix the bug in this:\n\nfor (let i = 0; i <= items.length; i++) {\n  total += items[i].price;\n}", "code_analysis"],
  ["Extract all names and dates from the letter below", "extraction"],
  ["Plan a three-day trip to Rome", "planning"],
  ["A train goes 60 miles per hour for 3 hours. How many miles does it go in total?", "math"],
  ["Write a blog post about Python", "writing"],
  ["Write an email to my landlord about the heating", "writing"],
  ["Write a function that sends an email", "code_generation"],
  ["Translate this Java code to Rust", "code_generation"],
  ["Write a summary of the meeting", "summarising"],
  ["Hello there", "chat"],
  ["把下面的文字翻译成英文", "translation"],
  ["Übersetze den Text ins Englische", "translation"],
];
for (const [words, task] of tasks) {
  test(`the task of "${words.slice(0, 50).replaceAll("\n", " ")}" is ${task}`, () => {
    expect(of(words).task).toBe(task);
  });
}

for (const words of [
  "Classify the sentiment: Great product!",
  "What is Kubernetes?",
  "Translate this text to Spanish",
  "Quick summary of this ticket",
  "Summarize the key points",
  "Write a Python REST API with FastAPI",
]) {
  test(`"${words}" is far from premium`, () => {
    expect(of(words).complexity).toBeLessThan(0.35);
  });
}

test("a security review of a large snippet is premium, fenced or not, in any of several languages", () => {
  const javaScript =
    "const user = await db.query(`select * from users where id = ${id}`);\nres.send(eval(user.code));\n";
  for (const code of [
    flask.repeat(4),
    flask.repeat(12),
    `\`\`\`python\n${flask.repeat(5)}\`\`\``,
    javaScript.repeat(25),
  ]) {
    const features = of(`${audit}\n\n${code}`);
    expect(features.task).toBe("code_analysis");
    expect(features.complexity).toBeGreaterThanOrEqual(premium);
  }
});

test("length alone is never premium: repeated text, and an article to summarise or translate", () => {
  const sentence =
    "The harbour grew for three hundred years, and each morning 12 boats leave before the tide if it is high. ";
  expect(of("Tell me more about it. ".repeat(192).slice(0, 4_400)).complexity).toBeLessThan(premium);
  for (const ask of ["", "Summarize this article:\n\n", "Translate this article to German:\n\n"]) {
    expect(of(ask + sentence.repeat(60).slice(0, 6_100)).complexity).toBeLessThan(0.6);
  }
});

test("code alone is not premium, not even with tools, a long history and a long context", () => {
  const history = Array.from({ length: 60 }, (_, index) =>
    index % 2 === 0 ? user(text("Go on.")) : assistant("Done. ".repeat(300)),
  );
  const messages = [...history, user(text(`Fix this:\n\n${flask.repeat(12)}`))];
  const features = extractFeatures(request(messages, { tools }));
  expect(features.task).toBe("code_analysis");
  expect(features.turns).toBe(31);
  expect(names(features)).toContain("long_context");
  expect(features.complexity).toBeLessThan(premium);
});

test("a long reasoning prompt scores far above short ones", () => {
  const long =
    "Two teams share a budget. Compare three ways to divide it: equally, by the number of people, or by last year's " +
    "results. Weigh the cost and the risk of each of them, reason step by step, name the assumptions you make, and end " +
    "with one recommendation and a table of what would change if the budget were a third smaller.";
  expect(of(long).complexity).toBeGreaterThan(0.45);
  expect(of("Name three colours of the rainbow.").complexity).toBeLessThan(0.2);
});

test("what a harness adds does not raise the score: reminders, tool results, system prompts and tools", () => {
  const ask = "fix the typo";
  const noise = `${audit}, step by step, and compare each of them thoroughly. What is it? Why? ${flask}`;
  const plain = extractFeatures(request([user(text(ask))]));
  const variants: (readonly ChatMessage[])[] = [
    [user(text(`<system-reminder>\n${noise}\n</system-reminder>\n${ask}`))],
    [user(text(`<system-reminder>${noise}</system-reminder>`), text(ask))],
    [user(text(`<environment_details>\n${noise}\n</environment_details>\n\n<task>\n${ask}\n</task>`))],
    [system(noise.repeat(20)), user(text(ask))],
    [user(text(ask)), assistant(noise), toolResult(noise)],
    [user(text(ask)), assistant("ok"), user(text(`<system-reminder>${noise}</system-reminder>`))],
    [
      user(text(ask)),
      user(text(`This session is being continued from a previous conversation that ran out of context. ${noise}`)),
    ],
  ];
  for (const messages of variants) {
    const features = extractFeatures(request(messages, { tools }));
    expect(features.task).toBe(plain.task);
    // Tools, size and turns may add a little; the words of the harness may not.
    expect(features.complexity - plain.complexity).toBeLessThan(0.05);
  }
});

test("an ask that a template wrapped in a tag of its own is still the ask, beside material it is not", () => {
  expect(of("<user_input>\nTranslate this text to Spanish\n</user_input>").task).toBe("translation");
  const material = `<source_text>\n${audit}\n</source_text>\nTranslate this text to Spanish`;
  expect(of(material)).toMatchObject({
    task: "translation",
    complexity: of("Translate this text to Spanish").complexity,
  });
});

test("of an ask in very many parts the first and the last are read", () => {
  const filler = Array.from({ length: 5_000 }, () => text("The rain fell on the roofs."));
  const messages = [user(text("Translate this into Spanish:"), ...filler, text("Do it step by step."))];
  const features = extractFeatures(request(messages));
  expect(features.task).toBe("translation");
  expect(names(features)).toContain("multi_step_reasoning");
});

test("HTML, generics and comparisons are a person's own words", () => {
  const features = of("Why is <div><b>x</b></div> bold when a < b and Map<string, number> is empty?");
  expect(features.task).toBe("question");
  expect(of("Compare <my-widget> with <li>").signals).toEqual(of("Compare <my-widget> with <li>").signals);
  expect(names(of("Is it <unclosed_tag> step by step?"))).toContain("multi_step_reasoning");
});

const examples: readonly (readonly [string, string, string])[] = [
  ["multi_step_reasoning", "Work this through step by step.", "Mind the step by the door."],
  ["analysis_phrase", "Give me a comprehensive analysis.", "Give me an analysis."],
  ["detailed_explanation", "Tell me in detail.", "Tell me the detail."],
  ["domain_knowledge", "The plaintiff filed a motion.", "The plan filed a motion."],
  ["several_questions", "Who? When? Where?", "Who came when?"],
  ["simple_question", "What is Kubernetes?", "Kubernetes is what we use."],
  ["factual_lookup", "What is Kubernetes?", "Why is Kubernetes slow?"],
  ["basic_summary", "Summarize the meeting.", "Summarize the meeting in detail."],
  ["code_generation", "Write a Python script.", "Write a poem."],
  ["code_analysis", "Review this function.", "Review this film."],
  ["length", "The rain fell on the roofs and the river all night long.", "It rains."],
  ["constraints", "You must use exactly one, unless it is twice the size.", "You use one of any size."],
  ["digits", "1 2 3 4 5 6", "one two three"],
  ["math", "Solve the equation.", "Solve the puzzle."],
  ["reading_level", `${"and the sea was grey ".repeat(8)}.`, "The sea was grey. ".repeat(10)],
  ["reasoning_verbs", "Compare and justify both.", "Both are fine."],
  ["output_demands", "Answer with a table.", "Answer me."],
  ["choices", "Which one?\nA. red\nB. green\nC. blue", "Which one?\nred\ngreen\nblue"],
];
for (const [signal, fires, nearMiss] of examples) {
  test(`the signal ${signal} fires on its example and not on a near miss`, () => {
    expect(names(of(fires))).toContain(signal);
    expect(names(of(nearMiss))).not.toContain(signal);
  });
}

test("signals of the shape fire: tools, media, depth and size", () => {
  const long = [user(text("Hi")), assistant("x".repeat(60_000)), user(text("And now?"))];
  expect(names(extractFeatures(request(long)))).toEqual(expect.arrayContaining(["long_context", "turn_depth"]));
  expect(names(of("Hi", { tools }))).toContain("tool_calling");
  const picture = extractFeatures(request([user({ type: "image", url: "https://x/y.png" }, text("What is this?"))]));
  expect(names(picture)).toContain("multimodal");
  expect(names(of("Hi"))).toEqual([]);
});

test("the literal rules sum as the requirement writes them, at most to 1", () => {
  expect(of("Hi").complexityRules).toBe(0);
  expect(of("Analyze in depth").complexityRules).toBe(0.3);
  expect(of("Do it step by step").complexityRules).toBe(0.3);
  expect(of("Describe the sea").complexityRules).toBe(0.2);
  // A look-up and a simple question.
  expect(of("What is Kubernetes?").complexityRules).toBe(0.2);
  // The phrase and the kind of task.
  expect(of("Summarize the text").complexityRules).toBe(0.3);
  expect(of(`${audit}, step by step. ${"?".repeat(3)} Why? ${flask.repeat(100)}`, { tools }).complexityRules).toBe(1);
});

test("the score is the base and the named parts, while they are neither very low nor very high", () => {
  const features = of("Compare both step by step and answer with a table of at least 5 rows.");
  const sum = features.signals.reduce((total, { weight }) => total + weight, 0.06);
  expect(features.complexity).toBeGreaterThan(0.3);
  expect(Math.abs(features.complexity - sum)).toBeLessThan(0.015);
});

test("every score lies within 0 and 1, and harder stays above easier at both ends", () => {
  const hard = `${audit}. Prove and justify step by step with a comprehensive analysis in a table. Why? How?\n`;
  const harder = `${hard}${flask.repeat(20)}`;
  expect(of(harder).complexity).toBeLessThan(1);
  expect(of(harder).complexity).toBeGreaterThan(of(hard).complexity);
  expect(of("Summarize it").complexity).toBeGreaterThan(0);
});

test("prompt tokens are characters / 4 over all parts and calls, tools left out; media count", () => {
  const call = { id: "c", name: "read", arguments: "{}".repeat(10) };
  const messages: ChatMessage[] = [
    system("a".repeat(10)),
    user(text("b".repeat(10)), { type: "image", url: "data:..." }),
    { role: "assistant", content: [], toolCalls: [call] },
  ];
  expect(extractFeatures(request(messages, { tools })).promptTokens).toBe(Math.ceil((10 + 10 + 3_000 + 4 + 20) / 4));
});

test("the estimate of the input counts tools, knows scripts, and the window's is never below it", () => {
  expect(of("Hi", { tools }).inputTokens).toBeGreaterThan(2_000);
  const chinese = of("市政府昨天决定不拆除旧货运站，而是在未来三年内将其改建为文化中心。".repeat(20));
  expect(chinese.inputTokens).toBeGreaterThan(chinese.promptTokens * 2);
  const english = of("The council decided yesterday to keep the old station and to rebuild it. ".repeat(50));
  expect(english.inputTokens).toBeLessThan(english.promptTokens * 1.1);
  for (const features of [chinese, english, of("")]) {
    expect(features.windowTokens).toBeGreaterThanOrEqual(features.inputTokens);
  }
});

test("a sampled estimate of a long text is close to that of the whole", () => {
  const paragraph =
    "The council decided yesterday to keep the old station. It costs 12.5 million euros (see page 3).\n";
  const short = of(paragraph.repeat(20)).inputTokens;
  const long = of(paragraph.repeat(2_000)).inputTokens;
  expect(Math.abs(long / (short * 100) - 1)).toBeLessThan(0.05);
});

test("an absent output limit counts as 512, and is told apart from one", () => {
  expect(of("Hi")).toMatchObject({ maxTokens: 512, requestedMaxTokens: undefined });
  expect(of("Hi", { maxTokens: 7 })).toMatchObject({ maxTokens: 7, requestedMaxTokens: 7 });
});

test("languages are told by script and by common words, and left open where nothing tells", () => {
  const samples: readonly (readonly [string, string])[] = [
    ["What is the capital of this country and how large is it?", "en"],
    ["Wie heißt die Hauptstadt und wie groß ist sie nicht?", "de"],
    ["Quelle est la capitale de la France et pour qui est-elle dans les livres ?", "fr"],
    ["¿Cuál es la capital de España y por qué es más grande que las otras?", "es"],
    ["Вчера городская администрация решила", "ru"],
    ["この文章を三行で要約してください", "ja"],
    ["市政府昨天决定不拆除旧货运站", "zh"],
    ["시는 어제 오래된 화물역을", "ko"],
    ["xyzzy plugh", "und"],
    ["", "und"],
  ];
  for (const [words, language] of samples) expect([words, of(words).language]).toEqual([words, language]);
});

test("JSON is wanted by the format or in words, not by mentioning it", () => {
  expect(of("Hi", { responseFormat: { type: "json_object" } }).wantsJson).toBe(true);
  expect(of("Return the answer as JSON").wantsJson).toBe(true);
  expect(of("What is JSON?").wantsJson).toBe(false);
  expect(of("Hi", { responseFormat: { type: "text" } }).wantsJson).toBe(false);
});

test("modalities are those of all messages, text where there is nothing", () => {
  const audio: ContentPart = { type: "audio", data: "AAAA", format: "wav" };
  const messages = [user({ type: "image", url: "u" }), user(audio, text("Hi"))];
  expect(extractFeatures(request(messages)).modalities).toEqual(["text", "image", "audio"]);
  expect(extractFeatures(request([user({ type: "file-id", fileId: "f" })])).modalities).toEqual(["file"]);
  expect(extractFeatures(request([])).modalities).toEqual(["text"]);
});

test("turns of one conversation share a hash, and another opening or prefix has its own", () => {
  const opening = [system("You are kind."), user(text("Hello"))];
  const first = extractFeatures(request(opening));
  const later = extractFeatures(request([...opening, assistant("Hi"), user(text("And then?"))]));
  const other = extractFeatures(request([system("You are kind."), user(text("Bye"))]));
  const elsewhere = extractFeatures(request([system("You are terse."), user(text("Hello"))]));
  expect(later.conversationHash).toBe(first.conversationHash);
  expect(other.prefixHash).toBe(first.prefixHash);
  expect(other.conversationHash).not.toBe(first.conversationHash);
  expect(elsewhere.prefixHash).not.toBe(first.prefixHash);
  expect(extractFeatures(request(opening, { tools })).prefixHash).not.toBe(first.prefixHash);
  expect(first.prefixHash).toBeGreaterThanOrEqual(0);
  expect(first.prefixHash).toBeLessThan(2 ** 32);
});

test("odd and huge requests are read without fail", () => {
  const million = 1_000_000;
  const odd = [
    "a".repeat(million),
    " ".repeat(million),
    "<a-b>".repeat(million / 5),
    "<a-b ".repeat(million / 5),
    "</a-b>".repeat(100_000),
    "\n".repeat(million),
    "\ud800".repeat(1_000),
    "\udc00 \ud83d step by step",
    "`".repeat(10_000),
    "((((".repeat(50_000),
    "- - ".repeat(50_000),
    "",
  ];
  for (const words of odd) {
    const features = of(words);
    expect(features.promptTokens).toBe(Math.ceil(words.length / 4));
    expect(Number.isFinite(features.inputTokens)).toBe(true);
    expect(features.complexity).toBeGreaterThan(0);
    expect(features.complexity).toBeLessThan(premium);
  }
  const many = Array.from({ length: 20_000 }, () => user(text("step")));
  expect(extractFeatures(request(many)).turns).toBe(20_000);
  const parts = Array.from({ length: 20_000 }, () => text("<b_c>"));
  expect(extractFeatures(request([user(...parts)])).promptTokens).toBe(25_000);
});

test("tools that are nested too deeply to be written are no reason to fail", () => {
  const depth = 100_000;
  const parameters = JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`) as Record<string, unknown>;
  expect(of("Hi", { tools: [{ type: "function", name: "deep", parameters }] }).hasTools).toBe(true);
});

test("the work on an ask is bounded: what lies in the middle of a huge one changes nothing but its size", () => {
  const end = "The rain fell on the roofs. ".repeat(200);
  const quiet = of(end + " ".repeat(100_000) + end);
  const loud = of(end + "step by step? ".repeat(7_142).padEnd(100_000) + end);
  expect(loud.complexity).toBe(quiet.complexity);
});

test("an instruction is read also where the code begins on its line", () => {
  const ask =
    "Analyze the following code for security vulnerabilities, suggest fixes, and explain the impact of each in detail: ";
  const code = `${'import { readFileSync } from "node:fs";\nimport { createServer } from "node:http";\n'}${"export function handle(request) { return eval(request.body[0]); }\n".repeat(40)}`;
  const features = of(ask + code);
  expect(features.task).toBe("code_analysis");
  expect(features.signals.map(({ name }) => name)).toContain("detailed_explanation");
  expect(features.complexity).toBeGreaterThanOrEqual(0.7);
});

test("names in a line of code are no instruction", () => {
  const features = of("Fix this.\n\nconst explain = compare(inDetail, stepByStep); analyse(plan, evaluate);");
  expect(features.signals.map(({ name }) => name)).not.toContain("reasoning_verbs");
});
