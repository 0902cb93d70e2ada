// editors.mjs MODULES SPEC...   what editors make of the specs: they find nothing wrong in each as it is, something in
// each when it is spoilt, and offer the words of the language. MODULES is a `node_modules` with @taplo/lsp, which is the
// language server of Even Better TOML, and yaml-language-server, which is that of most editors' YAML support.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const settings = {
  toml: { schema: { enabled: true }, completion: { maxKeys: 50 } },
  yaml: { validate: true, completion: true, schemaStore: { enable: false } },
};

// What is written below a spec, and what must be offered where `|||` stands.
const asked = {
  toml: [
    ['\n[stages.another]\nkind = "|||"\n', ["command", "export"]],
    ['\n[stages.another]\nkind = "command"\n|||\n', ["argv", "matrix", "timeout", "retry"]],
    ["\n[|||]\n", ["defaults", "profiles"]],
  ],
  yaml: [
    ["\n  another:\n    kind: |||\n", ["command", "export"]],
    ["\n  another:\n    kind: command\n    |||\n", ["argv", "matrix", "timeout", "retry"]],
    ["\n|||\n", ["defaults", "profiles"]],
  ],
};

const spoilt = { toml: "\n[nonsense]\nx = 1\n", yaml: "\nnonsense: { x: 1 }\n" };

// A language server: what is written to it, and what it says.
class Server {
  constructor(language) {
    this.language = language;
    this.waiting = new Map();
    this.told = new Map();
    this.next = 1;
  }

  hear(message) {
    if (message.method === "textDocument/publishDiagnostics") {
      this.told.get(message.params.uri)?.(message.params.diagnostics);
    } else if (message.method === "workspace/configuration") {
      const answer = message.params.items.map(({ section }) => (["yaml", "evenBetterToml"].includes(section) ? settings[this.language] : null));
      this.write({ id: message.id, result: answer });
    } else if (message.method && message.id !== undefined) {
      this.write({ id: message.id, result: null });
    } else if (this.waiting.has(message.id)) {
      this.waiting.get(message.id)(message.result);
      this.waiting.delete(message.id);
    }
  }

  write(message) {
    this.deliver({ jsonrpc: "2.0", ...message });
  }

  request(method, params) {
    const id = this.next++;
    this.write({ id, method, params });
    return within(new Promise((done) => this.waiting.set(id, done)), `${this.language}: ${method}`);
  }

  async start() {
    const folder = pathToFileURL(process.cwd()).href;
    const capabilities = { workspace: { configuration: true, workspaceFolders: true } };
    const initialized = { processId: process.pid, rootUri: folder, capabilities, workspaceFolders: [{ uri: folder, name: "pipe" }] };
    await this.request("initialize", initialized);
    this.write({ method: "initialized", params: {} });
  }

  // Opens a text as if it lay beside `spec` and gives its name and what the server finds wrong in it. It speaks more than
  // once, first of what it knows without the schema, so it is heard out.
  async open(spec, text) {
    const uri = pathToFileURL(resolve(dirname(spec), `text-${this.next++}.${this.language}`)).href;
    let newest = [];
    let quiet;
    const spoken = new Promise((done) => {
      this.told.set(uri, (diagnostics) => {
        newest = diagnostics;
        clearTimeout(quiet);
        quiet = setTimeout(done, 3000);
      });
    });
    this.write({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: this.language, version: 1, text } } });
    await within(spoken, `${this.language}: what is wrong in ${spec}`);
    return { uri, found: newest };
  }
}

// The YAML server is a program that is spoken to over its standard input and output.
function yamlServer(modules) {
  const server = new Server("yaml");
  const program = resolve(modules, ".bin/yaml-language-server");
  const child = spawn(program, ["--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
  let rest = Buffer.alloc(0);
  child.stdout.on("data", (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const head = rest.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/i.exec(rest.subarray(0, Math.max(head, 0)).toString())?.[1]);
      if (head < 0 || rest.length < head + 4 + length) return;
      const message = JSON.parse(rest.subarray(head + 4, head + 4 + length).toString());
      rest = rest.subarray(head + 4 + length);
      server.hear(message);
    }
  });
  server.deliver = (message) => {
    const text = JSON.stringify(message);
    child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  };
  return server;
}

// The TOML server is a library; what it asks of its surroundings is given here.
async function tomlServer(modules) {
  const server = new Server("toml");
  const { TaploLsp } = createRequire(resolve(modules, "x"))("@taplo/lsp");
  const nothing = async (bytes) => bytes.length;
  const surroundings = {
    now: () => new Date(),
    envVar: () => undefined,
    envVars: () => [],
    stdErrAtty: () => false,
    stdin: async () => new Uint8Array(),
    stdout: nothing,
    stderr: nothing,
    glob: () => [],
    readFile: async (path) => readFileSync(path),
    writeFile: async () => {},
    urlToFilePath: (url) => decodeURI(url).replace("file://", ""),
    isAbsolute: (path) => path.startsWith("/"),
    cwd: () => process.cwd(),
    findConfigFile: () => undefined,
    fetch: { fetch, Headers, Request, Response },
  };
  const lsp = await TaploLsp.initialize(surroundings, { onMessage: (message) => server.hear(message) });
  server.deliver = (message) => lsp.send(message);
  return server;
}

function within(promise, what) {
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`no answer within a minute: ${what}`)), 60_000).unref());
  return Promise.race([promise, late]);
}

const problems = [];

async function check(server, spec) {
  const text = readFileSync(spec, "utf8").trimEnd() + "\n";
  for (const wrong of (await server.open(spec, text)).found) {
    problems.push(`${spec}:${wrong.range.start.line + 1}: ${wrong.message}`);
  }
  if ((await server.open(spec, text + spoilt[server.language])).found.length === 0) {
    problems.push(`${spec}: a key that does not exist is not noticed`);
  }
  for (const [below, wanted] of asked[server.language]) {
    const [before, after] = (text + below).split("|||");
    const { uri } = await server.open(spec, before + after);
    const lines = before.split("\n");
    const position = { line: lines.length - 1, character: lines.at(-1).length };
    const answer = await server.request("textDocument/completion", { textDocument: { uri }, position });
    const offered = (answer?.items ?? answer ?? []).map((item) => item.label.replaceAll('"', ""));
    const missing = wanted.filter((word) => !offered.includes(word));
    if (missing.length > 0) problems.push(`${spec}: ${JSON.stringify(below)} offers [${offered}] and not [${missing}]`);
  }
}

const [modules, ...specs] = process.argv.slice(2);
for (const server of [await tomlServer(modules), yamlServer(modules)]) {
  await server.start();
  for (const spec of specs.filter((spec) => spec.endsWith(server.language))) await check(server, spec);
}
problems.forEach((problem) => console.error(problem));
console.error(`${specs.length} specs in the language servers of editors: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
