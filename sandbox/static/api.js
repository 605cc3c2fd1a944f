// The page's way to the sandbox: reads, deeds, and the stream of happenings.

async function answerOf(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || `The sandbox answered ${response.status}.`);
  return body;
}

export async function read(name, query = {}) {
  return answerOf(await fetch(`/app/${name}?${new URLSearchParams(query)}`));
}

export async function act(name, fields) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(fields);
  return answerOf(await fetch(`/app/${name}`, { method: "POST", headers, body }));
}

export async function upload(name, fields) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined) form.append(key, value);
  }
  return answerOf(await fetch(`/app/${name}`, { method: "POST", body: form }));
}

export function fileUrl(fileId, name = "") {
  return `/app/file/${encodeURIComponent(fileId)}?${new URLSearchParams({ name })}`;
}

/**
 * Listen to the sandbox from happening `after` on. The browser reconnects by itself and tells
 * the last number it saw; `onBoot` hears which sandbox answers, so that a new one is noticed.
 */
export function listen(after, { onBoot, onBots, onHappening, onState }) {
  const stream = new EventSource(`/app/feed?${new URLSearchParams({ after })}`);
  stream.addEventListener("open", () => onState("on"));
  stream.addEventListener("error", () => onState("off"));
  stream.addEventListener("boot", (event) => onBoot(event.data));
  stream.addEventListener("bots", (event) => onBots(JSON.parse(event.data)));
  stream.addEventListener("message", (event) => onHappening(JSON.parse(event.data)));
  return stream;
}
