import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import { GatewayError } from "../../core/errors.ts";
import { JwtVerifier } from "./jwt-verifier.ts";

let server: Server<undefined>;
let issuer: string;
let answering = true;
let asked: string[] = [];
let keyPair: { privateKey: CryptoKey; publicKey: CryptoKey };
let otherPair: { privateKey: CryptoKey; publicKey: CryptoKey };

beforeAll(async () => {
  keyPair = await generateKeyPair("ES256", { extractable: true });
  otherPair = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...(await exportJWK(keyPair.publicKey)), kid: "one", alg: "ES256" }];
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (!answering) return new Response("broken", { status: 500 });
      if (pathname === "/jwks") return Response.json({ keys });
      if (pathname === "/.well-known/openid-configuration") return Response.json({ jwks_uri: `${issuer}/jwks` });
      return new Response("", { status: 404 });
    },
  });
  issuer = `http://127.0.0.1:${server.port}`;
});
afterAll(() => server.stop(true));
beforeEach(() => {
  answering = true;
  asked = [];
});

const clock = new FakeClock();
const nowSeconds = (): number => Math.floor(clock.now() / 1000);

const verifier = (more: object = {}): JwtVerifier =>
  new JwtVerifier(
    [
      {
        issuer,
        audience: "fairlead",
        jwksUrl: undefined,
        userClaim: "sub",
        teamClaim: "team",
        tagsClaim: "groups",
        ...more,
      },
    ],
    clock,
  );

function sign(claims: object = {}, key: CryptoKey = keyPair.privateKey, header: object = {}): Promise<string> {
  const usual = { iss: issuer, aud: "fairlead", sub: "ann", exp: nowSeconds() + 60, team: "blue", groups: ["a", "b"] };
  const payload = Object.fromEntries(
    Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined),
  );
  return new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "one", ...header }).sign(key);
}

const endOf = async (work: () => unknown): Promise<string> => {
  try {
    return JSON.stringify(await work());
  } catch (error) {
    return error instanceof GatewayError ? `${error.code}: ${error.message}` : String(error);
  }
};

describe("JwtVerifier", () => {
  test("takes a signed token of the issuer; the second time at once, without asking anybody", async () => {
    const checked = verifier();
    const token = await sign();
    expect(checked.looksLike(token)).toBe(true);
    const claims = await checked.verify(token);
    expect(claims).toEqual({ issuer, user: "ann", team: "blue", tags: ["a", "b"] });
    expect(asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
    expect(checked.verify(token)).toBe(claims as never);
    await checked.verify(await sign({ sub: "bob" }));
    expect(asked).toHaveLength(2);
  });

  test("a token that was taken is refused once it has expired", async () => {
    const checked = verifier();
    const token = await sign();
    await checked.verify(token);
    await clock.advance(66_000);
    expect(await endOf(() => checked.verify(token))).toBe("unauthorized: The token has expired.");
    expect(await endOf(() => checked.verify(token))).toBe("unauthorized: The token has expired.");
  });

  test("refuses wrong issuers, audiences, times, signatures and algorithms, and says which", async () => {
    const checked = verifier();
    expect(await endOf(async () => checked.verify(await sign({ iss: "http://other" })))).toContain("issuer is not one");
    expect(await endOf(async () => checked.verify(await sign({ aud: "other" })))).toContain("`aud`");
    expect(await endOf(async () => checked.verify(await sign({ exp: nowSeconds() - 60 })))).toContain("expired");
    expect(await endOf(async () => checked.verify(await sign({ exp: undefined })))).toContain("`exp`");
    expect(await endOf(async () => checked.verify(await sign({ nbf: nowSeconds() + 60 })))).toContain("`nbf`");
    expect(await endOf(async () => checked.verify(await sign({ sub: undefined })))).toContain("`sub`");
    expect(await endOf(async () => checked.verify(await sign({ sub: 5 })))).toContain("`sub`");
    expect(await endOf(async () => checked.verify(await sign({}, otherPair.privateKey)))).toContain("signature");
    expect(await endOf(async () => checked.verify(await sign({}, keyPair.privateKey, { kid: "two" })))).toContain(
      "signature",
    );
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const payload = { iss: issuer, aud: "fairlead", sub: "eve", exp: nowSeconds() + 60 };
    const hmac = await new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(Buffer.alloc(32, 1));
    expect(await endOf(() => checked.verify(hmac))).toContain("algorithm");
    expect(await endOf(() => checked.verify(`${part({ alg: "none" })}.${part(payload)}.x`))).toContain("unauthorized");
    expect(await endOf(() => checked.verify("eyJ.x.y"))).toContain("malformed");
    expect(await endOf(() => checked.verify(`ey${"a".repeat(20_000)}.x.y`))).toContain("too long");
  });

  test("keys that cannot be had are an outage, are not asked for at once again, and are taken when they are back", async () => {
    const checked = verifier();
    const token = await sign({ exp: nowSeconds() + 600 });
    answering = false;
    expect(await endOf(() => checked.verify(token))).toContain("store_unavailable");
    expect(await endOf(() => checked.verify(token))).toContain("store_unavailable");
    expect(asked).toHaveLength(1);
    answering = true;
    await clock.advance(3_000);
    expect(await checked.verify(token)).toMatchObject({ user: "ann" });
    const refusing = verifier({ jwksUrl: "http://127.0.0.1:1/jwks" });
    expect(await endOf(() => refusing.verify(token))).toContain("store_unavailable");
  });

  test("no answer holds a part of the token", async () => {
    const token = await sign({ aud: "other" });
    const said = await endOf(() => verifier().verify(token));
    for (const part of token.split(".")) expect(said).not.toContain(part);
  });
});
