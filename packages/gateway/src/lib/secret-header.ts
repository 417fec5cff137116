const secret = /auth|key|token|secret|cookie|password|signature|credential/i;

/** Whether a header's name looks as if a secret stood in it: no rule may read it and nothing tells it. */
export function isSecretHeader(name: string): boolean {
  return secret.test(name);
}
