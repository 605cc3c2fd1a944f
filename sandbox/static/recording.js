// A chat as a test file: shown to be mended, copied or downloaded.

import { read } from "./api.js";
import { actions, part } from "./dom.js";

function download(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/x-python" }));
  link.download = "test_chat.py";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function open(place) {
  const { test } = await read("recording", place);
  part("recording-text").value = test;
  part("recording").showModal();
}

/** Wire the button and the dialog; `place` says which chat is open, `toast` tells what went wrong. */
export function startRecording({ place, toast }) {
  const guarded = (promise) => promise.catch((error) => toast(error.message));
  for (const button of actions("record")) button.addEventListener("click", () => guarded(open(place())));
  actions("recording-save")[0].addEventListener("click", () => download(part("recording-text").value));
  actions("recording-copy")[0].addEventListener("click", (event) => {
    const copied = navigator.clipboard.writeText(part("recording-text").value);
    guarded(copied.then(() => { event.target.textContent = "Copied"; }));
    setTimeout(() => { event.target.textContent = "Copy"; }, 2000);
  });
}
