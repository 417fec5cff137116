import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { editJson, type JsonEdit, removeMember, setMember } from "./json-edit.ts";

const edits = (entries: Record<string, JsonEdit>) => new Map(Object.entries(entries));

describe("editJson", () => {
  test("leaves every other byte as it was", () => {
    const text = ' { "model" : "a", "n":1.0e0,\n"x":"\\u0041\\"}" ,"deep":[{"model":"b"}] }\n';
    expect(editJson(text, edits({ model: setMember("gpt") }))).toBe(
      ' { "model" : "gpt", "n":1.0e0,\n"x":"\\u0041\\"}" ,"deep":[{"model":"b"}] }\n',
    );
  });

  test("adds, removes and edits inside", () => {
    const inside: JsonEdit = { type: "inside", edits: edits({ include_usage: setMember(true) }) };
    expect(editJson("{}", edits({ stream_options: inside }))).toBe('{"stream_options":{"include_usage":true}}');
    expect(editJson('{"stream_options":null,"a":1}', edits({ stream_options: inside, a: removeMember }))).toBe(
      '{"stream_options":{"include_usage":true}}',
    );
    expect(editJson('{"stream_options":{"x":1, "include_usage":false}}', edits({ stream_options: inside }))).toBe(
      '{"stream_options":{"x":1, "include_usage":true}}',
    );
    expect(editJson('{"a":1}', edits({ a: removeMember }))).toBe("{}");
  });

  test("edits every occurrence of a member, however its name is written", () => {
    expect(editJson('{"model":"a","b":1,"mod\\u0065l":"c"}', edits({ model: setMember("m") }))).toBe(
      '{"model":"m","b":1,"mod\\u0065l":"m"}',
    );
    expect(editJson('{"routing":1,"b":1,"routing":2}', edits({ routing: removeMember }))).toBe('{"b":1}');
  });

  test("refuses what is no object", () => {
    for (const text of ["[]", "1", "", "{", '{"a"', '{"a":', '{"a":1', '{"a":1 "b":2}', "{,}"]) {
      expect(() => editJson(text, edits({ a: removeMember }))).toThrow(SyntaxError);
    }
  });

  test("agrees with JSON.parse for any object and edits", () => {
    const key = fc.oneof(fc.constantFrom("model", "a", "", '"', "\\", "__proto__", "é\u2028"), fc.string());
    const object = fc.dictionary(key, fc.jsonValue(), { noNullPrototype: false });
    const edit = fc.oneof(fc.constant(removeMember), fc.jsonValue().map(setMember));
    fc.assert(
      fc.property(object, fc.array(fc.tuple(key, edit), { maxLength: 4 }), fc.nat(3), (value, list, indent) => {
        const wanted = new Map(list);
        const text = JSON.stringify(value, null, indent);
        const expected = new Map(Object.entries(JSON.parse(text) as object));
        for (const [name, one] of wanted) {
          if (one.type === "remove") expected.delete(name);
          else if (one.type === "set") expected.set(name, JSON.parse(one.json));
        }
        const edited = new Map(Object.entries(JSON.parse(editJson(text, wanted)) as object));
        expect(edited).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("an edit that changes nothing returns the same text", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(editJson(text, new Map())).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});
