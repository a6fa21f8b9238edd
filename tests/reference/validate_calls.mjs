// Reads lines {"schema": ..., "value": "<JSON text>"} from a file and prints those that a JSON
// Schema validator refuses, with its reason.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('../npm/package.json', import.meta.url)));
const Ajv = require('ajv').default;
const ajv = new Ajv({ strict: false, validateFormats: false });
const compiled = new Map();

for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  if (!line) continue;
  const { name, schema, value } = JSON.parse(line);
  const key = JSON.stringify(schema);
  if (!compiled.has(key)) compiled.set(key, ajv.compile(schema));
  const validate = compiled.get(key);
  let parsed;
  try {
    parsed = JSON.parse(value);
  } catch (error) {
    console.log(`${name}: not JSON: ${error.message}: ${value}`);
    continue;
  }
  if (!validate(parsed)) console.log(`${name}: ${ajv.errorsText(validate.errors)}: ${value}`);
}
