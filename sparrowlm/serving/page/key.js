// The key of a server that asks for one: kept until the window is closed, never longer.
import { button, element } from "./elements.js";

const NAME = "sparrow.key";
let key = stored();
let asking = null;

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** Return the key that goes with every question; "" for none. */
export const currentKey = () => key;

/** Ask the reader for a key; returns whether there is a new one. Several who ask share one box. */
export function askForKey(reason) {
  asking ??= asked(reason).finally(() => {
    asking = null;
  });
  return asking;
}

async function asked(reason) {
  const field = element("input", {
    type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true,
  });
  const box = element("dialog.box", { "aria-labelledby": "key-heading" });
  const form = element(
    "form", { method: "dialog" },
    element("h2", { id: "key-heading", word: "key-heading" }),
    element("p.quiet", {}, reason),
    element("label", { for: "key", word: "key" }), field,
    element("p.quiet.small", { word: "key-kept" }),
    element(
      "div.row.end", {},
      button("cancel", () => box.close("")),
      element("button.main", { type: "submit", word: "key-use" }),
    ),
  );
  // A form that the page handles itself: the policy of the page lets no form go anywhere.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    box.close(field.value.trim());
  });
  box.append(form);
  document.body.append(box);
  box.showModal();
  field.focus();
  await new Promise((done) => box.addEventListener("close", done, { once: true }));
  const given = box.returnValue;
  box.remove();
  if (!given) return false;
  keep(given);
  return true;
}

function keep(given) {
  key = given;
  try {
    sessionStorage.setItem(NAME, given);
  } catch {
    // Kept in memory alone.
  }
}
