// Live pages: the server says that something changed, and the parts marked data-live are fetched
// anew. What is pressed stands outside of them, and stays where it is: a part never shrinks, and
// what grows above a button in sight is scrolled away.
"use strict";
(() => {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    } catch {
      button.textContent = "not copied";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });

  const source = document.body.dataset.liveFrom;
  const parts = () => document.querySelectorAll("[data-live][id]");
  if (!source || !window.EventSource || !parts().length) return;
  const news = document.getElementById("news");
  const tell = (text, href) => {
    const said = document.createElement(href ? "a" : "span");
    if (href) said.href = href;
    said.textContent = text;
    news.replaceChildren(said);
  };

  const inSight = () => [...document.querySelectorAll("form.stack input, form.stack textarea, form.stack button")]
    .find((one) => { const box = one.getBoundingClientRect(); return box.height && box.bottom > 0 && box.top < innerHeight; });
  const replace = (part, fresh) => {
    const held = inSight();
    const top = held?.getBoundingClientRect().top;
    part.style.minHeight = `${part.offsetHeight}px`;
    const open = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...fresh.childNodes);
    for (const one of part.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = open.get(one.id);
    if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (held) scrollBy({ top: held.getBoundingClientRect().top - top, behavior: "instant" });
  };

  let fetching = false, again = false;
  const refresh = async () => {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
      if (answer.status === 401 || answer.type === "opaqueredirect") {
        tell("The sign-in ended; what you typed is kept when you send it.", "/sign-in");
        stream.close();
        return;
      }
      if (!answer.ok) { tell("The page could not be brought up to date."); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const fresh = page.getElementById(part.id);
        if (fresh && fresh.innerHTML !== part.innerHTML) replace(part, fresh);
      }
    } catch {
      tell("The dashboard does not answer; what stands here may be old.");
    } finally {
      fetching = false;
      if (again) { again = false; refresh(); }
    }
  };

  const stream = new EventSource(source);
  stream.addEventListener("change", (event) => {
    const told = JSON.parse(event.data);
    tell(told.sentence, told.href);
    refresh();
  });
  stream.addEventListener("end", () => { stream.close(); refresh(); });
  stream.addEventListener("error", () => {
    tell("Not connected; what stands here may be old.");
    // It was refused and is not tried again: the page itself knows why.
    if (stream.readyState === EventSource.CLOSED) refresh();
  });
  stream.addEventListener("open", () => { if (news.textContent.startsWith("Not connected")) tell(""); });
})();
