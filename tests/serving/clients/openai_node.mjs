// openai (npm) and Vercel's ai against a server: node openai_node.mjs ADDRESS STORIES VECTORS
import assert from "node:assert";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [address, stories, vectors] = process.argv.slice(2);
const installed = createRequire(process.env.SPARROW_NODE_MODULES + "/");
const load = (name) => import(pathToFileURL(installed.resolve(name)));

const { default: OpenAI } = await load("openai");
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "any", maxRetries: 0 });
const shared = {
  model: stories, max_tokens: 8, temperature: 0, messages: [{ role: "user", content: "The cat" }],
};
const whole = await client.chat.completions.create(shared);
let text = "";
for await (const chunk of await client.chat.completions.create({ ...shared, stream: true }))
  text += chunk.choices[0]?.delta?.content ?? "";
assert.equal(text, whole.choices[0].message.content);
assert.ok(text);
const made = await client.embeddings.create({ model: vectors, input: "one" });
assert.ok(made.data[0].embedding.length);
await assert.rejects(
  client.chat.completions.create({ ...shared, temperature: -1 }), OpenAI.BadRequestError);
const answer = await client.responses.create({
  model: stories, input: "The cat", max_output_tokens: 8, temperature: 0 });
assert.equal(answer.output_text, text);
console.log("openai ok");

const { generateText, streamText } = await load("ai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const sparrow = createOpenAICompatible({ name: "sparrow", baseURL: `${address}/v1`, apiKey: "any" });
const ask = { model: sparrow(stories), prompt: "The cat", maxOutputTokens: 8, temperature: 0 };
const said = await generateText(ask);
assert.equal(said.text, text);
assert.equal(said.usage.outputTokens, 8);
let streamed = "";
for await (const piece of streamText(ask).textStream) streamed += piece;
assert.equal(streamed, text);
console.log("ai ok");
