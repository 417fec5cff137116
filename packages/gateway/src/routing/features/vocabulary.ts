/**
 * What words may tell about a request. Lower case; a phrase is two or three words. Each list may be edited alone: the
 * scanner learns the words from here when the process starts.
 */
export const vocabulary = {
  /** Thinking is asked for. */
  reasoning:
    "prove 证明 比较 比較 비교 proof derive justify deduce infer reason reasoning evaluate compare contrast weigh optimise optimize design diagnose assess critique investigate solve determine verify estimate recommend tradeoffs interpret beweise begründe vergleiche bewerte démontre compare justifie demuestra compara justifica",
  /** Several steps, in so many words. */
  multiStep:
    "step by step, 一步, 逐步, 단계, reason step, chain of thought, work out, work through, think through, one by one, show your work, schritt für schritt, étape par étape, paso a paso",
  /** An analysis that goes deep, in so many words. */
  analysisPhrase:
    "analyze in depth, in depth, comprehensive analysis, in-depth analysis, depth analysis, detailed analysis, thorough analysis, root cause, trade offs, pros and cons, tiefgehende analyse, analyse approfondie, análisis exhaustivo",
  /** An explanation in detail. */
  detail:
    "in detail, detailed, 详细, 詳細, 자세, thorough, thoroughly, comprehensive, comprehensively, elaborate, explain why, explain how, explain the, ausführlich, en détail, detalladamente",
  /** The middling key phrases of the rules. */
  explain: "explain describe 解释 説明 설명 summarize summarise erkläre beschreibe explique décris explica describe",
  /** The low key phrases of the rules. */
  lookup: "define, list, what is, what are, who is, who was, when was, when did, where is, was ist, qu'est ce, qué es",
  /** Each limits the answer or branches the case. */
  constraint:
    "must, only, exactly, at least, at most, no more, not exceed, unless, except, without, either, neither, whether, each, every, if, assume, assuming, suppose, given, ensure, nobody, cannot, otherwise, should, same, different, after, before, until, while, then, remaining, left",
  /** Two things are set against each other. */
  relation:
    "than more less fewer greater smaller larger older younger twice thrice half third quarter double triple equal equals difference times per remaining altogether total percent percentage ratio average rate",
  /** Mathematics proper. */
  math: "equation equations integral derivative matrix probability polynomial theorem triangle prime integer integers algebra geometry logarithm radius vector modulo divisible factorial permutation permutations subset subsets quadratic hypotenuse circumference eigenvalue converge converges calculate compute sqrt frac sum gleichung wahrscheinlichkeit équation probabilité ecuación probabilidad",
  /** What specialists speak of. */
  domain:
    "plaintiff defendant statute jurisdiction liability tort fiduciary indictment constitutional diagnosis prognosis patient symptoms clinical dosage pathology syndrome renal cardiac enzyme protein genome receptor antibody quantum thermodynamic enthalpy relativity entropy electron voltage isotope molar amortization derivative equity taxable audit accounting compliance gdpr hipaa regulatory epidemiology macroeconomic monetary econometric regression bayesian cryptography concurrency distributed consensus kernel compiler vulnerability vulnerabilities security architecture",
  /** Denials turn a question around. */
  negation: "not, never, incorrect, false, except, cannot, least likely, doesn't, isn't, neither",
  /** How the answer is to look. */
  output:
    "table, json, yaml, csv, xml, markdown, bullet points, bullets, numbered list, sections, columns, headings, outline, examples, diagram, words or less, word essay, end with, for each, of each, citations, references, assumptions, recommendation, unit tests, docstrings, type hints",
  /** JSON as the form of the answer. */
  wantsJson:
    "as json, in json, json object, json array, json format, valid json, return json, json only, json schema, respond json, als json",
  /** Names of code and of its parts. */
  codeNoun:
    "code, function, method, class, script, api, endpoint, endpoints, regex, sql, program, module, component, python, javascript, typescript, rust, golang, java, kotlin, swift, react, fastapi, django, flask, express, html, css, bash, algorithm, codebase, repository, backend, frontend, microservice, dockerfile, unit test, unit tests, snippet, test suite, failing test, failing tests, tests, linter, compile, 代码, 函数, 程序, コード, 関数, 코드, 함수, stack trace, pull request, c++, funktion, programm, skript, código, función, fonction",
  /** Something is to be made. */
  create:
    "write, implement, create, build, generate, develop, refactor, add, make, draft, compose, rewrite, port, complete the function, schreibe, schreib, 编写, 撰写, 作成, 작성, erstelle, implementiere, écris, crée, escribe, crea",
  /** Something is to be looked into. */
  analyse:
    "analyze, analyse, analyzing, review, debug, audit, inspect, fix, why does, what does, find the bug, find bugs, explain, vulnerabilities, vulnerability, bug, bugs, traceback, exception, performance, optimize, optimise, 分析, 조사, 분석, 审查, analysiere, prüfe, analyse, analiza, revisa",
  summarise:
    "summarize, summarise, summary, tldr, tl dr, condense, key points, recap, 总结, 概括, 摘要, 要約, 요약, zusammenfassung, zusammen, fasse, résume, résumé, resume el, resumen",
  translate:
    "translate, translation, 翻译, 翻訳, 번역, übersetze, übersetzung, traduis, traduire, traduce, traducir, in english, to spanish, to french, to german",
  classify:
    "classify, classification, 分类, 分類, 분류, categorize, categorise, sentiment, spam or, label the, label each, which category, klassifiziere, classe, clasifica",
  extract:
    "extract, extraction, 提取, 抽出, 추출, pull out, named entities, all names, all dates, parse the, extrahiere, extrais, extrae",
  plan: "plan, roadmap, 计划, 計画, 계획, itinerary, strategy, milestones, schedule, break down, action items, next steps, weeks of, organize, prioritize, prioritise, plane, planifie, planifica",
  prose:
    "essay, email, story, poem, blog, article, letter, tweet, slogan, tagline, haiku, speech, headline, subject line, paragraph, cover letter, song, lyrics, press release, gedicht, brief, poème, poema, carta",
  /** Opens a question. */
  question:
    "what who whom whose when where which why how is are was were does do did can could would should will has have was wer wann wo warum wie welche qué quién cuándo dónde cómo cuál que qui quand où pourquoi comment quel quelle",
  /** First words of lines of code. */
  codeStart:
    "def class import from return const let var function public private protected static void int string if elif else for while try catch except finally switch case async await export package func fn struct enum impl interface assert raise throw select insert update print using namespace self this end begin",
} as const satisfies Readonly<Record<string, string>>;

export type Concept = keyof typeof vocabulary;

/** Words so common that a few of them give a language away; only those that its neighbours lack. */
export const languageWords = {
  en: "the and of to is that write about give please your this it for was with this you are from have what which how",
  de: "der die und das ist nicht ein eine den mit auf für dem sich auch wie bitte ich zu text von eine einen schreibe",
  fr: "le la les des et est une dans que pour qui sur pas vous avec ce cette du",
  es: "el la los las y es una por con para que del se como su más está",
  it: "il di che è per una sono con non della gli nel alla questo anche ed",
  pt: "o os as de que não uma com para por do da em mais como você são",
  nl: "de het een en van is dat op te met voor niet zijn aan ook maar",
  pl: "i w nie na się jest to z do że jak co dla",
  sv: "och att det som en på är av för med den inte",
  tr: "ve bir bu için ile da çok ne gibi olarak mi",
} as const satisfies Readonly<Record<string, string>>;

export type SpelledLanguage = keyof typeof languageWords;
