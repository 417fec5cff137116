import { expect, test } from "bun:test";
import fc from "fast-check";
import { routingFacts } from "../../../test/fixtures/routing-facts.ts";
import type { RoutingFacts } from "../../core/routing-facts.ts";
import type { Fault } from "../config-error.ts";
import { compileCondition } from "./compile-condition.ts";
import { conditionScope } from "./condition-scope.ts";

const scope = conditionScope(undefined, false);
const seeded = { seed: 7, numRuns: 3_000 };

const number = fc.constantFrom("0", "1", "2", "1.5", "3");
const atom = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("request.turns", "request.promptTokens"),
      fc.constantFrom("<", "<=", ">", ">=", "==", "!="),
      number,
    )
    .map((parts) => parts.join(" ")),
  fc
    .tuple(number, fc.constantFrom("<", "<=", ">", ">=", "==", "!="), fc.constantFrom("request.turns"))
    .map((parts) => parts.join(" ")),
  fc.constantFrom("request.task == 'math'", "request.task != 'chat'", "request.task in ['math', 'chat']"),
  fc.constantFrom("'math' in request.signals", "'digits' in request.signals"),
  fc.constantFrom("request.stream", "true", "false", "1 < 2", "request.stream == false"),
  fc.constantFrom(
    "headers['x-a'] == 'v'",
    "headers['x-b'] != 'v'",
    "headers['x-a'].startsWith('v')",
    "'x-a' in headers",
  ),
);
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    atom,
    fc
      .tuple(tie("expression"), fc.constantFrom("&&", "||"), tie("expression"))
      .map(([a, sign, b]) => `(${a} ${sign} ${b})`),
    tie("expression").map((inner) => `!(${inner})`),
  ),
}));

const facts: fc.Arbitrary<RoutingFacts> = fc
  .record({
    turns: fc.constantFrom(0, 1, 1.5, 2, 3, 4),
    promptTokens: fc.constantFrom(0, 0.5, 1, 2, 3, 9),
    task: fc.constantFrom("math" as const, "chat" as const, "writing" as const),
    signals: fc.subarray(["math", "digits"] as const),
    stream: fc.boolean(),
    headers: fc.dictionary(fc.constantFrom("x-a", "x-b"), fc.constantFrom("v", "w")),
  })
  .map(({ headers, ...request }) => routingFacts({ request, headers }));

/** What the language itself says; what it cannot tell is false. */
function plainly(text: string, { request, headers }: RoutingFacts): boolean {
  const program = scope.environment.parse(text);
  program.check();
  scope.look(routingFacts({ request, headers }));
  try {
    return program(scope.context) === true;
  } catch {
    return false;
  }
}

test("conditions hold exactly when the language says so, also where they are taken apart over headers", () => {
  fc.assert(
    fc.property(expression, facts, (text, given) => {
      const compiled = compileCondition(text, [], scope, []);
      if (compiled !== undefined) expect(compiled.test(given)).toBe(plainly(text, given));
    }),
    seeded,
  );
});

test("what is refused for it can never hold never does, and what is known to hold always does", () => {
  const seen = { never: 0, always: 0 };
  fc.assert(
    fc.property(expression, fc.array(facts, { minLength: 20, maxLength: 20 }), (text, situations) => {
      const faults: Fault[] = [];
      const compiled = compileCondition(text, [], scope, faults);
      if (faults.length > 0) {
        seen.never += 1;
        for (const given of situations) expect(plainly(text, given)).toBe(false);
      } else if (compiled?.always === true) {
        seen.always += 1;
        for (const given of situations) expect(compiled.test(given)).toBe(true);
      }
    }),
    seeded,
  );
  expect(Math.min(seen.never, seen.always)).toBeGreaterThan(50);
});
