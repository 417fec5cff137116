import type OpenAI from "openai";

export interface SteadyLoad {
  /** Lets what runs finish. `failed` names each request that was not answered whole. */
  stop(): Promise<{ readonly sent: number; readonly failed: readonly string[] }>;
}

export interface SteadyLoadOptions {
  readonly model: string;
  /** Each asks again as soon as it was answered; every other one for streams. */
  readonly clients: number;
  /** The end, however long nobody stops it. */
  readonly most?: number;
}

const text = "[[sim:tokens=20]][[sim:pace=5]]";

/** Requests one after another from several clients, through the official SDK, each checked to be whole. */
export function startSteadyLoad(client: OpenAI, { model, clients, most = 20_000 }: SteadyLoadOptions): SteadyLoad {
  const failed: string[] = [];
  let sent = 0;
  let stopped = false;
  const ask = async (streams: boolean): Promise<void> => {
    const messages = [{ role: "user" as const, content: text }];
    if (!streams) {
      const { choices } = await client.chat.completions.create({ model, messages });
      if (choices[0]?.finish_reason !== "stop") throw new Error(`ended with ${choices[0]?.finish_reason}`);
      return;
    }
    let finish: string | null | undefined;
    for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) {
      finish = choices[0]?.finish_reason ?? finish;
    }
    if (finish !== "stop") throw new Error(`the stream ended with ${finish}`);
  };
  const run = async (streams: boolean): Promise<void> => {
    while (!stopped && sent < most) {
      sent++;
      await ask(streams).catch((thrown: unknown) => failed.push(String(thrown)));
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, i) => run(i % 2 === 0)));
  return {
    async stop() {
      stopped = true;
      await all;
      return { sent, failed };
    },
  };
}
