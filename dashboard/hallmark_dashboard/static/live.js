// Live pages: the server says that something changed, and the parts marked data-live are fetched
// anew. Nothing that can be pressed is in such a part but links, so that no button ever moves.
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
  const tell = (text) => { news.textContent = text; };

  let fetching = false, again = false;
  const refresh = async () => {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.status === 401) { tell("The sign-in ended; sign in again to go on."); stream.close(); return; }
      if (!answer.ok) { tell("The page could not be brought up to date."); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const fresh = page.getElementById(part.id);
        if (!fresh || fresh.innerHTML === part.innerHTML) continue;
        const open = new Set([...part.querySelectorAll("details[open][id]")].map((one) => one.id));
        const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        part.replaceChildren(...fresh.childNodes);
        for (const one of part.querySelectorAll("details[id]")) one.open = open.has(one.id);
        if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
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
    tell(told.sentence);
    refresh();
  });
  stream.addEventListener("end", () => { stream.close(); refresh(); });
  stream.addEventListener("error", () => { tell("Not connected; what stands here may be old."); });
  stream.addEventListener("open", () => { tell(""); });
})();
