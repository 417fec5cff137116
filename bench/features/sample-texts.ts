import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8").slice(0, 12_000);

/** One kind of text and samples of it. */
export interface TextClass {
  readonly name: string;
  readonly samples: readonly string[];
}

const german = [
  "Die Stadtverwaltung hat gestern beschlossen, den alten Güterbahnhof nicht abzureißen, sondern ihn in den kommenden drei Jahren zu einem Kulturzentrum umzubauen. Vorgesehen sind Werkstätten, eine kleine Bühne und ein Café, das von einer Genossenschaft betrieben werden soll. Die Kosten werden auf rund zwölf Millionen Euro geschätzt; etwa ein Drittel davon übernimmt das Land. Anwohnerinnen und Anwohner befürchten allerdings, dass der Verkehr in den engen Nebenstraßen spürbar zunehmen wird.",
  "Könntest du mir bitte erklären, warum unser Speicherverbrauch nach jeder Auslieferung steigt? Wir haben den Zwischenspeicher bereits verkleinert und die Anzahl der gleichzeitigen Verbindungen begrenzt, aber nach ungefähr vierzig Minuten startet der Dienst trotzdem neu. Im Protokoll steht nur, dass die Gesundheitsprüfung fehlgeschlagen ist. Ich vermute, dass die Warteschlange für ausgehende Nachrichten nicht geleert wird, weiß aber nicht, wie ich das am einfachsten nachweisen kann.",
];
const cjk = [
  "市政府昨天决定不拆除旧货运站，而是在未来三年内将其改建为文化中心。计划包括工作坊、一个小型舞台和一家由合作社经营的咖啡馆。费用估计约为一千两百万欧元，其中大约三分之一由州政府承担。不过，附近的居民担心狭窄街道上的交通量会明显增加。请根据以上内容写一份简短的说明，并列出居民最关心的三个问题，以及市政府可能给出的回答。",
  "昨日の会議では、古い貨物駅を取り壊さずに、三年かけて文化センターに改築することが決まりました。工房や小さな舞台のほか、協同組合が運営する喫茶店も入る予定です。費用はおよそ二十億円と見積もられており、その三分の一を県が負担します。一方で、近所の人たちは狭い道の交通量が増えるのではないかと心配しています。この文章を三行で要約してください。",
  "시는 어제 오래된 화물역을 철거하지 않고 앞으로 삼 년 동안 문화 센터로 고치기로 했습니다. 작업실과 작은 무대, 그리고 협동조합이 운영하는 카페가 들어설 예정입니다. 비용은 약 백이십억 원으로 예상되며 그중 삼분의 일은 도에서 부담합니다. 그러나 주민들은 좁은 골목길의 교통이 눈에 띄게 늘어날 것을 걱정하고 있습니다.",
];
const otherScripts = [
  "Вчера городская администрация решила не сносить старую грузовую станцию, а перестроить её за три года в культурный центр. Там разместятся мастерские, небольшая сцена и кафе, которым будет управлять кооператив. Расходы оцениваются примерно в двенадцать миллионов, треть из них возьмёт на себя область. Жители, однако, опасаются, что движение на узких улицах заметно усилится.",
  "قررت بلدية المدينة أمس عدم هدم محطة الشحن القديمة، بل تحويلها خلال السنوات الثلاث المقبلة إلى مركز ثقافي. ويشمل المشروع ورش عمل ومسرحا صغيرا ومقهى تديره جمعية تعاونية. وتقدر التكلفة بنحو اثني عشر مليونا، تتحمل المحافظة ثلثها تقريبا. غير أن السكان يخشون أن تزداد حركة المرور في الشوارع الضيقة.",
];

/** Bytes that only look random, the same in every run. */
function seededBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const records = Array.from({ length: 40 }, (_, index) => ({
  id: 48_213 + index * 17,
  customer: { name: ["Ada Lind", "Tom Reyes", "Mei Okafor"][index % 3], email: `person${index}@example.org` },
  items: [{ sku: `AB-${1_000 + index * 37}`, quantity: (index % 5) + 1, unitPrice: 19.95 + index }],
  createdAt: new Date(1_760_000_000_000 + index * 86_400_000).toISOString(),
  paid: index % 4 !== 0,
}));

/** Texts of our own, or of this repository, by class. */
export function sampleTexts(): readonly TextClass[] {
  return [
    {
      name: "code",
      samples: [
        read("packages/gateway/src/routing/plan.ts"),
        read("packages/gateway/src/cli/table.ts"),
        read("packages/gateway/src/lib/timer-wheel.ts"),
        read("scripts/bun.mjs"),
      ],
    },
    { name: "prose, English", samples: [read("README.md"), read("docs/architecture.md"), read("CONTRIBUTING.md")] },
    { name: "prose, German", samples: german },
    { name: "Chinese, Japanese, Korean", samples: cjk },
    { name: "other scripts", samples: otherScripts },
    { name: "JSON", samples: [JSON.stringify(records), JSON.stringify(records, null, 2), read("package.json")] },
    { name: "base64", samples: [1, 2, 3].map((seed) => seededBytes(3_000, seed).toString("base64")) },
  ];
}
