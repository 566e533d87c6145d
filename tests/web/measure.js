// Runs beside the frame: what a browser, a keyboard and a reader of the page would meet.
"use strict";

function rgb(text) {
  const parts = text.match(/[\d.]+/g).map(Number);
  if (text.startsWith("color(srgb")) {
    return [parts[0] * 255, parts[1] * 255, parts[2] * 255, parts.length > 3 ? parts[3] : 1];
  }
  return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
}

function luminance(colour) { // WCAG 2.2, relative luminance
  const [r, g, b] = colour.slice(0, 3).map((value) => {
    const s = value / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function ground(element, view) {
  for (let here = element; here; here = here.parentElement) {
    const colour = rgb(view.getComputedStyle(here).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return [255, 255, 255, 1];
}

function weakest(page, view) {
  let worst = { ratio: 21, text: "" };
  for (const element of page.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || element.closest("svg") || !element.getClientRects().length) continue;
    const style = view.getComputedStyle(element);
    const ratio = contrast(rgb(style.color), ground(element, view));
    if (ratio < worst.ratio) worst = { ratio, text: element.textContent.slice(0, 40) };
  }
  return worst;
}

const frame = document.getElementById("frame");
frame.addEventListener("load", () => {
  const page = frame.contentDocument;
  const view = frame.contentWindow;
  const root = page.documentElement;
  for (const details of page.querySelectorAll("details")) details.open = true;
  const ids = [...page.querySelectorAll("[id]")].map((e) => e.id);
  const scrolling = [...page.querySelectorAll("*")].filter(
    (e) => e.scrollWidth > e.clientWidth + 1 && view.getComputedStyle(e).overflowX === "auto");
  const names = (list) => list.map((e) => e.outerHTML.slice(0, 80));
  document.getElementById("found").textContent = JSON.stringify({
    title: page.title,
    language: root.lang,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    overflow: root.scrollWidth - root.clientWidth,
    weakest: weakest(page, view),
    twice: ids.filter((id, at) => ids.indexOf(id) !== at),
    broken_links: names([...page.querySelectorAll("a[href]")].filter(
      (a) => !page.getElementById(a.getAttribute("href").slice(1)))),
    loads: names([...page.querySelectorAll("script, img, link, iframe, [src], [style]")]),
    handlers: names([...page.querySelectorAll("*")].filter(
      (e) => e.getAttributeNames().some((n) => n.startsWith("on")))),
    captionless: names([...page.querySelectorAll("table")].filter((t) => !t.caption)),
    headless: names([...page.querySelectorAll("th")].filter((t) => !t.scope)),
    unlabelled: names([...page.querySelectorAll("[role=region], [role=img], nav, section, dl")]
      .filter((e) => !e.getAttribute("aria-label") &&
        !page.getElementById((e.getAttribute("aria-labelledby") || "").split(" ")[0]))),
    unreachable: names(scrolling.filter((e) => e.tabIndex !== 0)),
    shaded: page.querySelectorAll("#world path:not(.s0), #world circle.dot:not(.s0)").length,
    pins: page.querySelectorAll("#world .pin").length,
    figures: [...page.querySelectorAll(".figures .big")].map((e) => e.textContent),
    headings: [...page.querySelectorAll("h1, h2")].map((e) => e.textContent),
    text: page.body.innerText,
  });
});
