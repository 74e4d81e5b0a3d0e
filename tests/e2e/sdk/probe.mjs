// SPDX-License-Identifier: Apache-2.0
// The official SDK, told what to do by lines of JSON on its standard input and answering with lines of JSON: {"value"} or
// {"error"}. acr_probe.cpp is berth to the same words. Run in the folder that holds the SDK's packages.
import { createRequire } from "node:module";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createInterface } from "node:readline";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.cwd(), "package.json")));
const { ContainerRegistryClient, ContainerRegistryContentClient } = require("@azure/container-registry");
const { AzureCliCredential } = require("@azure/identity");

function credentialOf({ credential }) {
  if (!credential) return undefined;
  if (credential === "az") return new AzureCliCredential();
  return { getToken: async () => ({ token: credential, expiresOnTimestamp: Date.now() + 3600e3 }) };
}

const clients = new Map();
function cached(command, kind, make) {
  const key = JSON.stringify([kind, command.endpoint, command.credential, kind === "content" ? command.repository : ""]);
  if (command.fresh || !clients.has(key)) clients.set(key, make());
  return clients.get(key);
}
const registry = (command) =>
  cached(command, "registry", () => {
    const credential = credentialOf(command);
    const options = command.options ?? {};
    return credential
      ? new ContainerRegistryClient(command.endpoint, credential, options)
      : new ContainerRegistryClient(command.endpoint, options);
  });
const content = (command) =>
  cached(command, "content", () => new ContainerRegistryContentClient(command.endpoint, command.repository, credentialOf(command), command.options ?? {}));
const repository = (command) => registry(command).getRepository(command.repository);
const artifact = (command) => registry(command).getArtifact(command.repository, command.reference);

// By item and by page: both walks of a list.
async function walk(list, { pageSize, continuationToken }) {
  const pages = [];
  for await (const page of list.byPage({ maxPageSize: pageSize, continuationToken })) {
    pages.push({ items: [...page], continuationToken: page.continuationToken });
  }
  return { pages };
}
async function items(list) {
  const all = [];
  for await (const item of list) all.push(item);
  return { items: all };
}
async function listed(list, command) {
  if (command.byPage) return walk(list, command);
  const all = await items(list);
  return command.count ? { count: all.items.length } : all; // for measuring: nothing but the list
}

const operations = {
  endpoint: (c) => registry(c).endpoint,
  listRepositoryNames: (c) => listed(registry(c).listRepositoryNames(), c),
  deleteRepository: async (c) => void (await registry(c).deleteRepository(c.repository)),
  repositoryName: (c) => [repository(c).registryEndpoint, repository(c).name],
  "repository.delete": async (c) => void (await repository(c).delete()),
  "repository.getProperties": (c) => repository(c).getProperties(),
  "repository.updateProperties": (c) => repository(c).updateProperties(c.changes),
  "repository.listManifestProperties": (c) => listed(repository(c).listManifestProperties({ order: c.order }), c),
  artifactName: (c) => [artifact(c).registryEndpoint, artifact(c).repositoryName],
  fullyQualifiedReference: (c) => artifact(c).fullyQualifiedReference,
  "artifact.delete": async (c) => void (await artifact(c).delete()),
  "artifact.deleteTag": async (c) => void (await artifact(c).deleteTag(c.tag)),
  "artifact.getManifestProperties": (c) => artifact(c).getManifestProperties(),
  "artifact.updateManifestProperties": (c) => artifact(c).updateManifestProperties(c.changes),
  "artifact.getTagProperties": (c) => artifact(c).getTagProperties(c.tag),
  "artifact.updateTagProperties": (c) => artifact(c).updateTagProperties(c.tag, c.changes),
  "artifact.listTagProperties": (c) => listed(artifact(c).listTagProperties({ order: c.order }), c),
  contentName: (c) => [content(c).endpoint, content(c).repositoryName],
  uploadBlob: (c) => content(c).uploadBlob(c.file ? createReadStream(c.file) : Buffer.from(c.text)),
  downloadBlob: async (c) => {
    const result = await content(c).downloadBlob(c.digest);
    await pipeline(result.content, createWriteStream(c.file));
    return { digest: result.digest };
  },
  setManifest: (c) => content(c).setManifest(c.object ? JSON.parse(c.object) : Buffer.from(c.text), { tag: c.tag, mediaType: c.mediaType }),
  getManifest: async (c) => {
    const { digest, mediaType, content: bytes, manifest } = await content(c).getManifest(c.reference);
    return { digest, mediaType, content: bytes.toString(), layers: manifest.layers, config: manifest.config };
  },
  deleteBlob: async (c) => void (await content(c).deleteBlob(c.digest)),
  deleteManifest: async (c) => void (await content(c).deleteManifest(c.digest)),
};

function told(error) {
  let code = error.code;
  try {
    code = JSON.parse(error.message).errors[0].code; // the SDK leaves ACR's codes in the text
  } catch {}
  return { name: error.name, status: error.statusCode, code };
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  const start = performance.now();
  try {
    answer = { value: (await operations[command.op](command)) ?? null };
  } catch (error) {
    answer = { error: told(error), message: error.message };
  }
  console.log(JSON.stringify({ ...answer, seconds: (performance.now() - start) / 1000 }));
}
