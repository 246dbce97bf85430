// What the page adds when scripts run: it brings itself up to date. All that it
// shows it reads from the server's own page; nothing is decided or made here.
"use strict";
(() => {
  const address = document.body.dataset.live;
  const status = document.getElementById("live");
  const said = document.getElementById("said");
  if (said) said.focus();
  if (!address || !window.EventSource || !status) return;

  let timer = 0, busy = false, again = false, news = "";
  const say = (text) => { status.textContent = text; };
  const clock = () => new Date().toISOString().slice(11, 19);

  // A part in which somebody types or chooses is left alone.
  const inUse = (part) => {
    const at = document.activeElement;
    if (at && part.contains(at) && at.matches("input, textarea, select, button")) return true;
    return [...part.querySelectorAll("textarea, input:not([type=hidden]):not([type=radio]):not([type=checkbox])")].some((f) => f.value !== f.defaultValue);
  };
  const home = () => document.getElementById("main").focus({ preventScroll: true });
  const drop = (old) => {
    const held = old.contains(document.activeElement);
    old.remove();
    if (held) home();
  };
  // What was opened stays open, what was scrolled stays so, and the focus stays
  // where it was; where that is gone it goes to the content.
  const replace = (old, part) => {
    for (const d of old.querySelectorAll("details[id]")) {
      const same = part.querySelector("#" + CSS.escape(d.id));
      if (same) same.open = d.open;
    }
    const scrolled = (where) => [...where.querySelectorAll("[role=region], pre")];
    const places = scrolled(old).map((e) => [e.scrollLeft, e.scrollTop]);
    const at = document.activeElement;
    const links = [...old.querySelectorAll("a, summary, [tabindex]")];
    const place = at && old.contains(at) ? links.indexOf(at) : -1;
    old.replaceWith(part);
    scrolled(part).forEach((e, i) => { if (places[i]) [e.scrollLeft, e.scrollTop] = places[i]; });
    if (place >= 0) {
      const now = [...part.querySelectorAll("a, summary, [tabindex]")];
      const to = now.find((e) => at.href && e.href === at.href) || now[place];
      if (to) to.focus({ preventScroll: true }); else home();
    }
  };
  const update = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const response = await fetch(location.href.split("#")[0], { credentials: "same-origin", redirect: "error", cache: "no-store" });
      if (response.status === 401 || response.status === 403) { say("You are not signed in any more, or may not see this. Load the page again."); return; }
      if (!response.ok) { say("The page could not be brought up to date: the server answered " + response.status + "."); return; }
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      let kept = false;
      for (const old of document.querySelectorAll("[data-live]")) {
        if (old === document.body) continue;
        const part = fresh.getElementById(old.id);
        if (!part) { if (inUse(old)) kept = true; else drop(old); continue; }
        if (old.innerHTML === part.innerHTML) continue;
        if (inUse(old)) { kept = true; continue; }
        replace(old, document.adoptNode(part));
      }
      // A part that is new comes where it stands in the fresh page.
      for (const part of [...fresh.querySelectorAll("main [data-live][id], main section[id]")]) {
        if (document.getElementById(part.id)) continue;
        let before = part.previousElementSibling;
        while (before && !(before.id && document.getElementById(before.id))) before = before.previousElementSibling;
        const place = before && document.getElementById(before.id);
        if (place) place.after(document.adoptNode(part));
      }
      document.title = fresh.title;
      say((news || "Brought up to date") + ", " + clock() + " UTC." + (kept ? " A part in which you write was left as it is: load the page again to see it." : ""));
    } catch (e) {
      say("The page could not be brought up to date. Load it again to see what has changed.");
    } finally {
      busy = false;
      if (again) { again = false; later(); }
    }
  };
  const later = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; update(); }, 700);
  };

  let down = false;
  const source = new EventSource(address);
  source.addEventListener("hello", () => {
    document.documentElement.dataset.connected = "yes";
    if (down) { down = false; news = "Connected again"; later(); } else say("Live.");
  });
  source.addEventListener("change", (e) => {
    try { news = JSON.parse(e.data).text; } catch { news = ""; }
    later();
  });
  source.addEventListener("reset", () => { news = ""; later(); });
  source.addEventListener("end", () => { source.close(); say("You are not signed in any more. Sign in again to see what changes."); });
  source.onerror = () => {
    down = true;
    delete document.documentElement.dataset.connected;
    say(source.readyState === EventSource.CLOSED ? "Live updates are off. Load the page again to see what has changed." : "The connection was lost; trying again.");
  };
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
})();
