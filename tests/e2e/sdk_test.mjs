// The public SDKs against the real server with the built-in model: every byte between them is real,
// only the words are noise.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, load } from './server.mjs';

const Anthropic = load('@anthropic-ai/sdk').default;
const OpenAI = load('openai').default;

let server;
let anthropic;
let openai;
const ask = [{ role: 'user', content: 'Say something.' }];
const tool = {
  name: 'read_file',
  description: 'Reads a file',
  input_schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
};

before(async () => {
  server = await Server.start();
  anthropic = new Anthropic({ baseURL: server.url, apiKey: 'local', maxRetries: 0 });
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'local', maxRetries: 0 });
});
after(async () => {
  if (server) assert.equal(await server.stop(), 0);
});

test('anthropic: a whole message with exact usage', async () => {
  const message = await anthropic.messages.create({ model: 'any-id', max_tokens: 12, messages: ask });
  assert.equal(message.model, 'any-id');
  assert.equal(message.role, 'assistant');
  assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason));
  assert.ok(message.usage.output_tokens >= 1 && message.usage.output_tokens <= 12);
  assert.ok(message.usage.input_tokens > 0);
});

test('anthropic: a stream whose pieces make the final message', async () => {
  const stream = anthropic.messages.stream({ model: 'm', max_tokens: 20, messages: ask });
  let text = '';
  stream.on('text', (piece) => (text += piece));
  const message = await stream.finalMessage();
  assert.equal(message.content.filter((b) => b.type === 'text').map((b) => b.text).join(''), text);
});

test('anthropic: count_tokens equals what a request is charged', async () => {
  const request = { model: 'm', messages: [{ role: 'user', content: 'Count me, please: \u00e9\u4e2d' }], tools: [tool] };
  const counted = await anthropic.messages.countTokens(request);
  const message = await anthropic.messages.create({ ...request, max_tokens: 1 });
  const usage = message.usage;
  assert.equal(
    usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
    counted.input_tokens);
});

test('anthropic: the second turn reads the first from the cache', async () => {
  const long = 'All work and no play makes a long prompt. '.repeat(40);
  const first = await anthropic.messages.create({
    model: 'm', max_tokens: 8, temperature: 0, messages: [{ role: 'user', content: long }] });
  const second = await anthropic.messages.create({
    model: 'm', max_tokens: 8, temperature: 0,
    messages: [{ role: 'user', content: long },
               { role: 'assistant', content: first.content.length ? first.content : 'x' },
               { role: 'user', content: 'And then?' }] });
  const asked = first.usage.input_tokens + first.usage.cache_read_input_tokens;
  assert.ok(second.usage.cache_read_input_tokens >= asked - 1,
    `${second.usage.cache_read_input_tokens} of ${asked} tokens were reused`);
});

test('anthropic: a marked prompt is counted as stored, then as read, and the sum is the prompt', async () => {
  const marked = (ttl) => ({ model: 'm', max_tokens: 2, temperature: 0,
    system: [{ type: 'text', text: `Rules of the house ${ttl}. `.repeat(30), cache_control: { type: 'ephemeral', ttl } }],
    messages: [{ role: 'user', content: 'Go on.' }] });
  for (const ttl of ['5m', '1h']) {
    const counted = await anthropic.messages.countTokens({ model: 'm', system: marked(ttl).system, messages: marked(ttl).messages });
    const whole = (await anthropic.messages.create(marked(ttl))).usage;
    assert.ok(whole.cache_creation_input_tokens > 100, JSON.stringify(whole));
    assert.ok(whole.input_tokens > 0 && whole.input_tokens < 40, JSON.stringify(whole));
    const streamed = (await anthropic.messages.stream(marked(ttl)).finalMessage()).usage;
    assert.equal(streamed.cache_creation_input_tokens, 0, JSON.stringify(streamed));
    assert.ok(streamed.cache_read_input_tokens >= whole.cache_creation_input_tokens, JSON.stringify(streamed));
    for (const usage of [whole, streamed]) {
      assert.equal(usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        counted.input_tokens);
    }
  }
});

test('every dialect tells the same prompt, read and computed', async () => {
  const text = 'One prompt for three dialects. '.repeat(25);
  await anthropic.messages.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: text }] });
  const a = (await anthropic.messages.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: text }] })).usage;
  const total = a.input_tokens + a.cache_read_input_tokens + a.cache_creation_input_tokens;
  const chat = (await openai.chat.completions.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: text }] })).usage;
  assert.equal(chat.prompt_tokens, total);
  assert.equal(chat.prompt_tokens_details.cached_tokens, total - 1);
  const response = (await openai.responses.create({ model: 'm', max_output_tokens: 16, input: text })).usage;
  assert.equal(response.input_tokens, total);
  assert.equal(response.input_tokens_details.cached_tokens, total - 1);
});

test('openai: the second turn of a response tells what it read from the cache, whole and streamed', async () => {
  const question = 'Responses remember what was said. '.repeat(20);
  const first = await openai.responses.create({ model: 'm', input: question, max_output_tokens: 16, temperature: 0 });
  assert.ok(first.usage.input_tokens_details.cached_tokens < 64, JSON.stringify(first.usage));
  const turn = (more) => ({ model: 'm', previous_response_id: first.id, max_output_tokens: 16, ...more });
  const whole = (await openai.responses.create(turn({ input: 'And then?' }))).usage;
  let streamed;
  const events = await openai.responses.create(turn({ input: 'What else?', stream: true }));
  for await (const event of events) streamed = event.response?.usage ?? streamed;
  for (const usage of [whole, streamed]) {
    const cached = usage.input_tokens_details.cached_tokens;
    assert.ok(cached >= first.usage.input_tokens - 1, `${cached} of ${first.usage.input_tokens}: the first turn is read`);
    assert.ok(cached < usage.input_tokens, 'the new question is computed');
    assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
  }
});

test('/cache and the trace say where an edited prompt left the cached one', async () => {
  const ask = (word) => anthropic.messages.create({ model: 'm', max_tokens: 2,
    messages: [{ role: 'user', content: 'A first question that stays.' },
               { role: 'assistant', content: `An answer with ${word} in its middle and more behind it, long enough to matter.` },
               { role: 'user', content: 'And then?' }] });
  await ask('apples');
  await ask('pears');
  const cache = await (await fetch(`${server.url}/cache`)).json();
  const divergence = cache.requests[0].prompt.divergence;
  assert.equal(divergence.part, 'message 2 (assistant)');
  assert.match(divergence.was, /apple/);
  assert.match(divergence.now, /pear/);
  assert.ok(divergence.lost > 0 && divergence.seconds > 0, JSON.stringify(divergence));
  assert.ok(cache.engine.pages_total > 0);
});

test('anthropic: the same seedless greedy question gives the same answer', async () => {
  const request = { model: 'm', max_tokens: 16, temperature: 0, messages: ask };
  const a = await anthropic.messages.create(request);
  const b = await anthropic.messages.create(request);
  assert.deepEqual(a.content, b.content);
  assert.notEqual(a.id, b.id);
});

test('anthropic: models are listed with an id that clients accept', async () => {
  const page = await anthropic.models.list();
  assert.match(page.data[0].id, /^anthropic-local-/);
});

test('anthropic: errors have the classes of the SDK', async () => {
  await assert.rejects(
    anthropic.messages.create({ model: 'm', max_tokens: 5, messages: [{ role: 'robot', content: 'x' }] }),
    (error) => error instanceof Anthropic.BadRequestError && /messages\.0\.role/.test(error.message));
  await assert.rejects(
    anthropic.messages.create({ model: 'm', max_tokens: 5,
      messages: [{ role: 'user', content: 'x '.repeat(300_000) }] }),
    (error) => error instanceof Anthropic.BadRequestError &&
      /prompt is too long: \d+ tokens > \d+ maximum/.test(error.message));
});

test('anthropic: an aborted stream ends and the server goes on', async () => {
  const controller = new AbortController();
  const stream = await anthropic.messages.create(
    { model: 'm', max_tokens: 30000, stream: true, messages: ask }, { signal: controller.signal });
  let seen = 0;
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && ++seen === 3) controller.abort();
  }
  assert.ok(seen >= 3 && seen < 5000, `${seen} of 30000 tokens arrived`);
  const message = await anthropic.messages.create({ model: 'm', max_tokens: 2, messages: ask });
  assert.equal(message.type, 'message');
});

test('openai: chat completions, whole and streamed', async () => {
  const whole = await openai.chat.completions.create({ model: 'm', max_tokens: 10, temperature: 0, messages: ask });
  const stream = await openai.chat.completions.create({
    model: 'm', max_tokens: 10, temperature: 0, messages: ask, stream: true,
    stream_options: { include_usage: true } });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    if (chunk.usage) usage = chunk.usage;
  }
  assert.equal(text, whole.choices[0].message.content ?? '');
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.ok(usage.prompt_tokens_details.cached_tokens > 0);
});

test('openai: log-probabilities of every token', async () => {
  const reply = await openai.chat.completions.create({
    model: 'm', max_tokens: 6, temperature: 0, messages: ask, logprobs: true, top_logprobs: 3 });
  const entries = reply.choices[0].logprobs?.content ?? [];
  for (const entry of entries) {
    assert.equal(entry.top_logprobs.length, 3);
    assert.ok(entry.logprob <= 0);
  }
});

test('openai: several choices, completions, models', async () => {
  const reply = await openai.chat.completions.create({ model: 'm', max_tokens: 4, n: 3, messages: ask });
  assert.equal(reply.choices.length, 3);
  const completion = await openai.completions.create({ model: 'm', max_tokens: 4, prompt: 'Once upon' });
  assert.equal(completion.choices.length, 1);
  const models = await openai.models.list();
  assert.ok(models.data.length >= 1);
});

test('openai: responses, whole and streamed', async () => {
  const whole = await openai.responses.create({ model: 'm', input: 'hello', max_output_tokens: 8 });
  assert.ok(['completed', 'incomplete'].includes(whole.status));
  const stream = await openai.responses.create({ model: 'm', input: 'hello', max_output_tokens: 8, stream: true });
  const types = [];
  for await (const event of stream) types.push(event.type);
  assert.equal(types[0], 'response.created');
  assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
});

test('openai: a tool list is accepted and errors name the field', async () => {
  const reply = await openai.chat.completions.create({
    model: 'm', max_tokens: 4, messages: ask,
    tools: [{ type: 'function', function: { name: tool.name, description: tool.description, parameters: tool.input_schema } }] });
  assert.equal(reply.object, 'chat.completion');
  await assert.rejects(
    openai.chat.completions.create({ model: 'm', messages: 'no array' }),
    (error) => error instanceof OpenAI.BadRequestError && /messages/.test(error.message));
});

// The built-in model's weights are random: whatever is valid here is so because of the grammar.
const bounded = {
  type: 'object', additionalProperties: false, required: ['mode', 'count', 'tags'],
  properties: {
    mode: { enum: ['fast', 'slow'] },
    count: { type: 'integer', minimum: 1, maximum: 120 },
    tags: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string', maxLength: 5 } },
    note: { anyOf: [{ type: 'null' }, { type: 'string', pattern: '^[a-f]{2,4}$' }] },
  },
};
const Ajv = load('ajv').default;
const valid = new Ajv({ strict: false }).compile(bounded);

test('anthropic: a model of noise calls tools correctly', async () => {
  // Noise may think until the limit (a third of the time): rounds go on until enough calls were judged. That 60 rounds
  // give fewer than 8 happens less than once in 10^15 times.
  let finished = 0;
  for (let i = 0; finished < 8; i++) {
    assert.ok(i < 60, `only ${finished} of ${i} calls finished`);
    const message = await anthropic.messages.create({
      model: 'm', max_tokens: 600, messages: [{ role: 'user', content: `Round ${i}` }],
      tools: [tool, { name: 'configure', description: 'x', input_schema: bounded }],
      tool_choice: { type: 'tool', name: 'configure', disable_parallel_tool_use: true } });
    if (message.stop_reason === 'max_tokens') continue;
    assert.equal(message.stop_reason, 'tool_use');
    const call = message.content.at(-1);
    assert.equal(call.name, 'configure');
    assert.ok(valid(call.input), JSON.stringify([call.input, valid.errors]));
    finished++;
  }
});

test('openai: structured output by schema, expression, grammar and choice', async () => {
  const create = (fields) => openai.chat.completions.create({ model: 'm', max_tokens: 600, messages: ask, ...fields });
  const content = (reply) => reply.choices[0].message.content;
  const json = await create({ response_format: { type: 'json_schema',
    json_schema: { name: 'r', strict: true, schema: bounded } } });
  if (json.choices[0].finish_reason === 'stop') assert.ok(valid(JSON.parse(content(json))), content(json));
  const date = await create({ guided_regex: '20[0-9]{2}-0[1-9]' });
  assert.match(content(date).replace(/^.*<\/think>\n*/s, ''), /^20\d\d-0[1-9]$/);
  const word = await create({ guided_choice: ['left', 'right'] });
  assert.ok(['left', 'right'].includes(content(word)), content(word));
  const pair = await create({ grammar: 'root ::= digit "-" digit\ndigit ::= [0-9]' });
  assert.match(content(pair), /^\d-\d$/);
  await assert.rejects(
    create({ response_format: { type: 'json_schema',
      json_schema: { name: 'r', schema: { properties: { a: { type: 'what' } } } } } }),
    (error) => error instanceof OpenAI.BadRequestError && /#\/properties\/a: type/.test(error.message));
});

test('many streams at once each end properly', async () => {
  const ends = await Promise.all([...Array(16).keys()].map(async (i) => {
    const stream = anthropic.messages.stream({ model: 'm', max_tokens: 24, messages: [{ role: 'user', content: `Number ${i}` }] });
    return (await stream.finalMessage()).stop_reason;
  }));
  for (const end of ends) assert.ok(['end_turn', 'max_tokens'].includes(end), end);
});

test('openai: a response is continued by its id, unless it was not to be stored', async () => {
  const first = await openai.responses.create({ model: 'm', input: 'Remember the word plum.', max_output_tokens: 6, temperature: 0 });
  const next = await openai.responses.create({
    model: 'm', previous_response_id: first.id, input: 'Which word?', max_output_tokens: 2 });
  assert.equal(next.previous_response_id, first.id);
  const alone = await openai.responses.create({ model: 'm', input: 'Which word?', max_output_tokens: 2 });
  assert.ok(next.usage.input_tokens > alone.usage.input_tokens + 20, 'the earlier turns are in the prompt');
  const forgotten = await openai.responses.create({ model: 'm', input: 'x', max_output_tokens: 2, store: false });
  for (const id of [forgotten.id, 'resp_unknown']) {
    await assert.rejects(
      openai.responses.create({ model: 'm', previous_response_id: id, input: 'y' }),
      (error) => error instanceof OpenAI.NotFoundError && /previous_response_id/.test(error.message));
  }
});

const post = (path, body, headers = {}) => fetch(server.url + path, {
  method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });

test('tokenize and detokenize are exact, for texts and conversations', async () => {
  const text = 'Some text: \u00e9\u4e2d';
  const { tokens, count } = await (await post('/tokenize', { content: text })).json();
  assert.equal(tokens.length, count);
  assert.equal((await (await post('/detokenize', { tokens })).json()).content, text);
  const conversation = { model: 'm', messages: [{ role: 'user', content: text }] };
  const whole = await (await post('/tokenize', conversation)).json();
  const counted = await anthropic.messages.countTokens(conversation);
  assert.equal(whole.count, counted.input_tokens);
  assert.equal((await post('/detokenize', { tokens: ['x'] })).status, 400);
});

test('openai: embeddings are normalised, the same for the same text, in both encodings', async () => {
  const ask = (input, encoding) => openai.embeddings.create({ model: 'm', input, encoding_format: encoding });
  const plain = await ask(['one text', 'another text', 'one text'], 'float');
  const vectors = plain.data.map((entry) => entry.embedding);
  assert.deepEqual(plain.data.map((entry) => entry.index), [0, 1, 2]);
  assert.deepEqual(vectors[0], vectors[2]);
  assert.notDeepEqual(vectors[0], vectors[1]);
  for (const vector of vectors) {
    assert.ok(Math.abs(vector.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);
  }
  const { tokens } = await (await post('/tokenize', { content: 'one text' })).json();
  const byTokens = await openai.embeddings.create({ model: 'm', input: tokens });  // base64 on the wire
  assert.equal(byTokens.usage.prompt_tokens, tokens.length);
  byTokens.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - vectors[0][i]) < 1e-6));
  await assert.rejects(ask([''], 'float'),
    (error) => error instanceof OpenAI.BadRequestError && /input\.0: is empty/.test(error.message));
  await assert.rejects(openai.embeddings.create({ model: 'm', input: 'x', dimensions: 7 }),
    (error) => error instanceof OpenAI.BadRequestError && /dimensions: this model gives/.test(error.message));
  await assert.rejects(ask('word '.repeat(200_000), 'float'),
    (error) => error instanceof OpenAI.BadRequestError && /prompt is too long/.test(error.message));
});

test('a cache miss is explained by the part of the request that changed', async () => {
  const ask = async (changes, previous) => (await post('/v1/messages', {
    model: 'm', max_tokens: 2, system: 'You are careful.', tools: [tool],
    messages: [{ role: 'user', content: 'Why? '.repeat(30) }],
    ...(previous === undefined ? {} : { diagnostics: { previous_message_id: previous } }), ...changes })).json();
  const first = await ask({});
  const reason = async (changes, previous = first.id) =>
    (await ask(changes, previous)).diagnostics.cache_miss_reason?.type ?? null;
  assert.equal(await reason({}), null);
  assert.equal(await reason({}, 'msg_unknown'), 'previous_message_not_found');
  assert.equal(await reason({ model: 'other' }), 'model_changed');
  assert.equal(await reason({ tools: [{ ...tool, description: 'Reads one file' }] }), 'tools_changed');
  assert.equal(await reason({ system: 'You are careless.' }), 'system_changed');
  assert.equal(await reason({ messages: [{ role: 'user', content: 'How?' }] }), 'messages_changed');
  assert.equal(first.diagnostics, undefined);
});

test('a request that is sent again while it runs joins its twin, also without a stream', async () => {
  const body = { model: 'm', max_tokens: 400, temperature: 1, messages: ask };
  const headers = { 'x-claude-code-session-id': 'twins' };
  const replies = await Promise.all([
    post('/v1/messages', { ...body, stream: true }, headers).then((r) => r.text()),
    post('/v1/messages', { ...body, stream: true }, headers).then((r) => r.text())]);
  assert.equal(replies[0].replaceAll(/event: ping\ndata: [^\n]*\n\n/g, ''),
    replies[1].replaceAll(/event: ping\ndata: [^\n]*\n\n/g, ''), 'one reply for both');
  const fallback = await (await post('/v1/messages', { ...body, stream: false }, headers)).json();
  assert.ok(replies[0].includes(fallback.id), 'the finished stream answers the fallback');
  const alone = await (await post('/v1/messages', { ...body, max_tokens: 2, stream: false })).json();
  assert.ok(!replies[0].includes(alone.id));
});
