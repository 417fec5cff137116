import { expect, test } from "bun:test";
import { budget } from "../../test/fixtures/admission.ts";
import { fromDollars } from "../core/money.ts";
import { BudgetBook } from "./budget-book.ts";

const accounts = (book: BudgetBook): string[] => book.all.map(({ account }) => account);

test("a budget keeps its account while its limit changes and others come and go", () => {
  const book = new BudgetBook([budget("day")]);
  const [before] = accounts(book);
  book.replace([budget("other"), budget("day", { limit: fromDollars(5) })]);
  expect(accounts(book)[1]).toBe(before as string);
  expect(new Set(accounts(book)).size).toBe(2);
});

test("a budget that comes back, or is about something else, counts on a new account", () => {
  const day = budget("day");
  const book = new BudgetBook([day]);
  const month = { kind: "calendar", unit: "month", timeZone: "UTC" } as const;
  const seen = new Set(accounts(book));
  const next = [
    [],
    [day],
    [budget("day", { window: month })],
    [day],
    [budget("day", { scope: { kind: "tag", value: "a" } })],
  ];
  for (const budgets of next) {
    book.replace(budgets);
    for (const account of accounts(book)) expect(seen.has(account)).toBe(false);
    for (const account of accounts(book)) seen.add(account);
  }
  expect(seen.size).toBe(5);
});

test("where replicas share their counters, a budget has one account, the same in each, also when it comes back", () => {
  const [one, other] = [new BudgetBook([], { oneForAll: true }), new BudgetBook([budget("day")], { oneForAll: true })];
  one.replace([budget("other"), budget("day")]);
  const account = other.all[0]?.account;
  expect(one.all[1]?.account).toBe(account ?? "");
  other.replace([]);
  other.replace([budget("day")]);
  expect(other.all[0]?.account).toBe(account ?? "");
});
