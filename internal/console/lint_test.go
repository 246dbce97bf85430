package console

// lint looks at a page in the browser: whether all has a name, ids are unique,
// headings go down step by step, tables say what their cells are of, texts can
// be read on what is behind them (WCAG 2.2, 1.4.3), nothing is wider than the
// screen, nothing moves for who wants less motion, and what is pressed is large
// enough (2.5.8).
const lint = `(() => {
  const wrong = new Set();
  const shown = (e) => e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true});
  const where = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (typeof e.className === "string" && e.className ? "." + e.className : "") + " " + JSON.stringify(e.textContent.trim().slice(0, 30));

  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) {
    if (ids.has(e.id)) wrong.add("two elements have the id " + e.id);
    ids.add(e.id);
  }
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of ((e.getAttribute("aria-labelledby") || "") + " " + (e.getAttribute("aria-describedby") || "")).trim().split(/\s+/))
      if (!document.getElementById(id)) wrong.add(where(e) + " refers to " + id + ", which is not there");
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.getAttribute("aria-label")) wrong.add(where(e) + " has no label");
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const n = +h.tagName[1];
    if (n > level + 1) wrong.add("heading " + where(h) + " is " + (n - level) + " levels down");
    if (!h.textContent.trim()) wrong.add("an empty heading");
    level = n;
  }
  if (document.querySelectorAll("h1").length !== 1) wrong.add("not one h1");
  if (!document.documentElement.lang || !document.title) wrong.add("no language or no title");
  for (const t of document.querySelectorAll("table")) {
    if (!t.caption) wrong.add("a table has no caption");
    for (const th of t.querySelectorAll("th")) if (!["col", "row"].includes(th.scope)) wrong.add(where(th) + " has no scope");
  }
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) wrong.add(where(e) + " comes before its turn");

  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "rgba(0,0,0,0)"; canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), parse(matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff"));
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(e) || e.closest(".off, script, noscript, title, desc, option")) continue;
    const style = getComputedStyle(e), svg = e.closest("svg");
    const ground = behind(svg ? svg.parentElement : e);
    const size = parseFloat(style.fontSize), least = size >= 24 || size >= 18.66 && +style.fontWeight >= 700 ? 3 : 4.5;
    const got = ratio(over(parse(svg ? style.fill : style.color), ground), ground);
    if (got < least) wrong.add(where(e) + " has a contrast of " + got.toFixed(2) + ", least " + least);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea, button")) {
    if (!shown(e) || ["radio", "checkbox"].includes(e.type)) continue;
    const style = getComputedStyle(e), ground = behind(e.parentElement);
    const edge = Math.max(ratio(over(parse(style.borderTopColor), ground), ground), ratio(over(parse(style.backgroundColor), ground), ground));
    if (edge < 3) wrong.add(where(e) + " shows its edge with a contrast of " + edge.toFixed(2) + ", least 3");
  }
  if (matchMedia("(prefers-reduced-motion: reduce)").matches)
    for (const e of document.querySelectorAll("*")) {
      const style = getComputedStyle(e);
      if (parseFloat(style.transitionDuration) > 0 || style.animationName !== "none") wrong.add(where(e) + " moves, though less motion is asked for");
    }
  for (const e of document.querySelectorAll("button, select, summary, input:not([type=hidden]):not([type=radio]):not([type=checkbox])")) {
    const box = e.getBoundingClientRect();
    if (shown(e) && (box.height < 24 || box.width < 24)) wrong.add(where(e) + " is " + box.width.toFixed() + " by " + box.height.toFixed());
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.parentElement.closest(".wide, .picture, pre"));
    wrong.add("the page is " + document.documentElement.scrollWidth + " wide: " + wide.slice(-3).map(where).join("; "));
  }
  return [...wrong];
})()`

// focusable is what the key Tab should come to, in the order of the page: of
// radio buttons of one name the one that is chosen.
const focusable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((e) => e.checkVisibility() && !(e.type === "radio" && !e.checked))
  .map((e) => e.tagName + " " + (e.name || e.href || e.textContent.trim().slice(0, 40)))`
