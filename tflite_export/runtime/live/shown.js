// What is heard, on the page.
"use strict";

const element = (id) => document.getElementById(id);

// Of a kind or none: silence is over when there are words, other notices stay.
function notice(text, kind = "") {
  element("notice").textContent = text;
  element("notice").dataset.kind = kind;
}

// A paragraph for each utterance; grey are the words that may still change. The last one stays in
// sight, unless the reader has scrolled up.
function show(event, number) {
  const id = `utterance-${number}-${event.utterance}`;
  let line = element(id);
  if (!event.words.length) return line?.remove();
  const page = document.documentElement;
  const below = page.scrollHeight - page.scrollTop - page.clientHeight;
  if (!line) {
    line = document.createElement("p");
    line.id = id;
    element("words").append(line);
  }
  const words = event.words.map((word) => word.text);
  const open = document.createElement("span");
  open.className = "open";
  open.textContent = words.slice(event.stable).join(" ");
  line.dataset.type = event.type;
  line.replaceChildren(words.slice(0, event.stable).join(" "), " ", open);
  if (element("notice").dataset.kind === "silence") notice("");
  if (below < line.offsetHeight) page.scrollTop = page.scrollHeight;
}
