// What a browser remembers: language, theme, settings of writing. Nothing that anybody wrote.
const PREFIX = "sparrow.";

/** Return what was remembered under a name, or another value where nothing was. */
export function remembered(name, otherwise) {
  try {
    const found = localStorage.getItem(PREFIX + name);
    return found === null ? otherwise : JSON.parse(found);
  } catch {
    return otherwise; // storage is forbidden, or holds what is no JSON
  }
}

/** Remember a value; null forgets it. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage is forbidden or full: the page works without.
  }
}

/** Return the language of the page: the reader's choice, else the browser's first. */
export function preferredLanguage() {
  const chosen = remembered("language", null);
  if (chosen === "zh" || chosen === "en") return chosen;
  return (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Show the page light, dark, or as the system likes it ("system"). */
export function applyTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Return whether the page is dark now. */
export function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
