// node tokenizer_oracle.mjs TOKENIZER_JSON TEXTS_JSON: prints the ids that Hugging Face's
// JavaScript tokenizers give for each text, as a JSON array of arrays.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const { Tokenizer } = await import(
  `${here}../npm/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs`
);
const [tokenizerFile, textsFile] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
// The parts that play no role in encoding are asked for, but may be empty.
const tokenizer = new Tokenizer(
  { post_processor: null, decoder: null, ...read(tokenizerFile) },
  {},
);
const ids = read(textsFile).map((text) => tokenizer.encode(text, { add_special_tokens: false }).ids);
process.stdout.write(JSON.stringify(ids), () => process.exit(0));
