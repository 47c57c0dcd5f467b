// What the theme leaves out for people who use a keyboard or a screen reader.
document$.subscribe(() => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const code of document.querySelectorAll("pre > code")) {
    code.tabIndex = 0;
  }
  for (const section of document.querySelectorAll(".md-nav[aria-labelledby]")) {
    const label = section.parentElement.querySelector(".md-nav__link .md-ellipsis, .md-nav__link");
    section.removeAttribute("aria-labelledby");
    section.setAttribute("aria-label", label.textContent.trim());
  }
});

// The button that copies a block comes in a landmark without a name, when the block is first seen.
new MutationObserver(() => {
  for (const landmark of document.querySelectorAll("nav.md-code__nav:not([role])")) {
    landmark.setAttribute("role", "none");
  }
}).observe(document.documentElement, { childList: true, subtree: true });
