// The page is the same for everybody. Who is looking at it is asked for here.
"use strict";

const line = document.getElementById("me");

async function ask() {
  const response = await fetch(line.dataset.source);
  if (!response.ok) throw new Error(`the answer was ${response.status}`);
  const { name } = await response.json();
  // textContent: whatever somebody is called, it is text.
  line.textContent = name === null ? "Nobody is signed in." : `Signed in as ${name}.`;
}

// It comes after loading, and again when Back brings the page from memory, with what was true at the time.
addEventListener("pageshow", () => {
  ask().catch(() => {
    line.textContent = "Who is signed in cannot be found out just now.";
  });
});
