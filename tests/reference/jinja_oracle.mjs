// node jinja_oracle.mjs REQUESTS: renders each line {"template": text, "context": {...}} of the file
// with Hugging Face's JavaScript implementation; prints a JSON array of texts, null where it failed.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const { Template } = await import(`${here}../npm/node_modules/@huggingface/jinja/dist/index.js`);
// The moment that strftime_now shows, the same for all oracles.
process.env.TZ = "UTC";
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [1700000000000] : args));
  }
};

const templates = new Map();
const render = ({ template, context }) => {
  try {
    if (!templates.has(template)) templates.set(template, new Template(template));
    return templates.get(template).render(context);
  } catch {
    return null;
  }
};
const lines = readFileSync(process.argv[2], "utf8").split("\n").filter((line) => line !== "");
const texts = lines.map((line) => render(JSON.parse(line)));
process.stdout.write(JSON.stringify(texts), () => process.exit(0));
