// Shows /openapi.json and, at /docs, lets people try each call. No library, no
// inline code: the page's policy allows this file alone. Everything is put into
// the page as text, never as HTML.
"use strict";

const trying = location.pathname !== "/redoc";

const el = (tag, attributes, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return e;
};

let doc;

const resolve = (s) => {
  while (s && s.$ref) s = s.$ref.split("/").slice(1).reduce((at, part) => at[part], doc);
  return s || {};
};

const typeOf = (s) => {
  s = resolve(s);
  const type = [].concat(s.type || "any").join(" or ");
  if (s.items) return "list of " + typeOf(s.items);
  return s.enum ? s.enum.join(" | ") : s.format ? type + " (" + s.format + ")" : type;
};

const bounds = (s) => {
  s = resolve(s);
  const says = { minLength: "at least $ characters", maxLength: "at most $ characters", minimum: "at least $", maximum: "at most $", maxItems: "at most $ items" };
  return Object.entries(says).filter(([k]) => s[k] !== undefined).map(([k, text]) => text.replace("$", s[k])).join(", ");
};

// example makes a value that fits a schema, to start from.
const example = (s, depth = 0) => {
  s = resolve(s);
  if (s.examples) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  const type = [].concat(s.type)[0];
  if (type === "object" && depth < 5) {
    return Object.fromEntries(Object.entries(s.properties || {}).map(([k, v]) => [k, example(v, depth + 1)]));
  }
  if (type === "array") return depth < 5 && s.items ? [example(s.items, depth + 1)] : [];
  return { integer: 0, number: 0, boolean: false, string: "" }[type] ?? null;
};

const fields = (schema) => {
  const s = resolve(schema);
  const required = new Set(s.required || []);
  const rows = Object.entries(s.properties || {}).map(([name, p]) =>
    el("tr", {}, el("td", {}, el("code", {}, name), required.has(name) ? " *" : ""), el("td", {}, typeOf(p)),
      el("td", {}, p.description || resolve(p).description || "", " ", el("span", { class: "muted" }, bounds(p)))));
  return rows.length ? el("table", {}, ...rows) : el("code", {}, typeOf(schema));
};

const section = (title, ...children) => el("section", {}, el("h3", {}, title), ...children);

const operation = (path, method, op) => {
  const body = el("div", {});
  const scopes = (op.security || []).flatMap((s) => Object.entries(s)).map(([name, list]) => [name, ...list].join(" "));
  if (scopes.length) body.append(el("p", { class: "muted" }, "Needs: " + scopes.join(", ")));

  const inputs = (op.parameters || []).map((p) => ({ p, input: el("input", { "aria-label": p.name, placeholder: typeOf(p.schema) }) }));
  if (inputs.length) {
    body.append(section("Parameters", el("table", {}, ...inputs.map(({ p, input }) =>
      el("tr", {}, el("td", {}, el("code", {}, p.name), p.required ? " *" : ""), el("td", {}, p.in),
        el("td", {}, p.description || "", " ", el("span", { class: "muted" }, bounds(p.schema))), trying ? el("td", {}, input) : "")))));
  }

  const [contentType, media] = Object.entries(op.requestBody?.content || {})[0] || [];
  let text;
  if (media) {
    const start = example(media.schema);
    text = el("textarea", { "aria-label": "Body", spellcheck: "false" });
    text.value = contentType === "application/json" ? JSON.stringify(start, null, 2)
      : Object.entries(start).filter(([, v]) => !Array.isArray(v)).map(([k, v]) => k + "=" + encodeURIComponent(v)).join("&\n");
    body.append(section("Body, " + contentType, fields(media.schema), trying ? text : ""));
  }

  body.append(section("Answers", ...Object.entries(op.responses || {}).map(([status, res]) => {
    const schema = Object.values(res.content || {})[0]?.schema;
    const fine = status < 400 && schema;
    return el("div", {}, el("p", {}, el("code", {}, status), " ", res.description || ""), fine ? fields(schema) : "");
  })));

  if (trying) {
    const out = el("pre", { hidden: true, "aria-live": "polite" });
    const send = el("button", { type: "button" }, "Send");
    send.addEventListener("click", async () => {
      let url = path;
      const query = new URLSearchParams();
      const headers = {};
      for (const { p, input } of inputs) {
        if (p.in === "path") url = url.replace("{" + p.name + "}", encodeURIComponent(input.value));
        else if (input.value && p.in === "query") query.set(p.name, input.value);
        else if (input.value && p.in === "header") headers[p.name] = input.value;
      }
      const token = document.getElementById("token").value.trim();
      if (token) headers.Authorization = "Bearer " + token;
      if (text) headers["Content-Type"] = contentType;
      const started = performance.now();
      out.hidden = false;
      try {
        const res = await fetch(url + (query.size ? "?" + query : ""), {
          method: method.toUpperCase(), headers, credentials: "omit",
          body: text ? (contentType === "application/json" ? text.value : text.value.replaceAll("\n", "")) : undefined,
        });
        let answer = await res.text();
        try { answer = JSON.stringify(JSON.parse(answer), null, 2); } catch { /* not JSON: as it is */ }
        out.textContent = res.status + " " + res.statusText + ", " + Math.round(performance.now() - started) + " ms\n" +
          [...res.headers].map(([k, v]) => k + ": " + v).join("\n") + "\n\n" + answer;
      } catch (err) {
        out.textContent = "No answer: " + err.message;
      }
    });
    body.append(send, out);
  }
  return el("details", { id: op.operationId, open: !trying },
    el("summary", {}, el("span", { class: "method" }, method.toUpperCase()), el("span", { class: "path" }, path), " ", el("span", { class: "muted" }, op.summary || "")), body);
};

const show = () => {
  document.title = doc.info.title + " API";
  document.getElementById("title").textContent = doc.info.title + " API " + doc.info.version;
  const groups = new Map();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const [method, op] of Object.entries(item)) {
      const tag = (op.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push({ path, method, op });
    }
  }
  const nav = document.getElementById("nav");
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [tag, list] of [...groups].sort()) {
    nav.append(el("h2", {}, tag), ...list.map(({ path, method, op }) => el("a", { href: "#" + op.operationId }, method.toUpperCase() + " " + path)));
    main.append(el("section", {}, el("h2", {}, tag), ...list.map(({ path, method, op }) => operation(path, method, op))));
  }
  const find = document.getElementById("find");
  find.addEventListener("input", () => {
    const word = find.value.toLowerCase();
    for (const d of main.querySelectorAll("details")) d.hidden = !d.querySelector("summary").textContent.toLowerCase().includes(word);
  });
  if (!trying) document.getElementById("auth").hidden = true;
  const target = document.getElementById(location.hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
};

fetch("/openapi.json").then((res) => res.json()).then((d) => { doc = d; show(); })
  .catch((err) => { document.getElementById("operations").textContent = "/openapi.json could not be read: " + err.message; });
