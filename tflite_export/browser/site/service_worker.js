// Keeps the files of the page, so that it opens without a network. The builds of WebAssembly are
// large: the one that this browser takes is kept when it is first read.
"use strict";

importScripts("files.js"); // their list, and a version that changes when one of them does
const NAME = `${registration.scope} `; // others may have pages at this host
const CACHE = NAME + FILES.version;
const LARGE = "litertjs/wasm/";

async function install() {
  const cache = await caches.open(CACHE);
  const paths = FILES.paths.filter((path) => !path.startsWith(LARGE));
  await cache.addAll(["./", ...paths].map((path) => new Request(path, { cache: "no-cache" })));
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(NAME) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await clients.claim();
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const found = await fetch(request);
  if (found.ok) await cache.put(request, found.clone());
  return found;
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const path = event.request.url.replace(registration.scope, "").replace(/[?#].*/, "");
  if (path === "" || FILES.paths.includes(path)) event.respondWith(answer(event.request));
});
