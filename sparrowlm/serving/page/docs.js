// The description of the interface, read from the server itself.
import { button, copied, element } from "./elements.js";
import { example } from "./examples.js";
import { applyTheme, isDark, preferredLanguage, remember, remembered } from "./preferences.js";
import { fieldsOf } from "./schemas.js";
import { get } from "./server.js";
import { bindPage, language, speak, tell } from "./words.js";

const at = (name) => document.getElementById(name);

function operation({ path, method, found }, parts, model) {
  const schema = found.requestBody?.content["application/json"].schema;
  const fields = schema ? fieldsOf(schema, parts) : [];
  return element(
    "section.operation", { id: idOf(path) },
    element("h2", {}, element("span.method", {}, method.toUpperCase()), path),
    element("p.quiet", {}, found.summary ?? ""),
    fields.length ? table(fields) : null,
    examples(path, method, model),
  );
}

const idOf = (path) => path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "");

function table(fields) {
  const head = ["field", "type", "meaning"].map((word) => element("th", { scope: "col", word }));
  const rows = fields.map(({ name, type, meaning, isRequired }) =>
    element(
      "tr", {},
      element("td", {}, name, isRequired ? element("span.badge", { word: "required" }) : null),
      element("td", {}, type), element("td", {}, meaning),
    ),
  );
  return element(
    "div.scroll", { tabindex: "0", role: "region", label: "field" },
    element(
      "table", {},
      element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows),
    ),
  );
}

function examples(path, method, model) {
  const kinds = ["curl", "python"].filter((kind) => example(kind, path, method, model));
  const code = element("code");
  const copy = button("copy", async () => {
    tell(copy, (await copied(code.textContent)) ? "copied" : "not-copied");
    setTimeout(() => tell(copy, "copy"), 2000);
  }, { kind: "button.plain" });
  const tabs = kinds.map((kind) =>
    element("button.plain", { type: "button", word: kind, on: { click: () => show(kind) } }),
  );
  const show = (kind) => {
    code.textContent = example(kind, path, method, model);
    kinds.forEach((one, place) => tabs[place].setAttribute("aria-pressed", String(one === kind)));
  };
  show("curl");
  return element(
    "div", {}, element("div.tabs-small", {}, ...tabs),
    element("div.example", {}, element("pre", { tabindex: "0" }, code), copy),
  );
}

async function start() {
  applyTheme(remembered("theme", "system"));
  bindPage();
  speak(preferredLanguage());
  at("address").textContent = location.origin;
  at("skip").addEventListener("click", () => at("view").focus());
  at("language").addEventListener("click", () => {
    const other = language() === "zh" ? "en" : "zh";
    remember("language", other);
    speak(other);
  });
  at("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    remember("theme", theme);
    applyTheme(theme);
  });
  try {
    await list();
  } catch (error) {
    at("operations").append(element("p.trouble", { role: "alert" }, error.message));
  }
}

async function list() {
  const asked = [get("/openapi.json"), get("/v1/models")];
  const [{ paths, components }, models] = await Promise.all(asked);
  const model = models.data[0]?.id ?? "MODEL";
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, found]) => ({ path, method, found })),
  );
  const links = all.map(({ path }) =>
    element("li", {}, element("a", { href: `#${idOf(path)}` }, element("code", {}, path))),
  );
  at("endpoints").append(element("ol", {}, ...links));
  at("operations").append(
    ...all.map((one) => operation(one, components.schemas, model)),
  );
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

start();
