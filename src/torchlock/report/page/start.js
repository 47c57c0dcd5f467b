"use strict";
/* Start after the first paint: the table of releases is in the page already. */
requestAnimationFrame(() => setTimeout(() => {
  const data = JSON.parse(byId("data").textContent);
  window.torchlockView = new View(data);
  document.documentElement.dataset.ready = "true";
}, 0));
